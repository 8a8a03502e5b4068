from dataclasses import replace

import numpy as np
import pytest

from joulecast.errors import BadInputError
from joulecast.forecasting.literature.model_search import MAX_SEARCHED, search
from joulecast.forecasting.literature.pre import PreEnergy, PrePower
from joulecast.forecasting.past_run import Facts, StaticRun

pytest.importorskip("sklearn")


def run(gflops, epochs=3.0, each_kj=None, power_w=None, batch=32.0):
    power_w = 50 + 20 * gflops if power_w is None else power_w
    each_kj = 2 + gflops if each_kj is None else each_kj
    energy_j = 1e3 * each_kj * epochs
    facts = Facts("net", "RTX 3090", batch=batch, gflops=gflops, epochs=epochs)
    return StaticRun("r", facts, energy_j, energy_j / power_w)


RUNS = [run(g, epochs) for g in np.linspace(1, 10, 10) for epochs in (2.0, 5.0)]


def test_power_times_the_time_of_the_run():
    fitted = PrePower.fit(RUNS, iterations=3)
    assert fitted.regression.columns == ("batch", "gflops")
    assert set(fitted.regression.rmse) == {"linear", "ridge", "kernel ridge", "svr"}
    assert fitted.regression.kind in ("linear", "ridge")
    prediction = fitted.predict(run(4.5).facts, 100.0)
    assert prediction.value == pytest.approx(14000, rel=1e-3)
    assert prediction.low is None


def test_energy_of_an_epoch_times_their_number():
    fitted = PreEnergy.fit(RUNS, iterations=3)
    prediction = fitted.predict(run(4.5, epochs=40.0).facts, 1.0)
    assert prediction.value == pytest.approx(40 * 6500, rel=1e-3)
    assert fitted.predict(replace(run(4.5).facts, epochs=None), 1.0) is None


def test_runs_whose_length_is_known_in_steps():
    in_steps = [replace(r, facts=replace(r.facts, epochs=None, steps=r.facts.epochs)) for r in RUNS]
    fitted = PreEnergy.fit(in_steps, iterations=3)
    assert fitted.unit == "steps"
    facts = replace(run(4.5).facts, epochs=None, steps=7.0)
    assert fitted.predict(facts, 1.0).value == pytest.approx(7 * 6500, rel=1e-3)
    mixed = [*in_steps[:10], *RUNS[:10]]
    with pytest.raises(BadInputError):
        PreEnergy.fit(mixed, iterations=3)


def test_a_bend_is_found_by_a_kernel():
    bent = [run(g, power_w=100 + 50 * np.sin(g)) for g in np.linspace(0, 6, 60)]
    fitted = PrePower.fit(bent, iterations=30)
    assert fitted.regression.kind in ("kernel ridge", "svr")


def test_facts_that_some_runs_lack_are_not_features():
    runs = [*RUNS[:-1], replace(RUNS[-1], facts=replace(RUNS[-1].facts, batch=None))]
    assert PrePower.fit(runs, iterations=2).regression.columns == ("gflops",)
    fitted = PrePower.fit(RUNS, iterations=2)
    assert fitted.predict(runs[-1].facts, 1.0) is None
    assert fitted.error(runs[-1]) is None


def test_never_below_zero_and_the_interval_is_in_its_own_unit():
    fitted = PrePower.fit(RUNS, iterations=2).with_spread(20.0)
    prediction = fitted.predict(run(4.5).facts, 10.0)
    assert (prediction.low, prediction.high) == pytest.approx((1200, 1600), rel=1e-3)
    far = fitted.predict(run(-100.0).facts, 10.0)
    assert (far.value, far.low) == (0.0, 0.0)
    assert fitted.error(run(4.5, power_w=150.0)) == pytest.approx(10, rel=1e-2)


def test_fitted_again_it_keeps_its_settings():
    fitted = PrePower.fit(RUNS, iterations=3)
    doubled = [replace(r, energy_j=2 * r.energy_j) for r in RUNS]
    again = fitted.again(doubled)
    assert again.regression.kind == fitted.regression.kind
    assert again.predict(run(4.5).facts, 1.0).value == pytest.approx(280, rel=1e-2)
    assert fitted.predict(run(4.5).facts, 1.0).value == pytest.approx(140, rel=1e-2)


def test_the_same_seed_finds_the_same():
    one, two = (PreEnergy.fit(RUNS, iterations=4, seed=3) for _ in range(2))
    assert one.regression.rmse == two.regression.rmse


def test_unsuitable_runs_are_refused():
    with pytest.raises(BadInputError):
        PrePower.fit(RUNS[:9])
    bare = [replace(r, facts=Facts("net", "x")) for r in RUNS]
    with pytest.raises(BadInputError):
        PrePower.fit(bare)


def test_many_runs_are_searched_by_some_of_them():
    x = np.linspace(0, 1, 2 * MAX_SEARCHED)
    regression = search([[v] for v in x], list(3 * x), ("gflops",), iterations=1)
    assert regression.predict(Facts(gflops=0.5)) == pytest.approx(1.5, rel=1e-2)
