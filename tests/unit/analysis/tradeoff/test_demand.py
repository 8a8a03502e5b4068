import pytest

from joulecast.analysis.tradeoff.demand import parse_demand
from joulecast.errors import UsageError

DAY_S = 86400.0


@pytest.mark.parametrize(
    ("requests", "life", "total", "per_s"),
    [
        ("1e6/day", "365d", 3.65e8, 1e6 / DAY_S),
        ("50 per s", "1 year", 50 * 365.25 * DAY_S, 50.0),
        ("2,000/h", 36000.0, 20_000, 2000 / 3600),
        ("1e9", None, 1e9, None),
        (500, None, 500, None),
        (1e6, "10s", 1e6, 1e5),
    ],
)
def test_rates_and_totals(requests, life, total, per_s):
    demand = parse_demand(requests, life)
    assert demand.requests == pytest.approx(total)
    assert demand.requests_per_s == (per_s if per_s is None else pytest.approx(per_s))


@pytest.mark.parametrize(
    ("life", "days"), [("2 weeks", 14), ("6 months", 6 * 30.4375), ("1.5 years", 547.875)]
)
def test_service_life(life, days):
    assert parse_demand("1/day", life).requests == pytest.approx(days)


@pytest.mark.parametrize(
    ("requests", "life", "named"),
    [
        ("lots", None, "--requests"),
        ("1e6/decade", "1y", "--requests"),
        ("-5", None, "--requests"),
        ("1e18", None, "--requests"),
        ("1.2.3", None, "--requests"),
        ("1e6/day", None, "--service-life"),
        ("1e6/day", 0.0, "--service-life"),
        ("1e6/day", "1.2.3 years", "1.2.3"),
    ],
)
def test_invalid_demand(requests, life, named):
    with pytest.raises(UsageError, match=named):
        parse_demand(requests, life)
