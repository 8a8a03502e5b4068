"""Progress read from what trainers print: recordings of many of them, replayed and scored.

    python benchmarks/progress.py               # a table: one row for each recording and --epochs
    python benchmarks/progress.py tqdm --failing

A recording of tests/data/progress goes through what `joulecast run` makes of a command's output,
with a meter that draws a constant 100 W and a clock that follows the recording. What it recorded is
compared with the true epochs, and its forecasts with the energy at the end of the training. The
same is done with the true progress instead of the output: no better forecast can be expected.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import harness
from harness import Figure
from joulecast.estimate import Provenance
from joulecast.meters.base import Meter, Reading, ReadingKind, Source, Uncertainty
from joulecast.recording.epochs import RunPosition
from joulecast.recording.memory import MemorySink
from joulecast.recording.model import Header, Span, Status
from joulecast.recording.recorder import Recorder
from joulecast.recording.summary import summarize
from joulecast.run.progress_monitor import ProgressMonitor
from joulecast.run.run_options import RunOptions

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "progress"
POWER_W, TICK_S = 100.0, 0.1
PARTS = (0.1, 0.3, 0.6)
# A recorded epoch is at its place where its ends lie within this part of an epoch of the true ones.
AT_PLACE = 0.5
FORECAST_WITHIN = 0.15


@dataclass(frozen=True)
class Epoch:
    """A true epoch: its number as the script prints it, from 1, and when it can begin and end.

    It begins with its first step, which nobody sees before it is over, and ends between its last
    step and the first of the next epoch: an evaluation in between may be counted or not.
    """

    number: int
    begin_s: tuple[float, float]
    end_s: tuple[float, float]


@dataclass(frozen=True)
class Recorded:
    """A recording: its true epochs or steps, its cases, and what was printed when."""

    name: str
    epochs: tuple[Epoch, ...]
    # When each step, or each epoch's part, was done: (fraction of the training, time).
    done: tuple[tuple[float, float], ...]
    epochs_before: int
    run_end_s: float
    cases: tuple[dict[str, Any], ...]
    output: tuple[tuple[float, int, str], ...]
    header: dict[str, Any]


def load(path: Path) -> Recorded:
    """Read one file of tests/data/progress."""
    header, *output = map(json.loads, path.read_text().splitlines())
    listed, run_end_s = header["epochs"], header["run_end_s"]
    epochs = []
    for at, epoch in enumerate(listed):
        following = listed[at + 1] if at + 1 < len(listed) else None
        latest = following["first_step_s"] if following else _after(header, epoch["last_step_s"])
        earliest = listed[at - 1]["last_step_s"] if at else epoch["begin_s"]
        begin = (earliest, epoch["first_step_s"])
        epochs.append(Epoch(epoch["number"], begin, (epoch["last_step_s"], latest)))
    if listed:
        times = [listed[0]["begin_s"], *(epoch["last_step_s"] for epoch in listed)]
    else:
        times = header["steps_s"]
    done = tuple((at / (len(times) - 1), t) for at, t in enumerate(times))
    return Recorded(
        path.stem,
        tuple(epochs),
        done,
        header["epochs_before"],
        run_end_s,
        tuple(header["cases"]),
        tuple((t, stream, text) for t, stream, text in output),
        header,
    )


def _after(header: dict[str, Any], last_step_s: float) -> float:
    """The latest end of the last epoch: after the evaluation that follows its last step at once."""
    latest = last_step_s + 0.3
    for _, begin, end in header["phases"]:
        if begin >= last_step_s - 0.1:
            return min(max(latest, end + 0.3), float(header["run_end_s"]))
    return min(latest, float(header["run_end_s"]))


# --- replay -----------------------------------------------------------------------------------


class ConstantPower(Meter):
    """A counter of joules that rises evenly."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.source = Source(
            *("gpu:0", "a constant", ReadingKind.COUNTER, Provenance.MEASURED, TICK_S),
            Uncertainty(0.01, 0.01, "a constant"),
        )

    def read(self) -> Reading:
        """The energy so far."""
        joules = POWER_W * self._clock()
        return Reading(self._clock(), joules, joules, joules, self._clock())


