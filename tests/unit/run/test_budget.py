"""What a budget is, when it makes news, and who decides."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.golden import golden
from joulecast.errors import BudgetExceeded, JoulecastError, UsageError
from joulecast.estimate import Estimate, Provenance
from joulecast.hardware.catalog.grids import find_grid
from joulecast.run.budget import Action, Budget
from joulecast.run.budget_watch import BudgetWatch, goes_on


def joules(value, low=None, high=None, provenance=Provenance.MEASURED):
    return Estimate(
        value, value if low is None else low, value if high is None else high, "J", provenance
    )


# --- what it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "limit_j", "text"),
    [
        ("50kJ", 50e3, "50 kJ"),
        ("0.3 kWh", 1.08e6, "0.3 kWh"),
        ("0.3kwh", 1.08e6, "0.3 kwh"),
        (" 1200 ", 1200, "1200 J"),
        ("1e3", 1000, "1e3 J"),
        ("1e3kJ", 1e6, "1e3 kJ"),
        (50_000, 50e3, "50.0 kJ"),
        (np.float32(1200), 1200, "1.20 kJ"),
    ],
)
def test_energy(amount, limit_j, text):
    budget = Budget(amount)
    assert budget.limit_j == pytest.approx(limit_j)
    assert str(budget) == text
    assert (budget.unit, budget.notes) == ("J", ())


def test_a_budget_of_energy_ignores_pue_tariff_and_region():
    budget = Budget("50kJ", pue=1.5, tariff="0.3 EUR/kWh", region="DE")
    assert (budget.limit_j, budget.per_joule, budget.basis) == (50e3, 1.0, "")


def test_energy_has_its_common_format():
    budget = Budget("50kJ")
    energy = joules(12_300, 11_900, 12_700)
    assert budget.cost_text(energy) == "12.3 kJ (11.9 to 12.7)"
    assert budget.share(energy) == pytest.approx(0.246)


def test_co2_by_the_grid_of_a_country():
    grid = find_grid("DE")
    budget = Budget("30gCO2", region="DE")
    assert budget.limit_j == pytest.approx(30 / grid.carbon_g_per_kwh * 3.6e6)
    assert budget.basis == f"at {grid.carbon_g_per_kwh:g} g CO2e/kWh (Germany, {grid.year})"
    assert budget.notes == ()
    assert str(budget) == "30 gCO2"
    cost = budget.cost(joules(budget.limit_j))
    assert (cost.value, cost.unit) == (pytest.approx(30), "g CO2e")
    assert cost.provenance is Provenance.ASSUMED


def test_co2_without_a_country_uses_the_worlds_average_with_a_note():
    budget = Budget("1.2 kg CO2e")
    world = find_grid("world").carbon_g_per_kwh
    assert budget.limit_j == pytest.approx(1200 / world * 3.6e6)
    assert "world average" in budget.basis
    assert len(budget.notes) == 1
    assert "--region" in budget.notes[0]


def test_co2_by_an_intensity_that_is_given():
    budget = Budget("100 g CO2e", carbon_intensity=50)
    assert budget.limit_j == pytest.approx(7.2e6)
    assert budget.cost(joules(1)).provenance is Provenance.MEASURED
    assert budget.cost_text(joules(3.6e6, 3.24e6, 3.96e6)) == "50.0 g CO2e (45.0 to 55.0)"


@pytest.mark.parametrize("tariff", [0.32, "0.32", "0.32 EUR/kWh", "€0.32/kWh", "320EUR/MWh"])
def test_money_by_a_tariff(tariff):
    budget = Budget("5 EUR", tariff=tariff)
    assert budget.limit_j == pytest.approx(5 / 0.32 * 3.6e6)
    assert budget.basis == "at 0.32 EUR/kWh"
    assert budget.cost_text(joules(3.6e6, 1.8e6, 7.2e6)) == "0.32 EUR (0.16 to 0.64)"


def test_amounts_under_a_cent_are_not_rounded_away():
    budget = Budget("€0.01", tariff=0.3)
    assert budget.cost_text(joules(1000, 900, 1100)) == "0.000083 EUR (0.000075 to 0.000092)"
    assert budget.cost_text(joules(0)) == "0.00 EUR (0.00 to 0.00)"


@pytest.mark.parametrize(
    ("text", "more"), [("30gCO2", {"region": "DE"}), ("5 EUR", {"tariff": 0.3})]
)
def test_the_sites_overhead_takes_its_part_of_co2_and_money(text, more):
    alone, site = Budget(text, **more), Budget(text, pue=1.25, **more)
    assert site.limit_j == pytest.approx(alone.limit_j / 1.25)
    assert site.basis.endswith("PUE 1.25")
    assert site.cost(joules(site.limit_j)).value == pytest.approx(
        alone.cost(joules(alone.limit_j)).value
    )


@pytest.mark.parametrize(
    "amount",
    [
        *("0", "0J", "0 kWh", 0, 0.0, "0 EUR", "0gCO2", "-5kJ", -5, "inf", "nan", "1e999 J"),
        *(
            float("inf"),
            float("nan"),
            "",
            " ",
            "lots",
            "5 apples",
            "50 kW",
            "kJ",
            "5 XQZ",
            "5 kJ 3",
        ),
        *(True, None, [], "1,200", 10**400),
    ],
)
def test_invalid_budgets_are_usage_errors(amount):
    with pytest.raises(UsageError):
        Budget(amount, tariff=0.3)


@pytest.mark.parametrize(
    ("text", "more", "names"),
    [
        ("5EUR", {}, "--tariff"),
        ("$5", {"tariff": "0.3 EUR/kWh"}, "EUR"),
        ("5EUR", {"tariff": "cheap"}, "--tariff cheap"),
        ("5EUR", {"tariff": "0"}, "--tariff 0"),
        ("5EUR", {"tariff": "-0.1"}, "--tariff -0.1"),
        ("5EUR", {"tariff": "0.3EUR/mile"}, "--tariff 0.3EUR/mile"),
        ("5EUR", {"tariff": "0.3EUR/0kWh"}, "0kWh"),
        ("30gCO2", {"region": "Atlantis"}, "--region Atlantis"),
        ("30gCO2", {"region": "DE", "carbon_intensity": 3}, "region"),
        ("30gCO2", {"carbon_intensity": 0}, "0"),
        ("30gCO2", {"pue": 0.9}, "0.9"),
        ("30gCO2", {"pue": float("nan")}, "nan"),
        ("50kJ", {"pue": 0.9}, "0.9"),
        ("5EUR", {"tariff": 0.3, "pue": 0.9}, "0.9"),
    ],
)
def test_a_budget_without_its_price_is_refused(text, more, names):
    with pytest.raises(UsageError) as error:
        Budget(text, **more)
    assert names in str(error.value)


@given(st.floats(1e-3, 1e6), st.floats(1, 3), st.floats(1, 2000))
def test_energy_at_the_limit_is_the_whole_budget(amount, pue, per_kwh):
    for text, more in [
        (f"{amount:f} g CO2e", {"carbon_intensity": per_kwh}),
        (f"{amount:f} EUR", {"tariff": per_kwh}),
    ]:
        budget = Budget(text, pue=pue, **more)
        assert budget.cost(joules(budget.limit_j)).value == pytest.approx(amount, rel=1e-3)
        assert budget.share(joules(budget.limit_j)) == pytest.approx(1)


# --- when it makes news --------------------------------------------------------------------------


def over(low, value, high):
    return joules(value, low, high, Provenance.MODELLED)


@pytest.fixture
def watch():
    return BudgetWatch(Budget("50kJ"))


def actions(watch, *ticks):
    statuses = [watch.update(float(i), *tick) for i, tick in enumerate(ticks)]
    return [None if status is None else status.action for status in statuses]


def test_a_run_within_its_budget_makes_no_news(watch):
    ticks = [(joules(1000 * i), over(30e3, 40e3, 49e3)) for i in range(45)]
    assert actions(watch, *ticks) == [None] * 45


def test_a_forecast_that_may_still_be_within_makes_no_news(watch):
    assert actions(watch, (joules(1), over(50e3, 80e3, 90e3))) == [None]


def test_a_forecast_surely_over_is_reported_once(watch):
    status = watch.update(1.0, joules(1), over(74e3, 80.2e3, 90e3))
    assert status.action is Action.WARN
    assert (status.forecast.low, status.forecast.value) == (74e3, 80.2e3)
    assert actions(watch, *[(joules(2), over(74e3, 80e3, 90e3))] * 5) == [None] * 5


def test_a_forecast_is_reported_only_when_its_verdict_changes(watch):
    surely_over, doubtful, within = over(51e3, 60e3, 70e3), over(45e3, 52e3, 60e3), over(1, 2, 3)
    ticks = [surely_over, doubtful, surely_over, doubtful, within, doubtful, within, surely_over]
    assert actions(watch, *[(joules(1), forecast) for forecast in ticks]) == [
        *(Action.WARN, None, None, None, Action.WITHIN, None, None, Action.WARN),
    ]


def test_a_forecast_that_varies_around_the_limit_is_reported_once(watch):
    ticks = [(joules(1), joules(50e3 + (-1) ** i * 100)) for i in range(20)]
    assert [action for action in actions(watch, *ticks) if action] == [Action.WARN]


def test_a_budget_is_exceeded_by_the_value_not_by_its_bounds(watch):
    news = actions(
        watch,
        (joules(49_999, 20e3, 100e3), None),
        (joules(50_000, 20e3, 100e3), None),
        (joules(60_000), over(1e5, 2e5, 3e5)),
    )
    assert news == [None, Action.EXCEEDED, None]


def test_who_decides_is_asked_with_the_figures_of_the_day(watch):
    assert watch.exceeded(None, None) is watch.exceeded(joules(49_999), None) is None
    watch.update(1.0, joules(50_100), None)
    later = watch.exceeded(joules(55e3, 54e3, 56e3), joules(90e3))
    assert later.action is Action.EXCEEDED
    assert (later.energy.value, later.forecast.value) == (55e3, 90e3)


def test_energy_so_far_has_the_unit_of_the_budget():
    watch = BudgetWatch(Budget("30gCO2", carbon_intensity=360, pue=1.5))
    status = watch.update(9.0, joules(0.2e6 + 1, 0.18e6, 0.22e6), None)
    assert status.action is Action.EXCEEDED
    assert "30.0 g CO2e (27.0 to 33.0)" in status.text


def test_unknown_energy_never_exceeds_a_budget_and_is_reported_once(watch):
    news = [watch.update(t / 10, None, None) for t in range(300)]
    reported = [(i, status) for i, status in enumerate(news) if status]
    assert [(i, status.action) for i, status in reported] == [(100, Action.UNKNOWN)]


def test_a_missing_meter_is_reported_at_once():
    watch = BudgetWatch(Budget("50kJ"), metered=False)
    assert actions(watch, (None, None), (None, None)) == [Action.UNKNOWN, None]


def test_a_meter_that_answers_late_counts_all_the_same(watch):
    watch.update(11.0, None, None)
    assert watch.update(12.0, joules(60e3), None).action is Action.EXCEEDED


# --- who decides ---------------------------------------------------------------------------------


@pytest.fixture
def status(watch):
    return watch.update(1.0, joules(50_300, 49_000, 51_000), None)


@pytest.mark.parametrize(
    ("policy", "on"),
    [
        ("warn", True),
        ("stop", False),
        (lambda status: True, True),
        (lambda status: False, False),
        (lambda status: None, False),
        (lambda status: status.budget.share(status.energy) < 1.1, True),
    ],
)
def test_a_policy_decides(policy, on, status):
    assert goes_on(policy, status) is on


@pytest.mark.parametrize("on_exceeded", ["", "panic", None, 3])
def test_on_exceeded_is_stop_warn_or_a_function(on_exceeded):
    with pytest.raises(UsageError):
        Budget("50kJ", on_exceeded)


def test_the_error_has_the_energy_so_far_and_the_option(status):
    error = status.error()
    assert isinstance(error, JoulecastError)
    assert error.exit_code == 3
    assert (error.budget, error.limit_j, error.energy.value) == ("50 kJ", 50e3, 50_300)


def test_wording(status):
    carbon = BudgetWatch(Budget("30gCO2", carbon_intensity=360, pue=1.5))
    messages = [
        BudgetWatch(Budget("50kJ")).update(1.0, joules(1), over(74e3, 80.2e3, 90e3)),
        status,
        carbon.update(9.0, joules(0.2e6 + 1, 0.18e6, 0.22e6), None),
        BudgetWatch(Budget("50kJ"), metered=False).update(0.0, None, None),
    ]
    lines = [message.text for message in messages]
    golden("budget", "\n".join([*lines, str(status.error())]))


def test_the_error_comes_whole_out_of_a_worker_process(status):
    error = pickle.loads(pickle.dumps(status.error()))
    assert isinstance(error, BudgetExceeded)
    assert str(error) == str(status.error())
    assert (error.limit_j, error.energy) == (50e3, status.energy)


def test_the_error_that_all_readings_share_is_not_in_the_verdict(watch):
    def forecast(own_low, value, own_high):
        return Estimate(value, 10e3, 200e3, "J", own_low=own_low, own_high=own_high)

    over, within = forecast(51e3, 55e3, 60e3), forecast(40e3, 45e3, 49.4e3)
    assert actions(watch, (joules(1), over), (joules(1), within)) == [Action.WARN, Action.WITHIN]
    doubtful = forecast(49e3, 55e3, 60e3)
    assert actions(watch, (joules(1), doubtful)) == [None]
