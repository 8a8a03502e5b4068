"""Power at the wall fitted to the meters: the fit, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fakes.stored_runs import recording
from joulecast import serialize
from joulecast.errors import BadInputError, LedgerError
from joulecast.estimate import Z90, Estimate, Provenance
from joulecast.ledger import calibrations, open_ledger
from joulecast.ledger.calibrations import Stored
from joulecast.meters.base import ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Gap, Header, Recording, Samples, Status
from joulecast.recording.summary import summarize
from joulecast.wall.csv_file import read_readings
from joulecast.wall.join import Metered, Readings, join, metered_of
from joulecast.wall.regression import WallFitError, fit_wall, robust_line
from joulecast.wall.wall_energy import WallFit, read_fit, save_fit, summary_of, wall_energy, wall_of

START = 1_800_000_000.0
LENGTH_S = 600
SLOPE, OFFSET_W = 1.11, 50.0
rng = np.random.default_rng(7)


def load(t_s: np.ndarray) -> np.ndarray:
    """Metered watts: idle and load, at times no pattern repeats."""
    edges = np.cumsum([0, 37, 53, 20, 71, 44, 90, 31, 62, 25, 80, 47, 66])
    levels = np.array([60, 240, 90, 300, 70, 180, 280, 60, 220, 120, 310, 65, 200])
    return levels[np.clip(np.searchsorted(edges, t_s, side="right") - 1, 0, 12)].astype(float)


def run(length_s: float = LENGTH_S, start: float = START, scope: str = "machine") -> Metered:
    t_s = np.arange(0, length_s + 0.1, 0.1)
    power = load(t_s)
    energy = np.r_[0.0, np.cumsum((power[1:] + power[:-1]) / 2 * 0.1)]
    return Metered(t_s + start, energy, (), scope, ("cpu:0", "gpu:0"), 0.1)


def wall(noise: float = 1.0, shift: float = 0.0, step_s: float = 1.0) -> Readings:
    t_s = np.arange(-20.0, LENGTH_S + 20, step_s)
    power = SLOPE * load(np.clip(t_s, 0, LENGTH_S)) + OFFSET_W + rng.normal(0, noise, len(t_s))
    return Readings(t_s + START + shift, power, counts=False, origin="readings.csv")


class TestFit:
    def test_fit_recovers_slope_and_offset(self) -> None:
        fit = fit_wall(wall(), [run()])
        assert fit.slope == pytest.approx(SLOPE, abs=4 * fit.slope_error + 0.005)
        assert fit.offset_w == pytest.approx(OFFSET_W, abs=4 * fit.offset_error_w + 1)
        assert fit.r > 0.98
        assert fit.lag_s == 0
        assert fit.metered_w[0] < 80 < 280 < fit.metered_w[1]
        assert (fit.scope, fit.domains, fit.origin) == (
            "machine",
            ("cpu:0", "gpu:0"),
            "readings.csv",
        )

    def test_a_counter_at_the_wall_gives_the_same(self) -> None:
        power = wall(step_s=2.0)
        joules = np.r_[0.0, np.cumsum(power.value[:-1] * 2.0)]
        fine = Readings(power.t_s, joules, counts=True, origin="c")
        tenth_wh = Readings(power.t_s, np.floor(joules / 360) * 360, counts=True, origin="c")
        assert fit_wall(fine, [run()]).slope == pytest.approx(SLOPE, rel=0.03)
        coarse = fit_wall(tenth_wh, [run()])
        assert coarse.slope == pytest.approx(SLOPE, rel=0.06)
        assert coarse.bin_s > 2

    def test_a_kettle_on_the_same_plug_for_a_while(self) -> None:
        readings = wall()
        readings.value[100:140] += 2000
        fit = fit_wall(readings, [run()])
        assert fit.slope == pytest.approx(SLOPE, rel=0.02)
        assert fit.offset_w == pytest.approx(OFFSET_W, rel=0.1)
        assert fit.rmse_w > 300

    def test_a_small_lag_is_corrected(self) -> None:
        fit = fit_wall(wall(shift=2.0), [run()])
        assert fit.lag_s == pytest.approx(2.0, abs=1.0)
        assert fit.slope == pytest.approx(SLOPE, rel=0.03)

    @pytest.mark.parametrize(("shift", "cure"), [(37.0, "--shift -3[678]s"), (-41.0, "--shift 4")])
    def test_a_clock_that_is_off_is_refused_with_its_lag(self, shift: float, cure: str) -> None:
        with pytest.raises(WallFitError, match=cure):
            fit_wall(wall(shift=shift), [run()])
        assert fit_wall(wall(shift=shift).shifted(-shift), [run()]).r > 0.98
        with pytest.raises(WallFitError) as caught:
            fit_wall(replace(wall(shift=shift), other_clock=False), [run()])
        assert "--shift" not in str(caught.value)

    def test_readings_without_overlap_are_refused(self) -> None:
        with pytest.raises(WallFitError):
            fit_wall(wall(shift=7200.0), [run()])
        with pytest.raises(WallFitError):
            fit_wall(wall(), [])

    def test_a_constant_counter_is_refused(self) -> None:
        t_s = START + np.arange(300.0)
        flat = Readings(t_s, np.ones(300), counts=True, origin="flat.csv")
        with pytest.raises(WallFitError):
            fit_wall(flat, [])
        with pytest.raises(WallFitError):
            fit_wall(flat, [run()])

    def test_too_few_readings_are_refused(self) -> None:
        with pytest.raises(WallFitError):
            fit_wall(wall(), [run(length_s=40)])
        two = Readings(np.array([START, START + 1]), np.ones(2), False, "r.csv")
        with pytest.raises(WallFitError):
            fit_wall(two, [run()])

    def test_constant_power_is_refused(self) -> None:
        constant = wall()
        constant.value[:] = 120.0
        with pytest.raises(WallFitError):
            fit_wall(constant, [run()])
        flat = run()
        flat.energy_j[:] = np.linspace(0, 6e4, len(flat.t_s))
        with pytest.raises(WallFitError):
            fit_wall(wall(), [flat])

    def test_the_wall_of_another_machine(self) -> None:
        other = wall()
        other.value[:] = 200 + 50 * np.sin(other.t_s / 17) + rng.normal(0, 5, len(other.t_s))
        with pytest.raises(WallFitError):
            fit_wall(other, [run()])

    def test_standard_errors_hold(self) -> None:
        """Of 100 fits with errors that neighbors share, the truth is within two errors of most."""
        inside = 0
        x = load(np.arange(0, 600, 5.0))
        for _ in range(100):
            noise = rng.normal(0, 10, len(x))
            for i in range(1, len(x)):
                noise[i] = 0.6 * noise[i - 1] + noise[i]
            slope, _, covariance, _ = robust_line(x, SLOPE * x + OFFSET_W + noise)
            inside += abs(slope - SLOPE) < 2 * covariance[0][0] ** 0.5
        assert inside >= 85


class TestJoin:
    def test_bins_with_a_hole_at_the_wall_are_left_out(self) -> None:
        readings = wall(noise=0.0)
        keep = (readings.t_s < START + 100) | (readings.t_s > START + 200)
        holed = Readings(readings.t_s[keep], readings.value[keep], False, "r")
        both = join(holed, [run()], 10.0)
        assert len(both.wall_w) == 48  # of 60, a hole of a little more than 100 s
        np.testing.assert_allclose(both.wall_w, SLOPE * both.metered_w + OFFSET_W, atol=25)

    def test_a_counter_that_was_set_back_costs_one_bin(self) -> None:
        power = wall(noise=0.0)
        joules = np.r_[0.0, np.cumsum(power.value[:-1])]
        joules[300:] -= joules[300]
        both = join(Readings(power.t_s, joules, True, "r"), [run()], 10.0)
        assert len(both.wall_w) == 59
        assert both.wall_w.min() > 0

    def test_gaps_of_the_meters_are_left_out(self) -> None:
        made = _recording([Gap("gpu:0", 100.0, 150.0, "reset")])
        metered = metered_of(made)
        assert metered is not None
        assert metered.domains == ("gpu:0",)
        assert len(join(wall(), [metered], 10.0).wall_w) == 55

    def test_a_recording_that_was_not_metered(self) -> None:
        made = _recording([])
        made.samples.clear()
        assert metered_of(made) is None


def _recording(gaps: list[Gap]) -> Recording:
    source = Source(
        "gpu:0",
        "NVML",
        ReadingKind.COUNTER,
        Provenance.MEASURED,
        0.1,
        Uncertainty(0.05, 0.05, "NVML"),
    )
    metered = run()
    t_s, joules = metered.t_s - START, metered.energy_j
    header = Header("r" * 16, "r", START, [], "machine", 0.1, {}, [source])
    samples = Samples(t_s, joules, joules * 0.95, joules * 1.05, t_s)
    footer = Footer(Status.FINISHED, float(LENGTH_S))
    return Recording(header, [], [], gaps, {"gpu:0": samples}, footer, Status.FINISHED)


MACHINE = {"cpu": {"name": "a CPU", "threads": 8}, "gpus": []}
FIT = WallFit(
    slope=1.1,
    offset_w=50.0,
    slope_error=0.01,
    offset_error_w=2.0,
    covariance=((1e-4, -0.01), (-0.01, 4.0)),
    r=0.99,
    rmse_w=3.0,
    bins=60,
    bin_s=10.0,
    metered_w=(60.0, 300.0),
    lag_s=0.0,
    scope="machine",
    domains=("gpu:0",),
    origin="readings.csv",
)


class TestEnergy:
    def test_slope_times_energy_and_offset_times_duration(self) -> None:
        wall = wall_energy(Estimate(20e3, 15e3, 25e3), 100.0, FIT)
        assert wall.value == pytest.approx(1.1 * 20e3 + 50 * 100)
        assert wall.provenance is Provenance.MODELLED
        half = Z90 * np.sqrt(200**2 * 1e-4 - 2 * 200 * 0.01 + 4 + 9) * 100
        # The residual is its own; the errors of slope and offset all runs have in common.
        assert wall.own_sides == pytest.approx((Z90 * 3 * 100,) * 2)
        assert wall.high - wall.value == pytest.approx(half)
        assert wall.value - wall.low == pytest.approx(half)

    def test_unresolved_energy_widens_the_interval(self) -> None:
        total = Estimate(20e3, 15e3, 30e3)
        seen = wall_energy(total, 100.0, FIT)
        unseen = wall_energy(total, 100.0, FIT, resolved=False)
        assert unseen.high - unseen.value > 1.1 * 10e3 > seen.high - seen.value

    def test_an_idle_second(self) -> None:
        assert wall_energy(Estimate(0.0, 0.0, 0.0), 1.0, FIT).low >= 0
        with pytest.raises(ValueError, match="power"):
            wall_energy(Estimate(1.0, 1.0, 1.0), 0.0, FIT)

    def test_a_stored_fit_comes_back(self) -> None:
        stored = Stored("wall:machine", 1.8e9, "a machine", serialize.to_builtins(FIT))
        assert read_fit(stored) == replace(FIT, made_at=1.8e9)

    def test_a_damaged_fit_is_an_error_of_the_ledger(self) -> None:
        document = serialize.to_builtins(FIT) | {"slope": "steep"}
        with pytest.raises(LedgerError):
            read_fit(Stored("wall:machine", 1.8e9, "a machine", document))

    def test_only_for_runs_like_those_it_was_fitted_on(self) -> None:
        summary = summarize(_recording([]))
        wall = wall_of(summary, FIT)
        assert wall is not None and summary.total is not None
        assert wall.value == pytest.approx(1.1 * summary.total.value + 50 * LENGTH_S)
        assert wall_of(summary, None) is None
        assert wall_of(summarize(recording()), FIT) is None  # of a process, with other domains


class TestSummary:
    """`summary_of` reads the fit of the run's machine from the ledger."""

    def test_the_energy_at_the_wall_is_in_the_summary(self, tmp_path: Path) -> None:
        made = _recording([])
        made.header.environment.update(MACHINE)
        expected = wall_of(summarize(made), FIT)
        with open_ledger(tmp_path / "ledger.sqlite") as ledger:
            assert summary_of(made, ledger).wall is None
            save_fit(ledger, MACHINE, FIT, 1.8e9)
            assert summary_of(made, ledger).wall == expected
        assert expected is not None
        assert summary_of(made, None).wall is None

    def test_a_damaged_fit_is_a_warning(self, tmp_path: Path) -> None:
        made = _recording([])
        made.header.environment.update(MACHINE)
        with open_ledger(tmp_path / "ledger.sqlite") as ledger:
            calibrations.save(ledger, MACHINE, "wall:machine", {"slope": "steep"}, 1.8e9)
            summary = summary_of(made, ledger)
        assert summary.wall is None
        assert len(summary.warnings) == len(summarize(made).warnings) + 1


