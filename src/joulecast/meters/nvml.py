"""NVIDIA GPUs, through NVML (https://docs.nvidia.com/deploy/nvml-api/) and nvidia-ml-py.

The energy counter is read where the card has one (Volta and later); older cards give their power,
which is integrated. NVML counts whole cards: with MIG the figure is that of all instances together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import MeterLostError
from ..hardware.detect.visible_devices import index_order_note, visible_gpus
from ..units import Provenance
from .base import ReadingKind, Source, Unavailable, Uncertainty
from .counter import Unwrap
from .sensor import Clock, Discovery, SensorMeter

FAMILY = "gpu (nvidia)"
ENERGY_PERIOD_S = 0.1  # of the energy counter, as observed: arXiv 2312.02741
POWER_PERIOD_S = 0.1  # of the power reading: 20 to 100 ms by card, arXiv 2312.02741
COUNTER = Uncertainty(
    0.05,
    0.05,
    "±5 %, the board's power sensor (NVML reference; Yang et al. 2023, arXiv 2312.02741)",
)
POWER = Uncertainty(
    0.10,
    0.10,
    "±10 % taken: ±5 % of the sensor (NVML reference) and as much again because it is read only"
    " now and then (Yang et al. 2023, arXiv 2312.02741)",
)

_REMEDIES = {
    "DRIVER_NOT_LOADED": ("the NVIDIA driver is not loaded", "sudo modprobe nvidia"),
    "NO_PERMISSION": (
        "no permission to talk to the NVIDIA driver",
        "ls -l /dev/nvidiactl; in a container: start it with --gpus all",
    ),
    "LIB_RM_VERSION_MISMATCH": (
        "the NVIDIA library and the loaded driver have different versions",
        "sudo reboot (or unload and load the nvidia modules) after the driver's update",
    ),
    "GPU_IS_LOST": ("the GPU has fallen off the bus", "nvidia-smi -q; then sudo reboot"),
    "UNINITIALIZED": ("NVML was shut down", "restart the run"),
    "NOT_FOUND": ("the GPU is no longer there", "nvidia-smi -L; then sudo reboot"),
    "NOT_SUPPORTED": ("the driver does not tell it of this card", "nvidia-smi -q"),
    "UNKNOWN": ("the driver has failed", "sudo dmesg | grep -i xid; then sudo reboot"),
}


class NvmlMeter(SensorMeter):
    """One GPU: joules of its energy counter, or watts where it has none.

    Holds one reference to NVML until it is closed. Raises `pynvml.NVMLError` where the card answers
    neither for its energy nor for its power.
    """

    def __init__(self, index: int, clock: Clock, device: str = "") -> None:
        import pynvml

        self._nvml = pynvml
        self._open = False
        pynvml.nvmlInit()
        self._open = True
        try:
            self.index = index
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            name = device or str(pynvml.nvmlDeviceGetName(self._handle))
            counts = _has_energy_counter(pynvml, self._handle)
            super().__init__(_source(f"gpu:{index}", name, counts), clock)
            self._unwrap = Unwrap(1e-3, ENERGY_PERIOD_S) if counts else None
            ask = "nvmlDeviceGetTotalEnergyConsumption" if counts else "nvmlDeviceGetPowerUsage"
            self._ask: Callable[[Any], int] = getattr(pynvml, ask)
            self._ask(self._handle)  # a card without either is no meter
            if counts:
                self._value(self._opened_s)  # the first value is the base
        except BaseException:
            self.close()
            raise

    def _value(self, t_s: float) -> float:
        raw = self._raw()
        return self._unwrap.advance(raw, t_s) if self._unwrap else raw * 1e-3

    def _raw(self) -> int:
        """Millijoules or milliwatts. A driver may be busy for a moment: it is asked twice."""
        try:
            return self._ask(self._handle)
        except self._nvml.NVMLError:
            pass
        try:
            return self._ask(self._handle)
        except self._nvml.NVMLError as error:
            reason, remedy = explain(error)
            what = f"{self.source.domain} ({self.source.device})"
            raise MeterLostError(f"{what} was lost: {reason}; try: {remedy}") from error

    def note(self) -> str | None:
        """Resets of the counter since the last call, or None."""
        return self._unwrap.note() if self._unwrap else None

    def close(self) -> None:
        """Give back the reference to NVML."""
        if self._open:
            self._open = False
            # Somebody else may have shut NVML down: nothing is left to give back then.
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()


def _source(domain: str, device: str, has_counter: bool) -> Source:
    return Source(
        domain=domain,
        source="NVML energy counter"
        if has_counter
        else "NVML power, integrated (no energy counter on this card)",
        kind=ReadingKind.COUNTER if has_counter else ReadingKind.POWER,
        provenance=Provenance.MEASURED,
        update_period_s=ENERGY_PERIOD_S if has_counter else POWER_PERIOD_S,
        uncertainty=COUNTER if has_counter else POWER,
        device=device,
    )


def _has_energy_counter(pynvml: Any, handle: Any) -> bool:
    try:
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return False
    return True


def explain(error: Exception) -> tuple[str, str]:
    """Reason and remedy of an error that NVML, or talking to it, has raised."""
    import pynvml

    for name, (reason, remedy) in _REMEDIES.items():
        if getattr(error, "value", None) == getattr(pynvml, f"NVML_ERROR_{name}"):
            return reason, remedy
    if isinstance(error, pynvml.NVMLError):
        return f"NVML says: {error}", "nvidia-smi"
    return f"it failed: {type(error).__name__}: {error}", "nvidia-smi"


# --- finding them --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cards:
    """All GPUs of the driver, in its order; an unreadable one has an error in place of a name."""

    names: list[str] = field(default_factory=list)
    uuids: list[str] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)
    migs: dict[str, int] = field(default_factory=dict)
    split: set[int] = field(default_factory=set)  # with MIG on
    users: dict[int, list[int]] = field(default_factory=dict)  # process ids


def find_nvml(
    clock: Clock,
    env: Mapping[str, str],
    scope: str = "process",
    own_pids: Callable[[], Collection[int]] = tuple,
    root: Path = Path("/"),
) -> Discovery:
    """The meters of the NVIDIA GPUs. Never raises.

    Args:
        clock: gives the instants of the readings.
        env: the environment of the run; in scope "process" it may restrict the GPUs.
        scope: "process" (the GPUs visible to the run) or "machine" (all).
        own_pids: tells the run's processes, if it is asked; others on a GPU give a warning.
        root: of the file system, to tell a machine without GPU from one without driver.
    """
    found = Discovery()
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        found.unavailable.append(_no_library(root))
        return found
    except Exception as error:  # a half-installed driver raises more than NVMLError
        reason, remedy = explain(error)
        found.unavailable.append(Unavailable(FAMILY, "NVML", reason, remedy))
        return found
    try:
        cards = _list_cards(pynvml, own_pids)
        indices = _chosen(cards, env, scope, found)
        for index in indices:
            _open(index, cards, clock, found)
    except Exception as error:
        reason, remedy = explain(error)
        found.unavailable.append(Unavailable(FAMILY, "NVML", reason, remedy))
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return found


def _chosen(cards: _Cards, env: Mapping[str, str], scope: str, found: Discovery) -> tuple[int, ...]:
    if not cards.names:
        found.unavailable.append(Unavailable(FAMILY, "NVML", "the driver shows no GPU", ""))
        return ()
    if scope == "machine":
        return tuple(range(len(cards.names)))
    visible = visible_gpus(env, cards.uuids, cards.migs)
    if order := index_order_note(env, cards.names):
        found.warnings.append(order)
    if not visible.indices:
        reason = f"hidden from the run by {visible.restricted_by or 'the environment'}"
        found.unavailable.append(Unavailable(FAMILY, "NVML", reason, ""))
    return visible.indices


def _open(index: int, cards: _Cards, clock: Clock, found: Discovery) -> None:
    name = cards.names[index]
    device = f"{name} (MIG: the whole card)" if index in cards.split else name
    error = cards.errors.get(index)
    if error is None:
        try:
            found.meters.append(NvmlMeter(index, clock, device))
        except Exception as failure:
            error = failure
    if error is not None:
        reason, remedy = explain(error)
        found.unavailable.append(Unavailable(f"gpu:{index}", "NVML", reason, remedy))
        return
    if index in cards.split:
        found.warnings.append(
            f"gpu:{index} is split by MIG: NVML counts the energy of the whole card,"
            " other instances included"
        )
    if others := cards.users.get(index):
        found.warnings.append(
            f"gpu:{index} is also used by {_processes(others)}: their energy is in its figure"
        )


def _list_cards(pynvml: Any, own_pids: Callable[[], Collection[int]]) -> _Cards:
    cards = _Cards()
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            uuid, name = pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle)
        except pynvml.NVMLError as error:
            cards.errors[index] = error
            uuid = name = ""
        else:
            migs = mig_uuids(pynvml, handle)
            if migs is not None:
                cards.split.add(index)
                cards.migs |= dict.fromkeys(migs, index)
            cards.users[index] = shared_with(pynvml, handle, own_pids)
        cards.uuids.append(str(uuid))
        cards.names.append(str(name))
    return cards


def mig_uuids(pynvml: Any, handle: Any) -> list[str] | None:
    """UUIDs of the MIG devices of a card, or None where MIG is off or unknown to the card."""
    try:
        if not pynvml.nvmlDeviceGetMigMode(handle)[0]:
            return None
        count = pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except pynvml.NVMLError:
        return None
    uuids = []
    for index in range(count):
        try:
            part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
            uuids.append(str(pynvml.nvmlDeviceGetUUID(part)))
        except pynvml.NVMLError:
            continue  # the numbers of MIG devices have holes
    return uuids


def shared_with(pynvml: Any, handle: Any, own_pids: Callable[[], Collection[int]]) -> list[int]:
    """Ids of processes that compute on a card and are not the run's own; empty where unknown."""
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return []
    users = {int(p.pid) for p in processes}
    return sorted(users - set(own_pids())) if users else []


def _processes(pids: list[int]) -> str:
    shown = ", ".join(map(str, pids[:3])) + (", ..." if len(pids) > 3 else "")
    count = "1 other process" if len(pids) == 1 else f"{len(pids)} other processes"
    return f"{count} ({shown})"


def _no_library(root: Path) -> Unavailable:
    vendors = root.glob("sys/bus/pci/devices/*/vendor")
    if not any(_text(vendor) == "0x10de" for vendor in vendors):
        return Unavailable(FAMILY, "NVML", "no NVIDIA GPU and no NVIDIA driver here", "")
    return Unavailable(
        FAMILY,
        "NVML",
        "an NVIDIA device is here, but not its driver library (libnvidia-ml.so.1)",
        "install the NVIDIA driver (Debian: sudo apt install nvidia-driver; Ubuntu: sudo"
        " ubuntu-drivers install); in a container: start it with --gpus all",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
