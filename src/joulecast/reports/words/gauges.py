"""Gauges as people read them."""

from collections.abc import Sequence

from ...recording.gauge_summary import GaugeSummary
from ...units import format_quantity
from .common import percent

UNKNOWN = "unknown"
_THROTTLED = "throttled_by_"


def gauge_text(value: float | None, unit: str) -> str:
    """A figure with its unit: `94 %`, `61 °C`, `7.3 GB`."""
    if value is None:
        return UNKNOWN
    if unit == "%":
        return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"
    if unit == "°C":
        return f"{value:.0f} °C"
    if not unit:
        return f"{value:.0f}"
    return format_quantity(value, unit)


def label(name: str) -> tuple[str, str]:
    """Device and quantity of a gauge: (`gpu:0`, `utilization`), (`host`, `memory`)."""
    device, _, what = name.rpartition("/")
    words = {
        "utilization_pct": "utilization",
        "memory_bytes": "memory",
        "device_memory_bytes": "memory of all on it",
        "temperature_c": "temperature",
        "sm_clock_hz": "clock",
        "memory_clock_hz": "memory clock",
        "memory_power_w": "memory power",
        "power_smoothing_pct": "power smoothing",
        "power_profile": "power profile",
    }
    throttled = what.removesuffix("_pct").replace("_", " ")
    return device or "host", words.get(what, throttled if _THROTTLED in what else what)


def throttled_text(gauges: Sequence[GaugeSummary]) -> str:
    """For how much of the run which device was throttled, and why; empty where none was.

    `gpu:0 by power 93 %, by heat 4 % of the run`.
    """
    devices: dict[str, list[str]] = {}
    for g in gauges:
        device, what = label(g.name)
        if _THROTTLED in g.name and g.mean:
            devices.setdefault(device, []).append(
                f"{what.removeprefix('throttled ')} {percent(g.mean / 100)}"
            )
    texts = [f"{device} {', '.join(reasons)}" for device, reasons in devices.items()]
    return f"{'; '.join(texts)} of the run" if texts else ""


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
        # One that was never throttled is not worth a row.
        if not (_THROTTLED in g.name and g.max == 0)
    ]
