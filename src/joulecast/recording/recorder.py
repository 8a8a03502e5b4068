"""Makes a recording: samples the meters, receives the training's events, stores both in a sink."""

import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..estimate import Estimate
from ..meters.base import Gauge, Meter, Reading
from .epochs import AtMark, Epochs, RunPosition
from .gauge_reader import GaugeReader
from .live_energy import Instant, LiveEnergy
from .made_forecasts import MadeForecast
from .model import Footer, Gap, Header, Metric, RecordingSink, Span, Status
from .sampler import Sampler
from .summary import SpanEnergy

# Less than the second that a killed recorder may lose, by the time to read and to write.
FLUSH_S = 0.7
OPEN_S, STORE_S = 5.0, 0.5
"""How long the start of a run waits for the sink to open, and to store the first reading: a
recorder that is killed later leaves a trace."""
# Databases have whole numbers of 64 bits.
_WHOLE = 2**63
# Maximum time between the exception that leaves a loop over epochs, and the end of the run.
_LEFT_S = 5.0
# How often `stop` checks whether a driver blocks.
_CHECK_S = 0.1


class Recorder:
    """The recording of one run. Implements `Events`; its methods may be called from any thread.

    `start` starts two threads: one samples, one writes, so that a slow disk never costs a sample.
    The first owns the meters until the last reading: a driver that blocks delays nothing else. A
    third reads the gauges, where there are some.

    Args:
        header: what is known of the run when it starts.
        meters: to sample.
        sink: where the recording goes.
        clock: monotonic seconds.
        gauges: to sample.
        lacking: why domains that the total lacks cannot be read.
        on_position: is called from the sampling thread where an epoch begins or ends, and at steps
            in between, once the energy up to there is known.
        on_tick: is called once a round, before the meters are read; `ending` is set in the last.
    """

    def __init__(
        self,
        header: Header,
        meters: Sequence[Meter],
        sink: RecordingSink,
        clock: Callable[[], float],
        *,
        gauges: Sequence[Gauge] = (),
        lacking: Mapping[str, str] | None = None,
        on_position: Callable[[RunPosition], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        self.header = header
        self.clock = clock
        self._sink: RecordingSink | None = sink
        self._on_tick = on_tick
        self._sampler = Sampler(meters, clock, header.interval_s)
        self._gauges = GaugeReader(gauges, clock, self._keep) if gauges else None
        lacking = lacking or {}
        self._live = LiveEnergy([meter.source for meter in meters], list(lacking))
        self._epochs = Epochs(header.planned_epochs, self._live, on_position)
        # Never locked while a meter or the sink is at work.
        self._lock = threading.RLock()
        self._next_id = 1
        self._open: dict[int, Span] = {}
        # Spans that were opened or closed since the last flush.
        self._dirty: dict[int, Span] = {}
        self._metrics: list[Metric] = []
        # Callbacks that wait until all meters have passed an instant.
        self._waiting: list[tuple[float, AtMark]] = []
        # Gaps that are not flushed yet.
        self._gaps = [Gap(domain, 0.0, None, reason) for domain, reason in lacking.items()]
        self._warnings: list[str] = []
        # Of the run's energy, stored at its end.
        self.forecasts: list[MadeForecast] = []
        self._stop = threading.Event()
        # The sink is open; the run has started; its first reading is stored.
        self._opened, self._begun, self._stored = (threading.Event() for _ in range(3))
        self._sampling: threading.Thread | None = None
        self._writing: threading.Thread | None = None
        # Set once the run ends.
        self._end_s: float | None = None
        self._status = Status.RUNNING
        # When a loop over epochs was left, and the epoch.
        self._left: tuple[float, Span] | None = None
        # A driver blocks: its later readings are ignored.
        self._abandoned = False

    # --- events ----------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the start of the run."""
        return self.since_start(self.clock())

    def since_start(self, t: float) -> float:
        """The clock's time `t` in seconds since the start of the run."""
        return t - self._sampler.start_s

    @property
    def beginning(self) -> Instant:
        """The start of the run."""
        return Instant(0.0, None, self._live.nothing())

    @property
    def counts_epochs(self) -> bool:
        """Whether the training itself reports its epochs."""
        return self._epochs.begun > 0

    @property
    def planned_epochs(self) -> int | None:
        """Of this run in all, begun or to come; None where unknown."""
        return self._epochs.planned

    def begin(
        self,
        kind: str,
        name: str,
        index: int | None = None,
        parent: int | None = None,
        *,
        t_s: float | None = None,
        origin: int | None = None,
    ) -> int:
        """A span opens, now or at `t_s` (seconds since the start); returns its id."""
        with self._lock:
            at = self.now() if t_s is None else t_s
            owner = os.getpid() if origin is None else origin
            # A number that fits no database would cost the whole recording.
            owner = owner if abs(owner) < _WHOLE else 0
            index = None if index is None or abs(index) >= _WHOLE else index
            span = Span(self._next_id, parent, kind, name, at, None, index, owner)
            self._next_id += 1
            self._open[span.id] = self._dirty[span.id] = span
            if kind == "epoch":
                self._left = None
                self._waiting.append((at, self._epochs.begin(span, owner)))
            return span.id

    def end(self, span: int, *, t_s: float | None = None) -> None:
        """A span closes; one that is not open is left alone."""
        with self._lock:
            opened = self._open.pop(span, None)
            if opened is None:
                return
            closed = replace(opened, end_s=max(opened.start_s, self.now() if t_s is None else t_s))
            self._dirty[span] = closed
            if closed.kind == "epoch" and closed.end_s is not None:
                self._waiting.append((closed.end_s, self._epochs.end(closed)))

    def leave(self, *, origin: int | None = None) -> None:
        """The loop over the epochs of a process is left within the open one."""
        with self._lock:
            owner = os.getpid() if origin is None else origin
            epochs = [s for s in self._open.values() if s.kind == "epoch" and s.origin == owner]
            self._left = (self.now(), epochs[-1]) if epochs else None

    def add_epoch(
        self,
        index: int,
        start: Instant,
        end: Instant,
        metrics: Mapping[str, float],
        *,
        complete: bool = True,
    ) -> SpanEnergy:
        """Add an epoch that was read from the command's output, with its metrics.

        One that is not `complete` has no end.
        """
        with self._lock:
            name, end_s = f"epoch {index}", end.t_s if complete else None
            span = Span(self._next_id, None, "epoch", name, start.t_s, end_s, index, os.getpid())
            self._next_id += 1
            self._dirty[span.id] = span
            self._metrics += [Metric(end.t_s, *metric, span.id) for metric in metrics.items()]
            duration = end.t_s - start.t_s
            energy = self._live.between(start.mark, end.mark, duration)
            return SpanEnergy(span, duration, energy, {}, dict(metrics))

    def step(self, part: float, *, t_s: float | None = None, origin: int | None = None) -> None:
        """A fraction, 0 to 1, of the current epoch is done; of the run where it has no epochs."""
        with self._lock:
            if self._epochs.counts(os.getpid() if origin is None else origin):
                at = self.now() if t_s is None else t_s
                self._waiting.append((at, self._epochs.step(part, at)))

    def when_read(self, t_s: float, then: Callable[[Instant], None]) -> None:
        """Call `then` with the energy from the start up to `t_s`, which is now or recent.

        It is called from the sampling thread, as soon as all meters have passed that instant.
        """
        with self._lock:
            self._waiting.append(
                (t_s, lambda mark: then(Instant(t_s, self._live.up_to(mark, t_s), mark)))
            )

    def metric(
        self, name: str, value: float, span: int | None = None, *, t_s: float | None = None
    ) -> None:
        """A number was logged."""
        with self._lock:
            self._metrics.append(Metric(self.now() if t_s is None else t_s, name, value, span))
            self._epochs.metric(span, name, value)

    def plan(self, epochs: int, *, origin: int | None = None) -> None:
        """The number of epochs that follow those that have begun."""
        with self._lock:
            self._epochs.plan(epochs, os.getpid() if origin is None else origin)

    def warn(self, text: str) -> None:
        """Keep a warning for readers of the recording; the same text is kept once."""
        with self._lock:
            if text not in self._warnings:
                self._warnings.append(text)

    @property
    def warnings(self) -> list[str]:
        """All warnings so far."""
        return list(self._warnings)

    @property
    def energy(self) -> Estimate | None:
        """Energy so far, up to the last reading, J."""
        with self._lock:
            return self._live.total(self.now())

    @property
    def read_s(self) -> float:
        """Seconds since the start up to which all meters were read; infinite without any."""
        return self._sampler.horizon_s()

    # --- the rounds ------------------------------------------------------------------------------

    @property
    def ending(self) -> bool:
        """Whether the run has ended and the last round is under way, or over."""
        return self._end_s is not None

    def start(self, *, threads: bool = True) -> None:
        """Start the run with its first reading, and store that, once the sink is open.

        Without threads the caller calls `tick` and `flush`.
        """
        self._writing = self._thread(self._write) if threads else None
        if self._writing is None:
            self._open_sink()
        self._opened.wait(OPEN_S)
        self._begin()
        self.tick(everything=True)
        self._begun.set()
        if threads:
            self._sampling = self._thread(self._sample)
            self._start_gauges()
        if self._writing is None:
            self._store_first()
        self._stored.wait(STORE_S)

    def _begin(self) -> None:
        """The run starts now: what came before, such as opening the sink, is no part of it."""
        waited_s = self.now()
        self.header = replace(self.header, started_at=self.header.started_at + waited_s)
        self._sampler.start_s += waited_s
        if self._gauges is not None:
            self._gauges.begin(self._sampler.start_s)

    def _thread(self, target: Callable[[], None]) -> threading.Thread | None:
        thread = threading.Thread(target=target, name=f"joulecast-{target.__name__}")
        # A training that dies must not wait for its own metering.
        thread.daemon = True
        try:
            thread.start()
        except RuntimeError as error:
            # The system gives no thread: the first and last readings remain.
            self.warn(f"only the first and last readings were taken: {error}")
            return None
        return thread

    def _start_gauges(self) -> None:
        try:
            if self._gauges is not None:
                self._gauges.start()
        except RuntimeError as error:
            self.warn(f"gauges were read only at the end: {error}")

    def _keep(self, gaps: list[Gap]) -> None:
        with self._lock:
            self._gaps += gaps

    def _sample(self) -> None:
        self._repeat(self.tick, self.header.interval_s)
        self._guarded(self._last_round)

    def _repeat(self, action: Callable[[], None], every_s: float) -> None:
        """Do it every so often, however long it takes, until the run ends."""
        due = self.clock()
        while True:
            due = max(due + every_s, self.clock())
            if self._stop.wait(max(0.0, due - self.clock())):
                return
            self._guarded(action)

    def _open_sink(self) -> None:
        self._to_sink(lambda sink: sink.open(self.header))
        self._opened.set()

    def _store_first(self) -> None:
        self._to_sink(lambda sink: sink.begin(self.header))
        self._guarded(self.flush)
        self._stored.set()

    def _write(self) -> None:
        self._open_sink()
        self._begun.wait()
        self._store_first()
        self._repeat(self.flush, FLUSH_S)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Run an action; a fault in one round must not prevent the next."""
        try:
            action()
        except Exception as error:
            self.warn(f"a fault in the recorder, which continues: {type(error).__name__}: {error}")

    def tick(self, *, everything: bool = False) -> None:
        """One round of readings."""
        if self._on_tick is not None:
            self._guarded(self._on_tick)
        readings = self._sampler.tick(everything=everything)
        if not self._abandoned:
            self._take_in(readings)

    def _last_round(self) -> None:
        if not self._abandoned:
            self._close_spans()
            self._take_in(self._sampler.tick(everything=True), last=True)
        for trouble in self._sampler.close():
            self.warn(trouble)

    def _close_spans(self) -> None:
        if self._on_tick is not None:
            self._guarded(self._on_tick)
        for span in list(self._open.values()):
            # An epoch that was broken off has no end.
            if span.kind != "epoch" or self._status is Status.FINISHED:
                self.end(span.id, t_s=self._end_s)
        # The exception that left the loop ended the run.
        if self._left is not None and self._status is not Status.FINISHED:
            left_s, epoch = self._left
            if self.now() - left_s < _LEFT_S:
                self._dirty[epoch.id] = epoch

    def _take_in(self, readings: dict[str, Reading], *, last: bool = False) -> None:
        """Add the readings of a round; after the `last` one nothing waits any longer."""
        with self._lock:
            if last and self._end_s is not None:
                self._sampler.mark_silent(self._end_s)
            gaps = self._sampler.take_gaps()
            self._gaps += gaps
            self._live.push(readings, gaps)
            horizon_s = math.inf if last else self._sampler.horizon_s()
            callbacks = self._settled(horizon_s)
            if math.isfinite(horizon_s):
                self._live.forget(horizon_s)
        for callback in callbacks:
            self._guarded(callback)

    def _settled(self, horizon_s: float) -> list[Callable[[], None]]:
        """The callbacks that wait for an instant that all meters have now passed."""
        passed = [(at, then) for at, then in self._waiting if at <= horizon_s]
        if not passed:
            return []
        self._waiting = [(at, then) for at, then in self._waiting if at > horizon_s]
        marks = self._live.marks([at for at, _ in passed])
        return [partial(then, mark) for (_, then), mark in zip(passed, marks, strict=True)]

    # --- the sink --------------------------------------------------------------------------------

    def flush(self) -> None:
        """Store everything new in the sink."""
        samples = self._sampler.take()
        if self._gauges is not None:
            samples |= self._gauges.take()
        with self._lock:
            spans, self._dirty = list(self._dirty.values()), {}
            metrics, self._metrics = self._metrics, []
            gaps, self._gaps = self._gaps, []
        self._to_sink(lambda sink: sink.flush(samples, spans, metrics, gaps))

    def _to_sink(self, action: Callable[[RecordingSink], None]) -> None:
        if self._sink is None:
            return
        try:
            action(self._sink)
        except Exception as error:
            # The training must not end because its recording cannot be stored.
            self._sink = None
            self.warn(f"the recording could not be stored: {error}")

    def stop(self, status: Status, exit_code: int | None = None) -> None:
        """Take the last reading, close what is open, and the sink. A second call does nothing.

        Waits no longer than `ANSWER_S` and its update period for a meter that does not answer, but
        as long as necessary for the sink: the end of the recording would be lost otherwise, and a
        ledger has its own time-outs.
        """
        with self._lock:
            if self._end_s is not None:
                return
            self._end_s = duration = self.now()
            self._status = status
        self._stop.set()
        if self._gauges is not None and not self._gauges.stop(duration):
            self.warn("a gauge does not answer: the last readings of gauges are missing")
        if self._sampling is None:
            self._last_round()
        else:
            self._await_last_round(self._sampling)
        if self._writing is not None:
            self._writing.join()
        self.flush()
        total = self._live.total(duration)
        footer = Footer(status, duration, exit_code, self.warnings, total, self.forecasts)
        self._to_sink(lambda sink: sink.close(footer))

    def _await_last_round(self, sampling: threading.Thread) -> None:
        while sampling.is_alive():
            sampling.join(_CHECK_S)
            domain = self._sampler.hanging()
            if domain is not None:
                self._abandoned = True
                self.warn(f"{domain}: its meter does not answer; the last readings are missing")
                self._close_spans()
                self._take_in({}, last=True)
                return
