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
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import MeterLostError
from ..hardware.detect.files import Tree
from ..hardware.detect.gpu_amd import card_folders
from ..hardware.detect.visible_devices import visible_amd_gpus
from .base import DeviceFigure, ReadingKind, Unavailable, Uncertainty
from .gpu_counter import believable_w
from .gpu_meter import Card, GpuMeter, GpuSensor, Pids
from .sensor import Clock, Discovery

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


def _explain(error: Exception) -> tuple[str, str]:
    """amdsmi raises exceptions of its own family; sysfs raises OSError or ValueError."""
    return str(error) or type(error).__name__, "sudo dmesg | grep amdgpu"


def _figures(
    asked: Mapping[str, Callable[[], float]],
) -> Callable[[str, Pids], list[DeviceFigure]]:
    """Those of the whole device in either scope."""
    texts = {
        "utilization_pct": ("%", "amdgpu, of its graphics and compute engine"),
        "memory_bytes": ("B", "amdgpu, of the whole device"),
        "temperature_c": ("°C", "amdgpu, of the die"),
    }
    figures = [DeviceFigure(name, *texts[name], ask) for name, ask in asked.items()]
    return lambda scope, pids: figures


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
    cards = _hwmon_cards(root)
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
        session = _Session(amdsmi)
        asked = amdsmi.amdsmi_get_gpu_enumeration_info
        smi = [(_ask(asked, h, "hip_uuid"), partial(session.open, h)) for h in handles]
        _open(smi, "amdsmi", clock, env, scope, first_index, discovery)
        session.give_back()
        return discovery
    ids = [Tree(device).text("unique_id") for device, _ in cards]
    opens = [partial(_hwmon_meter, *card) for card in cards]
    uuids = [f"GPU-{uid}" if uid else "" for uid in ids]
    hwmon = list(zip(uuids, opens, strict=True))
    _open(hwmon, "hwmon", clock, env, scope, first_index, discovery)
    if any(meter.source.kind is ReadingKind.POWER for meter in discovery.meters):
        discovery.unavailable.append(Unavailable(FAMILY, "amdsmi energy counter", why, INSTALL))
    return discovery


def _open(
    cards: Sequence[tuple[str, Callable[[str, Clock], GpuMeter | str]]],
    source: str,
    clock: Clock,
    env: Mapping[str, str],
    scope: str,
    first_index: int,
    found: Discovery,
) -> None:
    """Open those of the cards, each a UUID and what opens it, that are the run's.

    What opens a card returns a reason instead where it is not counted.
    """
    indices = tuple(range(len(cards)))
    if scope != "machine":
        visible = visible_amd_gpus(env, [uuid for uuid, _ in cards])
        indices = visible.indices
        if cards and not indices:
            reason = f"hidden from the run by {visible.restricted_by or 'the environment'}"
            found.unavailable.append(Unavailable(FAMILY, source, reason, ""))
    for index in indices:
        domain = f"gpu:{first_index + index}"
        try:
            meter = cards[index][1](domain, clock)
        except MeterLostError as error:
            reason = str(error)
            found.unavailable.append(Unavailable(domain, source, reason, "rocm-smi", True))
            continue
        if isinstance(meter, str):
            found.unavailable.append(Unavailable(domain, source, meter, ""))
        else:
            found.meters.append(meter)


# --- amdsmi --------------------------------------------------------------------------------------


class _Session:
    """Shuts amdsmi down after the last of its meters is closed: it does not count references."""

    def __init__(self, amdsmi: Any) -> None:
        self._amdsmi, self._users = amdsmi, 1

    def open(self, handle: Any, domain: str, clock: Clock) -> GpuMeter:
        self._users += 1
        try:
            return _amdsmi_meter(self._amdsmi, handle, domain, clock, self.give_back)
        except MeterLostError:
            self.give_back()
            raise

    def give_back(self) -> None:
        self._users -= 1
        if self._users == 0:
            # The driver is gone: nothing to shut down.
            with contextlib.suppress(Exception):
                self._amdsmi.amdsmi_shut_down()


