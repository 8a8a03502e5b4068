import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from joulecast.ledger.codec import TICKS_PER_UNIT, CodecError, decode, encode
from joulecast.recording.model import Samples

NAMES = ("t_s", "value", "low", "high", "held_s")
QUANTUM = 1 / TICKS_PER_UNIT

figures = st.floats(-1e13, 1e13, allow_nan=False, allow_infinity=False)
small = st.floats(-1e3, 1e3, allow_nan=False, allow_infinity=False)


@st.composite
def any_samples(draw: st.DrawFn) -> Samples:
    """Five unrelated columns: neither sorted nor bounded by one another."""
    n = draw(st.integers(0, 40))
    size = draw(st.sampled_from([figures, small, st.integers(-(10**6), 10**6).map(float)]))
    return Samples(*(draw(arrays(np.float64, n, elements=size)) for _ in NAMES))


@st.composite
def readings(draw: st.DrawFn) -> Samples:
    """As meters give them: bounds around the value, a share of the time held."""
    n = draw(st.integers(1, 60))
    t = np.cumsum(draw(arrays(np.float64, n, elements=st.floats(0, 10))))
    step = st.floats(0, draw(st.sampled_from([1e-3, 1.0, 1e4, 1e9])))
    value = np.cumsum(draw(arrays(np.float64, n, elements=step)))
    below = draw(st.one_of(st.floats(0, 1), arrays(np.float64, n, elements=st.floats(0, 1))))
    above = draw(st.one_of(st.floats(0, 20), arrays(np.float64, n, elements=st.floats(0, 20))))
    share = draw(st.floats(0, 1))
    return Samples(t, value, value * (1 - below), value * (1 + above), t * share)


def assert_close(decoded: Samples, samples: Samples) -> None:
    for name in NAMES:
        original, back = getattr(samples, name), getattr(decoded, name)
        assert back.shape == original.shape
        # Beyond 2**53 ticks neighboring floats are further apart than ticks.
        room = QUANTUM + 4 * np.spacing(np.abs(original)) + 1e-12 * np.abs(original)
        assert (np.abs(back - original) <= room).all(), name


@given(any_samples())
def test_any_finite_figures_come_back_within_a_tick(samples: Samples) -> None:
    assert_close(decode(encode(samples)), samples)


@given(readings())
def test_bounds_still_hold_their_value(samples: Samples) -> None:
    decoded = decode(encode(samples))
    assert_close(decoded, samples)
    assert (decoded.low <= decoded.value).all()
    assert (decoded.value <= decoded.high).all()
    assert (np.diff(decoded.t_s) >= 0).all()


@given(any_samples())
def test_decoded_samples_encode_to_themselves(samples: Samples) -> None:
    """Runs are exported, imported and joined again: figures must not wander."""
    once = decode(encode(samples))
    twice = decode(encode(once))
    assert_close(twice, once)


def test_rounding_does_not_add_up() -> None:
    n = 100_000
    t = np.arange(n) * 0.1
    value = np.cumsum(np.full(n, 1 / 3 * 1e-6))  # each step a third of a tick
    decoded = decode(encode(Samples(t, value, value, value, t)))
    assert abs(decoded.value[-1] - value[-1]) <= QUANTUM


def test_whole_millijoules_are_exact_and_a_counter_costs_little() -> None:
    rng = np.random.default_rng(1)
    n = 8192
    t = np.arange(n) * 0.1 + rng.normal(0, 1e-4, n)
    value = np.cumsum(rng.integers(25_000, 35_000, n)) / 1000
    samples = Samples(t, value, value * 0.95, value * 1.05, t - 0.25)
    chunk = encode(samples)
    decoded = decode(chunk)
    assert np.array_equal(decoded.value, value)
    assert len(chunk) < 4 * n


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_samples(n: int) -> None:
    column = np.arange(n) * 1.5
    assert_close(decode(encode(Samples(*[column] * 5))), Samples(*[column] * 5))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", range(5))
def test_a_value_that_is_not_finite_is_refused_with_its_column(bad: float, column: int) -> None:
    columns = [np.zeros(3) for _ in NAMES]
    columns[column][1] = bad
    with pytest.raises(ValueError, match=rf"^{NAMES[column]}\b"):
        encode(Samples(*columns))


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^low\b.*2"):
        encode(Samples(np.zeros(3), np.zeros(3), np.zeros(2), np.zeros(3), np.zeros(3)))


def chunk_of(n: int = 50) -> bytes:
    t = np.arange(n) * 0.1
    rng = np.random.default_rng(0)
    return encode(Samples(t, t * 300, *(rng.random((3, n)))))


@given(st.data())
def test_a_changed_byte_is_an_error_or_keeps_the_shape(data: st.DataObject) -> None:
    chunk = bytearray(chunk_of())
    at = data.draw(st.integers(0, len(chunk) - 1))
    chunk[at] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode(bytes(chunk))
    except CodecError:
        return
    # A constant of the head may have changed unseen; the shape holds even then.
    assert all(getattr(decoded, name).shape == (50,) for name in NAMES)


