"""The NVIDIA GPUs of this machine: which of them belong to the run, and their meters.

NVML counts whole cards: with MIG the energy is that of all instances together.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..hardware.detect.visible_devices import index_order_note, visible_gpus
from .base import Unavailable
from .nvml import NvmlMeter, explain
from .sensor import Clock, Discovery

FAMILY = "gpu (nvidia)"


@dataclass(slots=True)
class _Cards:
    """All GPUs of the driver, in its order; an unreadable one has an error in place of a name.

    `migs` has the card of each MIG device's UUID, `split` the cards with MIG on, and `users` the
    ids of other processes on each card.
    """

    names: list[str] = field(default_factory=list)
    uuids: list[str] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)
    migs: dict[str, int] = field(default_factory=dict)
    split: set[int] = field(default_factory=set)
    users: dict[int, list[int]] = field(default_factory=dict)


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
        cards = _list_cards(pynvml, own_pids)
        indices = _chosen(cards, env, scope, discovery)
        for index in indices:
            _open(index, cards, clock, discovery)
    except Exception as error:
        discovery.unavailable.append(_lacking(FAMILY, error))
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return discovery


def _chosen(
    cards: _Cards, env: Mapping[str, str], scope: str, discovery: Discovery
) -> tuple[int, ...]:
    if not cards.names:
        discovery.unavailable.append(Unavailable(FAMILY, "NVML", "the driver shows no GPU", ""))
        return ()
    if scope == "machine":
        return tuple(range(len(cards.names)))
    visible = visible_gpus(env, cards.uuids, cards.migs)
    if order := index_order_note(env, cards.names):
        discovery.warnings.append(order)
    if not visible.indices:
        reason = f"hidden from the run by {visible.restricted_by or 'the environment'}"
        discovery.unavailable.append(Unavailable(FAMILY, "NVML", reason, ""))
    return visible.indices


def _open(index: int, cards: _Cards, clock: Clock, discovery: Discovery) -> None:
    name = cards.names[index]
    device = f"{name} (MIG: the whole card)" if index in cards.split else name
    error = cards.errors.get(index)
    if error is None:
        try:
            discovery.meters.append(NvmlMeter(index, clock, device))
        except Exception as failure:
            error = failure
    if error is not None:
        discovery.unavailable.append(_lacking(f"gpu:{index}", error))
        return
    if index in cards.split:
        discovery.warnings.append(
            f"gpu:{index} is split by MIG: NVML counts the energy of the whole card,"
            " other instances included"
        )
    if others := cards.users.get(index):
        discovery.warnings.append(
            f"gpu:{index} is also used by {_processes(others)}: its energy includes theirs"
        )


def _lacking(domain: str, error: Exception) -> Unavailable:
    reason, remedy = explain(error)
    return Unavailable(domain, "NVML", reason, remedy, is_lacking=True)


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
            # The numbers of MIG devices have holes.
            continue
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


def _is_on_pci_bus(root: Path) -> bool:
    return any(_text(p) == "0x10de" for p in root.glob("sys/bus/pci/devices/*/vendor"))


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


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
