"""The power curve: shape, order of its bounds, what little knowledge does to the interval."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.hardware.catalog.cpus import cpus, find_cpu, find_family
from joulecast.meters.cpu_curve import (
    Knowledge,
    crawl,
    linger,
    package_power,
    power_spec,
    race,
    spread,
)

LOAD = np.linspace(0, 1, 101)


def spec_of(name, **more):
    cpu = find_cpu(name)
    return power_spec(find_family(cpu.family), cpu=cpu, **more)


def test_every_model_of_the_catalog_gives_a_sane_curve():
    assert len(cpus()) > 200
    for cpu in cpus():
        watts, low, high = package_power(power_spec(find_family(cpu.family), cpu=cpu), LOAD)
        assert np.all(low <= watts), cpu.name
        assert np.all(watts <= high), cpu.name
        assert np.all(np.diff(watts) >= 0), cpu.name
        assert np.all(low > 0), cpu.name
        assert 0.01 * cpu.tdp_w <= watts[0] <= 0.6 * cpu.tdp_w, cpu.name
        # Desktops of 65 W may draw 219 W for as long as their board lets them (Intel's PL2).
        assert 0.35 * cpu.tdp_w <= watts[-1] <= 2.5 * cpu.tdp_w, cpu.name


@given(st.floats(-1, 2))
def test_numbers_in_numbers_out_and_loads_are_clipped(load):
    spec = spec_of("EPYC 7742")
    watts, low, high = package_power(spec, load)
    assert isinstance(watts, float)
    assert spec.idle_w - 1e-9 <= watts <= spec.full_w + 1e-9
    assert low <= watts <= high


def test_ends_are_idle_and_full():
    spec = spec_of("Core i7-7700K")
    assert package_power(spec, 0)[0] == pytest.approx(spec.idle_w)
    assert package_power(spec, 1)[0] == pytest.approx(spec.full_w)


def test_few_cores_stay_under_tdp_and_boosted_desktops_go_beyond():
    assert spec_of("EPYC 8024P").full_w < 0.75 * 90
    assert spec_of("Core i9-12900K").full_w > 125
    assert spec_of("Ryzen 9 5950X").full_w > 105


# Package watts of an idle machine: AnandTech 16529 (Rome, Milan) and 16594 (Ice Lake).
IDLE_W = [
    ("EPYC 7742", 65),
    ("EPYC 7763", 100),
    ("EPYC 7713", 100),
    ("EPYC 75F3", 111),
    ("Xeon Platinum 8380", 27),
]

# Wall power of whole idle SPECpower systems, per socket: a package draws less.
TUNED_WALL_W = [("EPYC 7742", 51.4), ("EPYC 7763", 75.6 / 2)]


@pytest.mark.parametrize(("name", "watts"), IDLE_W)
def test_measured_idle_power_is_inside_the_interval(name, watts):
    _, low, high = package_power(spec_of(name), 0.0)
    assert low <= watts <= high


@pytest.mark.parametrize(("name", "watts"), TUNED_WALL_W)
def test_the_idle_interval_includes_tuned_systems(name, watts):
    _, low, _ = package_power(spec_of(name), 0.0)
    assert low < 0.6 * watts


def test_idle_intervals_still_exclude_what_none_measured():
    for name, watts in (("EPYC 7742", 110), ("EPYC 7763", 15), ("Xeon Platinum 8380", 100)):
        _, low, high = package_power(spec_of(name), 0.0)
        assert not low <= watts <= high


def test_every_model_may_reach_its_tdp_at_full_load():
    for cpu in cpus():
        _, low, high = package_power(spec_of(cpu.name), 1.0)
        assert low <= high and high >= cpu.tdp_w, cpu.name
    # The bound is that of a stress load, and no other bound moves with it.
    spec = spec_of("EPYC 72F3")
    assert package_power(spec, 1.0)[2] <= 1.2 * spec.tdp_w
    even = replace(spec, sigma_full_high=0.0)
    assert package_power(even, 1.0)[2] < package_power(spec, 1.0)[2]
    assert package_power(even, 1.0)[:2] == package_power(spec, 1.0)[:2]


def test_less_knowledge_is_a_wider_interval():
    family = find_family("Zen 2 server")
    widths = []
    for knowledge in Knowledge:
        _, low, high = package_power(power_spec(family, knowledge=knowledge), LOAD)
        widths.append(np.mean(high / low))
    assert widths == sorted(widths)
    spec = spec_of("EPYC 7742")
    _, low, high = package_power(spec, LOAD)
    _, low_guest, high_guest = package_power(spec.part(0.25), LOAD)
    assert np.mean(high_guest / low_guest) > np.mean(high / low)


def test_a_guest_has_its_part_of_the_host():
    host = spec_of("EPYC 7742")
    watts, _, _ = package_power(host, LOAD)
    guest, _, _ = package_power(host.part(0.25), LOAD)
    assert guest == pytest.approx(watts / 4)


def test_sockets_add_up():
    one, two = spec_of("Xeon Gold 6148"), spec_of("Xeon Gold 6148", sockets=2)
    assert package_power(two, LOAD)[0] == pytest.approx(2 * package_power(one, LOAD)[0])


def test_a_given_tdp_overrides_the_catalog():
    assert spec_of("Ryzen 5 3600", tdp_w=45).full_w < spec_of("Ryzen 5 3600").full_w


def test_threads_on_idle_cores_first():
    assert spread(np.array([0.25, 0.5, 1.0]), 2.0) == pytest.approx([0.4625, 0.925, 1.0])
    assert spread(np.array([0.5]), 1.0) == pytest.approx([0.5])


def test_the_ways_of_the_clock():
    assert race(np.array([0.1, 0.5, 1.0])) == pytest.approx([0.226, 0.699, 1.0], abs=1e-3)
    for way in (race, crawl, linger):
        assert way(np.array([0.0, 1.0])) == pytest.approx([0, 1])
        assert np.all(np.diff(way(LOAD)) > 0)
    assert np.all(linger(LOAD) <= crawl(LOAD))
    assert np.all(crawl(LOAD[:80]) <= LOAD[:80])