class TestCsv:
    def read(self, tmp_path: Path, text: str) -> Readings:
        path = tmp_path / "readings.csv"
        path.write_text(text)
        return read_readings(path)

    def test_iso_times_with_and_without_a_zone(self, tmp_path: Path) -> None:
        read = self.read(
            tmp_path, "Time,Power_W,other\n2026-05-01T12:00:00Z,100,a\n2026-05-01T14:00:01+02:00,,b"
            "\n2026-05-01T14:00:02+02:00,110,c\n"
        )  # fmt: skip
        noon = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
        np.testing.assert_array_equal(read.t_s, [noon, noon + 2])
        np.testing.assert_array_equal(read.value, [100, 110])
        assert not read.counts
        local = self.read(tmp_path, "t,power_w\n2026-05-01 12:00:00,1\n")
        assert local.t_s[0] == datetime(2026, 5, 1, 12).astimezone().timestamp()

    @pytest.mark.parametrize(
        ("column", "text", "joules"),
        [("energy_wh", "2", 7200), ("energy_kwh", "2", 7.2e6), ("energy_j", "2", 2)],
    )
    def test_counters(self, tmp_path: Path, column: str, text: str, joules: float) -> None:
        read = self.read(tmp_path, f"t_s,{column}\n1800000000,{text}\n1800000001000,{text}\n")
        assert read.counts
        np.testing.assert_array_equal(read.value, [joules] * 2)
        assert read.t_s[1] - read.t_s[0] == 1.0

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("", 1),
            ("t,watts\n1800000000,1\n", 1),
            ("t,power_w\nsoon,1\n", 2),
            ("t,power_w\n12.5,1\n", 2),
            ("t,power_w\n1800000000,-1\n", 2),
            ("t,power_w\n1800000000,nan\n", 2),
            ("t,power_w\n1800000001,1\n1800000000,1\n", 3),
            ("t,power_w,energy_wh\n1800000000,,5\n1800000001,,5\n", 3),
        ],
    )
    def test_a_problem_names_its_line(self, tmp_path: Path, text: str, line: int) -> None:
        with pytest.raises(BadInputError) as caught:
            self.read(tmp_path, text)
        assert f"readings.csv, line {line}: " in str(caught.value)

    def test_no_file_and_no_text(self, tmp_path: Path) -> None:
        with pytest.raises(BadInputError):
            read_readings(tmp_path / "none.csv")
        (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(BadInputError):
            read_readings(tmp_path / "b.csv")
