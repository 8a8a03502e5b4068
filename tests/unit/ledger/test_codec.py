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
