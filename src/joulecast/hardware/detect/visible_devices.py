"""Which GPUs a process may use, as the variables of its environment say.

Pure: nothing is asked of a driver. The rules are those of the CUDA driver (CUDA C++ Programming
Guide, "CUDA Environment Variables") and of the ROCm runtime (ROCm documentation, "GPU isolation
techniques").

`NVIDIA_VISIBLE_DEVICES` takes no part here on purpose: the NVIDIA container runtime has acted on it
before the process started, so that the driver's own list is already the shorter one. Its indices
are those of the host, and outside such a container it has no effect at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

_NO_MIG: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Visible:
    """The GPUs a process may use, in the order in which it counts them."""

    indices: tuple[int, ...]  # positions in the driver's own list (NVML, amdsmi)
    restricted_by: str | None = (
        None  # "CUDA_VISIBLE_DEVICES=0,1", for people; None: all are visible
    )


def visible_gpus(
    env: Mapping[str, str], uuids: Sequence[str], mig_uuids: Mapping[str, int] = _NO_MIG
) -> Visible:
    """NVIDIA GPUs that `CUDA_VISIBLE_DEVICES` leaves to a process.

    `uuids` are those of all GPUs in NVML's order (`"GPU-8932f937-..."`); `mig_uuids` gives each MIG
    device (`"MIG-..."`) the NVML index of the GPU it is a part of.

    Unset shows all and an empty value none. Entries are indices, or GPU UUIDs or MIG UUIDs that may
    be cut short as long as they stay unique; the first entry decides which of the two. The first
    entry that names no device ends the list (`-1` and `NoDevFiles` are such), and an entry given
    twice leaves no device at all.

    Indices are taken in NVML's order, which is PCI bus order; see `index_order_note`.
    """
    value = env.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return Visible(tuple(range(len(uuids))))
    return Visible(_cuda_indices(value, uuids, mig_uuids), f"CUDA_VISIBLE_DEVICES={value}")


def _cuda_indices(
    value: str, uuids: Sequence[str], mig_uuids: Mapping[str, int]
) -> tuple[int, ...]:
    entries = [entry.strip() for entry in value.split(",")]
    kind = entries[0][:4]
    seen: set[str] = set()
    indices: list[int] = []
    for entry in entries:
        if kind == "MIG-":
            name, index = _match_mig(entry, uuids, mig_uuids)
        elif kind == "GPU-":
            name, index = _match_uuid(entry, uuids)
        else:
            name, index = _match_index(entry, len(uuids))
        if index is None:
            break
        if name in seen:
            return ()
        seen.add(name)
        if index not in indices:  # two MIG devices may share one GPU
            indices.append(index)
    return tuple(indices)


def _match_index(entry: str, count: int) -> tuple[str, int | None]:
    """As C's strtol reads it: `1gpu` is 1."""
    match = re.match(r"\+?\d+", entry)
    index = int(match[0]) if match else count
    return str(index), index if index < count else None


def _match_uuid(entry: str, uuids: Sequence[str]) -> tuple[str, int | None]:
    if not entry.startswith("GPU-"):
        return entry, None
    found = [i for i, uuid in enumerate(uuids) if uuid.lower().startswith(entry.lower())]
    return (uuids[found[0]], found[0]) if len(found) == 1 else (entry, None)


def _match_mig(
    entry: str, uuids: Sequence[str], mig_uuids: Mapping[str, int]
) -> tuple[str, int | None]:
    if entry.startswith("MIG-GPU-"):  # before driver R470: MIG-GPU-<uuid>/<instance>/<compute>
        return entry, _match_uuid(entry.removeprefix("MIG-").split("/")[0], uuids)[1]
    if not entry.startswith("MIG-"):
        return entry, None
    found = [uuid for uuid in mig_uuids if uuid.lower().startswith(entry.lower())]
    return (found[0], mig_uuids[found[0]]) if len(found) == 1 else (entry, None)


def index_order_note(env: Mapping[str, str], names: Sequence[str]) -> str | None:
    """Why an index in `CUDA_VISIBLE_DEVICES` may mean another GPU than NVML's, or None.

    CUDA counts the fastest GPU first unless `CUDA_DEVICE_ORDER=PCI_BUS_ID`; NVML counts in PCI bus
    order. The two can differ only where the GPUs (`names`, in NVML's order) are not all alike.
    """
    value = env.get("CUDA_VISIBLE_DEVICES", "").strip()
    by_index = bool(re.match(r"\+?\d", value))
    if not by_index or len(set(names)) < 2 or env.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return None
    return (
        f"CUDA_VISIBLE_DEVICES={value} counts the fastest GPU first, the driver counts by PCI bus, "
        "and the GPUs here differ: set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name the GPUs by UUID"
    )


def visible_amd_gpus(env: Mapping[str, str], uuids: Sequence[str]) -> Visible:
    """AMD GPUs that `ROCR_VISIBLE_DEVICES` and `HIP_VISIBLE_DEVICES` leave to a process.

    `uuids` are those of all GPUs in the driver's order (`""` where unknown). The ROCm runtime
    applies the first variable (indices and `GPU-` UUIDs); HIP then counts what is left, and reads
    `CUDA_VISIBLE_DEVICES` where its own variable is not set. The first entry that names no device,
    or one named before, ends a list.
    """
    indices = tuple(range(len(uuids)))
    restricted: list[str] = []
    hip = next((v for v in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES") if v in env), None)
    for variable in ("ROCR_VISIBLE_DEVICES", hip):
        if variable is None or variable not in env:
            continue
        restricted.append(f"{variable}={env[variable]}")
        indices = _rocm_indices(env[variable], indices, uuids)
    return Visible(indices, " ".join(restricted) or None)


def _rocm_indices(value: str, indices: tuple[int, ...], uuids: Sequence[str]) -> tuple[int, ...]:
    left: list[int] = []
    for entry in (entry.strip() for entry in value.split(",")):
        if entry.upper().startswith("GPU-"):
            found = [i for i in indices if uuids[i].lower() == entry.lower()]
            index = found[0] if len(found) == 1 else None
        else:
            index = indices[int(entry)] if entry.isdecimal() and int(entry) < len(indices) else None
        if index is None or index in left:
            break
        left.append(index)
    return tuple(left)