@given(st.binary(max_size=300))
def test_any_bytes_at_all(junk: bytes) -> None:
    for chunk in (junk, b"\x01" + junk, chunk_of()[:6] + junk):
        try:
            decoded = decode(chunk)
        except CodecError:  # the only way in which it may fail
            continue
        assert len({getattr(decoded, name).shape for name in NAMES}) == 1


@pytest.mark.parametrize("length", [0, 3, 6, 60, 100, 200])
def test_a_chunk_cut_short(length: int) -> None:
    with pytest.raises(CodecError):
        decode(chunk_of()[:length])


def test_a_chunk_with_a_wrong_length_is_not_unpacked() -> None:
    bomb = b"\x01\x01" + (2**24).to_bytes(4, "little") + zlib.compress(bytes(10_000_000))
    with pytest.raises(CodecError, match="length"):
        decode(bomb)
    with pytest.raises(CodecError, match="head"):
        decode(b"\x01\x01" + (2**31).to_bytes(4, "little"))


def test_a_chunk_of_a_newer_program() -> None:
    with pytest.raises(CodecError, match=r"\b9\b.*\b1\b"):
        decode(b"\x09" + chunk_of()[1:])


def test_bytes_of_a_chunk() -> None:
    """Ledgers and exports keep chunks for years: their bytes are an interface."""
    t = np.array([1.0, 1.5, 2.5])
    value = np.array([0.0, 3.0, 4.0])
    chunk = encode(Samples(t, value, value * 2, value + 1, t - 1))
    assert struct.unpack("<BBI", chunk[:6]) == (1, 0, 3)
    heads = [chunk[6 + i * 26 : 32 + i * 26] for i in range(5)]
    # Steps of 0.5 and 1 s, 0 and 1 above their minimum in units of half a second.
    assert struct.unpack("<BBqqQ", heads[0]) == (0, 1, 1_000_000, 500_000, 500_000)
    assert struct.unpack("<BBqqQ", heads[1]) == (0, 1, 0, 1_000_000, 2_000_000)
    # Twice the value (the reference is 0 at first), one more than it, one less than the time.
    assert struct.unpack("<BBd16x", heads[2]) == (2, 0, 2.0)
    assert struct.unpack("<BBd16x", heads[3]) == (1, 0, 1.0)
    assert struct.unpack("<BBd16x", heads[4]) == (1, 0, -1.0)
    # The times' steps above the minimum are 0 and 1, the values' 1 and 0.
    assert zlib.decompress(chunk[136:]) == bytes([0, 1, 1, 0])


def test_bytes_of_a_chunk_of_one_sample() -> None:
    one = np.array([1.5])
    chunk = encode(Samples(one, one * 2, one, one, one))
    assert struct.unpack("<BBqqQ", chunk[6:32]) == (0, 0, 1_500_000, 0, 1)
    assert struct.unpack("<BBqqQ", chunk[32:58]) == (0, 0, 3_000_000, 0, 1)


def test_a_chunk_written_by_hand() -> None:
    """Decoding does not depend on what `encode` writes."""
    heads = struct.pack("<BBqqQ", 0, 2, -3_000_000, 5, 7)
    heads += struct.pack("<BBqqQ", 0, 0, 10, -2_000_000, 1)
    # The second byte is not used here.
    heads += struct.pack("<BBd16x", 1, 3, -0.25)
    heads += struct.pack("<BBd16x", 2, 0, 1.5)
    heads += struct.pack("<BBd16x", 2, 0, 0.5)
    # Steps above the minimum: 0x0102 and 0x0003 in units of 7, low bytes first.
    body = zlib.compress(bytes([0x02, 0x03, 0x01, 0x00]))
    samples = decode(struct.pack("<BBI", 1, 0, 3) + heads + body)
    first = -3_000_000 + 5 + 7 * 0x0102
    t = np.array([-3_000_000, first, first + 5 + 7 * 3]) / 1e6
    value = np.array([10, -1_999_990, -3_999_990]) / 1e6
    assert np.array_equal(samples.t_s, t)
    assert np.array_equal(samples.value, value)
    assert np.array_equal(samples.low, value - 0.25)
    assert np.array_equal(samples.high, value * 1.5)
    assert np.array_equal(samples.held_s, t * 0.5)


def test_figures_beyond_the_limit_keep_their_floats() -> None:
    limit = 2.0**61 / 1e6
    for largest, packing in ((limit, 1), (-limit, 1), (np.nextafter(limit, 0), 0), (1e300, 1)):
        column = np.array([0.1, largest])
        chunk = encode(Samples(*[column] * 5))
        assert chunk[1] == packing
        decoded = decode(chunk)
        assert_close(decoded, Samples(*[column] * 5))
        assert packing == 0 or np.array_equal(decoded.high, column)


