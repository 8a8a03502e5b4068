"""GPUs that a process may use, by its environment variables.

No driver is called. The rules are those of the CUDA driver (CUDA C++ Programming Guide, "CUDA
Environment Variables") and of the ROCm runtime (ROCm documentation, "GPU isolation techniques").

`NVIDIA_VISIBLE_DEVICES` is not used: the NVIDIA container runtime has applied it before the process
starts, so that the driver lists only those GPUs. Outside such a container it has no effect.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

_NO_MIG: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Visible:
    """The GPUs that a process may use, in the order in which it counts them.

    `indices` are positions in the driver's list (NVML, amdsmi); `restricted_by` is
    "CUDA_VISIBLE_DEVICES=0,1", or None where all are visible.
    """

    indices: tuple[int, ...]
    restricted_by: str | None = None


def visible_gpus(
    env: Mapping[str, str], uuids: Sequence[str], mig_uuids: Mapping[str, int] = _NO_MIG
) -> Visible:
    """NVIDIA GPUs that `CUDA_VISIBLE_DEVICES` allows a process.

    If it is not set all are visible, if it is empty none. Entries are indices, or GPU or MIG UUIDs,
    of which a unique beginning is enough; the first entry decides which of these. The first entry
    that names no device ends the list (such as `-1` or `NoDevFiles`), and with an entry that occurs
    twice no device is visible. Indices are those of NVML: PCI bus order, see `index_order_note`.

    Args:
        env: the environment variables of the process.
        uuids: of all GPUs in the order of NVML (`"GPU-8932f937-..."`).
        mig_uuids: the NVML index of the GPU of each MIG device (`"MIG-..."`).
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
    gpus = {uuid: index for index, uuid in enumerate(uuids)}
    named: set[str] = set()
    indices: list[int] = []
    for entry in entries:
        if kind == "MIG-":
            name, index = _match_mig(entry, gpus, mig_uuids)
        elif kind == "GPU-":
            name, index = _match_uuid(entry, gpus) if entry.startswith(kind) else (entry, None)
        else:
            name, index = _match_index(entry, len(uuids))
        if index is None:
            break
        if name in named:
            return ()
        named.add(name)
        # Two MIG devices may share one GPU.
        if index not in indices:
            indices.append(index)
    return tuple(indices)


def _match_index(entry: str, count: int) -> tuple[str, int | None]:
    """As strtol of C reads it: `1gpu` is 1."""
    match = re.match(r"\+?\d+", entry)
    index = int(match[0]) if match else count
    return str(index), index if index < count else None


def _match_uuid(entry: str, devices: Mapping[str, int]) -> tuple[str, int | None]:
    """The device whose UUID begins with the entry, if there is exactly one."""
    fitting = [uuid for uuid in devices if uuid.lower().startswith(entry.lower())]
    return (fitting[0], devices[fitting[0]]) if len(fitting) == 1 else (entry, None)


def _match_mig(
    entry: str, gpus: Mapping[str, int], mig_uuids: Mapping[str, int]
) -> tuple[str, int | None]:
    # Before driver R470: MIG-GPU-<uuid>/<instance>/<compute>.
    if entry.startswith("MIG-GPU-"):
        return entry, _match_uuid(entry.removeprefix("MIG-").split("/")[0], gpus)[1]
    return _match_uuid(entry, mig_uuids) if entry.startswith("MIG-") else (entry, None)


def index_order_note(env: Mapping[str, str], names: Sequence[str]) -> str | None:
    """A warning where an index in `CUDA_VISIBLE_DEVICES` may mean another GPU than in NVML.

    CUDA counts the fastest GPU first unless `CUDA_DEVICE_ORDER=PCI_BUS_ID`; NVML counts in PCI bus
    order. They differ only where the GPUs (`names`, in the order of NVML) are not all the same.
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
    """AMD GPUs that `ROCR_VISIBLE_DEVICES` and `HIP_VISIBLE_DEVICES` allow a process.

    The ROCm runtime applies the first variable (indices and `GPU-` UUIDs); HIP counts the remaining
    GPUs, and reads `CUDA_VISIBLE_DEVICES` where its own variable is not set. The first entry that
    names no device, or one that is listed already, ends a list.

    Args:
        env: the environment variables of the process.
        uuids: of all GPUs in the order of the driver (`""` where unknown).
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
    selected: list[int] = []
    for entry in (entry.strip() for entry in value.split(",")):
        index = _rocm_index(entry, indices, uuids)
        if index is None or index in selected:
            break
        selected.append(index)
    return tuple(selected)


def _rocm_index(entry: str, indices: tuple[int, ...], uuids: Sequence[str]) -> int | None:
    if entry.upper().startswith("GPU-"):
        fitting = [i for i in indices if uuids[i].lower() == entry.lower()]
        return fitting[0] if len(fitting) == 1 else None
    return indices[int(entry)] if entry.isdecimal() and int(entry) < len(indices) else None