class Replay:
    """One run of the recorder and the monitor, on a clock of its own."""

    def __init__(self, epochs: int | None, tick_s: float = TICK_S) -> None:
        self.now, self._tick_s = 0.0, tick_s
        self.sink = MemorySink()
        self.forecasts: list[float | None] = []
        meter = ConstantPower(self.clock)
        header = Header(
            run_id="0" * 16,
            name="a replay",
            started_at=0.0,
            command=["train"],
            scope="process",
            interval_s=TICK_S,
            environment={},
            sources=[meter.source],
            planned_epochs=epochs,
        )
        self.recorder = Recorder(
            *(header, [meter], self.sink, self.clock),
            on_position=self._on_position,
            on_tick=self._on_tick,
        )
        options = RunOptions("a replay", epochs=epochs, reads_output=True)
        self.monitor = ProgressMonitor(options, self.recorder, lambda text: None)
        self.recorder.start(threads=False)

    def clock(self) -> float:
        """Seconds since the start."""
        return self.now

    def _on_position(self, position: RunPosition) -> None:
        self.monitor.update(position)

    def _on_tick(self) -> None:
        self.monitor.poll()

    def run(self, events: list[tuple[float, Callable[[], None]]], end_s: float) -> list[Span]:
        """Call each function at its time; the epochs that were recorded."""
        ticks = math.ceil(end_s / self._tick_s)
        rounds = [(at * self._tick_s, self.recorder.tick) for at in range(1, ticks)]
        for t, act in sorted([*events, *rounds], key=lambda event: event[0]):
            self.now = t
            act()
        self.now = end_s
        self.monitor.finish()
        self.recorder.stop(Status.FINISHED)
        return [epoch.span for epoch in summarize(self.sink.recording()).epochs]

    def forecast(self) -> None:
        """Keep the forecast of the whole run's energy, if there is one."""
        total = self.monitor.state().total_energy
        self.forecasts.append(None if total is None else total.value)


def _instants(recorded: Recorded) -> list[float]:
    """When each part of the training was done, between two known times by interpolation."""
    instants = []
    for part in PARTS:
        for (before, t), (after, later) in zip(recorded.done, recorded.done[1:], strict=False):
            if before <= part <= after:
                instants.append(t + (part - before) / (after - before) * (later - t))
                break
    return instants


def read_output(
    recorded: Recorded, epochs: int | None, tick_s: float = TICK_S
) -> tuple[list[Span], list[float | None]]:
    """The epochs, and the forecasts at `PARTS`, that the output gives."""
    replay = Replay(epochs, tick_s)
    events: list[tuple[float, Callable[[], None]]] = [
        (t, lambda t=t, s=s, text=text: replay.monitor.read_output(s, text.encode(), t))  # type: ignore[misc]
        for t, s, text in recorded.output
    ]
    events += [(t, replay.forecast) for t in _instants(recorded)]
    spans = replay.run(events, recorded.run_end_s)
    return spans, replay.forecasts


def know_progress(recorded: Recorded) -> list[float | None]:
    """The forecasts at `PARTS` where the training itself reports its epochs and steps."""
    header = recorded.header
    replay = Replay(len(recorded.epochs) or None)
    recorder, events = replay.recorder, []
    opened: list[int] = []

    def begin(t: float, number: int) -> None:
        opened.append(recorder.begin("epoch", f"epoch {number}", number, t_s=t))

    for epoch in header["epochs"]:
        first, last, number = epoch["begin_s"], epoch["last_step_s"], epoch["number"]
        events.append((first, lambda t=first, n=number: begin(t, n)))
        for part in range(1, epoch["steps"]):
            share = part / epoch["steps"]
            at = first + share * (last - first)
            events.append((at, lambda t=at, s=share: recorder.step(s, t_s=t)))
        events.append((last, lambda t=last: recorder.end(opened.pop(), t_s=t)))
    for share, at in recorded.done if not recorded.epochs else ():
        events.append((at, lambda t=at, s=share: recorder.step(s, t_s=t)))
    events += [(t + 1e-6, replay.forecast) for t in _instants(recorded)]
    replay.run(events, recorded.run_end_s)
    return replay.forecasts


