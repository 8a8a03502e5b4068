"""How a learning curve may continue: draws from an ensemble of parametric curves.

After Domhan, Springenberg and Hutter (IJCAI 2015): several families of curves, weighted by how well
each explains the values so far, are drawn from with their uncertainty. Here every family is linear
except in one rate, `a + b g(t) + c h(t)`. g is a falling power, exponential or inverse logarithm of
the epoch (the shapes that fit real curves best: Viering and Loog, arXiv 2103.10948); h is absent or
a slow drift (over-fitting), linear or logarithmic. The rates and the size of the error are on
grids, and a, b, c have normal priors, so that evidence and posterior are exact and cheap.

The constants were chosen on curves of digits and diabetes (`benchmarks/early_stopping.py`), which
tests them on other data.
"""

import numpy as np

from ...recording.model import Array

# With fewer values a curve does not show how it continues.
MIN_POINTS = 3

_POWERS = (0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5)
# Time constants from one epoch to the horizon, in equal ratios.
_EXPONENTIALS = 9
# Probability that the curve drifts.
_DRIFT_PRIOR = 0.3
# Standard deviations of the priors of a, b, c, relative to the range of the values.
_LEVEL_SD, _FALL_SD, _DRIFT_SD = 1.0, 1.0, 0.3
# Correlation of the errors from point to point. Real curves leave the best trend for many epochs
# at a time; independent errors would make the fit far too certain.
_CORRELATION = 0.99
# What an epoch adds to the error, relative to the range of the values.
_ERRORS = np.geomspace(3e-5, 0.3, 15)
# Power of the evidence. No real curve is of any of these families, so that the best of them is not
# as much better as it seems (Gruenwald and van Ommen, Bayesian Analysis 12:1069, 2017).
_TEMPER = 0.3
# Points that show the noise between neighbors.
_JITTER_WINDOW = 20
# Its variance relative to that of the errors; it has the weight of half an observation.
_JITTER_PRIOR = 0.003


def continuations(
    at: Array, values: Array, ahead: Array, draws: int, rng: np.random.Generator
) -> Array:
    """Possible values at later epochs, shape (draws, len(ahead)).

    Args:
        at: epochs (from 1) of the values so far, rising; at least `MIN_POINTS`.
        values: at these epochs, finite; losses or scores, at any scale.
        ahead: later epochs, rising; the last is the horizon.
        draws: how many curves.
        rng: source of randomness; the same seed gives the same curves.
    """
    level = float(values[-1])
    scale = float(np.ptp(values)) or abs(level) or 1.0
    scaled = (values - level) / scale
    n, horizon = len(at), float(ahead[-1])
    shapes, prior = _shapes(np.concatenate([at, ahead]), horizon)

    # Later points show more about what follows: their errors are assumed to be smaller.
    weight = np.sqrt(at / at[-1])
    x = _uncorrelated(shapes[:, :n] * weight[:, None])
    y = _uncorrelated(scaled * weight)
    gram, moment = x.transpose(0, 2, 1) @ x, x.transpose(0, 2, 1) @ y
    prior_sd = np.array([_LEVEL_SD, _FALL_SD, _DRIFT_SD])
    # Shape (errors, 1), for all families.
    variance = _ERRORS[:, None] ** 2
    precision = gram / variance[..., None, None] + np.diag(prior_sd**-2.0)
    pull = moment / variance[..., None]
    mean = np.linalg.solve(precision, pull[..., None])[..., 0]
    evidence = prior - 0.5 * (
        n * np.log(variance)
        + (y @ y) / variance
        - np.sum(mean * pull, axis=2)
        + np.linalg.slogdet(precision)[1]
    )
    odds = np.exp(_TEMPER * (evidence - evidence.max())).ravel()

    # Stratified draws of error and family, then of the coefficients.
    steps = (np.arange(draws) + rng.random()) / draws
    drawn = np.minimum(np.searchsorted(np.cumsum(odds / odds.sum()), steps), len(odds) - 1)
    error, family = np.divmod(drawn, len(shapes))
    sd = np.sqrt(variance[error, 0])
    spread = np.linalg.cholesky(np.linalg.inv(precision[error, family]))
    normal = rng.standard_normal((draws, 3, 1))
    coefficients = mean[error, family] + (spread @ normal)[..., 0]
    trend = np.einsum("dti,di->dt", shapes[family], coefficients)

    # The curve continues from its last values, not from the trend.
    off = (scaled[-2:] - trend[:, n - 2 : n]).mean(axis=1)
    jitter = np.minimum(_jitter(scaled, sd, draws, rng), sd)
    noise = jitter[:, None] * rng.standard_normal((draws, len(ahead)))
    paths: Array = level + scale * (trend[:, n:] + off[:, None] + noise)
    return paths


def _shapes(t: Array, horizon: float) -> tuple[Array, Array]:
    """The columns (1, g, h) of every family at epochs t, and the logarithms of their priors."""
    times = np.geomspace(1.0, max(horizon, 8.0), _EXPONENTIALS)
    kinds = [
        [t**-power for power in _POWERS],
        [np.exp(-(t - 1) / tau) for tau in times],
        [np.log(2) / np.log(t + 1)],
    ]
    drifts = [
        (np.zeros_like(t), 1 - _DRIFT_PRIOR),
        (t / horizon, _DRIFT_PRIOR / 2),
        (np.log(t) / np.log(max(horizon, 3.0)), _DRIFT_PRIOR / 2),
    ]
    columns, prior = [], []
    for kind in kinds:
        for fall in kind:
            for drift, probability in drifts:
                columns.append(np.stack([np.ones_like(t), fall, drift], axis=1))
                prior.append(probability / len(kind))
    return np.array(columns), np.log(prior)


def _uncorrelated(points: Array) -> Array:
    """Points of an AR(1) process as independent ones. Of several axes, the second-last is time."""
    time = 0 if points.ndim == 1 else 1
    moved = np.moveaxis(points, time, 0).copy()
    moved[1:] -= _CORRELATION * moved[:-1].copy()
    moved[0] *= np.sqrt(1 - _CORRELATION**2)
    return np.moveaxis(moved, 0, time)


def _jitter(seen: Array, sd: Array, draws: int, rng: np.random.Generator) -> Array:
    """Standard deviation of the noise between neighbors, from second differences of the curve.

    They remove any trend; the variance of second differences of white noise is six times its own.
    """
    second = np.diff(seen, 2)[-_JITTER_WINDOW:]
    half = 0.5 * len(second) + 0.5
    sums = 0.5 * float(second @ second) / 6 + 0.5 * _JITTER_PRIOR * sd**2
    return np.asarray(np.sqrt(sums / rng.gamma(half, 1.0, draws)))
