"""The ledger's contract, the same on SQLite and on PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from fakes.stored_runs import assert_same, header, recording, samples
from joulecast.errors import LedgerError, RunNotFoundError
from joulecast.estimate import Estimate
from joulecast.ledger import Ledger, open_ledger
from joulecast.recording.model import Footer, Gap, Metric, Recording, Samples, Span, Status

DONE = Footer(Status.FINISHED, 120.0, 0, [], Estimate(36e3, 34e3, 38e3))


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(where: str, clock: Clock) -> Iterator[Ledger]:
    with open_ledger(where, clock=clock) as opened:
        yield opened


def sql(ledger: Ledger, statement: str, **values: object) -> list[tuple]:
    with ledger._database.writing() as connection:
        if statement.startswith("SELECT"):
            return [tuple(row.values()) for row in connection.rows(statement, values)]
        connection.execute(statement, values)
        return []


def test_a_recording_comes_back_as_it_was_made(ledger: Ledger) -> None:
    made = recording()
    sink = ledger.sink()
    sink.open(made.header)
    half = {d: Samples(*(c[: len(s) // 2] for c in columns(s))) for d, s in made.samples.items()}
    rest = {d: Samples(*(c[len(s) // 2 :] for c in columns(s))) for d, s in made.samples.items()}
    # What opens in one second closes in another.
    sink.flush(half, [Span(1, None, "epoch", "epoch", 0.5, None, 0, 4711)], [], [])
    sink.flush({}, [], made.metrics[:1], [Gap("gpu:0", 3.0, None, "reset")])
    sink.flush(rest, [*made.spans, made.spans[0]], made.metrics[1:], made.gaps)
    sink.close(made.footer)
    assert_same(ledger.load("last"), made)


def columns(s: Samples) -> tuple[np.ndarray, ...]:
    return s.t_s, s.value, s.low, s.high, s.held_s


def test_a_run_that_starts_after_it_was_opened(ledger: Ledger) -> None:
    sink = ledger.sink()
    sink.open(header())
    started = header(started_at=header().started_at + 3)
    sink.begin(started)
    sink.flush({}, [], [], [])
    assert ledger.load("last").header == started
    assert ledger.runs()[0].started_at == started.started_at


def test_add_stores_the_same(ledger: Ledger) -> None:
    made = recording()
    ledger.add(made)
    assert_same(ledger.load(made.header.run_id), made)


def test_a_run_is_not_added_twice_unless_asked(ledger: Ledger) -> None:
    ledger.add(recording(name="first"))
    with pytest.raises(LedgerError, match=r"0123456789abcdef.*first"):
        ledger.add(recording(name="second"))
    # The stored run has ended, so there is nothing to join.
    with pytest.raises(LedgerError, match="0123456789abcdef"):
        ledger.add(recording(name="second"), join=True)
    assert ledger.load("last").header.name == "first"
    ledger.add(recording(name="second"), replace=True)
    assert [run.name for run in ledger.runs()] == ["second"]
    sink = ledger.sink()
    with pytest.raises(LedgerError, match="0123456789abcdef"):
        sink.open(header())


def test_chunks_are_joined_each_minute_and_nothing_is_lost(ledger: Ledger) -> None:
    sink = ledger.sink()
    sink.open(header())
    largest = 0
    for second in range(1000):
        sink.flush({"gpu:0": samples(1, start=second)}, [], [], [])
        if second % 50 == 0:
            largest = max(largest, sql(ledger, "SELECT count(*) FROM joulecast_chunks")[0][0])
    assert 0 < largest <= 61
    whole = samples(1000)
    loaded = ledger.load("last")
    np.testing.assert_allclose(loaded.samples["gpu:0"].value, whole.value, atol=1e-6)
    sink.close(DONE)
    chunks = sql(ledger, "SELECT count FROM joulecast_chunks ORDER BY seq")
    assert chunks == [(8192,), (10_000 - 8192,)]
    for got, expected in zip(
        columns(ledger.load("last").samples["gpu:0"]), columns(whole), strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_large_flush_is_split(ledger: Ledger) -> None:
    """A rescued recording is flushed all at once."""
    sink = ledger.sink()
    sink.open(header())
    sink.flush({"gpu:0": samples(2000)}, [], [], [])
    sink.flush({"gpu:0": samples(1, start=2000)}, [], [], [])
    sink.close(DONE)
    assert sql(ledger, "SELECT max(count) FROM joulecast_chunks") == [(8192,)]
    np.testing.assert_allclose(
        ledger.load("last").samples["gpu:0"].t_s, samples(2001).t_s, atol=1e-6
    )


class TestInterrupted:
    def start(self, ledger: Ledger) -> None:
        self.sink = ledger.sink()
        self.sink.open(header())
        self.sink.flush(
            {"gpu:0": samples(2)}, [Span(1, None, "epoch", "epoch", 0.0, None, 0, 1)], [], []
        )

    def test_a_run_with_a_recent_heartbeat_is_running(self, ledger: Ledger, clock: Clock) -> None:
        self.start(ledger)
        clock.now += 14
        assert ledger.runs()[0].status is Status.RUNNING
        assert ledger.load("last").status is Status.RUNNING

    def test_a_run_without_a_heartbeat_is_interrupted(self, ledger: Ledger, clock: Clock) -> None:
        self.start(ledger)
        clock.now += 16
        loaded = ledger.load("last")
        assert loaded.status is Status.INTERRUPTED
        assert loaded.footer is None
        assert loaded.spans[0].end_s is None
        assert len(loaded.samples["gpu:0"]) == 20
        assert [r.status for r in ledger.runs(status=Status.INTERRUPTED)] == [Status.INTERRUPTED]
        assert not ledger.runs(status=Status.RUNNING)
        # The next flush renews the heartbeat.
        self.sink.flush({}, [], [], [])
        assert ledger.runs()[0].status is Status.RUNNING

    def test_a_run_whose_process_ended_is_interrupted(self, ledger: Ledger) -> None:
        self.start(ledger)
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        self.set_recorder(ledger, "pid", gone.pid)
        assert ledger.runs()[0].status is Status.INTERRUPTED

    def test_a_reused_process_id_is_another_process(self, ledger: Ledger) -> None:
        self.start(ledger)
        self.set_recorder(ledger, "started", "1")
        assert ledger.runs()[0].status is Status.INTERRUPTED

    def test_a_process_on_another_machine_is_not_checked(self, ledger: Ledger) -> None:
        self.start(ledger)
        self.set_recorder(ledger, "pid", 2**22 + 1)
        self.set_recorder(ledger, "host", "elsewhere")
        assert ledger.runs()[0].status is Status.RUNNING

    def set_recorder(self, ledger: Ledger, key: str, value: object) -> None:
        import json

        recorder = json.loads(sql(ledger, "SELECT recorder FROM joulecast_runs")[0][0])
        changed = json.dumps(recorder | {key: value})
        sql(ledger, "UPDATE joulecast_runs SET recorder = :r", r=changed)

    def test_an_imported_run_without_an_end_is_interrupted(self, ledger: Ledger) -> None:
        half = recording()
        half.footer, half.status = None, Status.RUNNING
        ledger.add(half)
        assert ledger.load("last").status is Status.INTERRUPTED
        assert ledger.runs()[0].duration_s == pytest.approx(half.duration_s)

    def test_a_rescued_recording_joins_its_run(self, ledger: Ledger, clock: Clock) -> None:
        self.start(ledger)
        clock.now += 60
        rescued = recording()
        rescued.samples = {"gpu:0": samples(5, start=1.5)}
        rescued.spans = [Span(1, None, "epoch", "epoch", 0.0, 5.0, 0, 1)]
        ledger.add(rescued, join=True)
        loaded = ledger.load("last")
        assert loaded.status is Status.FAILED
        np.testing.assert_allclose(loaded.samples["gpu:0"].t_s, np.arange(65) / 10, atol=1e-6)
        assert loaded.spans[0].end_s == 5.0


class TestFinding:
    @pytest.fixture(autouse=True)
    def fill(self, ledger: Ledger) -> None:
        for i, (run_id, name) in enumerate(
            [("aaaa1111", "digits"), ("aaaa2222", "wine"), ("bbbb3333", "digits"), ("c_%d", "100%")]
        ):
            tags = {"seed": str(i), "model": "cnn" if i < 2 else "mlp"}
            group = "job-7" if i in (1, 2) else None
            ledger.add(recording(run_id, name, started_at=1000.0 + i, tags=tags, group=group))

    def test_newest_first(self, ledger: Ledger) -> None:
        assert [r.run_id for r in ledger.runs()] == ["c_%d", "bbbb3333", "aaaa2222", "aaaa1111"]
        row = ledger.runs(limit=1)[0]
        assert (row.name, row.exit_code, row.duration_s) == ("100%", 7, 10.5)
        assert row.energy == Estimate(2990.5, 2841, 3140)

    @pytest.mark.parametrize(
        ("filters", "ids"),
        [
            ({"tags": {"model": "cnn"}}, ["aaaa2222", "aaaa1111"]),
            ({"tags": {"model": "cnn", "seed": "1"}}, ["aaaa2222"]),
            ({"since": 1001.0, "until": 1003.0}, ["bbbb3333", "aaaa2222"]),
            ({"group": "job-7", "limit": 1}, ["bbbb3333"]),
            ({"status": Status.FINISHED}, []),
            ({"status": Status.FAILED, "limit": 2}, ["c_%d", "bbbb3333"]),
        ],
    )
    def test_filters(self, ledger: Ledger, filters: dict, ids: list[str]) -> None:
        assert [r.run_id for r in ledger.runs(**filters)] == ids

    @pytest.mark.parametrize(
        ("refs", "ids"),
        [
            (["dig*"], ["bbbb3333", "aaaa1111"]),
            (["DIG*"], []),
            (["digits"], ["bbbb3333", "aaaa1111"]),
            (["aaaa1", "wine"], ["aaaa2222", "aaaa1111"]),
        ],
    )
    def test_names_patterns_and_ids(self, ledger: Ledger, refs: list[str], ids: list[str]) -> None:
        assert [r.run_id for r in ledger.runs(*refs)] == ids

    @pytest.mark.parametrize("ref", ["DIGITS", "aaaa"])
    def test_a_name_that_means_no_run_or_several_ids(self, ledger: Ledger, ref: str) -> None:
        with pytest.raises(RunNotFoundError):
            ledger.runs(ref)

    def test_the_energy_so_far_of_a_run_without_an_end(self, ledger: Ledger) -> None:
        ledger.add(Recording(header("dddd", "half"), samples={"gpu:0": samples(10)}))
        assert ledger.runs("dddd")[0].energy is None
        (half,) = ledger.runs("dddd", energy_so_far=True)
        assert half.energy is not None
        assert half.energy.value == pytest.approx(9.9 * 300, rel=0.02)

    @pytest.mark.parametrize(
        ("ref", "run_id"),
        [
            ("aaaa1111", "aaaa1111"),
            ("aaaa1", "aaaa1111"),
            ("b", "bbbb3333"),
            ("digits", "bbbb3333"),
            ("last", "c_%d"),
            ("c_", "c_%d"),
        ],
    )
    def test_references(self, ledger: Ledger, ref: str, run_id: str) -> None:
        assert ledger.find(ref).run_id == run_id

    def test_an_ambiguous_reference_lists_the_matching_runs(self, ledger: Ledger) -> None:
        with pytest.raises(RunNotFoundError, match=r"aaaa2222 \(wine\), aaaa1111 \(digits\)"):
            ledger.load("aaaa")

    @pytest.mark.parametrize("ref", ["digit", "digitz", "aaaa1112"])
    def test_an_unknown_reference_names_the_nearest(self, ledger: Ledger, ref: str) -> None:
        near = "aaaa1111" if ref.startswith("a") else "digits"
        with pytest.raises(RunNotFoundError, match=f"'{ref}'.*{near}"):
            ledger.load(ref)

    @pytest.mark.parametrize("ref", ["%", "_aaa1111", ""])
    def test_wildcards_mean_themselves(self, ledger: Ledger, ref: str) -> None:
        with pytest.raises(RunNotFoundError):
            ledger.load(ref)

    def test_deleting_leaves_the_others(self, ledger: Ledger) -> None:
        assert ledger.delete("aaaa1").name == "digits"
        assert len(ledger.runs()) == 3
        for part in ("chunks", "spans", "metrics", "gaps"):
            remaining = sql(ledger, f"SELECT DISTINCT run_id FROM joulecast_{part}")
            assert len(remaining) == 3
        assert_same(
            ledger.load("wine"),
            recording(
                "aaaa2222",
                "wine",
                started_at=1001.0,
                tags={"seed": "1", "model": "cnn"},
                group="job-7",
            ),
        )


def test_an_empty_ledger_has_no_last_run(ledger: Ledger) -> None:
    assert not ledger.runs()
    with pytest.raises(RunNotFoundError, match="joulecast run"):
        ledger.load("last")


def test_text_that_databases_do_not_store(ledger: Ledger) -> None:
    made = recording(name="caf\udce9 \0 é", tags={"k\0": "v\udce9"})
    ledger.add(made)
    loaded = ledger.load("last")
    assert loaded.header == made.header  # the header keeps every byte
    assert ledger.runs()[0].name == "caf\\xe9  é"


def test_a_damaged_chunk_names_run_and_domain(ledger: Ledger) -> None:
    ledger.add(recording())
    sql(ledger, "UPDATE joulecast_chunks SET data = :d WHERE domain = 'gpu:0'", d=b"\x01\x00junk")
    with pytest.raises(LedgerError, match=r"0123456789abcdef.*chunk 0.*gpu:0"):
        ledger.load("last")
    assert len(ledger.runs()) == 1


def test_a_damaged_header(ledger: Ledger) -> None:
    ledger.add(recording())
    sql(ledger, "UPDATE joulecast_runs SET header = '{\"run_id\": 3}'")
    with pytest.raises(LedgerError, match="0123456789abcdef"):
        ledger.load("last")


def test_samples_that_are_not_finite_are_refused_and_the_run_continues(ledger: Ledger) -> None:
    sink = ledger.sink()
    sink.open(header())
    bad = samples(1)
    bad.value[3] = np.nan
    with pytest.raises(LedgerError, match="gpu:0"):
        sink.flush({"gpu:0": bad}, [], [Metric(0.1, "loss", 1.0)], [])
    sink.flush({"gpu:0": samples(1)}, [], [], [])
    sink.close(DONE)
    assert len(ledger.load("last").samples["gpu:0"]) == 10
    assert ledger.load("last").metrics == []  # all of a flush or nothing


def test_a_run_deleted_while_it_is_recorded(ledger: Ledger) -> None:
    sink = ledger.sink()
    sink.open(header())
    ledger.delete("last")
    with pytest.raises(LedgerError):
        sink.flush({"gpu:0": samples(1)}, [], [], [])
    with pytest.raises(LedgerError):
        sink.close(DONE)


def test_a_forked_process_neither_writes_nor_disturbs(ledger: Ledger) -> None:
    sink = ledger.sink()
    sink.open(header())
    pid = os.fork()
    if pid == 0:  # in the child: no assertion may escape into the test run
        try:
            sink.flush({"gpu:0": samples(1)}, [], [], [])
            os._exit(1)
        except LedgerError as error:
            del sink
            os._exit(0 if "forked" in str(error) else 2)
        except BaseException:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    sink.flush({"gpu:0": samples(1)}, [], [], [])
    sink.close(DONE)
    assert len(ledger.load("last").samples["gpu:0"]) == 10


def test_a_newer_schema_is_left_alone(ledger: Ledger, where: str) -> None:
    sql(ledger, "UPDATE joulecast_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match=r"9999.*pip install --upgrade"):
        open_ledger(where)
    assert sql(ledger, "SELECT version_num FROM joulecast_version") == [("9999",)]
