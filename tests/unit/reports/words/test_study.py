"""The sentences of a study's report."""

import re
from dataclasses import replace

from fakes.studies import ONE_RUN, results, study
from joulecast.ledger.study_model import Conditions, TrialStatus
from joulecast.reports.words import study as words
from joulecast.study.findings.findings import derive_findings


def test_the_first_sentence_is_the_choice():
    findings = derive_findings(results(), tolerance=0.04)
    first, second = words.headlines(findings)[:2]
    pick = findings.tradeoff.pick
    assert pick.name != pick.best
    assert first.startswith(pick.name) and "4 %" in first and pick.best in first
    assert second == f"{pick.pair.sentence}."


def test_the_best_alone_is_named_where_it_is_picked():
    findings = derive_findings(results(), tolerance=0.0)
    first = words.headlines(findings)[0]
    assert first.startswith(findings.tradeoff.pick.best) and "0 %" in first


def test_sentences_of_tests_have_the_sign_of_the_test():
    plan = study(factors={"architecture": ("small",), "x": ("p", "q")})
    findings = derive_findings(results(plan))
    test = next(t for t in findings.tests if t.comparison.value == "accuracy").comparison
    assert test.test.p > 0.05
    assert "makes a" not in words.test_sentence(test)
    energy = derive_findings(results()).tests[0].comparison
    assert energy.test.p < 0.05
    assert f"makes a {energy.test.effect.word} difference" in words.test_sentence(energy)


def test_little_data_has_sentences_without_nan():
    assert words.headlines(derive_findings(results(ONE_RUN)))
    lines = words.headlines(derive_findings(results(constant=True)))
    assert lines
    assert not any("NaN" in line or "None" in line for line in lines)


def test_failures_are_counted():
    failed = {0: (TrialStatus.OUT_OF_MEMORY, "x"), 7: (TrialStatus.FAILED, "y")}
    text = words.headlines(derive_findings(results(failed=failed)))[-1]
    assert re.findall(r"\d+", text) == ["36", "1", "1"]


def test_a_total_names_its_mix():
    data = results()
    provenance = ["measured", "modelled"] * 18
    columns = {**data.table.columns, "provenance": provenance}
    mixed = derive_findings(replace(data, table=replace(data.table, columns=columns)))
    assert mixed.energy.mix.keys() == {"measured", "modelled"}
    total, caution = words.headlines(mixed)[-2:]
    share = f"{100 * mixed.energy.mix['measured']:.0f} % measured"
    assert share in total and "modelled" in caution
    columns["provenance"] = ["measured"] * 36
    measured = derive_findings(replace(data, table=replace(data.table, columns=columns)))
    assert "(measured;" in words.headlines(measured)[-1]


def test_conditions_are_listed_in_order():
    text = words.conditions_text(Conditions(warm_up_s=30, cool_down_s=5, cool_to_c=45))
    assert re.search(r"30.0 s of warm-up.*45 °C.*5.00 s of pause", text)


def test_the_plan_in_rows():
    rows = dict(words.plan_rows(derive_findings(results())))
    assert rows["architecture"] == "small, wide, deep"
    assert rows["runs"].startswith("36")
    assert rows["early stopping"] == "val_loss:patience=3"


def test_long_names_are_cut_in_sentences():
    long = "m" * 300
    lines = words.headlines(
        derive_findings(results(study(factors={"architecture": (long, "small")})))
    )
    assert lines
    assert all(len(line) < 600 and long not in line for line in lines)


def test_a_level_without_meaning_alone_has_its_factor():
    names = [words.level_name("aug", level) for level in ("none", "NA", "32", "flip")]
    assert names == ["aug=none", "aug=NA", "aug=32", "flip"]
    text = words.headlines(derive_findings(results(study(factors={"aug": ("none", "flip")}))))[0]
    assert "aug=none" in text
