"""Findings: composed of the analyses, complete or with a reason, whatever the data are."""

import json

import numpy as np
import pytest

from fakes.studies import results, study
from joulecast.analysis.carbon.cost import parse_tariff
from joulecast.analysis.carbon.footprint import Site as Grid
from joulecast.analysis.statistics.medians import median
from joulecast.analysis.table.columns import Table
from joulecast.errors import BadInputError, UsageError
from joulecast.estimate import Estimate, Provenance
from joulecast.ledger.study_model import TrialStatus
from joulecast.study.findings.findings import derive_findings
from joulecast.study.findings.grouping import total_energy
from joulecast.study.findings.study_footprint import StudySite


def plain(findings):
    """The document, that must be plain JSON without NaN."""
    return json.loads(json.dumps(findings.to_json(), allow_nan=False))


def test_all_parts_are_there_and_agree_with_the_analyses():
    data = results()
    findings = derive_findings(data)
    document = plain(findings)
    assert document["schema"] == next(iter(document.values())) == "joulecast/study/1"
    assert document["factors"] == {"architecture": ["small", "wide", "deep"], "batch": ["16", "64"]}
    assert document["counts"]["finished"] == document["counts"]["planned"] == 36
    assert len(document["configurations"]) == len(document["tradeoff"]["configurations"]) == 6
    first = document["configurations"][0]
    energies = np.array(data.table.columns["energy_j"][:6])
    assert first["name"] == "small, batch=16" and first["rows"] == [0, 1, 2, 3, 4, 5]
    assert first["medians"]["energy_j"]["value"] == median(energies).value
    weighed = {c["name"]: c for c in document["tradeoff"]["configurations"]}
    assert weighed["small, batch=16"]["cost"] == first["medians"]["energy_j"]
    # Two measures: each factor over all, and architecture within each of the two batch sizes.
    assert [(t["comparison"]["value"], t["comparison"]["by"]) for t in document["tests"]] == [
        (value, by)
        for value in ("energy_j", "accuracy")
        for by in ("architecture", "batch", "architecture", "architecture")
    ]
    assert [t["within"] for t in document["tests"][2:4]] == [{"batch": "16"}, {"batch": "64"}]
    assert [i["value"] for i in document["interactions"]] == ["energy_j", "accuracy"]
    assert document["power_against_utilization"]["overall"]["n"] == 36
    assert document["energy"]["value"] == pytest.approx(sum(data.table.columns["energy_j"]))
    assert document["energy"]["low"] == pytest.approx(0.95 * document["energy"]["value"])
    assert document["missing"] == []


def test_the_configuration_that_saves_most_within_the_tolerance_is_picked():
    pick = derive_findings(results(), tolerance=0.04).tradeoff.pick
    assert pick.name.startswith("small")
    assert derive_findings(results(), tolerance=0.0).tradeoff.pick.name.startswith("deep")


@pytest.mark.parametrize("word", ["none", "nan", "NA", "null"])
def test_a_level_called_none_is_a_level(word):
    plan = study(factors={"aug": (word, "flip"), "dropout": ("none", 0.25)})
    findings = derive_findings(results(plan))
    document = plain(findings)
    assert findings.factors == {"aug": (word, "flip"), "dropout": ("none", "0.25")}
    assert {c["name"] for c in document["tradeoff"]["configurations"]} == {
        f"aug={aug}, dropout={dropout}" if aug != "flip" else f"flip, dropout={dropout}"
        for aug in (word, "flip")
        for dropout in ("none", "0.25")
    }
    names = [[g["name"] for g in t["comparison"]["groups"]] for t in document["tests"]]
    assert ["flip", word] in names and ["none", "0.25"] in names
    assert {c["a"] for c in document["interactions"][0]["cells"]} == {word, "flip"}
    assert not any("eft out" in text for text in document["missing"])


