"""Package and DRAM energy of Intel and AMD processors: RAPL through the powercap sysfs.

Layout and units: https://docs.kernel.org/power/powercap/powercap.html. `psys` (the whole platform)
contains the packages, a package contains `core` and `uncore`: none of these is read.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

from ..errors import MeterLostError
from ..estimate import Provenance
from ..hardware.detect.files import Tree
from .base import Meter, ReadingKind, Source, Unavailable, Uncertainty
from .counter import Unwrap
from .sensor import Clock, Discovery, SensorMeter

POWERCAP = Path("/sys/class/powercap")
# Intel SDM vol. 3B, RAPL interfaces; AMD: kernel, hwmon/amd_energy.rst.
UPDATE_PERIOD_S = 1e-3
STILL_S = 2.0
"""A counter that stands still for longer is not believed: an idle package draws power, too."""

INTEL_PACKAGE = Uncertainty(
    0.05,
    0.05,
    "±5 % assumed: measured since Haswell (Hackenberg et al. 2015, doi:10.1109/IPDPSW.2015.70) and"
    " closely following wall power (Khan et al. 2018, doi:10.1145/3177754)",
    # One function of wall power fits all loads of a machine, R² > 0.999 (the first of these).
    own=0.01,
)
AMD_PACKAGE = Uncertainty(
    0.10,
    0.10,
    "±10 % assumed: AMD computes RAPL from activity (Schöne et al. 2021, arXiv 2108.00808)",
)
DRAM = Uncertainty(
    0.20,
    0.20,
    "±20 % assumed: follows measured DRAM power with an offset, smallest under load (Desrochers et"
    " al. 2016, doi:10.1145/2989081.2989088)",
)

# Only root may read since CVE-2020-8694 (energy as a side channel). The permanent rule therefore
# allows a group, not everyone.
READABLE_NOW = "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj"
UDEV_RULE = (
    'SUBSYSTEM=="powercap", ACTION=="add", KERNEL=="intel-rapl:*",'
    ' RUN+="/bin/chgrp power /sys%p/energy_uj", RUN+="/bin/chmod g+r /sys%p/energy_uj"'
)
READABLE_ALWAYS = (
    "sudo groupadd -f power && sudo usermod -aG power $USER"
    f" && echo '{UDEV_RULE}' | sudo tee /etc/udev/rules.d/70-joulecast.rules"
    " && sudo udevadm control --reload"
    " && sudo udevadm trigger --subsystem-match=powercap --action=add"
)
PERMISSION_REMEDY = f"until the next boot: {READABLE_NOW}; permanently: {READABLE_ALWAYS}"
MODULE_REMEDY = "sudo modprobe intel_rapl_msr"

_PACKAGE = re.compile(r"package-(\d+)(?:-die-\d+)?")
# The second repeats domains of the first, and is read where the first cannot be.
_CONTROLS = ("intel-rapl", "intel-rapl-mmio")


class RaplMeter(SensorMeter):
    """Energy counter of one domain: one zone, or several where a package has several dies.

    Raises `OSError` where a zone cannot be read at all.
    """

    def __init__(self, source: Source, zones: list[Path], clock: Clock) -> None:
        super().__init__(source, clock)
        self._counters: list[_ZoneCounter] = []
        try:
            for path in zones:
                self._counters.append(_ZoneCounter(path))
            # The first value is the base.
            self._value(self._opened_s)
        except BaseException:
            self.close()
            raise

    def _value(self, t_s: float) -> float:
        return sum(counter.joules(t_s) for counter in self._counters)

    def note(self) -> str | None:
        """Resets of the counter since the last call, or None."""
        return "; ".join(n for c in self._counters if (n := c.unwrap.note())) or None

    def close(self) -> None:
        """Close the counter files."""
        for counter in self._counters:
            counter.close()


class _ZoneCounter:
    """The `energy_uj` file of one zone, kept open, and reopened if the zone was replaced."""

    def __init__(self, zone: Path) -> None:
        self._path = zone / "energy_uj"
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._file = os.fstat(self._fd)
        wraps_at = Tree(zone).number("max_energy_range_uj") or None
        self.unwrap = Unwrap(1e-6, UPDATE_PERIOD_S, wraps_at)
        # The last value, and since when.
        self._raw, self._moved_s = -1, 0.0

    def joules(self, t_s: float) -> float:
        try:
            # An open descriptor outlives its zone when the module is reloaded.
            if not os.path.samestat(self._path.stat(), self._file):
                os.close(self._fd)
                self._fd = -1
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                self._file = os.fstat(self._fd)
            raw = int(os.pread(self._fd, 32, 0))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not a number"
            raise MeterLostError(f"its counter {self._path} cannot be read: {why}") from error
        if raw != self._raw:
            self._raw, self._moved_s = raw, t_s
        elif t_s - self._moved_s > STILL_S:
            raise MeterLostError(f"RAPL counter {self._path} stands still: it is not believed")
        return self.unwrap.advance(raw, t_s)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def find_rapl(clock: Clock, root: Path = POWERCAP, cpu: str = "", is_vm: bool = False) -> Discovery:
    """The RAPL meters under `root`, one for each package and each package's DRAM. Never raises.

    Args:
        clock: gives the instants of the readings.
        root: the powercap class directory.
        cpu: the processor's name: AMD computes the energies that Intel measures.
        is_vm: whether this is a virtual machine, where loading a module does not help.
    """
    discovery = Discovery()
    zones = [_zones_of(root, control) for control in _CONTROLS]
    domains = dict.fromkeys(domain for of in zones for domain in of)
    if not any(domain.startswith("cpu:") for domain in domains):
        reason, remedy = _why_absent(root, is_vm)
        discovery.unavailable.append(Unavailable("cpu:0", "RAPL", reason, remedy))
    for domain in domains:
        opened = _open_any(domain, [of[domain] for of in zones if domain in of], clock, cpu)
        if isinstance(opened, Meter):
            discovery.meters.append(opened)
        else:
            discovery.unavailable.append(opened)
    return discovery


def _open_any(domain: str, names: list[list[Path]], clock: Clock, cpu: str) -> Meter | Unavailable:
    """The domain under the first of its names that can be read, or why the first cannot be."""
    first = _open(domain, names[0], clock, cpu)
    if isinstance(first, Unavailable) and len(names) > 1:
        second = _open_any(domain, names[1:], clock, cpu)
        return second if isinstance(second, Meter) else first
    return first


def _open(domain: str, zones: list[Path], clock: Clock, cpu: str) -> Meter | Unavailable:
    is_dram = domain.startswith("dram:")
    package = AMD_PACKAGE if "AMD" in cpu else INTEL_PACKAGE
    source = Source(
        domain=domain,
        source="RAPL energy counter",
        kind=ReadingKind.COUNTER,
        provenance=Provenance.MEASURED,
        update_period_s=UPDATE_PERIOD_S,
        uncertainty=DRAM if is_dram else package,
        device="memory of package " + domain[5:] if is_dram else cpu,
    )
    try:
        return RaplMeter(source, zones, clock)
    except PermissionError:
        reason = "its counter is readable by root only"
        return Unavailable(domain, "RAPL", reason, PERMISSION_REMEDY)
    except OSError as error:
        reason = f"its counter cannot be read: {error.strerror or error}"
        return Unavailable(domain, "RAPL", reason, "")
    except MeterLostError as error:
        return Unavailable(domain, "RAPL", str(error), "")


def _zones_of(root: Path, control: str) -> dict[str, list[Path]]:
    """The zones of each domain: the dies of a package, and its DRAM; the packages first."""
    packages: dict[str, str] = {}  # zone name -> package number
    zones: dict[str, list[Path]] = defaultdict(list)
    drams: list[Path] = []
    for path in sorted(root.glob(f"{control}:*"), key=_numbers):
        name = Tree(path).text("name") or ""
        if match := _PACKAGE.fullmatch(name):
            packages[path.name] = match[1]
            zones[f"cpu:{match[1]}"].append(path)
        elif name == "dram":
            drams.append(path)
    for path in drams:
        parent = path.name.rpartition(":")[0]
        zones[f"dram:{packages.get(parent, '0')}"].append(path)
    return zones


def _why_absent(root: Path, is_vm: bool) -> tuple[str, str]:
    if is_vm:
        return "a virtual machine has no RAPL counter; modelled instead", ""
    if not root.is_dir():
        return "this kernel has no powercap interface; modelled instead", MODULE_REMEDY
    return "no RAPL package zone (driver not loaded, or hidden in a container)", MODULE_REMEDY


def _numbers(path: Path) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", path.name)]
