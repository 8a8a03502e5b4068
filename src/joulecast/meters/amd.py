"""AMD GPUs: the energy accumulator through amdsmi, or the power in the kernel's hwmon files.

Their other figures come from the same two: `amdsmi_get_gpu_activity`, `amdsmi_get_gpu_vram_usage`
(MiB) and `amdsmi_get_temp_metric` (degrees), or `gpu_busy_percent`, `mem_info_vram_used` and
`temp1_input` in sysfs (https://docs.kernel.org/gpu/amdgpu/driver-misc.html).

amdsmi: https://rocm.docs.amd.com/projects/amdsmi (`amdsmi_get_energy_count` counts in units of
`counter_resolution` microjoules, 15.3 on Instinct cards). hwmon: power1_average and power1_input in
microwatts, https://docs.kernel.org/gpu/amdgpu/thermal.html.
"""

import contextlib
import importlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import MeterLostError
from ..hardware.detect.visible_devices import visible_amd_gpus
from ..units import Provenance
from .base import DeviceFigure, ReadingKind, Source, Unavailable, Uncertainty
from .counter import Unwrap
from .sensor import Clock, Discovery, SensorMeter

FAMILY = "gpu (amd)"
# The SMU's firmware accumulates every millisecond (amdgpu gpu_metrics).
ENERGY_PERIOD_S = 1e-3
# Assumed: hwmon averages over a window that AMD does not document.
POWER_PERIOD_S = 0.1
COUNTER = Uncertainty(0.05, 0.05, "±5 % assumed: AMD states no accuracy for its energy accumulator")
POWER = Uncertainty(0.10, 0.10, "±10 % assumed: AMD states no accuracy, and the power is sampled")
_MIB = 2**20
# Values of the accumulator on cards that have none.
_UNSUPPORTED = (0, 2**64 - 1)
INSTALL = 'pip install "joulecast[amd]" (with the ROCm driver installed)'


