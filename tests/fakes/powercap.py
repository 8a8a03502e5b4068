"""A powercap class directory on disk, as the kernel's intel_rapl driver lays it out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

RANGE_UJ = 262_143_328_850  # max_energy_range_uj of most Intel servers: 2^32 units of 61 µJ


class Powercap:
    """Builds zones and moves their counters; `root` is what a meter takes for /sys/class/powercap.

    Zones are named by their directory: "intel-rapl:0", "intel-rapl:0:1".
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def zone(
        self, zone: str, name: str, uj: int = 1_000_000, range_uj: int | None = RANGE_UJ
    ) -> None:
        """Add a zone: `zone("intel-rapl:0", "package-0")`."""
        path = self.root / zone
        path.mkdir()
        (path / "name").write_text(name + "\n")
        if range_uj is not None:
            (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
        self.set(zone, uj)

    def server(self) -> Powercap:
        """Two packages with their cores and DRAM, and the whole platform."""
        for n in (0, 1):
            self.zone(f"intel-rapl:{n}", f"package-{n}", uj=5_000_000 + n)
            self.zone(f"intel-rapl:{n}:0", "core", uj=3_000_000)
            self.zone(f"intel-rapl:{n}:1", "dram", uj=2_000_000 + n)
        self.zone("intel-rapl:2", "psys", uj=9_000_000)
        return self

    def get(self, zone: str) -> int:
        """The counter, in microjoules."""
        return int((self.root / zone / "energy_uj").read_text())

    def set(self, zone: str, uj: int) -> None:
        """Put the counter at a value, in place: a reader with the file open sees it."""
        fd = os.open(self.root / zone / "energy_uj", os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(fd, f"{uj:<20d}\n".encode(), 0)
        finally:
            os.close(fd)

    def advance(self, zone: str, joules: float) -> None:
        """Let energy pass; the counter wraps where the kernel's does."""
        limit = int((self.root / zone / "max_energy_range_uj").read_text())
        self.set(zone, (self.get(zone) + round(joules * 1e6)) % limit)

    def lose(self, zone: str) -> None:
        """The counter can be read no more (a directory stands in its place, even for root)."""
        path = self.root / zone / "energy_uj"
        path.unlink()
        path.mkdir()

    def remove(self, zone: str) -> None:
        """The driver was unloaded: the zone is gone."""
        shutil.rmtree(self.root / zone)