def _amdsmi_meter(
    amdsmi: Any, handle: Any, domain: str, clock: Clock, give_back: Callable[[], None]
) -> GpuMeter:
    device = _ask(amdsmi.amdsmi_get_gpu_asic_info, handle, "market_name") or "AMD GPU"

    def counts() -> float:
        return _accumulator(amdsmi.amdsmi_get_energy_count(handle))

    def watts() -> float:
        return _watts(amdsmi.amdsmi_get_power_info(handle))

    def vram() -> float:
        return float(amdsmi.amdsmi_get_gpu_vram_usage(handle)["vram_used"]) * _MIB

    asked = {
        "utilization_pct": lambda: float(amdsmi.amdsmi_get_gpu_activity(handle)["gfx_activity"]),
        "memory_bytes": vram,
        "temperature_c": lambda: _degrees(amdsmi, handle),
    }
    text = "amdsmi power, integrated (no energy counter on this card)"
    counter, power = None, GpuSensor(watts, text, POWER_PERIOD_S, POWER)
    if unit_j := _counter_unit_j(amdsmi, handle):
        counter = GpuSensor(counts, "amdsmi energy counter", ENERGY_PERIOD_S, COUNTER, unit_j)
    # The second die of a card with two has no power of its own.
    check = power if counter is None or _ask(lambda _: {"w": watts()}, handle, "w") else None
    card = Card(domain, device, counter, check, _explain, _figures(asked), give_back)
    return GpuMeter(card, clock)


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
    """The power that the card reports, watts, not-a-number where it is none now.

    The other keys are "N/A" or 0.
    """
    keys = ("current_socket_power", "average_socket_power", "socket_power")
    values = [v for key in keys if isinstance(v := info.get(key), int | float)]
    if not values:
        raise ValueError(f"no power among {dict(info)}")
    return next((v for v in map(believable_w, values) if not math.isnan(v)), math.nan)


def _ask(question: Callable[[Any], Mapping[str, Any]], handle: Any, key: str) -> str:
    try:
        return str(question(handle)[key])
    except Exception:
        # A missing name must not cost the meter.
        return ""


# --- hwmon ---------------------------------------------------------------------------------------


def _hwmon_cards(root: Path) -> list[tuple[Path, Path]]:
    """The amdgpu cards with a power sensor: (device folder, sensor file), by PCI address."""
    cards = []
    for device in (root / folder for folder in card_folders(Tree(root))):
        names = ("power1_average", "power1_input")
        sensors = [h / name for h in sorted(device.glob("hwmon/hwmon*")) for name in names]
        if sensor := next((s for s in sensors if s.exists()), None):
            cards.append((device, sensor))
    return cards


def _hwmon_meter(device: Path, sensor: Path, domain: str, clock: Clock) -> GpuMeter | str:
    if not (sensor.parent / "power1_cap").exists():
        # An APU's sensor covers the CPU cores, which RAPL counts already.
        return "its sensor covers the whole APU, the processor included"
    name = Tree(device).text("product_name") or "AMD GPU"
    watts = partial(_scaled, sensor, 1e-6)
    power = GpuSensor(watts, "amdgpu hwmon power, integrated", POWER_PERIOD_S, POWER)
    # Temperatures are in millidegrees.
    files = {
        "utilization_pct": (device / "gpu_busy_percent", 1.0),
        "memory_bytes": (device / "mem_info_vram_used", 1.0),
        "temperature_c": (sensor.parent / "temp1_input", 1e-3),
    }
    asked = {name: partial(_scaled, *where) for name, where in files.items()}
    return GpuMeter(Card(domain, name, None, power, _explain, _figures(asked)), clock)


def _scaled(file: Path, unit: float) -> float:
    return int(file.read_text()) * unit
