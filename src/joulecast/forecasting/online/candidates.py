"""What the remaining epochs may be like: forecasts that `rates.py` weighs by how well they did.

A candidate forecasts the mean of the next epochs from the finished ones (J or s, oldest first,
shape (n,), n >= 1, without the first epoch of the run):

- their level, the mean of all of them;
- the level of the latest ones, after a change;
- a drift, which fades out;
- a cycle of p epochs: an evaluation or a checkpoint in every p-th.

Candidates are numbered: 0 is the level, then `LATEST`, the drift, and cycles by their length. None
depends on the unit of its input: values that are twice as large give forecasts twice as large.
"""

import numpy as np

from ...recording.model import Array

# Numbers of latest epochs. The last one shows a change of level first; more are less noisy.
LATEST = (1, 3, 6, 12, 24)
LEVEL, DRIFT = 0, 1 + len(LATEST)
# Epochs in the longest cycle.
LONGEST = 32
COUNT = DRIFT + LONGEST
# One value is an accident if it is so many times as far from the median as the next farthest:
# 20 of four values, 10 of six, as chance makes it of few more easily, and at least 4. Two of them
# are a habit, and the mean includes what they cost.
ODD, LEAST_ODD = 40.0, 4.0
# A drift fades out: it slows down by 1/e within so many times the epochs it was seen in.
LASTING = 6.0
# One that goes on.
ENDLESS = 1e6
# Epochs that show a drift: two halves of two.
DRIFT_SEEN = 4
# Points of a drift over which its mean is taken.
_POINTS = 16
# ln(20): no drift goes further.
_FARTHEST = 3.0


def median(x: Array) -> float:
    """The median, several times as fast as numpy's on few values."""
    x = np.sort(x)
    return float(x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2


def without_odd(x: Array) -> Array:
    """The values, a single one that is far from all others replaced by the median."""
    if len(x) < 3:
        return x
    middle = median(x)
    distance = np.abs(x - middle)
    farthest = int(np.argmax(distance))
    limit = max(LEAST_ODD, ODD / (len(x) - 2))
    if distance[farthest] <= limit * np.sort(distance)[-2]:
        return x
    x = x.copy()
    x[farthest] = middle
    return x


def level(x: Array) -> float:
    """The mean; one odd value does not count."""
    return float(without_odd(x).mean())


def _latest(x: Array, count: int) -> float:
    """The level of the last values; of too few to recognize an odd one, the median."""
    return median(x[-count:]) if count <= 3 else level(x[-count:])


def slope(x: Array) -> tuple[float, float]:
    """The rise from one value to the next, as a part of their level; and that level.

    From the levels of both halves, which one odd value does not change.
    """
    n, half = len(x), len(x) // 2
    before, after = level(x[:half]), level(x[-half:])
    middle = (before + after) / 2
    return ((after - before) / (n - half) / middle if middle > 0 else 0.0), middle


def drift(x: Array, ahead: float, lasting: float = LASTING) -> float:
    """The mean of the next `ahead` values if they go on rising or falling by the same part."""
    if len(x) < DRIFT_SEEN:
        return level(x)
    rise, middle = slope(x)
    fading = lasting * len(x)
    steps = 0.5 + ahead * (np.arange(_POINTS) + 0.5) / _POINTS
    reach = (len(x) - 1) / 2 + fading * -np.expm1(-steps / fading)
    return float(middle * np.exp(np.clip(rise * reach, -_FARTHEST, _FARTHEST)).mean())


def _cycle(x: Array, length: int, ahead: float) -> float:
    """The mean of the next `ahead` values if they repeat with a period of `length`."""
    typical = np.median(x[len(x) % length :].reshape(-1, length), axis=0)
    cycles, rest = divmod(max(1, round(ahead)), length)
    return float(cycles * typical.sum() + typical[:rest].sum()) / (cycles * length + rest)


def forecast(x: Array, candidate: int, ahead: float) -> float:
    """The mean of the next `ahead` epochs by one candidate, of which `able` is true."""
    if candidate == LEVEL:
        return level(x)
    if candidate < DRIFT:
        return _latest(x, LATEST[candidate - 1])
    if candidate == DRIFT:
        return drift(x, ahead)
    return _cycle(x, _length(candidate), ahead)


def next_epoch(x: Array) -> Array:
    """The next epoch by each candidate; by the level where too few epochs are finished."""
    forecasts = np.full(COUNT, level(x))
    for i, count in enumerate(LATEST, 1):
        if len(x) > count:
            forecasts[i] = _latest(x, count)
    forecasts[DRIFT] = drift(x, 1.0)
    # A cycle repeats the value of `length` epochs ago: the mean of more would look back too far.
    seen = min(len(x), LONGEST)
    forecasts[DRIFT + 1 : DRIFT + seen] = x[::-1][1:seen]
    return forecasts


def able(n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which candidates can forecast from n epochs: a cycle must have been seen twice."""
    needs = [1, *(count + 1 for count in LATEST), DRIFT_SEEN]
    needs += [2 * _length(i) for i in range(DRIFT + 1, COUNT)]
    return np.array(needs) <= n


def epochs_behind(candidate: int, n: int) -> float:
    """How many of n epochs the mean of a candidate's forecast comes from."""
    if candidate == LEVEL:
        return n
    if candidate < DRIFT:
        return min(n, LATEST[candidate - 1])
    # The end of a straight line has four times the variance of its middle.
    return n / (4 if candidate == DRIFT else _length(candidate))


def _length(candidate: int) -> int:
    """Epochs in a cycle."""
    return candidate - DRIFT + 1
