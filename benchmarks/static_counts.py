"""What steps cost, counted once and kept: counting takes longest.

Counts are kept in `.bench/` until the code that counts or a library changes.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

from harness import ROOT
from joulecast.workload.model import Op, Workload

# The batches that are counted; what operators of others cost follows, because it is linear.
SMALL, DOUBLE = 8, 16


def kept(count: Callable[[], Workload | None], *key: object) -> Workload | None:
    """The result of `count`, or what an earlier call with the same key returned."""
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:24]
    file = ROOT / ".bench" / f"steps-{_code()}" / f"{name}.pickle"
    if file.exists():
        work: Workload | None = pickle.loads(file.read_bytes())
        return work
    work = count()
    if work is not None:
        # Layers are not needed, and large.
        work = replace(work, layers=())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(work))
    return work


def at_batch(count: Callable[[int], Workload | None], batch: int, *key: object) -> Workload | None:
    """The step at a batch, from the counts at two: operations, bytes and sizes are linear in it."""
    small = kept(lambda: count(SMALL), *key, SMALL)
    double = kept(lambda: count(DOUBLE), *key, DOUBLE)
    if small is None or double is None:
        return None
    alike = [(a.kind, a.phase, a.layer, a.count) for a in small.ops] == [
        (b.kind, b.phase, b.layer, b.count) for b in double.ops
    ]
    if not alike:
        return kept(lambda: count(batch), *key, batch)
    more = (batch - SMALL) / (DOUBLE - SMALL)
    ops = tuple(_between(a, b, more) for a, b in zip(small.ops, double.ops, strict=True))
    return replace(small, batch=batch, ops=ops)


def _between(a: Op, b: Op, more: float) -> Op:
    shape = tuple(round(x + more * (y - x)) for x, y in zip(a.shape, b.shape, strict=True))
    return replace(
        a,
        flops=a.flops + more * (b.flops - a.flops),
        bytes=a.bytes + more * (b.bytes - a.bytes),
        shape=shape,
    )


@cache
def _code() -> str:
    """A digest of the code that counts, and the libraries whose models it counts."""
    digest = hashlib.sha256()
    files = sorted((ROOT / "src" / "joulecast" / "workload").glob("*.*"))
    for file in (*files, Path(__file__).parent / "static_models.py"):
        digest.update(file.read_bytes())
    for library in ("torch", "torchvision", "timm"):
        digest.update(metadata.version(library).encode())
    return digest.hexdigest()[:12]
