"""Samples of one domain to bytes and back: small, fast, without pickle.

A chunk is `HEAD`, five column descriptors, and one zlib stream with the columns' bytes. Figures are
rounded to whole ticks of 1e-6 (1 us, 1 uJ, 1 uW; the finest RAPL counter steps by 15 uJ), and
each is rounded from the cumulative figure itself, so that rounding never adds up. A column is then

- `TICKS`: the first tick, and the steps from tick to tick minus their minimum, divided by their
  greatest common divisor (a counter of whole millijoules takes the bytes of its millijoules), byte
  by byte;
- `OFFSET` or `RATIO`: a constant apart from, or a constant multiple of, its reference column
  (bounds follow the value, `held_s` follows `t_s`), where that holds within a tick.

Chunks with figures beyond 2**61 ticks (2.3e12 J) keep their 64-bit floats (`RAW`).
"""

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from ..recording.model import Array, Samples

VERSION = 1
TICKS_PER_UNIT = 1e6
# How far a column may be from the one it follows.
TOLERANCE = 1 / TICKS_PER_UNIT
RELATIVE_TOLERANCE = 1e-12

_COLUMNS = ("t_s", "value", "low", "high", "held_s")
_REFERENCE = {"low": "value", "high": "value", "held_s": "t_s"}
# Ticks; steps between two such still fit 64 bits.
_LIMIT = 2.0**61
# A chunk that claims more is damaged.
_MAX_SAMPLES = 1 << 24

# Version, packing, number of samples.
_HEAD = struct.Struct("<BBI")
# Mode, bytes per step, first tick, minimum step, step unit.
_TICKS = struct.Struct("<BBqqQ")
# Mode, unused, constant.
_FOLLOWS = struct.Struct("<BBd16x")
_PACKED, _RAW = 0, 1
_MODE_TICKS, _MODE_OFFSET, _MODE_RATIO = 0, 1, 2

_Ints = npt.NDArray[np.int64]


class CodecError(ValueError):
    """The bytes are not a chunk this program can read."""


def encode(samples: Samples) -> bytes:
    """One chunk of at most 2**24 samples.

    Raises `ValueError` for figures that are not finite, or columns of unequal length.
    """
    columns: dict[str, Array] = {
        name: np.asarray(getattr(samples, name), dtype=np.float64) for name in _COLUMNS
    }
    n = len(columns["t_s"])
    _check(columns, n)
    if n == 0:
        return _HEAD.pack(VERSION, _RAW, 0) + zlib.compress(b"", 1)
    if any(np.abs(column).max() >= _LIMIT / TICKS_PER_UNIT for column in columns.values()):
        payload = b"".join(column.astype("<f8").tobytes() for column in columns.values())
        return _HEAD.pack(VERSION, _RAW, n) + zlib.compress(payload, 1)
    return _HEAD.pack(VERSION, _PACKED, n) + _pack(columns)


def _check(columns: dict[str, Array], n: int) -> None:
    for name, column in columns.items():
        if column.shape != (n,):
            raise ValueError(f"{name} has shape {column.shape}, t_s has {n} samples")
        if not np.isfinite(column).all():
            raise ValueError(f"{name} has a value that is not finite")
    if n > _MAX_SAMPLES:
        raise ValueError(f"{n} samples do not fit one chunk of at most {_MAX_SAMPLES}")


def _pack(columns: dict[str, Array]) -> bytes:
    """Descriptors and the compressed steps of all columns."""
    descriptors: list[bytes] = []
    columns_bytes: list[bytes] = []
    decoded: dict[str, Array] = {}
    for name, column in columns.items():
        other = _REFERENCE.get(name, "")
        follows = _follow(column, columns[other], decoded[other]) if other in decoded else None
        if follows is not None:
            descriptors.append(_FOLLOWS.pack(follows[0], 0, follows[1]))
            continue
        ticks = np.rint(column * TICKS_PER_UNIT).astype(np.int64)
        decoded[name] = ticks / TICKS_PER_UNIT
        descriptor, steps = _encode_ticks(ticks)
        descriptors.append(descriptor)
        columns_bytes.append(steps)
    return b"".join(descriptors) + zlib.compress(b"".join(columns_bytes), 1)


