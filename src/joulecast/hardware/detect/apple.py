"""A Mac, from its kernel's own variables (sysctl), without starting a process."""

import ctypes
import platform
import sys
from collections.abc import Callable

from .cpu import DetectedCpu
from .gpu import DetectedGpu, GpuReport
from .host import Host
from .machine import Machine

Sysctl = Callable[[str], bytes | None]


def sysctl(name: str) -> bytes | None:
    """The raw value of a variable of the macOS kernel; None if it does not exist (sysctl(3))."""
    libc = ctypes.CDLL(None)
    size = ctypes.c_size_t(0)
    key = name.encode()
    if libc.sysctlbyname(key, None, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    value = ctypes.create_string_buffer(size.value)
    if libc.sysctlbyname(key, value, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    return value.raw[: size.value]


def _text(value: bytes | None) -> str | None:
    return value.rstrip(b"\0").decode("utf-8", "replace") or None if value else None


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value, sys.byteorder) if value else None


def apple_cpu(ask: Sysctl) -> DetectedCpu:
    """The processor of a Mac."""
    # "Apple M2 Pro", "Intel(R) Core(TM) i7-..."; only Intel's have a maximum frequency.
    name = _text(ask("machdep.cpu.brand_string"))
    own = bool(name and name.startswith("Apple"))
    hertz = _number(ask("hw.cpufrequency_max"))
    threads = _number(ask("hw.logicalcpu"))
    return DetectedCpu(
        name=name,
        vendor="Apple" if own else "Intel" if name else None,
        family=_number(ask("machdep.cpu.family")),
        model=_number(ask("machdep.cpu.model")),
        stepping=_number(ask("machdep.cpu.stepping")),
        sockets=_number(ask("hw.packages")),
        cores=_number(ask("hw.physicalcpu")),
        threads=threads,
        # macOS has no affinity masks.
        usable_threads=threads,
        max_mhz=hertz / 1e6 if hertz else None,
    )


def apple_host(ask: Sysctl) -> Host:
    """The operating system of a Mac."""
    return Host(
        os="macOS",
        os_version=_text(ask("kern.osproductversion")),
        kernel=_text(ask("kern.osrelease")),
        architecture=platform.machine() or None,
        ram_bytes=_number(ask("hw.memsize")),
    )


def apple_machine(ask: Sysctl) -> Machine:
    """The computer itself."""
    guest = _number(ask("kern.hv_vmm_present"))
    # "Mac14,9", "MacBookPro18,3", "VirtualMac2,1"
    product = _text(ask("hw.model"))
    virtual = None if guest is None else bool(guest)
    return Machine(
        vendor="Apple",
        product=product,
        chassis="laptop" if product and product.startswith("MacBook") else None,
        virtual=virtual,
        hypervisor="Apple Virtualization" if product and "VirtualMac" in product else None,
    )


def apple_gpu(ask: Sysctl, notes: list[str]) -> GpuReport:
    """The GPU of an Apple chip; those of Intel Macs are not detected."""
    name = _text(ask("machdep.cpu.brand_string"))
    if not (name and name.startswith("Apple")):
        return GpuReport()
    notes.append("gpu (apple): it shares the machine's memory")
    return GpuReport((DetectedGpu(0, "Apple", name=f"{name} GPU"),))
