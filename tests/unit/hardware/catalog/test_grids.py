"""The catalog of electricity grids: complete, plausible, true to its source, and found."""

import csv
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.shared import SHARED, needs
from joulecast.errors import UnknownHardwareError
from joulecast.hardware.catalog.data_file import data_file
from joulecast.hardware.catalog.grids import WORLD, find_grid, grids, years_of
from joulecast.hardware.catalog.names import normalize

COUNTRIES = [grid for grid in grids() if grid.code3 != WORLD]


def test_it_covers_the_world():
    assert len(COUNTRIES) >= 150
    biggest = "CN US IN RU JP BR CA KR DE FR SA IR MX ID TR VN TW ES AU GB IT ZA PL"
    assert set(biggest.split()) <= {grid.code2 for grid in COUNTRIES}


def test_rows_are_plausible():
    assert len(grids()) > 150
    for grid in grids():
        assert re.fullmatch(r"[A-Z]{3}", grid.code3)
        assert re.fullmatch(r"[A-Z]{2}", grid.code2) or grid.code3 == WORLD
        # All hydropower is about 20 g/kWh over its life cycle; the worst gas fleets exceed 1300.
        assert 15 <= grid.carbon_g_per_kwh <= 1400, grid
        assert 2021 <= grid.year <= 2025, grid
        assert grid.source


def test_no_name_or_code_means_two_grids():
    meant = {}
    assert len(grids()) > 150
    for grid in grids():
        for name in {grid.name, grid.code2, grid.code3, *grid.aliases} - {""}:
            assert meant.setdefault(tuple(sorted(normalize(name))), grid) is grid, name


@pytest.mark.parametrize("grid", grids(), ids=lambda grid: grid.code3)
def test_every_name_of_a_grid_finds_it(grid):
    for name in {grid.name, grid.code2, grid.code3, *grid.aliases} - {""}:
        assert find_grid(name) is grid
        assert find_grid(f" {name.lower()} ") is grid
        assert find_grid(name.upper()) is grid


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("DE", "DEU"),
        ("DEU", "DEU"),
        ("germany", "DEU"),
        ("United Kingdom", "GBR"),
        ("UK", "GBR"),
        ("usa", "USA"),
        ("Turkiye", "TUR"),
        ("cote d'ivoire", "CIV"),
        ("Viet Nam", "VNM"),
        ("Korea", "KOR"),
        ("Korea, North", "PRK"),
        ("world", WORLD),
    ],
)
def test_names_as_people_write_them(name, code):
    assert find_grid(name).code3 == code


@pytest.mark.parametrize(
    ("name", "listed"),
    [("Untied States", "United States"), ("Germnay", "Germany"), ("Swizerland", "Switzerland")],
)
def test_a_misspelt_country_is_a_miss_that_lists_it_first(name, listed):
    with pytest.raises(UnknownHardwareError) as caught:
        find_grid(name)
    assert str(caught.value).split("are: ")[1].split("; ")[0] == listed


@pytest.mark.parametrize("name", ["", "XX", "Guinea-Bissau", "Central African Republic"])
def test_a_missing_country_is_never_another_one(name):
    with pytest.raises(UnknownHardwareError):
        find_grid(name)


@given(st.text(max_size=40))
def test_any_text_is_a_grid_or_a_miss(text):
    try:
        assert find_grid(text) in grids()
    except UnknownHardwareError as error:
        assert "\n" not in str(error)


# --- years ---------------------------------------------------------------------------------------

EARLIER = [grid.code3 for grid in grids() if len(years_of(grid.code3)) > 1]


def test_the_grids_of_most_computing_have_their_years():
    assert {"WLD", "USA", "CHN", "DEU", "FRA", "GBR", "IND", "IRL", "NLD", "SWE"} <= set(EARLIER)


def test_a_missing_grid_has_no_years():
    written = set(data_file("grids")["earlier"]) - {"from"}
    assert written == set(EARLIER)


@pytest.mark.parametrize("code", EARLIER)
def test_years_follow_each_other_up_to_the_latest(code):
    years = years_of(code)
    assert [grid.year for grid in years] == list(range(2018, years[-1].year + 1))
    assert years[-1] is find_grid(code)
    for before, after in itertools.pairwise(years):
        # Plants are not exchanged within a year; a wet one in a land of hydropower halves it.
        assert 0.5 < after.carbon_g_per_kwh / before.carbon_g_per_kwh < 2, after
        assert before.source
        assert (before.name, before.code2) == (after.name, after.code2)


@pytest.mark.parametrize(
    ("name", "year", "nearest"),
    [
        ("Germany", 2020, 2020),
        ("Germany", 2023, 2023),
        ("Germany", 2026, 2023),  # later than all
        ("Germany", 2005, 2018),  # earlier than all
        ("Aruba", 2019, 2022),  # the only year in the catalog
        ("world", 2021, 2021),
        ("Germany", None, 2023),
    ],
)
def test_a_year_is_itself_or_the_nearest(name, year, nearest):
    grid = find_grid(name, year)
    assert grid.year == nearest
    assert grid.name == find_grid(name).name


def test_a_year_has_its_own_figure():
    assert find_grid("FR", 2022).carbon_g_per_kwh == 78.8  # the year half of its reactors stood
    assert find_grid("FR", 2021).carbon_g_per_kwh == 59.8


@needs("data", "hardware")
def test_figures_agree_with_the_published_table():
    with (SHARED / "data" / "hardware" / "grid_carbon_2022.csv").open(
        newline="", encoding="utf-8"
    ) as lines:
        published = {row["Code"]: list(row.values()) for row in csv.DictReader(lines)}
    catalog = {grid.code3: grid for grid in COUNTRIES}
    assert len(published.keys() & catalog.keys()) >= 175
    for code in published.keys() & catalog.keys():
        code2, _, _, year, carbon = published[code]
        assert catalog[code].code2 == code2
        assert catalog[code].year == int(year)
        assert catalog[code].carbon_g_per_kwh == pytest.approx(float(carbon), abs=0.06)


@needs("data", "hardware")
def test_the_world_is_the_mean_of_its_countries():
    mix = json.loads(
        (SHARED / "data" / "hardware" / "grid_energy_mix.json").read_text(encoding="utf-8")
    )
    energy = {grid.code3: mix[grid.code3]["total_TWh"] for grid in COUNTRIES}
    for grid in COUNTRIES:
        assert grid.carbon_g_per_kwh == pytest.approx(mix[grid.code3]["carbon_intensity"], abs=0.06)
    carbon = sum(energy[grid.code3] * grid.carbon_g_per_kwh for grid in COUNTRIES)
    mean = carbon / sum(energy.values())
    assert find_grid("world").carbon_g_per_kwh == pytest.approx(mean, rel=0.01)