class AmdMeter(SensorMeter):
    """One GPU read by a function: counts of an accumulator (with their unit), or watts.

    `read_raw` raises anything where the card is gone; `give_back` is called once, at the close.
    """

    def __init__(
        self,
        source: Source,
        clock: Clock,
        read_raw: Callable[[], float],
        figures: list[DeviceFigure],
        joules_per_count: float | None = None,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(source, clock)
        self._figures = figures
        self._read_raw, self._give_back = read_raw, give_back
        self._open = True
        self._unwrap = Unwrap(joules_per_count, ENERGY_PERIOD_S) if joules_per_count else None
        # The base of a counter. It raises where the card does not answer.
        self._value(self._opened_s)

    def _value(self, t_s: float) -> float:
        try:
            raw = self._read_raw()
        except Exception as error:
            # amdsmi raises exceptions of its own family; sysfs raises OSError or ValueError.
            what = f"{self.source.domain} ({self.source.device})"
            why = str(error) or type(error).__name__
            raise MeterLostError(f"{what} was lost: {why}; try: sudo dmesg | grep amdgpu") from (
                error
            )
        return self._unwrap.advance(int(raw), t_s) if self._unwrap else raw

    def figures(self, scope: str, pids: Callable[[], Collection[int]]) -> list[DeviceFigure]:
        """See `Meter.figures`: those of the whole device in either scope."""
        return self._figures

    def close(self) -> None:
        """Release the card."""
        if self._open:
            self._open = False
            self._give_back()


def _figures(asked: Mapping[str, Callable[[], float]]) -> list[DeviceFigure]:
    texts = {
        "utilization_pct": ("%", "amdgpu, of its graphics and compute engine"),
        "memory_bytes": ("B", "amdgpu, of the whole device"),
        "temperature_c": ("°C", "amdgpu, of the die"),
    }
    return [DeviceFigure(name, *texts[name], ask) for name, ask in asked.items()]


def find_amd(
    clock: Clock,
    env: Mapping[str, str],
    scope: str = "process",
    root: Path = Path("/"),
    first_index: int = 0,
    amdsmi: Any = None,
) -> Discovery:
    """The meters of the AMD GPUs, by amdsmi or else by hwmon. Never raises.

    Args:
        clock: gives the instants of the readings.
        env: the environment of the run; in scope "process" it may restrict the GPUs.
        scope: "process" (the GPUs visible to the run) or "machine" (all).
        root: of the file system, for hwmon.
        first_index: number of the first AMD GPU's domain, after those of other makers.
        amdsmi: the module; None imports it.
    """
    discovery = Discovery()
    cards = hwmon_cards(root)
    if amdsmi is None and not cards:
        return discovery
    why = ""
    try:
        amdsmi = amdsmi or importlib.import_module("amdsmi")
        amdsmi.amdsmi_init()
        handles = list(amdsmi.amdsmi_get_processor_handles())
    except ImportError:
        why = "amdsmi is not installed"
    except Exception as error:
        # Without the driver, importing the module raises KeyError.
        why = f"amdsmi does not start: {error or type(error).__name__}"
    else:
        _from_amdsmi(amdsmi, handles, clock, env, scope, first_index, discovery)
        return discovery
    _from_hwmon(cards, clock, env, scope, first_index, discovery)
    if any(meter.source.kind is ReadingKind.POWER for meter in discovery.meters):
        discovery.unavailable.append(Unavailable(FAMILY, "amdsmi energy counter", why, INSTALL))
    return discovery


def _chosen(
    uuids: Sequence[str], env: Mapping[str, str], scope: str, source: str, found: Discovery
) -> tuple[int, ...]:
    if scope == "machine":
        return tuple(range(len(uuids)))
    visible = visible_amd_gpus(env, uuids)
    if uuids and not visible.indices:
        reason = f"hidden from the run by {visible.restricted_by or 'the environment'}"
        found.unavailable.append(Unavailable(FAMILY, source, reason, ""))
    return visible.indices


def _source(domain: str, source: str, kind: ReadingKind, device: str) -> Source:
    counts = kind is ReadingKind.COUNTER
    return Source(
        domain=domain,
        source=source,
        kind=kind,
        provenance=Provenance.MEASURED,
        update_period_s=ENERGY_PERIOD_S if counts else POWER_PERIOD_S,
        uncertainty=COUNTER if counts else POWER,
        device=device,
    )


# --- amdsmi --------------------------------------------------------------------------------------


class _Session:
    """Shuts amdsmi down after the last of its meters is closed: it does not count references."""

    def __init__(self, amdsmi: Any) -> None:
        self._amdsmi, self._users = amdsmi, 0

    def take(self) -> None:
        self._users += 1

    def give_back(self) -> None:
        self._users -= 1
        if self._users == 0:
            # The driver is gone: nothing to shut down.
            with contextlib.suppress(Exception):
                self._amdsmi.amdsmi_shut_down()


def _from_amdsmi(
    amdsmi: Any,
    handles: list[Any],
    clock: Clock,
    env: Mapping[str, str],
    scope: str,
    first_index: int,
    found: Discovery,
) -> None:
    session = _Session(amdsmi)
    session.take()
    uuids = [_ask(amdsmi.amdsmi_get_gpu_enumeration_info, h, "hip_uuid") for h in handles]
    for index in _chosen(uuids, env, scope, "amdsmi", found):
        domain = f"gpu:{first_index + index}"
        session.take()
        try:
            found.meters.append(
                _amdsmi_meter(amdsmi, handles[index], domain, clock, session.give_back)
            )
        except MeterLostError as error:
            session.give_back()
            reason = str(error)
            found.unavailable.append(Unavailable(domain, "amdsmi", reason, "rocm-smi", True))
    session.give_back()


def _amdsmi_meter(
    amdsmi: Any, handle: Any, domain: str, clock: Clock, give_back: Callable[[], None]
) -> AmdMeter:
    device = _ask(amdsmi.amdsmi_get_gpu_asic_info, handle, "market_name") or "AMD GPU"
    unit_j = _counter_unit_j(amdsmi, handle)
    if unit_j is not None:
        text, kind = "amdsmi energy counter", ReadingKind.COUNTER
    else:
        text = "amdsmi power, integrated (no energy counter on this card)"
        kind = ReadingKind.POWER

    def read_raw() -> float:
        if unit_j is not None:
            return _accumulator(amdsmi.amdsmi_get_energy_count(handle))
        return _watts(amdsmi.amdsmi_get_power_info(handle))

    def vram() -> float:
        return float(amdsmi.amdsmi_get_gpu_vram_usage(handle)["vram_used"]) * _MIB

    asked = {
        "utilization_pct": lambda: float(amdsmi.amdsmi_get_gpu_activity(handle)["gfx_activity"]),
        "memory_bytes": vram,
        "temperature_c": lambda: _degrees(amdsmi, handle),
    }
    source = _source(domain, text, kind, device)
    return AmdMeter(source, clock, read_raw, _figures(asked), unit_j, give_back)


def _degrees(amdsmi: Any, handle: Any) -> float:
    """Of the edge of the die; Instinct cards since MI300 report only their hottest spot."""
    kinds, now = amdsmi.AmdSmiTemperatureType, amdsmi.AmdSmiTemperatureMetric.CURRENT
    try:
        return float(amdsmi.amdsmi_get_temp_metric(handle, kinds.EDGE, now))
    except Exception:
        # Drivers raise exceptions of their own families.
        return float(amdsmi.amdsmi_get_temp_metric(handle, kinds.HOTSPOT, now))


def _counter_unit_j(amdsmi: Any, handle: Any) -> float | None:
    try:
        count = amdsmi.amdsmi_get_energy_count(handle)
        if _accumulator(count) in _UNSUPPORTED:
            return None
        return float(count["counter_resolution"]) * 1e-6 or None
    except Exception:
        # The card has no energy counter: power is read instead.
        return None


def _accumulator(count: Mapping[str, Any]) -> int:
    """The raw count; versions before 6.0 called it "power"."""
    return int(count["energy_accumulator"] if "energy_accumulator" in count else count["power"])


def _watts(info: Mapping[str, Any]) -> float:
    """The power that the card reports, watts; the other keys are "N/A" or 0."""
    for key in ("current_socket_power", "average_socket_power", "socket_power"):
        value = info.get(key)
        if isinstance(value, int | float) and 0 < value < 0xFFFF:
            return float(value)
    raise ValueError(f"no power among {dict(info)}")


def _ask(question: Callable[[Any], Mapping[str, Any]], handle: Any, key: str) -> str:
    try:
        return str(question(handle)[key])
    except Exception:
        # A missing name must not cost the meter.
        return ""


# --- hwmon ---------------------------------------------------------------------------------------


def hwmon_cards(root: Path) -> list[tuple[Path, Path]]:
    """The amdgpu cards with a power sensor: (device folder, sensor file), by PCI address."""
    drm = root / "sys/class/drm"
    cards = [p for p in drm.glob("card*") if re.fullmatch(r"card\d+", p.name)]
    with_sensor = []
    for card in sorted(cards, key=lambda p: (_pci_bus(p / "device"), int(p.name[4:]))):
        device = card / "device"
        if _text(device / "vendor") != "0x1002":
            continue
        for hwmon in sorted(device.glob("hwmon/hwmon*")):
            sensors = (hwmon / "power1_average", hwmon / "power1_input")
            if sensor := next((s for s in sensors if s.exists()), None):
                with_sensor.append((device, sensor))
                break
    return with_sensor


def _pci_bus(device: Path) -> str:
    match = re.search(r"^PCI_SLOT_NAME=(\S+)", _text(device / "uevent"), re.MULTILINE)
    return match[1] if match else ""


def _from_hwmon(
    cards: list[tuple[Path, Path]],
    clock: Clock,
    env: Mapping[str, str],
    scope: str,
    first_index: int,
    found: Discovery,
) -> None:
    uuids = [f"GPU-{uid}" if (uid := _text(d / "unique_id")) else "" for d, _ in cards]
    for index in _chosen(uuids, env, scope, "hwmon", found):
        device, sensor = cards[index]
        domain = f"gpu:{first_index + index}"
        if not (sensor.parent / "power1_cap").exists():
            # An APU's sensor covers the CPU cores, which RAPL counts already.
            reason = "its sensor covers the whole APU, the processor included"
            found.unavailable.append(Unavailable(domain, "hwmon", reason, ""))
            continue
        name = _text(device / "product_name") or "AMD GPU"
        source = _source(domain, "amdgpu hwmon power, integrated", ReadingKind.POWER, name)
        try:
            watts = partial(_scaled, sensor, 1e-6)
            found.meters.append(AmdMeter(source, clock, watts, _sysfs_figures(device, sensor)))
        except MeterLostError as error:
            reason = str(error)
            found.unavailable.append(Unavailable(domain, "hwmon", reason, "", is_lacking=True))


def _sysfs_figures(device: Path, sensor: Path) -> list[DeviceFigure]:
    # Temperatures are in millidegrees.
    files = {
        "utilization_pct": (device / "gpu_busy_percent", 1.0),
        "memory_bytes": (device / "mem_info_vram_used", 1.0),
        "temperature_c": (sensor.parent / "temp1_input", 1e-3),
    }
    return _figures({name: partial(_scaled, *where) for name, where in files.items()})


def _scaled(file: Path, unit: float) -> float:
    return int(file.read_text()) * unit


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