def test_failed_trials_are_listed_and_in_no_median():
    failed = {0: (TrialStatus.OUT_OF_MEMORY, "CUDA out of memory"), 7: (TrialStatus.FAILED, "boom")}
    findings = derive_findings(results(failed=failed))
    assert findings.counts["out_of_memory"] == findings.counts["failed"] == 1
    assert [(f.configuration, f.repetition, f.error) for f in findings.failures] == [
        ("small, batch=16", "0", "CUDA out of memory"),
        ("small, batch=64", "1", "boom"),
    ]
    small = findings.configurations[0]
    assert (len(small.rows), small.failed, small.medians["energy_j"].n) == (5, 1, 5)
    whole = sum(results().table.columns["energy_j"])
    assert findings.energy.value == pytest.approx(whole, rel=0.2)
    assert findings.energy.value > sum(findings.runs.columns["energy_j"])


def test_all_trials_failed():
    failed = dict.fromkeys(range(36), (TrialStatus.FAILED, "boom"))
    findings = derive_findings(results(failed=failed))
    document = plain(findings)
    assert document["tradeoff"] is None and document["tests"] == []
    assert document["missing"]
    assert [(c["rows"], c["failed"]) for c in document["configurations"]] == [([], 6)] * 6
    assert len(findings.failures) == 36


def test_nothing_has_run_yet():
    plan = study()
    empty = results(plan)
    empty = type(empty)(plan, (), Table(plan.name, {}))
    document = plain(derive_findings(empty))
    assert document["energy"] is None and document["configurations"] == []


@pytest.mark.parametrize(
    ("plan", "constant"),
    [
        (study(repetitions=1), False),
        (study(factors={"architecture": ("small",)}), False),
        (study(factors={"architecture": ("small",)}, repetitions=1), False),
        (study(), True),
        (study(factors={"a": (True, False), "b": (1, 2), "c": (0.5, 1.5)}, repetitions=2), False),
    ],
    ids=["one repetition", "one configuration", "one run", "constant", "three factors"],
)
def test_little_data_gives_a_reason(plan, constant):
    document = plain(derive_findings(results(plan, constant=constant)))
    assert document["tradeoff"] is not None
    for test in document["tests"]:
        comparison = test["comparison"]
        assert comparison["test"] is not None or comparison["reason"]


def test_without_a_metric_there_is_no_trade_off_but_all_of_energy():
    document = plain(derive_findings(results(study(quality=None), metric=None)))
    assert document["tradeoff"] is None and document["quality"] is None
    assert any("--quality" in m for m in document["missing"])
    assert {t["comparison"]["value"] for t in document["tests"]} == {"energy_j"}


def test_a_metric_that_no_run_has_is_excused():
    data = results()
    data.table.columns["accuracy"][:] = [None] * len(data.table)
    document = plain(derive_findings(data))
    assert any("accuracy" in m for m in document["missing"])


def test_a_planned_metric_that_no_trial_logged_is_excused():
    document = plain(derive_findings(results(study(quality="top1"), metric="accuracy")))
    assert any("top1" in m for m in document["missing"])
    assert document["tradeoff"] is None and document["tests"]


def test_a_misspelt_metric_or_factor_gets_the_nearest_name():
    with pytest.raises(BadInputError, match="accuracy"):
        derive_findings(results(), quality="acuracy")
    with pytest.raises(BadInputError, match="architecture"):
        derive_findings(results(), by=["architectur"])


def table(**columns):
    return Table("runs.csv", columns)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["measured", "measured"], "measured"),
        (["measured", "Assumed"], "assumed"),
        (["Assumed", "measured"], "measured"),
        (["measured", ""], None),
        (["measured", "guessed"], None),
        (None, None),
    ],
)
def test_the_provenance_of_a_table_is_that_of_most_of_its_energy(labels, expected):
    column = {} if labels is None else {"provenance": labels}
    rows = table(model=["a", "b"], energy_j=["1", "2"], f1=["0.8", "0.9"], **column)
    findings = derive_findings(rows, ["model"])
    document = plain(findings)
    for energy in (document["energy"], document["carbon"]["whole"]["energy"]):
        assert energy["provenance"] == (expected or "assumed")
        assert bool(energy["reason"]) == (expected is None)
        mixed = expected is not None and len(set(labels)) > 1
        small, large = ("measured", "assumed") if expected == "assumed" else ("assumed", "measured")
        shares = {small: 1 / 3, large: 2 / 3} if mixed else {}
        assert energy["mix"] == pytest.approx(shares)
    assert document["why_no_provenance"] == document["energy"]["reason"]
    assert document["energy"]["value"] == 3