def decode(chunk: bytes) -> Samples:
    """Inverse of `encode`, within a tick. Raises `CodecError` for damaged or newer chunks."""
    if len(chunk) < _HEAD.size:
        raise CodecError("it is cut short")
    version, packing, n = _HEAD.unpack_from(chunk)
    if version != VERSION:
        raise CodecError(f"it has version {version}, this joulecast reads version {VERSION}")
    if n > _MAX_SAMPLES or packing not in (_PACKED, _RAW):
        raise CodecError("its head is damaged")
    if packing == _PACKED:
        columns = _unpack(memoryview(chunk)[_HEAD.size :], n)
    else:
        raw = _inflate(chunk[_HEAD.size :], n * 8 * len(_COLUMNS))
        floats = np.frombuffer(raw, "<f8").reshape(len(_COLUMNS), n).astype(np.float64)
        columns = dict(zip(_COLUMNS, floats, strict=True))
    if not all(np.isfinite(column).all() for column in columns.values()):
        raise CodecError("it has values that are not finite")
    return Samples(**columns)


def _unpack(body: memoryview, n: int) -> dict[str, Array]:
    """Inverse of `_pack`, for `n` samples."""
    if len(body) < _TICKS.size * len(_COLUMNS):
        raise CodecError("it is cut short")
    heads = [body[i * _TICKS.size : (i + 1) * _TICKS.size] for i in range(len(_COLUMNS))]
    widths = [head[1] if head[0] == _MODE_TICKS else 0 for head in heads]
    if n == 0 or any(width > 8 for width in widths):
        raise CodecError("its columns are damaged")
    raw = _inflate(body[len(_COLUMNS) * _TICKS.size :], sum(widths) * (n - 1))
    columns: dict[str, Array] = {}
    at = 0
    for name, head, width in zip(_COLUMNS, heads, widths, strict=True):
        mode = head[0]
        if mode == _MODE_TICKS:
            _, _, first, min_step, unit = _TICKS.unpack(head)
            steps = raw[at : at + width * (n - 1)]
            columns[name] = _decode_ticks(steps, n, width, first, min_step, unit) / TICKS_PER_UNIT
            at += width * (n - 1)
            continue
        if mode not in (_MODE_OFFSET, _MODE_RATIO) or name not in _REFERENCE:
            raise CodecError("its columns are damaged")
        constant = _FOLLOWS.unpack(head)[2]
        reference = columns[_REFERENCE[name]]
        columns[name] = reference + constant if mode == _MODE_OFFSET else reference * constant
    return columns


def _follow(column: Array, reference: Array, decoded: Array) -> tuple[int, float] | None:
    """How `column` follows `reference` (as it will be decoded) for all samples, if it does.

    The constants are those of the figures before rounding: a bound below its value stays below.
    """
    room = TOLERANCE + RELATIVE_TOLERANCE * np.abs(column)
    offset = float(column[0] - reference[0])
    if bool((np.abs(decoded + offset - column) <= room).all()):
        return _MODE_OFFSET, offset
    largest = int(np.argmax(np.abs(reference)))
    if abs(reference[largest]) <= TOLERANCE:
        return None
    ratio = float(column[largest] / reference[largest])
    if bool((np.abs(decoded * ratio - column) <= room).all()):
        return _MODE_RATIO, ratio
    return None


def _encode_ticks(ticks: _Ints) -> tuple[bytes, bytes]:
    steps = np.diff(ticks)
    min_step = int(steps.min()) if len(steps) else 0
    above = (steps - min_step).view(np.uint64)
    unit = (int(np.gcd.reduce(above)) if len(above) else 1) or 1
    above //= np.uint64(unit)
    width = (int(above.max()).bit_length() + 7) // 8 if len(above) else 0
    planes = above.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].T
    return _TICKS.pack(_MODE_TICKS, width, int(ticks[0]), min_step, unit), planes.tobytes()


def _decode_ticks(raw: bytes, n: int, width: int, first: int, min_step: int, unit: int) -> _Ints:
    # Arithmetic is modulo 2**64 throughout: whatever overflows on the way comes back at the end.
    planes = np.frombuffer(raw, np.uint8).reshape(width, n - 1)
    steps = np.zeros(n - 1, np.uint64)
    for i in range(width):
        steps |= planes[i].astype(np.uint64) << np.uint64(8 * i)
    if unit != 1:
        steps *= np.uint64(unit)
    ticks = np.empty(n, np.int64)
    ticks[0] = first
    ticks[1:] = steps.view(np.int64)
    ticks[1:] += np.int64(min_step)
    np.cumsum(ticks, out=ticks)
    return ticks


def _inflate(data: Any, expected: int) -> bytes:
    """The stream's bytes, refused where it is damaged or not of the length the head promises."""
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(data, expected + 1)
    except zlib.error as error:
        raise CodecError("its bytes are damaged") from error
    if len(raw) != expected or not stream.eof:
        raise CodecError("its length is not that in its head")
    return raw
