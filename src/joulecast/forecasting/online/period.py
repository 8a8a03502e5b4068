"""The period of a power trace: the length of an epoch where a run prints nothing.

Training repeats: batches at full power, then validation, a checkpoint or a shuffle at less. The
autocorrelation of the power is high at the length of an epoch and at its multiples (Vlachos, Yu,
Castelli: On periodicity detection and structural periodic similarity, SDM 2005, use the same
function). A period is reported only if it was seen three times and repeats beyond chance; a flat,
drifting or noisy trace has none.
"""

from dataclasses import dataclass

import numpy as np

from ...recording.model import Array

# After decimation: 10 minutes at 7 Hz, 10 hours at one reading in 9 s.
_MAX_POINTS = 4096
_MIN_POINTS = 24
_MIN_PERIODS = 3
# Shares of the trace, up to its end: a run may change (a warm-up, a frozen backbone), and then only
# its latest part repeats. The longest of them that repeats well is used.
_WINDOWS = (1.0, 0.5, 0.25, 0.125)
# A shorter part of the trace must repeat better by this factor to be used instead.
_BETTER = 1.2
# Points in a period; with fewer, its shape is not seen.
_SHORTEST = 4
# The period is the shortest lag whose peak reaches this share of the highest.
_SAME = 0.7
_MIN_STRENGTH = 0.3
# Share of the first peak that remains at a multiple of the lag.
_RECURRENCE = 0.5
# Following periods that one is compared with; later ones may have drifted away.
_COMPARED = 5
# Standard errors; the best of a thousand lags of noise reaches about 4.
_BEYOND_CHANCE = 6.0
# Readings that the first one of the work is judged with.
_FOLLOWED = 5
# Relative; sensors do not resolve less.
_FLAT = 1e-3


@dataclass(frozen=True, slots=True)
class Period:
    """A repetition in the power.

    Attributes:
        period_s: length of a period, s.
        start_s: start of the first one, s.
    """

    period_s: float
    start_s: float


def find_period(t_s: Array, power_w: Array) -> Period | None:
    """The period of a trace, None where it has none; takes a few milliseconds at any length.

    Args:
        t_s: rising times, s, shape (n,).
        power_w: power at these times, W, shape (n,).

    Raises:
        ValueError: the shapes differ.
    """
    if t_s.shape != power_w.shape or t_s.ndim != 1:
        raise ValueError(f"shapes {t_s.shape} and {power_w.shape}: one power for each time")
    finite = np.isfinite(t_s) & np.isfinite(power_w)
    t_s, power_w = t_s[finite], power_w[finite]
    if len(t_s) < _MIN_POINTS or t_s[-1] <= t_s[0]:
        return None
    begin = _activity(power_w)
    t_s, power_w = t_s[begin:], power_w[begin:]
    if len(t_s) < _MIN_POINTS or t_s[-1] <= t_s[0]:
        return None
    power, step_s = _evenly(t_s, power_w)
    best = _latest_repetition(power)
    if best is None:
        return None
    return Period(best[0] * step_s, float(t_s[0]))


def _latest_repetition(power: Array) -> tuple[float, float] | None:
    """The best lag and its strength over all windows, or None."""
    best: tuple[float, float] | None = None
    for part in _WINDOWS:
        window = power[len(power) - int(len(power) * part) :]
        if len(window) < _MIN_POINTS:
            break
        window = _without_drift(window)
        if np.std(window) <= _FLAT * max(float(np.mean(np.abs(power))), 1e-9):
            continue
        lag = _best_lag(_autocorrelation(window), len(window))
        if lag is not None and lag[1] > (best[1] if best else 0.0) * _BETTER:
            best = lag
    return best


class PeriodCount:
    """Epochs done by a run that prints nothing, counted from the periods of its power.

    The count stays when the period changes, and never falls.
    """

    def __init__(self) -> None:
        self.done = 0.0
        self._counted_s: float | None = None

    def update(self, period: Period, now_s: float) -> float:
        """Periods from the start of the work to `now_s`, with the fraction of the current one."""
        since_s = period.start_s if self._counted_s is None else self._counted_s
        self.done += max(now_s - since_s, 0.0) / period.period_s
        self._counted_s = max(now_s, since_s)
        return self.done


def _activity(power_w: Array) -> int:
    """Index of the first reading of the work: loading and idling before it draw less.

    The first above the middle of low and high readings, as most of those that follow it are; 0
    where all are alike.
    """
    low, high = np.percentile(power_w, [5, 90])
    if high - low <= 0.2 * high:
        return 0
    above = power_w > (low + high) / 2
    # A single high reading is noise, or the start of a process.
    most = np.convolve(above, np.ones(_FOLLOWED), "full")[_FOLLOWED - 1 :] > _FOLLOWED / 2
    return int(np.argmax(above & most))


