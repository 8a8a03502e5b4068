"""The sentences of a study's report say what the analyses found."""

import re

from fakes.studies import results, study
from joulecast.reports.words import study as says
from joulecast.study.findings.findings import findings
from joulecast.study.model import Conditions, TrialStatus


def test_the_first_sentence_is_the_choice():
    found = findings(results(), tolerance=0.04)
    first, second = says.headlines(found)[:2]
    pick = found.tradeoff.pick
    assert first.startswith(f"{pick.name} is the cheapest within 4 % of the best accuracy")
    assert pick.best in first
    assert second == f"{pick.pair.sentence}."


def test_where_the_best_is_the_cheapest_it_says_so():
    found = findings(results(), tolerance=0.0)
    assert "nothing cheaper comes within 0 % of it" in says.headlines(found)[0]


def test_a_difference_that_is_not_shown_is_not_called_one():
    found = findings(results(study(factors={"architecture": ("small",), "x": ("p", "q")})))
    same = [t for t in found.tests if t.comparison.value == "accuracy"]
    assert same[0].comparison.test.p > 0.05
    assert says.test_sentence(same[0].comparison).startswith("No difference of accuracy")


def test_what_cannot_be_tested_is_said():
    found = findings(results(study(repetitions=1, factors={"architecture": ("small",)})))
    assert says.headlines(found)  # of one run too
    lines = says.headlines(findings(results(constant=True)))
    assert not any("NaN" in line or "None" in line for line in lines)


def test_failures_are_counted_in_words():
    failed = {0: (TrialStatus.OUT_OF_MEMORY, "x"), 7: (TrialStatus.FAILED, "y")}
    text = says.headlines(findings(results(failed=failed)))[-1]
    assert text == "Of 36 trials, 1 failed and 1 ran out of memory."


def test_conditions():
    assert says.conditions_text(Conditions()) == "neither warm-up nor rest"
    text = says.conditions_text(Conditions(warm_up_s=30, cool_down_s=5, cool_to_c=45))
    assert re.search(r"30.0 s of warm-up.*every GPU is at 45 °C.*5.00 s of rest", text)


def test_the_plan_in_short():
    rows = dict(says.plan_rows(findings(results())))
    assert rows["architecture"] == "small, wide, deep"
    assert rows["runs"] == "36, all finished"
    assert rows["order"] == "randomized over all trials, seed 3"
    assert rows["early stopping"] == "val_loss:patience=3"


def test_a_name_of_many_letters_is_cut_in_sentences():
    long = "m" * 300
    found = findings(results(study(factors={"architecture": (long, "small")})))
    assert all(len(line) < 600 for line in says.headlines(found))
    assert not any(long in line for line in says.headlines(found))


def test_a_level_that_alone_says_nothing_is_told_with_its_factor():
    told = [says.level_name("aug", level) for level in ("none", "NA", "32", "flip")]
    assert told == ["aug=none", "aug=NA", "aug=32", "flip"]
    text = says.headlines(findings(results(study(factors={"aug": ("none", "flip")}))))[0]
    assert "aug=none" in text
