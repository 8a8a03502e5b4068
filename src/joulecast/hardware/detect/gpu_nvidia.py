"""NVIDIA GPUs: from NVML, or from the kernel module's files where NVML is not available."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .files import Tree
from .gpu import DetectedGpu, GpuReport
from .visible_devices import index_order_note, visible_gpus


def detect_nvidia(tree: Tree, env: Mapping[str, str], notes: list[str]) -> GpuReport:
    """NVIDIA GPUs in the order of NVML; unknown values are None, with a reason in `notes`."""
    report = detect_with_nvml(notes) if tree.live else None
    if report is None:
        report = _from_kernel_module(tree)
    if not report.gpus:
        _explain_none(tree, env, notes)
        return report
    uuids = [gpu.uuid or "" for gpu in report.gpus]
    migs = {uuid: gpu.index for gpu in report.gpus for uuid in gpu.mig_uuids}
    visible = visible_gpus(env, uuids, migs)
    note = index_order_note(env, [gpu.name or "" for gpu in report.gpus])
    if note:
        notes.append(note)
    gpus = tuple(replace(gpu, visible=gpu.index in visible.indices) for gpu in report.gpus)
    return replace(report, gpus=gpus, restricted_by=visible.restricted_by)


def detect_with_nvml(notes: list[str]) -> GpuReport | None:
    """The GPUs of the driver, also those that do not answer; None where NVML does not start."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        # Without a driver, the common case; `_explain_none` explains the others.
        return None
    except pynvml.NVMLError as error:
        notes.append(f"gpu (nvidia): NVML does not start: {error}")
        return None
    try:
        ask = _Ask(pynvml.NVMLError, notes)
        count = ask("gpu (nvidia)", "the number of GPUs", pynvml.nvmlDeviceGetCount) or 0
        cuda = ask("gpu (nvidia)", "the CUDA version", pynvml.nvmlSystemGetCudaDriverVersion_v2)
        return GpuReport(
            gpus=tuple(_nvml_gpu(pynvml, ask, index) for index in range(count)),
            driver=ask("gpu (nvidia)", "the driver's version", pynvml.nvmlSystemGetDriverVersion),
            cuda_driver=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        )
    finally:
        pynvml.nvmlShutdown()


class _Ask:
    """Calls functions of NVML; one that fails returns None, with a note of the reason."""

    def __init__(self, error: type[Exception], notes: list[str]) -> None:
        self.error = error
        self.notes = notes

    def __call__(self, device: str, what: str, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except self.error as error:
            self.notes.append(f"{device}: {what} is unknown: {error}")
            return None

    def quietly(self, function: Callable[..., Any], *args: Any) -> Any:
        """Without a note, for values that many cards do not have."""
        try:
            return function(*args)
        except self.error:
            return None


def _nvml_gpu(nvml: Any, ask: _Ask, index: int) -> DetectedGpu:
    who = f"gpu:{index}"
    handle = ask(who, "everything", nvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:
        return DetectedGpu(index, "NVIDIA")
    memory = ask(who, "its memory", nvml.nvmlDeviceGetMemoryInfo, handle)
    limit = ask(who, "its power limit", nvml.nvmlDeviceGetPowerManagementLimit, handle)
    default = ask.quietly(nvml.nvmlDeviceGetPowerManagementDefaultLimit, handle)
    bounds = ask.quietly(nvml.nvmlDeviceGetPowerManagementLimitConstraints, handle)
    capability = ask(who, "its compute capability", nvml.nvmlDeviceGetCudaComputeCapability, handle)
    mig = _mig_mode(nvml, ask, who, handle)
    pci = ask.quietly(nvml.nvmlDeviceGetPciInfo, handle)
    return DetectedGpu(
        index=index,
        vendor="NVIDIA",
        name=ask(who, "its name", nvml.nvmlDeviceGetName, handle),
        uuid=ask(who, "its UUID", nvml.nvmlDeviceGetUUID, handle),
        pci_bus=_pci_bus(pci),
        memory_bytes=int(memory.total) if memory else None,
        power_limit_w=_watts(limit),
        default_power_limit_w=_watts(default),
        max_power_limit_w=_watts(bounds[1]) if bounds else None,
        compute_capability=".".join(map(str, capability)) if capability else None,
        mig=mig,
        mig_uuids=_mig_uuids(nvml, ask, handle) if mig else (),
    )


def _watts(milliwatts: int | None) -> float | None:
    return milliwatts / 1e3 if milliwatts else None


def _pci_bus(pci: Any) -> str | None:
    """NVML's `00000000:3B:00.0` as the kernel writes it."""
    if pci is None:
        return None
    text = pci.busId.decode() if isinstance(pci.busId, bytes) else str(pci.busId)
    return text.lower()[4:] if re.match(r"0{4}[0-9A-Fa-f]{4}:", text) else text.lower()


def _mig_mode(nvml: Any, ask: _Ask, who: str, handle: Any) -> bool | None:
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0])
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        # The card or the driver does not support MIG.
        return False
    except nvml.NVMLError as error:
        ask.notes.append(f"{who}: its MIG mode is unknown: {error}")
        return None


def _mig_uuids(nvml: Any, ask: _Ask, handle: Any) -> tuple[str, ...]:
    count = ask.quietly(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
    parts = (ask.quietly(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, i) for i in range(count))
    uuids = (ask.quietly(nvml.nvmlDeviceGetUUID, part) for part in parts if part is not None)
    return tuple(uuid for uuid in uuids if uuid)


def _from_kernel_module(tree: Tree) -> GpuReport:
    """Names and UUIDs from `/proc/driver/nvidia`, in PCI bus order as in NVML."""
    gpus: list[DetectedGpu] = []
    for bus in tree.names("proc/driver/nvidia/gpus"):
        text = tree.text(f"proc/driver/nvidia/gpus/{bus}/information") or ""
        lines = (line.partition(":") for line in text.splitlines())
        values = {key.strip(): value.strip() for key, _, value in lines}
        # It consists of question marks until the first use of the GPU.
        uuid = values.get("GPU UUID", "")
        gpus.append(
            DetectedGpu(
                index=len(gpus),
                vendor="NVIDIA",
                name=values.get("Model") or None,
                uuid=uuid if uuid and "?" not in uuid else None,
                pci_bus=bus.lower(),
            )
        )
    version = re.search(
        r"\s(\d{3,}\.\d+(?:\.\d+)?)\s", tree.text("proc/driver/nvidia/version") or ""
    )
    return GpuReport(tuple(gpus), driver=version[1] if version else None)


def _explain_none(tree: Tree, env: Mapping[str, str], notes: list[str]) -> None:
    for bus in tree.names("sys/bus/pci/devices"):
        folder = f"sys/bus/pci/devices/{bus}"
        is_display = (tree.text(f"{folder}/class") or "").startswith("0x03")
        if is_display and tree.text(f"{folder}/vendor") == "0x10de":
            notes.append(
                f"gpu (nvidia): there is a GPU at {bus}, but no driver for it: install NVIDIA's "
                "driver, or start the container with --gpus all"
            )
            return
    wanted = env.get("NVIDIA_VISIBLE_DEVICES")
    if wanted is not None:
        notes.append(f"gpu (nvidia): none here, although NVIDIA_VISIBLE_DEVICES={wanted}")