# --- score ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """How well the progress of one recording was read.

    Attributes:
        name: of the recording.
        epochs_given: as `--epochs`; None where none were given.
        expected: number of epochs of this run; 0 where they need not be read.
        found: number of epochs that were recorded.
        right: whether count, indexes and places are right.
        fault: what is wrong; None where nothing is.
        boundary: mean error of the ends and beginnings between epochs, as a fraction of an epoch.
        early: by how much the first epoch begins too early, likewise: imports counted as training.
        forecasts: relative error at `PARTS`, of the energy of the training; None: no forecast.
        best: the same with the true progress.
        forecast_needed: whether the output shows how far the run is.
        forecast_met: whether the error at 30 % is under `FORECAST_WITHIN`, or at most 2 percentage
            points larger than with the true progress; None where no forecast is needed.
    """

    name: str
    epochs_given: int | None
    expected: int
    found: int
    right: bool
    fault: str | None
    boundary: float | None
    early: float | None
    forecasts: tuple[float | None, ...]
    best: tuple[float | None, ...]
    forecast_needed: bool
    forecast_met: bool | None


def outside(value: float, interval: tuple[float, float]) -> float:
    """The distance of a value from an interval; 0 inside."""
    return max(interval[0] - value, value - interval[1], 0.0)


def score(recorded: Recorded, case: dict[str, Any], best: list[float | None]) -> Score:
    """Replay one recording with one `--epochs` and compare."""
    spans, forecasts = read_output(recorded, case["epochs"])
    spans = sorted(spans, key=lambda span: span.start_s)
    wanted = expected(recorded, case, spans)
    fault = fault_of(recorded, case, spans)
    boundary = early = None
    if wanted and len(spans) == len(wanted):
        length = epoch_s(recorded)
        errors = [
            outside(span.end_s or 0.0, epoch.end_s)
            for span, epoch in zip(spans, wanted, strict=True)
        ]
        errors += [
            outside(span.start_s, epoch.begin_s)
            for span, epoch in list(zip(spans, wanted, strict=True))[1:]
        ]
        boundary = statistics.mean(errors) / length
        early = outside(spans[0].start_s, wanted[0].begin_s) / length
    begin, end = recorded.done[0][1], recorded.done[-1][1]
    truth_j, training_j = POWER_W * end, POWER_W * (end - begin)
    errors_of = [
        tuple(None if value is None else (value - truth_j) / training_j for value in values)
        for values in (forecasts, best)
    ]
    needed, met = bool(case["forecast"]), None
    if needed:
        at_30, best_30 = errors_of[0][1], errors_of[1][1]
        allowed = max(FORECAST_WITHIN, abs(best_30 or 0.0) + 0.02)
        met = at_30 is not None and abs(at_30) <= allowed
    return Score(
        *(recorded.name, case["epochs"], len(wanted), len(spans), fault is None, fault),
        *(boundary, early, errors_of[0], errors_of[1], needed, met),
    )


def epoch_s(recorded: Recorded) -> float:
    """Mean duration of the training in an epoch."""
    begin, end = recorded.done[0][1], recorded.done[-1][1]
    return (end - begin) / max(len(recorded.epochs), 1)


def expected(recorded: Recorded, case: dict[str, Any], spans: list[Span]) -> tuple[Epoch, ...]:
    """The epochs that are to be recorded; where they need not be read, none are right as well."""
    return recorded.epochs if case["reads_epochs"] or spans else ()


def fault_of(recorded: Recorded, case: dict[str, Any], spans: list[Span]) -> str | None:
    """What is wrong with the recorded epochs; None where they are right."""
    wanted = expected(recorded, case, spans)
    if not wanted and not spans:
        return None
    if len(spans) != len(wanted):
        return f"{len(spans)} epochs, {len(wanted)} are right"
    indexes = [span.index for span in spans]
    # The third epoch has index 2, shown as "epoch 3"; or 1, where a script that counts from 0
    # calls it 2 itself. Where no numbers are printed, the first epoch of this run may have index 0.
    number = wanted[0].number
    allowed = {0, number - 1, max(number - 2, 0)}
    first = indexes[0]
    if first not in allowed or indexes != list(range(first, first + len(wanted))):
        return f"indexes {indexes}, the first is one of {sorted(allowed)}"
    for span, epoch in zip(spans, wanted, strict=True):
        late = outside(span.end_s or 0.0, epoch.end_s) / epoch_s(recorded)
        if late > AT_PLACE:
            return (
                f"epoch {epoch.number} ends at {span.end_s:.2f} s, right are "
                f"{epoch.end_s[0]:.2f} to {epoch.end_s[1]:.2f} s"
            )
    return None


def scores(words: list[str]) -> Iterator[Score]:
    """Of all recordings, or of those whose names contain one of the words."""
    for path in sorted(DATA.glob("*.jsonl")):
        if words and not any(word in path.stem for word in words):
            continue
        recorded = load(path)
        best = know_progress(recorded)
        for case in recorded.cases:
            yield score(recorded, case, best)


def figures(results: list[Score]) -> list[Figure]:
    """What `make bench` prints."""
    needed = [s for s in results if s.forecast_needed]
    given = [s.forecasts[1] for s in needed if s.forecasts[1] is not None]
    best = [s.best[1] for s in needed if s.best[1] is not None]
    boundaries = [s.boundary for s in results if s.boundary is not None]
    right = 100 * sum(s.right for s in results) / len(results)
    met = 100 * sum(bool(s.forecast_met) for s in needed) / len(needed)
    mean, median = statistics.mean, statistics.median
    return [
        Figure(f"epochs right, of {len(results)} readings of output", right, "%", at_least=100.0),
        Figure("  error of their boundaries", 100 * mean(boundaries), "% of an epoch"),
        Figure(f"forecast at 30 % of {len(needed)} runs met", met, "%", at_least=100.0),
        Figure("  its median error", 100 * median(map(abs, given)), "%"),
        Figure("  the same with the true progress", 100 * median(map(abs, best)), "%"),
    ]


# --- output -----------------------------------------------------------------------------------


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.0f} %"


def show(results: list[Score]) -> None:
    """Print the table, and what is wrong."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("recording", "--epochs"):
        table.add_column(name, no_wrap=True)
    names = ["epochs", "right", "boundary", "early", *(f"at {100 * p:.0f} %" for p in PARTS)]
    for name in (*names, "best at 30 %", "met"):
        table.add_column(name, justify="right", no_wrap=True)
    yes_no = {True: "yes", False: "NO", None: ""}
    for s in results:
        table.add_row(
            s.name,
            "" if s.epochs_given is None else str(s.epochs_given),
            f"{s.found} of {s.expected}",
            yes_no[s.right],
            "-" if s.boundary is None else f"{100 * s.boundary:.0f} %",
            "-" if s.early is None else f"{100 * s.early:.0f} %",
            *(_percent(value) for value in s.forecasts),
            _percent(s.best[1]),
            yes_no[s.forecast_met],
        )
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)
    for s in results:
        if s.fault:
            given = "" if s.epochs_given is None else f" --epochs {s.epochs_given}"
            print(f"{s.name}{given}: {s.fault}")


def main() -> None:
    """Replay, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("words", nargs="*", help="only recordings whose names contain one of them")
    parser.add_argument("--failing", action="store_true", help="only rows that miss a target")
    parser.add_argument("--quick", action="store_true", help="only tqdm's: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here as well")
    args = parser.parse_args()
    results = list(scores(["tqdm-4"] if args.quick else args.words))
    summary = figures(results)
    if args.json:
        document = {
            "schema": harness.SCHEMA,
            "benchmark": "progress",
            "quick": args.quick,
            "machine": harness.machine(),
            "figures": [figure.to_json() for figure in summary],
            "scores": [asdict(s) for s in results],
        }
        args.json.write_text(json.dumps(document, indent=2) + "\n")
    show([s for s in results if not (args.failing and s.right and s.forecast_met is not False)])
    print(harness.table(summary))


if __name__ == "__main__":
    main()
