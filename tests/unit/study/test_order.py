"""The order of trials: all of them, once; reproducible; drift falls on all configurations alike."""

from hypothesis import given
from hypothesis import strategies as st

from joulecast.ledger.study_model import Study
from joulecast.study.order import ordered

FACTORS = {"architecture": ("mlp", "cnn", "vit"), "batch": (32, 64, 128)}


def study(order: str = "randomized", repetitions: int = 4, seed: int = 0) -> Study:
    return Study("s", "t.py:f", FACTORS, repetitions, seed, order)


def test_each_combination_once_in_each_repetition() -> None:
    for order in ("randomized", "blocked"):
        trials = ordered(study(order))
        keys = {(t.factors["architecture"], t.factors["batch"], t.repetition) for t in trials}
        assert len(trials) == len(keys) == 36
        assert [t.order for t in trials] == list(range(36))
        assert len({t.trial_id for t in trials}) == 36


def test_the_order_is_that_of_the_seed() -> None:
    assert ordered(study(seed=1)) == ordered(study(seed=1))
    assert ordered(study(seed=1)) != ordered(study(seed=2))


def test_randomized_mixes_repetitions_and_blocked_does_not() -> None:
    mixed = [t.repetition for t in ordered(study())]
    assert mixed != sorted(mixed)
    blocks = [t.repetition for t in ordered(study("blocked"))]
    assert blocks == sorted(blocks)
    within = [tuple(t.factors.values()) for t in ordered(study("blocked"))]
    assert within[:9] != within[9:18]  # each repetition in an order of its own


@given(st.integers(-(2**62), 2**62), st.integers(1, 6))
def test_one_seed_for_each_repetition_the_same_for_all(seed: int, repetitions: int) -> None:
    seeds: dict[int, set[int]] = {}
    for trial in ordered(study(repetitions=repetitions, seed=seed)):
        seeds.setdefault(trial.repetition, set()).add(trial.seed)
    assert all(len(s) == 1 for s in seeds.values())
    assert all(0 <= value < 2**31 for s in seeds.values() for value in s)
    assert len(set.union(*seeds.values())) == len(seeds)  # each repetition another


def test_more_repetitions_keep_the_trials_there_were() -> None:
    few = {t.trial_id: t.seed for t in ordered(study(repetitions=2))}
    more = {t.trial_id: t.seed for t in ordered(study(repetitions=5))}
    assert few.items() <= more.items()


def test_factors_in_another_order_are_the_same_trials() -> None:
    turned = Study("s", "t.py:f", dict(reversed(FACTORS.items())), 4)
    assert {t.trial_id for t in ordered(turned)} == {t.trial_id for t in ordered(study())}


def test_excluded_configurations_are_not_run() -> None:
    plan = Study("s", "t.py:f", FACTORS, exclude=({"architecture": "vit"}, {"batch": 32}))
    assert {tuple(t.factors.values()) for t in ordered(plan)} == {
        (a, b) for a in ("mlp", "cnn") for b in (64, 128)
    }


def test_one_configuration_and_one_repetition() -> None:
    (trial,) = ordered(Study("s", "t.py:f", {"b": (1,)}))
    assert (trial.order, trial.repetition, trial.factors) == (0, 0, {"b": 1})