def _evenly(t_s: Array, power_w: Array) -> tuple[Array, float]:
    """Mean power on an even grid of the readings' median step or a coarser one, and the step."""
    step_s = max(float(np.median(np.diff(t_s))), float(t_s[-1] - t_s[0]) / _MAX_POINTS, 1e-9)
    count = max(int((t_s[-1] - t_s[0]) / step_s), 1)
    edges = t_s[0] + step_s * np.arange(count + 1)
    energy = np.concatenate([[0.0], np.cumsum(np.diff(t_s) * (power_w[1:] + power_w[:-1]) / 2)])
    return np.diff(np.interp(edges, t_s, energy)) / step_s, step_s


def _without_drift(power: Array) -> Array:
    """Power without its slow part (warming up, other jobs): a parabola, robust to single peaks."""
    low, high = np.percentile(power, [1, 99])
    power = np.clip(power, low, high)
    x = np.linspace(-1, 1, len(power))
    return np.asarray(power - np.polynomial.Polynomial.fit(x, power, 2)(x), dtype=np.float64)


def _autocorrelation(power: Array) -> Array:
    """Autocorrelation of the trace, normalized by the overlap, for lags up to 3/4 of it."""
    n = len(power)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(power - power.mean(), size)
    products = np.fft.irfft(np.abs(spectrum) ** 2, size)[: 3 * n // 4]
    overlap = n - np.arange(len(products))
    return np.asarray(products / overlap / (products[0] / n), dtype=np.float64)


def _best_lag(r: Array, points: int) -> tuple[float, float] | None:
    """The lag of the period, in points with a fraction, and how well the trace repeats."""
    inner = np.arange(_SHORTEST, points // _MIN_PERIODS)
    peaks = inner[(r[inner] >= r[inner - 1]) & (r[inner] > r[inner + 1])]
    valley = np.minimum.accumulate(r)
    # Peaks on the flank of lag 0 are not periods.
    peaks = peaks[r[peaks] - valley[peaks] >= _MIN_STRENGTH]
    if not len(peaks):
        return None
    for peak in peaks[r[peaks] >= _SAME * r[peaks].max()]:
        lag = _refined(r, int(peak))
        strength, beyond_chance = _strength(r, lag, points)
        if strength >= _MIN_STRENGTH and beyond_chance >= _BEYOND_CHANCE:
            return lag, min(strength, 1.0)
    return None


def _strength(r: Array, lag: float, points: int) -> tuple[float, float]:
    """Mean correlation of periods with the next ones; and the same in standard errors.

    The standard error is Bartlett's (J. R. Stat. Soc. Suppl. 8, 27, 1946): neighboring points are
    alike, so there are fewer independent ones than `lag`.
    """
    periods = points / lag
    lags = np.arange(1, min(_COMPARED, int(periods) - 1) + 1)
    near = r[np.minimum(np.round(lags * lag).astype(int), len(r) - 1)]
    pairs = periods - lags
    strength = float(np.average(near, weights=pairs))
    alike = 1 + 2 * float(np.sum(r[1 : max(int(lag / 2), 1) + 1] ** 2))
    return strength, strength * float(np.sqrt(pairs.sum() * lag / alike))


def _near(r: Array, lag: int) -> tuple[int, float]:
    """The highest point around a lag."""
    reach = max(lag // 16, 1)
    low = max(lag - reach, 1)
    best = low + int(np.argmax(r[low : lag + reach + 1]))
    return best, float(r[best])


def _refined(r: Array, lag: int) -> float:
    """The lag, more exactly, from its largest multiple that is still a peak."""
    exact, multiple = _vertex(r, lag), 1
    while (guess := round(exact * (multiple + 1))) < len(r) - 1:
        best, height = _near(r, guess)
        if best >= len(r) - 1 or height < _RECURRENCE * r[lag] or abs(best - guess) > lag / 4:
            break
        multiple += 1
        exact = _vertex(r, best) / multiple
    return exact


def _vertex(r: Array, lag: int) -> float:
    """The top of the parabola through a peak and its neighbors."""
    before, at, after = r[lag - 1], r[lag], r[lag + 1]
    bend = before - 2 * at + after
    return lag if bend >= 0 else float(lag + np.clip((before - after) / (2 * bend), -0.5, 0.5))