def head_of(mode: int, width: int = 0) -> bytes:
    return struct.pack("<BBqqQ", mode, width, 0, 0, 1)


@pytest.mark.parametrize(
    ("heads", "n"),
    [
        # A time that follows something, a mode that is not known, nine bytes a step, no samples.
        ([1, 0, 0, 0, 0], 1),
        ([0, 0, 3, 0, 0], 1),
        ([0, 0, 0, 0, 0], 0),
        ([0, 2, 0, 0, 0], 1),
    ],
)
def test_damaged_columns_are_refused(heads: list[int], n: int) -> None:
    body = b"".join(map(head_of, heads)) + zlib.compress(b"")
    with pytest.raises(CodecError, match="columns"):
        decode(struct.pack("<BBI", 1, 0, n) + body)
    good = b"".join(map(head_of, [0] * 5)) + zlib.compress(b"")
    assert len(decode(struct.pack("<BBI", 1, 0, 1) + good).t_s) == 1


def test_steps_have_at_most_eight_bytes() -> None:
    def chunk(width: int) -> bytes:
        heads = head_of(0, width) + b"".join(head_of(0) for _ in range(4))
        return struct.pack("<BBI", 1, 0, 2) + heads + zlib.compress(bytes(width))

    assert np.array_equal(decode(chunk(8)).t_s, [0.0, 0.0])
    with pytest.raises(CodecError, match="columns"):
        decode(chunk(9))


def test_a_stream_of_the_wrong_length_or_without_an_end_is_refused() -> None:
    heads = head_of(0, 1) + b"".join(head_of(0) for _ in range(4))
    start = struct.pack("<BBI", 1, 0, 3) + heads
    assert len(decode(start + zlib.compress(bytes(2))).t_s) == 3
    for stream in (zlib.compress(bytes(1)), zlib.compress(bytes(3)), zlib.compress(bytes(2))[:-1]):
        with pytest.raises(CodecError, match="length"):
            decode(start + stream)
    with pytest.raises(CodecError, match="damaged"):
        decode(start + b"junk")


def test_heads_of_chunks() -> None:
    empty = struct.pack("<BBI", 1, 1, 0) + zlib.compress(b"")
    assert len(decode(empty).t_s) == 0
    assert encode(Samples(*[np.zeros(0)] * 5))[:6] == empty[:6]
    with pytest.raises(CodecError, match="short"):
        decode(empty[:5])
    with pytest.raises(CodecError, match="head"):
        decode(b"\x01\x02" + empty[2:])
    # 2**24 samples are as many as a chunk may have: here their bytes are missing.
    for n, problem in ((2**24, "length"), (2**24 + 1, "head")):
        with pytest.raises(CodecError, match=problem):
            decode(struct.pack("<BBI", 1, 1, n) + zlib.compress(b""))
    raw = np.array([1.0, np.nan, 1, 1, 1])
    with pytest.raises(CodecError, match="finite"):
        decode(struct.pack("<BBI", 1, 1, 1) + zlib.compress(raw.tobytes()))


def test_a_column_follows_another_only_within_a_tick() -> None:
    value = np.array([1.0, 2.0, 4.0])
    t = np.arange(3.0)
    for error, mode in ((0.9e-6, 1), (1.2e-6, 0)):
        low = value - 0.5 + np.array([0, error, 0])
        chunk = encode(Samples(t, value, low, value, t))
        assert chunk[6 + 2 * 26] == mode
        assert_close(decode(chunk), Samples(t, value, low, value, t))


def test_nothing_is_a_multiple_of_nearly_nothing() -> None:
    t = np.arange(3.0)
    value = np.array([0.0, 1e-6, 0.0])
    chunk = encode(Samples(t, value, value * 5, value, t))
    assert chunk[6 + 2 * 26] == 0
    assert decode(chunk).low == pytest.approx(value * 5)
    above = np.array([0.0, 2e-6, 0.0])
    assert encode(Samples(t, above, above * 5, above, t))[6 + 2 * 26] == 2


def test_a_large_figure_may_be_off_by_a_part_in_a_million_million() -> None:
    t = np.arange(2.0)
    value = np.array([1e9, 2e9])
    # A part in 10**12 of 2e9 J is 2 mJ.
    for error, mode in ((1.9e-3, 1), (2.2e-3, 0)):
        low = value - 5.0 + np.array([0, error])
        assert encode(Samples(t, value, low, value, t))[6 + 2 * 26] == mode


def test_chunks_are_packed_at_the_fastest_level() -> None:
    """A recorder writes one each second."""
    assert encode(Samples(*[np.zeros(0)] * 5)) == struct.pack("<BBI", 1, 1, 0) + zlib.compress(
        b"", 1
    )
    large = Samples(*[np.full(1000, 1e300)] * 5)
    assert encode(large)[6:] == zlib.compress(np.full(5000, 1e300).tobytes(), 1)
    column = np.arange(1000.0)
    assert encode(Samples(*[column] * 5))[136:] == zlib.compress(b"", 1)
