import gzip
from pathlib import Path

import numpy as np
import pytest

from fakes.stored_runs import header, recording
from joulecast.errors import BadInputError, UsageError
from joulecast.estimate import Provenance
from joulecast.ledger.samples_csv import Assumed, export_csv, import_csv
from joulecast.meters.base import ReadingKind
from joulecast.recording.model import Footer, Gap, Recording, Samples, Status
from joulecast.recording.summary import summarize

ASSUMED = Assumed("mine", 1_800_000_000.0)
COLUMNS = ("t_s", "value", "low", "high", "held_s")


def write(tmp_path: Path, text: str, name: str = "trace.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_the_samples_come_back_exactly(tmp_path: Path) -> None:
    original = recording()
    path = write(tmp_path, "".join(export_csv(original)))
    back = import_csv(path, ASSUMED)
    assert set(back.samples) == {"gpu:0", "cpu:0"}  # a table keeps no gauges
    for domain in back.samples:
        samples = original.samples[domain]
        for name in COLUMNS:
            assert np.array_equal(getattr(back.samples[domain], name), getattr(samples, name))
    gpu, cpu = back.header.sources
    assert (gpu.kind, gpu.provenance) == (ReadingKind.COUNTER, Provenance.MEASURED)
    assert (cpu.kind, cpu.provenance) == (ReadingKind.POWER, Provenance.MODELLED)
    assert gpu.uncertainty.low == pytest.approx(0.05)
    assert back.status is Status.FINISHED
    assert back.header.scope == "unknown"


def test_the_header_names_the_columns() -> None:
    first = next(iter(export_csv(recording())))
    assert first == "domain,t_s,energy_j,power_w,low,high,held_s,provenance\n"


def test_a_trace_of_someone_else(tmp_path: Path) -> None:
    path = write(tmp_path, "t_s,utilization,power_w\n100,0.5,200\n101,0.6,200\n103,0.7,200\n")
    back = import_csv(path, Assumed("mine", 1_800_000_000.0, domain="node"))
    assert back.header.name == "mine"
    assert back.header.started_at == 1_800_000_000.0
    assert back.samples["node"].t_s.tolist() == [0, 1, 3]
    assert back.duration_s == 3
    source = back.header.sources[0]
    assert source.source == "imported trace trace.csv"
    assert source.provenance is Provenance.MEASURED
    assert "assumed" in source.uncertainty.origin
    total = summarize(back).total
    assert total is not None
    assert back.footer is not None
    assert back.footer.total == total
    assert total.value == pytest.approx(600)
    assert total.low <= 600 * 0.95 + 1e-6
    assert total.high >= 600 * 1.05 - 1e-6
    assert any("date" in warning for warning in back.warnings)


def test_its_uncertainty_may_be_given(tmp_path: Path) -> None:
    path = write(tmp_path, "t_s,power_w\n0,200\n1,100\n")
    back = import_csv(path, Assumed("mine", 0.0, uncertainty=0.2))
    assert back.samples["gpu:0"].low.tolist() == [160, 80]
    assert back.samples["gpu:0"].high.tolist() == [240, 120]
    assert back.header.sources[0].uncertainty.origin == "given at import"
    with pytest.raises(UsageError):
        import_csv(path, Assumed("mine", 0.0, uncertainty=1.5))


def test_times_of_the_calendar_date_the_run(tmp_path: Path) -> None:
    for text in (
        "t_s,power_w\n1700000000,200\n1700000001.5,200\n",
        "domain,t_s,power_w\ngpu:0,1700000000,200\ngpu:0,1700000001.5,200\n",
    ):
        back = import_csv(write(tmp_path, text), ASSUMED)
        assert back.header.started_at == 1_700_000_000
        assert back.duration_s == 1.5
        assert back.header.warnings == []


def test_a_table_keeps_its_distance_from_the_start(tmp_path: Path) -> None:
    path = write(tmp_path, "domain,t_s,energy_j\ngpu:0,5,0\ngpu:0,6,300\n")
    back = import_csv(path, ASSUMED)
    assert back.samples["gpu:0"].t_s.tolist() == [5, 6]
    assert back.samples["gpu:0"].high[1] == pytest.approx(315)


def test_holes_are_gaps_and_never_filled(tmp_path: Path) -> None:
    times = [*range(100), *range(400, 500)]
    trace = "t_s,power_w\n" + "".join(f"{t},251\n" for t in times)
    table = "domain,t_s,power_w\n" + "".join(f"gpu:0,{t},251\n" for t in times)
    for text in (trace, table):
        back = import_csv(write(tmp_path, text), ASSUMED)
        (gap,) = back.gaps
        assert gap == Gap("gpu:0", 99, 400, gap.reason)
        assert "trace.csv" in gap.reason
        summary = summarize(back)
        assert summary.total == back.footer.total
        assert summary.total.value == pytest.approx(251 * 198)
        assert summary.total.high > 251 * 499  # the truth may lie above what was seen
        assert any("5 min 01 s" in w and "8 min 19 s" in w for w in summary.warnings)


def test_short_silences_and_counters_have_no_gap(tmp_path: Path) -> None:
    power = "t_s,power_w\n0,100\n1,100\n2,100\n7,100\n"
    assert import_csv(write(tmp_path, power), ASSUMED).gaps == []
    counter = "domain,t_s,energy_j\ngpu:0,0,0\ngpu:0,1,100\ngpu:0,2,200\ngpu:0,90,9000\n"
    back = import_csv(write(tmp_path, counter), ASSUMED)
    assert back.gaps == []
    assert back.footer.total.value == pytest.approx(9000)


def test_a_meter_that_came_late_or_fell_silent_has_a_gap_at_the_edge(tmp_path: Path) -> None:
    whole = "".join(f"gpu:0,{t},100\n" for t in range(61))
    part = "".join(f"gpu:1,{t},100\n" for t in range(20, 41))
    back = import_csv(write(tmp_path, f"domain,t_s,power_w\n{whole}{part}"), ASSUMED)
    assert [(g.domain, g.start_s, g.end_s) for g in back.gaps] == [
        ("gpu:1", 0, 20),
        ("gpu:1", 40, 60),
    ]


def ragged(gaps: list[Gap]) -> Recording:
    """A run whose first and last readings lie a little outside of it, as they do."""
    t_s = -0.0371 + np.arange(56) * 0.1013
    watts = 40 + 10 * np.sin(3 * t_s)
    joules = np.cumsum(300 + 50 * np.cos(t_s)) * 0.1
    footer = Footer(Status.FINISHED, 5.3456)
    return Recording(
        header=header(),
        gaps=gaps,
        samples={
            "gpu:0": Samples(t_s, joules, joules * 0.95, joules * 1.05, t_s.copy()),
            "cpu:0": Samples(t_s, watts, watts * 0.7, watts * 1.4, t_s / 2),
        },
        footer=footer,
        status=footer.status,
    )


def test_a_table_begins_and_ends_with_its_run(tmp_path: Path) -> None:
    original = ragged([])
    assert original.samples["gpu:0"].t_s[-1] > original.duration_s
    back = import_csv(write(tmp_path, "".join(export_csv(original))), ASSUMED)
    assert back.duration_s == original.duration_s
    for one, other in zip(summarize(original).domains, summarize(back).domains, strict=True):
        assert one.energy.value == pytest.approx(other.energy.value, rel=1e-9)
    for series in back.samples.values():
        assert (series.t_s[0], series.t_s[-1]) == (0, original.duration_s)


def test_no_sample_is_made_up_within_a_gap(tmp_path: Path) -> None:
    last_s = float(ragged([]).samples["cpu:0"].t_s[53])
    original = ragged([Gap("cpu:0", last_s, None, "gone")])
    back = import_csv(write(tmp_path, "".join(export_csv(original))), ASSUMED)
    assert back.samples["cpu:0"].t_s[-1] == last_s < original.duration_s
    mine, other = (summarize(r).domains[1].energy.value for r in (original, back))
    assert mine == pytest.approx(other, rel=1e-9)


def test_packed(tmp_path: Path) -> None:
    path = tmp_path / "run.csv.gz"
    path.write_bytes(gzip.compress("".join(export_csv(recording())).encode()))
    assert set(import_csv(path, ASSUMED).samples) == {"gpu:0", "cpu:0"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ", line 1: "),
        ("domain;t_s;power_w\ngpu:0;0;1\n", ", line 1: "),
        ("a,b\n1,2\n", ", line 1: "),
        ("t_s,power_w\n0,1\n0,2\n", ", line 3: "),
        ("t_s,power_w\n0,nan\n1,2\n", ", line 2: "),
        ("domain,power_w\ngpu:0,1\n", ", line 1: "),
        ("domain,t_s\ngpu:0,1\n", ", line 1: "),
        ("domain,t_s,power_w\n", ", line 1: "),
        ("domain,t_s,power_w\ngpu:0,0,1\ngpu:0,1,watt\n", ", line 3: "),
        ("domain,t_s,power_w\ngpu:0,0,1\ngpu:0,1,inf\n", ", line 3: "),
        ("domain,t_s,power_w\ngpu:0,0,1\ngpu:0,,1\n", ", line 3: "),
        ("domain,t_s,power_w\ngpu:0,0\n", ", line 2: "),
        ("domain,t_s,power_w,energy_j\ngpu:0,0,1,1\n", ", line 2: "),
        ("domain,t_s,power_w,energy_j\ngpu:0,0,1,\ngpu:0,1,,1\n", ", line 3: "),
        ("domain,t_s,power_w\n<b>,0,1\n", ", domain"),
        ("domain,t_s,power_w,provenance\ngpu:0,0,1,guess\n", ", line 2: "),
        ("domain,t_s,power_w\ngpu:0,1,1\ngpu:0,0,1\n", "gpu:0.t_s[1]"),
        ("domain,t_s,power_w,low,high\ngpu:0,0,1,2,3\n", "gpu:0.value[0]"),
    ],
)
def test_a_problem_names_its_place(tmp_path: Path, text: str, place: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        import_csv(path, ASSUMED)
    assert str(caught.value).startswith(str(path)) and place in str(caught.value)


def test_no_text_at_all(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(BadInputError):
        import_csv(path, ASSUMED)
    with pytest.raises(BadInputError):
        import_csv(tmp_path / "none.csv", ASSUMED)


@pytest.mark.parametrize(
    ("text", "line", "cure"),
    [
        ("t_s,power_w\n1764340000000,50\n1764340001000,51\n", 2, "divide the column by 1,000,"),
        ("t_s,power_w\n1764340000000000,50\n", 2, "divide the column by 1,000,000,"),
        ("t_s,power_w\n1764340000000000000,50\n", 2, "divide the column by 1,000,000,000,"),
        ("domain,t_s,power_w\ngpu:0,0,5\ngpu:0,1764340000000,5\n", 3, "divide the column by 1,000"),
        ("t_s,power_w\n0,50\n0,1,5\n", 3, "not a comma"),
        ('domain,t_s,energy_j\ngpu:0,0,"0,1,5"\n', 2, "no separators"),
        ("domain,t_s,power_w\ngpu:0,0,1_000\n", 2, "no separators"),
        ("t_s,power_w\n0,1 000\n", 2, "no separators"),
        ("domain,t_s,power_w,power_w\ngpu:0,0,1,1\n", 1, "2 times"),
        ("domain,t_s,power_w\ngpu:0,0,1\ngpu:0,1,-1\n", 3, "below 0"),
        ("domain,t_s,energy_j\ngpu:0,0,-1\n", 2, "below 0"),
        ("domain,t_s,energy_j\ngpu:0,0,9\ngpu:1,0,1\ngpu:0,1,8\n", 4, "import the rows from here"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line_and_a_cure(
    tmp_path: Path, text: str, line: int, cure: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        import_csv(write(tmp_path, text), ASSUMED)
    assert f"trace.csv, line {line}: " in str(caught.value)
    assert cure in str(caught.value)


def test_times_of_the_calendar_are_the_start(tmp_path: Path) -> None:
    text = "domain,t_s,energy_j\ngpu:0,1764340000,9\ngpu:0,1764340001,9\n"
    assert import_csv(write(tmp_path, text), ASSUMED).header.started_at == 1764340000
