"""The trials of a plan, and the order they are started in."""

import hashlib
import itertools
import json
import random
from collections.abc import Iterator, Mapping

from ..ledger.study_model import Level, Study, Trial

ORDERS = ("randomized", "blocked")


def configurations(study: Study) -> Iterator[dict[str, Level]]:
    """Every combination of the factors' levels that is not excluded, in the order written."""
    for levels in itertools.product(*study.factors.values()):
        factors = dict(zip(study.factors, levels, strict=True))
        if not any(excluded.items() <= factors.items() for excluded in study.exclude):
            yield factors


def ordered(study: Study) -> list[Trial]:
    """All trials in the order they are started, the same for the same plan and seed.

    Randomized: drifts (a room that warms up, other programs) then affect all configurations alike.
    Blocked: each repetition ends before the next begins, so that a study that is stopped early has
    whole repetitions.
    """
    rng = random.Random(f"{study.name} {study.seed}")
    every = list(configurations(study))
    blocks = [[(f, r) for f in every] for r in range(study.repetitions)]
    for block in blocks:
        rng.shuffle(block)
    everything = list(itertools.chain.from_iterable(blocks))
    if study.order == "randomized":
        rng.shuffle(everything)
    # The seed of a repetition is the same for each configuration.
    seeds = [random.Random(f"{study.seed} {r}").randrange(2**31) for r in range(study.repetitions)]
    return [
        Trial(trial_id(factors, repetition), i, factors, repetition, seeds[repetition])
        for i, (factors, repetition) in enumerate(everything)
    ]


def trial_id(factors: Mapping[str, Level], repetition: int) -> str:
    """The id of a trial: it depends on nothing else in the plan, so that a plan can grow."""
    text = json.dumps([sorted(factors.items()), repetition])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
