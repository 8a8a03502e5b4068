"""Training runs made up at random, of as many kinds as there are: for tests and benchmarks.

They are not measured and nothing is claimed of how often each kind occurs. What they have in common
with real ones is what a forecaster must cope with: a first epoch that starts things up (up to 20
times as long as a later one), data that is only cached after it, a sensor read once a second,
drift, evaluations and checkpoints every n epochs, single hiccups, and now and then another regime.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joulecast.forecasting.base import History, Work


@dataclass(frozen=True, slots=True)
class Kind:
    """How likely a run of this family has what makes it hard."""

    cached: float = 0.25  # data that is read slowly in the first epoch only
    recurring: float = 0.5  # epochs with an evaluation or a checkpoint
    hiccups: float = 0.2  # single epochs several times as long
    regime: float = 0.15  # another level from some epoch on


MIXED = Kind()
STEADY = Kind(cached=0.0, recurring=0.0, hiccups=0.0, regime=0.0)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def training_run(seed: int, kind: Kind = MIXED) -> History:
    """4 to 400 epochs of 1 s to 10 min at 20 W to 5 kW."""
    rng = np.random.default_rng(seed)
    n = round(_between(rng, 4, 400))
    usual_s, watts = _between(rng, 1, 600), _between(rng, 20, 5000)
    at = np.arange(n)

    duration = usual_s * np.exp(rng.normal(0, _between(rng, 0.002, 0.03), n))
    power = watts * np.exp(rng.normal(0, _between(rng, 0.002, 0.02), n))
    # A device warms up, or is slowed down as it does, over some minutes.
    warming = 1 - np.exp(-at * usual_s / _between(rng, 60, 1200))
    power *= 1 + rng.uniform(-0.01, 0.05) * warming
    duration *= 1 + rng.uniform(-0.01, 0.03) * warming

    if rng.random() < kind.recurring:
        every = int(rng.integers(2, 26))
        duration[every - 1 :: every] += usual_s * _between(rng, 0.03, 1.0)
        power[every - 1 :: every] *= rng.uniform(0.8, 1.05)
    if rng.random() < kind.hiccups:
        duration[rng.integers(1, n)] *= _between(rng, 2, 10)
    if rng.random() < kind.regime:
        since = round(_between(rng, 2, n))
        duration[since:] *= np.exp(rng.normal(0.08, 0.15))
        power[since:] *= np.exp(rng.normal(0.03, 0.08))

    first = duration[0]
    if rng.random() < kind.cached:
        duration[0] *= rng.uniform(1, 3)
        power[0] *= rng.uniform(0.6, 1)
    start_up_s = min(_between(rng, 0.2, 120), 20 * first - duration[0])
    energy = duration * power
    energy[0] += start_up_s * watts * rng.uniform(0.3, 1.1)
    duration[0] += start_up_s

    # One reading a second: an epoch's energy is off by part of a second's at either end, and its
    # power is as noisy as few readings are.
    samples = np.maximum(1.0, duration)
    energy *= 1 + rng.normal(0, 0.04, n) / np.sqrt(samples) + rng.uniform(-0.2, 0.2, n) / samples
    works = tuple(Work(1.0, float(t), float(e)) for t, e in zip(duration, energy, strict=True))
    return History(f"made-up-{seed}", works, n)


def in_steps(history: History, seed: int, per_epoch: int, epochs: int) -> list[Work]:
    """The first epochs of a run in steps: the warm-up at the start, an evaluation at the end.

    The first steps hold what the first epoch took longer than the second; the last hundredth of
    each epoch holds 5 % of its cost (an evaluation).
    """
    rng = np.random.default_rng(seed)
    usual = history.epochs[1]
    steps: list[Work] = []
    for work in history.epochs[:epochs]:
        weight = np.exp(rng.normal(0, 0.05, per_epoch))
        weight *= 0.95 / weight.sum()
        weight[-1] += 0.05
        duration, energy = weight * work.duration_s, weight * work.energy_j
        extra_s = work.duration_s - usual.duration_s
        if not steps and extra_s > 0:
            share = np.zeros(per_epoch)
            share[: min(5, per_epoch)] = 2.0 ** -np.arange(min(5, per_epoch))
            share /= share.sum()
            extra_j = max(0.0, work.energy_j - usual.energy_j)
            duration = weight * usual.duration_s + share * extra_s
            energy = weight * (work.energy_j - extra_j) + share * extra_j
        steps += [
            Work(1 / per_epoch, float(t), float(e)) for t, e in zip(duration, energy, strict=True)
        ]
    return steps
