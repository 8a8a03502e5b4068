"""Gauges as people read them."""

from collections.abc import Sequence

from ...recording.gauge_summary import GaugeSummary
from ...units import format_quantity

UNKNOWN = "unknown"


def gauge_text(value: float | None, unit: str) -> str:
    """A figure with its unit: `94 %`, `61 °C`, `7.3 GB`."""
    if value is None:
        return UNKNOWN
    if unit == "%":
        return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"
    if unit == "°C":
        return f"{value:.0f} °C"
    return format_quantity(value, unit)


def label(name: str) -> tuple[str, str]:
    """Device and quantity of a gauge: (`gpu:0`, `utilization`), (`host`, `memory`)."""
    device, _, what = name.rpartition("/")
    words = {
        "utilization_pct": "utilization",
        "memory_bytes": "memory",
        "device_memory_bytes": "memory of all on it",
        "temperature_c": "temperature",
    }
    return device or "host", words.get(what, what)


def gauge_rows(gauges: Sequence[GaugeSummary]) -> list[tuple[str, list[str], str]]:
    """For each gauge its name, its figures (mean, min, max, last), and their source or a reason."""
    return [
        (
            " ".join(label(g.name)),
            []
            if g.mean is None
            else [gauge_text(x, g.unit) for x in (g.mean, g.min, g.max, g.last)],
            "; ".join(filter(None, (g.source if g.mean is not None else "", g.reason))),
        )
        for g in gauges
    ]
