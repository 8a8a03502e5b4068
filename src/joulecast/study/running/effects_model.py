"""A statistical model of trials, from which the energy or duration of a whole study is forecast.

The logarithm of a trial's energy is modelled as a Gaussian process over configurations:

    log e = mean + sum over factors of a level's effect + effect of the configuration + noise

with normal effects (a mixed model; Searle, Casella, McCulloch: Variance Components, 1992). The
standard deviation of each kind of effect is unknown after a few trials, so all of a grid are used,
each weighted by its restricted likelihood. Hence the first forecasts are wide, and they narrow as
trials end. Sums over pending trials are drawn jointly, because the unknown effect of a level is
common to all trials that have it.
"""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...estimate import Z90, Estimate, Provenance
from ...ledger.study_model import Level
from ...recording.model import Array

DRAWS = 2000
# Configurations that are used, of those done and of those pending: the computation takes 50 ms at
# most, since it runs next to a training that is measured.
MAX_CONFIGURATIONS = 100
# Up to so many trials of a configuration, noise is drawn for each of them.
_FEW = 200
# Joules or seconds whose logarithm is finite.
_SMALLEST = 1e-6
# Standard deviations of the logarithm: 0.03 is 3 %, 1.6 a factor of 5. No trial repeats to better
# than 1 %.
_LEVEL_SD = (0.03, 0.1, 0.3, 0.8, 1.6)
_CONFIGURATION_SD = (0.01, 0.06, 0.2, 0.6)
_NOISE_SD = (0.01, 0.02, 0.05, 0.12, 0.3, 0.8)

Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """A trial that is over (or a running one, by its forecast) with its energy or duration."""

    factors: Mapping[str, Level]
    value: float


def draws_of_rest(
    done: Sequence[Observation], pending: Sequence[Mapping[str, Level]]
) -> Array | None:
    """Draws of the sum over pending trials, shape (DRAWS,); None before a trial has ended.

    Args:
        done: trials that are over.
        pending: the factors of each pending trial.
    """
    # The same input gives the same result.
    rng = np.random.default_rng(0)
    if not pending:
        return np.zeros(DRAWS)
    observed = _by_configuration(done)
    if not observed:
        return None
    ahead: dict[Key, int] = {}
    for factors in pending:
        ahead[_key(factors)] = ahead.get(_key(factors), 0) + 1
    keys = list(ahead)
    # Of too many configurations, a random sample represents all.
    if len(keys) > MAX_CONFIGURATIONS:
        keys = [keys[i] for i in rng.choice(len(keys), MAX_CONFIGURATIONS, replace=False)]
    scale = sum(ahead.values()) / sum(ahead[key] for key in keys)
    recent = list(observed)[-MAX_CONFIGURATIONS:]
    total = np.zeros(DRAWS)
    at = 0
    for weight, mean, root, noise in _components([(k, observed[k]) for k in recent], keys):
        n = min(DRAWS - at, round(weight * DRAWS))
        effects = mean + rng.standard_normal((n, len(keys))) @ root.T
        for i, key in enumerate(keys):
            level = np.exp(np.clip(effects[:, i], -50, 100))
            total[at : at + n] += level * _sum_of_noise(noise, ahead[key], n, rng)
        at += n
    total[at:] = rng.choice(total[:at], DRAWS - at)
    rng.shuffle(total)
    result: Array = total * scale
    return result


def estimate(rest: Array, so_far: float, unit: str, running: Estimate | None = None) -> Estimate:
    """The sum of what was used so far, the running trial (by its forecast), and the rest."""
    total = rest + so_far
    if running is not None:
        total = total + _draws_of(running, len(rest))
    low, value, high = (float(x) for x in np.quantile(total, (0.05, 0.5, 0.95)))
    return Estimate(value, low, high, unit, Provenance.MODELLED)


def _draws_of(running: Estimate, n: int) -> Array:
    """Draws of a forecast by its own error: normal on each side of the value, none below zero."""
    z = np.random.default_rng(1).standard_normal(n) / Z90
    below, above = running.own_sides
    drawn: Array = np.maximum(0.0, running.value + np.where(z < 0, z * below, z * above))
    return drawn