def test_a_run_that_is_mostly_modelled_keeps_its_mix_in_the_sum():
    column = {"energy_j": ["1", "2", "1"], "provenance": ["modelled", "modelled", "measured"]}
    mix = {"modelled": 0.9, "assumed": 0.1}
    inspected = [Estimate(2, 1, 3, "J", Provenance.MODELLED, mix)]
    energy, _ = total_energy(table(**column), inspected)
    assert energy.provenance is Provenance.MODELLED
    assert energy.mix == pytest.approx({"measured": 0.25, "modelled": 0.675, "assumed": 0.075})


def test_a_table_alone_will_do():
    findings = derive_findings(
        table(
            model=["a", "a", "b", "b"],
            **{"energy (kWh)": ["0.1", "0.2", "0.4", "0.5"], "f1": ["0.8", "0.9", "0.9", "0.95"]},
        ),
        by=["model"],
        quality="f1",
    )
    assert findings.plan is None
    assert findings.energy.value == pytest.approx(1.2 * 3.6e6)
    assert findings.configurations[0].medians["energy_j"].value == pytest.approx(0.15 * 3.6e6)
    assert plain(findings)["recordings"]["runs"] == []


def test_a_table_without_factors_is_an_error_that_names_the_columns():
    with pytest.raises(UsageError, match="--by model"):
        derive_findings(table(model=["a", "b"], energy_j=["1", "2"]))


def test_a_table_without_energy_is_an_error_that_names_the_option():
    with pytest.raises(BadInputError, match="--cost"):
        derive_findings(table(model=["a", "b"], watts=["1", "2"]), by=["model"])


def test_runs_without_a_factor_are_left_out_and_counted():
    findings = derive_findings(
        table(model=["a", "b", "", "a"], energy_j=["1", "2", "3", "4"]), by=["model"]
    )
    assert sum(len(g.rows) for g in findings.configurations) == 3
    assert len(findings.missing) == 2


def test_a_factor_of_the_plan_that_is_not_asked_for_is_named():
    findings = derive_findings(results(), by=["architecture"])
    assert [len(g.rows) for g in findings.configurations] == [12, 12, 12]
    assert any("batch" in text for text in findings.missing)


def test_energy_is_no_correctness():
    with pytest.raises(UsageError, match="correctness"):
        derive_findings(results(), quality="energy_j")


def test_eight_and_eight_point_zero_are_one_level():
    findings = derive_findings(
        table(batch=["8", "8.0", "16"], energy_j=["1", "2", "3"], accuracy=[".5", ".6", ".7"]),
        by=["batch"],
    )
    assert findings.factors == {"batch": ("8", "16")}
    assert [len(g.rows) for g in findings.configurations] == [2, 1]


def test_carbon_and_cost_are_the_energy_s():
    site = StudySite(Grid.of("FR", None, 1.5), parse_tariff("0.2EUR/kWh"))
    findings = derive_findings(results(), site=site)
    kwh = findings.energy.value / 3.6e6 * 1.5
    assert findings.carbon.whole.cost.value == pytest.approx(0.2 * kwh)
    grams = Grid.of("FR").carbon_g_per_kwh * kwh
    assert findings.carbon.whole.operational.value == pytest.approx(grams)
    assert set(findings.carbon.configurations) == {g.name for g in findings.configurations}


def test_one_recording_per_configuration_is_read():
    from fakes.recordings import training

    asked = []

    def load(run_id):
        asked.append(run_id)
        return training(epochs=4)

    data = results()
    findings = derive_findings(data, load=load)
    assert len(asked) == len(findings.recordings.runs) == 6
    energies = dict(zip(data.table.columns["run_id"], data.table.columns["energy_j"], strict=True))
    first = findings.configurations[0]
    nearest = min(
        (data.table.columns["run_id"][i] for i in first.rows),
        key=lambda r: abs(energies[r] - first.medians["energy_j"].value),
    )
    assert asked[0] == nearest
    curve = findings.recordings.runs[0].curve
    assert curve is not None and len(curve.energy_j) == 4
    assert list(curve.energy_j) == sorted(curve.energy_j)
    assert findings.recordings.sources == tuple(training().header.sources)
    plain(findings)


