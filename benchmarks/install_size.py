"""Disk space that `pip install joulecast` (no extras) needs, compared with the peers.

Each goes into a fresh virtual environment; counted are the bytes of its site-packages less those of
an empty environment (bytecode included, as pip writes it). 1 MB is 1,000,000 bytes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from importlib.metadata import distributions
from pathlib import Path

from harness import BENCH, ROOT, Figure, log, run

PEERS = ("codecarbon", "carbontracker", "zeus", "perun")
MB = 1_000_000


def site_packages(environment: Path) -> Path:
    """Where its packages are."""
    return next(environment.glob("lib/python3.*/site-packages"))


def size_mb(folder: Path) -> float:
    """Megabytes of the files under a folder."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir()) / MB


def by_package(folder: Path) -> dict[str, float]:
    """Megabytes of each installed distribution, the largest first."""
    sizes: dict[str, float] = {}
    for package in distributions(path=[str(folder)]):
        paths = [Path(str(package.locate_file(f))) for f in package.files or []]
        sizes[package.metadata["Name"]] = sum(p.lstat().st_size for p in paths if p.exists()) / MB
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def install(name: str, requirement: str | None) -> tuple[float, dict[str, float]] | str:
    """Megabytes of site-packages, in all and by package, or why it could not be installed."""
    log(f"  installing {name}")
    environment = BENCH / "size" / name
    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, with_pip=True)
    try:
        if requirement is not None:
            pip = [str(environment / "bin" / "pip"), "install", "--quiet"]
            done = subprocess.run(
                [*pip, requirement, "-c", str(ROOT / "constraints.txt")],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                lines = [x for x in done.stderr.splitlines() if x.startswith("ERROR")]
                return lines[-1] if lines else f"pip exited with {done.returncode}"
        folder = site_packages(environment)
        return size_mb(folder), by_package(folder)
    finally:
        shutil.rmtree(environment, ignore_errors=True)


def pinned(name: str) -> str:
    """The release of a peer that benchmarks/peers/requirements.txt names."""
    lines = (ROOT / "benchmarks" / "peers" / "requirements.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


def benchmark(quick: bool) -> list[Figure]:
    """An empty environment, joulecast, and (not when quick) each peer."""
    empty = install("empty", None)
    if isinstance(empty, str):
        return [Figure("core install", None, "MB", below=120, note=empty)]
    requirements = {"joulecast (core)": str(ROOT)}
    if not quick:
        requirements |= {name: pinned(name) for name in PEERS}
    figures = []
    for name, requirement in requirements.items():
        below = 120 if requirement == str(ROOT) else None
        got = install(name.split()[0], requirement)
        if isinstance(got, str):
            figures.append(Figure(f"install of {name}", None, "MB", below=below, note=got))
            continue
        total, packages = got
        parts = [f"{p} {mb:.1f}" for p, mb in packages.items() if p not in empty[1]][:6]
        note = f"largest: {', '.join(parts)}"
        figures.append(Figure(f"install of {name}", total - empty[0], "MB", below=below, note=note))
    return figures


if __name__ == "__main__":
    if sys.platform == "win32":
        sys.exit("install_size.py knows the layout of POSIX virtual environments only")
    run("install_size", __doc__, benchmark)