def _sum_of_noise(noise: float, count: int, n: int, rng: np.random.Generator) -> Array:
    """Draws of the sum of `count` lognormal factors; of many by the central limit theorem."""
    if count <= _FEW:
        drawn: Array = np.exp(rng.normal(0.0, noise, (n, count))).sum(axis=1)
        return drawn
    mean = math.exp(noise**2 / 2)
    spread = mean * math.sqrt(math.expm1(noise**2) * count)
    return np.maximum(0.0, mean * count + spread * rng.standard_normal(n))


@dataclass(frozen=True, slots=True)
class _Group:
    """Trials of one configuration: number, mean, sum of squares about the mean, of logarithms."""

    n: int
    mean: float
    squares: float


def _by_configuration(done: Sequence[Observation]) -> dict[Key, _Group]:
    logs: dict[Key, list[float]] = {}
    for trial in done:
        if math.isfinite(trial.value) and trial.value >= 0:
            key = _key(trial.factors)
            logs.setdefault(key, []).append(math.log(max(trial.value, _SMALLEST)))
    groups = {}
    for key, values in logs.items():
        mean = math.fsum(values) / len(values)
        groups[key] = _Group(len(values), mean, math.fsum((v - mean) ** 2 for v in values))
    return groups


def _components(
    seen: list[tuple[Key, _Group]], keys: list[Key]
) -> list[tuple[float, Array, Array, float]]:
    """Weight, mean and root of the covariance at `keys`, and noise, for each likely grid point."""
    everything = [key for key, _ in seen] + keys
    level, same = _alike(everything)
    c = len(seen)
    y = np.array([group.mean for _, group in seen])
    counts = np.array([group.n for _, group in seen], dtype=np.float64)
    within, freedom = math.fsum(g.squares for _, g in seen), float(counts.sum() - c)
    fitted = []
    for a, b, noise in itertools.product(_LEVEL_SD, _CONFIGURATION_SD, _NOISE_SD):
        prior = a * a * level + b * b * same
        k = prior[:c, :c] + np.diag(noise * noise / counts)
        inverse = np.linalg.inv(k)
        ones = inverse.sum(axis=1)
        mean = float(ones @ y / ones.sum())
        away = y - mean
        fit = -0.5 * (np.linalg.slogdet(k)[1] + math.log(ones.sum()) + away @ inverse @ away)
        fit += -freedom * math.log(noise) - 0.5 * within / noise**2
        fitted.append((float(fit), noise, prior, inverse, ones, mean, away))
    best = max(fit for fit, *_ in fitted)
    weights = [math.exp(fit - best) for fit, *_ in fitted]
    kept = [(w, f) for w, f in zip(weights, fitted, strict=True) if w > 1e-3]
    total = sum(w for w, _ in kept)
    components = []
    for weight, (_, noise, prior, inverse, ones, mean, away) in kept:
        across = prior[c:, :c]
        at = mean + across @ inverse @ away
        unsure = 1.0 - across @ ones
        spread = prior[c:, c:] - across @ inverse @ across.T
        spread = spread + np.outer(unsure, unsure) / ones.sum()
        values, vectors = np.linalg.eigh(spread)
        components.append((weight / total, at, vectors * np.sqrt(np.maximum(values, 0.0)), noise))
    return components


def _alike(keys: list[Key]) -> tuple[Array, Array]:
    """Share of levels that each two configurations have in common, and whether they are equal."""
    width = max(len(key) for key in keys)
    level = np.zeros((len(keys), len(keys)))
    for i in range(width):
        codes: dict[Hashable, int] = {}
        column = np.array([codes.setdefault(key[i], len(codes)) for key in keys])
        level += column[:, None] == column[None, :]
    return level / width, (level == width).astype(np.float64)


def _key(factors: Mapping[str, Level]) -> Key:
    # Sorted, because a plan that was extended may list its factors in another order.
    return tuple((type(level).__name__, level) for _, level in sorted(factors.items()))
