"""The NVIDIA GPUs of this machine: which of them belong to the run, and their meters.

NVML counts whole cards: with MIG the energy is that of all instances together.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..hardware.detect.files import Tree
from ..hardware.detect.gpu import DetectedGpu
from ..hardware.detect.gpu_nvidia import detect_with_nvml
from ..hardware.detect.visible_devices import index_order_note, visible_gpus
from .base import Unavailable
from .gpu_meter import GpuMeter, Pids
from .nvml import explain, open_nvml
from .sensor import Clock, Discovery

FAMILY = "gpu (nvidia)"
# Of 64 CPUs each, of a bit mask of CPUs.
_CPU_WORDS = 64


def find_nvml(
    clock: Clock,
    env: Mapping[str, str],
    scope: str = "process",
    own_pids: Pids = tuple,
    root: Path = Path("/"),
) -> Discovery:
    """The meters of the NVIDIA GPUs. Never raises.

    Args:
        clock: gives the instants of the readings.
        env: the environment of the run; in scope "process" it may restrict the GPUs.
        scope: "process" (the GPUs visible to the run) or "machine" (all).
        own_pids: returns the ids of the run's processes; others on a GPU give a warning.
        root: of the file system, to distinguish a machine without GPU from one without driver.
    """
    import pynvml

    discovery = Discovery()

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        discovery.unavailable.append(_no_library(root, scope))
        return discovery
    except pynvml.NVMLError_DriverNotLoaded as error:
        lacking = replace(_lacking(FAMILY, error), is_lacking=_is_on_pci_bus(root))
        discovery.unavailable.append(lacking)
        return discovery
    except Exception as error:
        # A half-installed driver raises more than NVMLError.
        discovery.unavailable.append(_lacking(FAMILY, error))
        return discovery
    try:
        report = detect_with_nvml([])
        cards = report.gpus if report else ()
        modules: dict[tuple[int, ...], GpuMeter] = {}
        for index in _chosen(cards, env, scope, discovery):
            meter = _open(pynvml, cards[index], clock, own_pids, discovery)
            if meter is None:
                continue
            # Each GPU of a module reports the whole module. They have the same CPU.
            is_module = meter.source.domain.startswith("module:")
            if is_module and modules.setdefault(_cpus(pynvml, index), meter) is not meter:
                meter.close()
            else:
                discovery.meters.append(meter)
    except Exception as error:
        discovery.unavailable.append(_lacking(FAMILY, error))
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return discovery


def _chosen(
    cards: Sequence[DetectedGpu], env: Mapping[str, str], scope: str, discovery: Discovery
) -> tuple[int, ...]:
    if not cards:
        discovery.unavailable.append(Unavailable(FAMILY, "NVML", "the driver shows no GPU", ""))
        return ()
    if scope == "machine":
        return tuple(range(len(cards)))
    migs = {uuid: card.index for card in cards for uuid in card.mig_uuids}
    visible = visible_gpus(env, [str(card.uuid) for card in cards], migs)
    if order := index_order_note(env, [str(card.name) for card in cards]):
        discovery.warnings.append(order)
    if not visible.indices:
        reason = f"hidden from the run by {visible.restricted_by or 'the environment'}"
        discovery.unavailable.append(Unavailable(FAMILY, "NVML", reason, ""))
    return visible.indices


def _open(
    nvml: Any, card: DetectedGpu, clock: Clock, own_pids: Pids, discovery: Discovery
) -> GpuMeter | None:
    """The meter of one card; None where it cannot be read, which is listed."""
    domain = f"gpu:{card.index}"
    device = f"{card.name} (MIG: the whole card)" if card.mig else ""
    try:
        meter = open_nvml(card.index, clock, device)
    except Exception as error:
        discovery.unavailable.append(_lacking(domain, error))
        return None
    if card.mig:
        discovery.warnings.append(
            f"{domain} is split by MIG: NVML counts the energy of the whole card,"
            " other instances included"
        )
    if others := _shared_with(nvml, card.index, own_pids):
        discovery.warnings.append(
            f"{domain} is also used by {_processes(others)}: its energy includes theirs"
        )
    return meter


def _cpus(nvml: Any, index: int) -> tuple[int, ...]:
    """The CPUs near a GPU, as words of a bit mask; its index where the driver does not say."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        return tuple(nvml.nvmlDeviceGetCpuAffinity(handle, _CPU_WORDS))
    except nvml.NVMLError:
        return (index,)


def _lacking(domain: str, error: Exception) -> Unavailable:
    # A meter names the driver's own error as its cause.
    cause = error.__cause__
    reason, remedy = explain(cause if isinstance(cause, Exception) else error)
    return Unavailable(domain, "NVML", reason, remedy, is_lacking=True)


def _shared_with(nvml: Any, index: int, own_pids: Pids) -> list[int]:
    """Ids of processes that compute on a card and are not the run's own; empty where unknown."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLError:
        return []
    users = {int(p.pid) for p in processes}
    return sorted(users - set(own_pids())) if users else []


def _processes(pids: list[int]) -> str:
    shown = ", ".join(map(str, pids[:3])) + (", ..." if len(pids) > 3 else "")
    count = "1 other process" if len(pids) == 1 else f"{len(pids)} other processes"
    return f"{count} ({shown})"


def _is_on_pci_bus(root: Path) -> bool:
    tree, devices = Tree(root), "sys/bus/pci/devices"
    return any(tree.text(f"{devices}/{b}/vendor") == "0x10de" for b in tree.names(devices))


def _no_library(root: Path, scope: str) -> Unavailable:
    if not _is_on_pci_bus(root):
        return Unavailable(FAMILY, "NVML", "no NVIDIA GPU and no NVIDIA driver", "")
    return Unavailable(
        FAMILY,
        "NVML",
        "there is an NVIDIA device, but no driver library (libnvidia-ml.so.1)",
        "install the NVIDIA driver (Debian: sudo apt install nvidia-driver; Ubuntu: sudo"
        " ubuntu-drivers install); in a container: start it with --gpus all",
        # A container sees the bus of its host. Its own cards have a device file.
        is_lacking=scope == "machine" or (root / "dev/nvidiactl").exists(),
    )