def test_a_recording_that_is_gone_is_excused():
    from joulecast.errors import RunNotFoundError

    def load(run_id):
        raise RunNotFoundError("its recording is gone")

    findings = derive_findings(results(), load=load)
    assert findings.recordings.runs == ()
    assert any("its recording is gone" in m for m in findings.missing)


def test_many_rows_are_summed_up():
    rng = np.random.default_rng(1)
    n = 20_000
    kinds = [f"m{i % 5}" for i in range(n)]
    findings = derive_findings(
        table(
            model=kinds,
            batch=[float(2 ** (i % 4)) for i in range(n)],
            energy_j=(rng.random(n) + 1).tolist(),
            accuracy=rng.random(n).tolist(),
        ),
        by=["model", "batch"],
    )
    assert sum(len(g.rows) for g in findings.configurations) == n


def test_a_factor_is_compared_at_equal_other_factors():
    # Every cnn uses 1.7 to 1.8 times its mlp; pooled over width, the two overlap.
    rows = [
        (arch, width, watts * joules)
        for arch, joules in (("mlp", 1.0), ("cnn", 1.75))
        for width, watts in (("1", 5.9), ("2", 10.5))
        for joules in (0.98 * joules, joules, 1.02 * joules)
    ]
    arch, width, energy = map(list, zip(*rows, strict=True))
    findings = derive_findings(table(arch=arch, width=width, energy_j=energy), ["arch", "width"])
    overall = [t.comparison for t in findings.tests if not t.within]
    assert [(c.by, c.blocks) for c in overall] == [("arch", ("width",)), ("width", ("arch",))]
    assert all(c.test.p < 0.01 and c.pairs[0].significant for c in overall)
    assert overall[0].pairs[0].median_change_pct == pytest.approx(100 / 1.75 - 100)
    assert [t.comparison.blocks for t in findings.tests if t.within] == [(), ()]


def test_groups_of_one_run_are_no_pairs():
    document = plain(derive_findings(results(study(repetitions=1))))
    by_within = [(bool(t["within"]), len(t["comparison"]["pairs"])) for t in document["tests"]]
    # Over both batch sizes each architecture has two runs; within one of them it has one.
    assert by_within == 2 * [(False, 3), (False, 1), (True, 0), (True, 0)]


def test_levels_that_share_no_combination_are_compared_over_all_runs_with_a_reason():
    rows = table(a=["x", "x", "y", "y"], b=["1", "1", "2", "2"], energy_j=["1", "2", "3", "4"])
    findings = derive_findings(rows, ["a", "b"])
    assert all(not t.comparison.blocks for t in findings.tests)
    assert sum("equal" in text for text in findings.missing) == 2


def test_an_interaction_is_tested_at_equal_third_factors():
    rows = [
        (a, b, c, (1 + a) * (1 + b) + 50.0 * c + 0.01 * i)
        for a in (0, 1)
        for b in (0, 1)
        for c in (0, 1)
        for i in (0, 1, 2)
    ]
    a, b, c, energy = ([str(x) for x in column] for column in zip(*rows, strict=True))
    findings = derive_findings(table(a=a, b=b, c=c, energy_j=energy), ["a", "b", "c"])
    assert findings.interactions[0].effects[2].p < 1e-6


def test_the_energy_of_all_runs_keeps_what_those_of_a_host_share():
    column = {
        "energy_j": ["100", "100"],
        "energy_low_j": ["50", "50"],
        "energy_high_j": ["200", "200"],
        "energy_own_low_j": ["97", "97"],
        "energy_own_high_j": ["104", "104"],
    }
    one, two = (
        total_energy(table(host=host, **column), [])[0] for host in (["a", "a"], ["a", "b"])
    )
    assert one is not None and two is not None
    assert (
        (one.value, one.own_low, one.own_high)
        == (200, 194, 208)
        == (*(two.value, two.own_low, two.own_high),)
    )
    assert (one.low, one.high) == pytest.approx((100, 400))
    # Independent errors of two hosts add in quadrature.
    assert two.low == pytest.approx(200 - (6**2 + 2 * (50**2 - 3**2)) ** 0.5)
    assert two.high == pytest.approx(200 + (8**2 + 2 * (100**2 - 4**2)) ** 0.5)
