"""The doctor's data and display, with meters and clock by hand."""

import re

import pytest

from fakes.recordings import source
from joulecast.errors import MeterLostError
from joulecast.meters.base import Meter, Reading, Unavailable
from joulecast.recording.baseline import watch
from joulecast.recording.model import Samples
from joulecast.reports.documents import document_of
from joulecast.reports.terminal.render import to_text
from joulecast.run.checkup import Checkup, power_now, total_power
from joulecast.run.doctor import MAX_WATCH_S, MIN_WATCH_S, watch_s


class Steady(Meter):
    """A counter of constant watts that may be lost after some reads."""

    def __init__(self, src, clock, watts, reads=10**9):
        self.source, self._clock, self._watts, self._left = src, clock, watts, reads

    def read(self):
        self._left -= 1
        if self._left < 0:
            raise MeterLostError("it fell off the bus")
        t = self._clock()
        joules = self._watts * t
        return Reading(t, joules, joules * 0.95, joules * 1.05, t)


def checkup(*meters, clock, unavailable=()):
    def sleep(seconds):
        clock.now += seconds

    sampler = watch(meters, watch_s(meters), clock, sleep)
    samples, gaps = sampler.take(), sampler.take_gaps()
    domains = [power_now(m.source, samples.get(m.source.domain, Samples.empty())) for m in meters]
    warnings = [f"{gap.domain}: {gap.reason}" for gap in gaps]
    power = total_power(domains)
    return Checkup("machine", 1.0, power, domains, list(unavailable), [], warnings, {})


def test_power_is_what_the_meter_gives(clock):
    result = checkup(Steady(source("gpu:0"), clock, 250.0), clock=clock)
    (gpu,) = result.domains
    assert gpu.power.value == pytest.approx(250)
    assert gpu.power.low < 250 * 0.96 and gpu.power.high > 250 * 1.04
    low, high = result.relative
    assert 0.05 <= low < 0.2 and 0.05 <= high < 0.2


def test_a_lost_meter_is_reported_and_the_others_go_on(clock):
    gpu = Steady(source("gpu:0"), clock, 250.0, reads=1)
    result = checkup(gpu, Steady(source("cpu:0"), clock, 80.0), clock=clock)
    assert result.domains[0].power is None
    assert result.domains[0].reason
    assert result.domains[1].power.value == pytest.approx(80)
    assert result.power.value == pytest.approx(80)
    assert result.warnings == ["gpu:0: it fell off the bus"]


def test_slow_meters_are_read_for_longer(clock):
    assert watch_s([Steady(source("gpu:0"), clock, 1)]) == MIN_WATCH_S
    assert watch_s([Steady(source("gpu:0", update_period_s=0.5), clock, 1)]) == 2.5
    assert watch_s([Steady(source("gpu:0", update_period_s=60.0), clock, 1)]) == MAX_WATCH_S
    assert watch_s([]) == MIN_WATCH_S


REMEDY = "sudo chmod a+r /sys/class/powercap/*/energy_uj"


def test_the_document(clock):
    unavailable = [Unavailable("cpu:0", "RAPL", "only root may read it", REMEDY)]
    result = checkup(Steady(source("gpu:0"), clock, 250.0), clock=clock, unavailable=unavailable)
    data = result.to_json()
    assert next(iter(data)) == "schema" and data["schema"] == "joulecast/doctor/1"
    assert data["power"]["unit"] == "W"
    assert data["domains"][0]["shortest_window_s"] == pytest.approx(0.5)
    assert data["unavailable"][0]["remedy"] == REMEDY


@pytest.mark.parametrize("width", [80, 120])
def test_the_display_names_reason_and_remedy(clock, width):
    unavailable = [Unavailable("cpu:0", "RAPL", "only root may read it", REMEDY)]
    result = checkup(Steady(source("gpu:0"), clock, 250.0), clock=clock, unavailable=unavailable)
    text = to_text(document_of(result), width)
    assert "250 W" in text and "measured" in text
    assert "only root may read it" in text and REMEDY in text
    assert max(map(len, text.splitlines())) <= width


def test_nothing_at_all(clock):
    result = checkup(clock=clock)
    assert not re.search(r"\d W\b", repr(result))
    document = result.to_json()
    assert (document["power"], document["domains"]) == (None, [])
