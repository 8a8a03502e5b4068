"""How a learning curve may go on: draws from an ensemble of parametric curves.

After Domhan, Springenberg and Hutter (IJCAI 2015): several families of curves, weighed by how well
each explains what was seen, drawn from with their uncertainty. Here every family is linear but in
one rate, `a + b g(t) + c h(t)`, with g a falling power, exponential or inverse logarithm of the
epoch (the shapes that fit real curves best: Viering and Loog, arXiv 2103.10948) and h absent, or
a slow drift (over-fitting) that is linear or logarithmic. The rates and the size of the error lie
on grids, and a, b, c have normal priors: evidence and posterior are then exact, and cheap.

The constants were chosen on curves of digits and diabetes (`benchmarks/early_stopping.py`), and
are judged there on other data.
"""

from __future__ import annotations

import numpy as np

from ...recording.model import Array

LEAST_POINTS = 3  # before that a curve says nothing about its own end

_POWERS = (0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5)
_EXPONENTIALS = 9  # time constants from one epoch to the horizon, in equal ratios
_DRIFT_PRIOR = 0.3  # probability that the curve drifts at all
_LEVEL_SD, _FALL_SD, _DRIFT_SD = 1.0, 1.0, 0.3  # of the priors of a, b, c, in ranges seen
_CORRELATION = 0.99
"""Of the errors, from point to point. Real curves leave the best trend for many epochs at a time;
with independent errors the fit would be far too sure of itself."""
_ERRORS = np.geomspace(3e-5, 0.3, 15)  # what an epoch adds to the error, in ranges seen
_TEMPER = 0.3
"""Power of the evidence: no real curve is of any of these families, so that the best of them is not
as much better as it seems (Gruenwald and van Ommen, Bayesian Analysis 12:1069, 2017)."""
_JITTER_WINDOW = 20  # points from which the noise between neighbors is taken
_JITTER_PRIOR = 0.003  # its variance as a part of the errors', taken for half an observation


def continuations(
    at: Array, values: Array, ahead: Array, draws: int, rng: np.random.Generator
) -> Array:
    """Values that may follow at later epochs, shape (draws, len(ahead)).

    Args:
        at: epochs (from 1) of the points seen, rising; at least `LEAST_POINTS`.
        values: at these, finite; losses or scores alike, at any scale.
        ahead: later epochs, rising; the last is the horizon.
        draws: how many curves.
        rng: source of randomness; the same seed gives the same curves.
    """
    level = float(values[-1])
    scale = float(np.ptp(values)) or abs(level) or 1.0
    seen = (values - level) / scale
    n, horizon = len(at), float(ahead[-1])
    shapes, prior = _shapes(np.concatenate([at, ahead]), horizon)

    # Later points tell more about what follows: their errors are taken to be smaller.
    weight = np.sqrt(at / at[-1])
    x = _uncorrelated(shapes[:, :n] * weight[:, None])
    y = _uncorrelated(seen * weight)
    gram, moment = x.transpose(0, 2, 1) @ x, x.transpose(0, 2, 1) @ y
    prior_sd = np.array([_LEVEL_SD, _FALL_SD, _DRIFT_SD])
    variance = _ERRORS[:, None] ** 2  # shape (errors, 1), for all families
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

    # The curve goes on from where it is now, not from where the trend would have it.
    off = (seen[-2:] - trend[:, n - 2 : n]).mean(axis=1)
    jitter = np.minimum(_jitter(seen, sd, draws, rng), sd)
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
    """Points of an AR(1) process as independent ones; the second-last axis of many is time."""
    time = 0 if points.ndim == 1 else 1
    moved = np.moveaxis(points, time, 0).copy()
    moved[1:] -= _CORRELATION * moved[:-1].copy()
    moved[0] *= np.sqrt(1 - _CORRELATION**2)
    return np.moveaxis(moved, 0, time)


def _jitter(seen: Array, sd: Array, draws: int, rng: np.random.Generator) -> Array:
    """Standard deviation of the noise between neighbors, from second differences of the curve.

    They remove whatever trend there is; of white noise their variance is six times its own.
    """
    second = np.diff(seen, 2)[-_JITTER_WINDOW:]
    half = 0.5 * len(second) + 0.5
    sums = 0.5 * float(second @ second) / 6 + 0.5 * _JITTER_PRIOR * sd**2
    return np.asarray(np.sqrt(sums / rng.gamma(half, 1.0, draws)))
