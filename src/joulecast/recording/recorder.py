"""Makes a recording: samples the meters, takes the training's events, hands all to a sink."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..meters.base import Gauge, Meter, Reading
from ..units import Estimate
from .epochs import Answer, Epochs, RunPosition
from .gauge_reader import GaugeReader
from .live_energy import Instant, LiveEnergy
from .model import Footer, Gap, Header, Metric, RecordingSink, Span, Status
from .sampler import Sampler
from .summary import SpanEnergy

FLUSH_S = 1.0
_LOOK_S = 0.1  # how often `stop` looks whether a driver hangs


class Recorder:
    """One run under way. Implements `Events`; all methods may be called from any thread.

    `start` begins two threads: one samples, one writes, so that a slow disk never costs a sample.
    The first owns the meters, to the last reading: a driver that hangs holds up nobody else. A
    third reads the gauges, where there are some.
    `on_reached` is called from the sampling thread where an epoch begins or ends, and at steps in
    between, once the energy up to there is known.
    `on_tick` is called once a round, before the meters are read; `ending` tells the last.
    """

    def __init__(
        self,
        header: Header,
        meters: Sequence[Meter],
        sink: RecordingSink,
        clock: Callable[[], float],
        *,
        gauges: Sequence[Gauge] = (),
        on_reached: Callable[[RunPosition], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        self.header = header
        self.clock = clock
        self._sink: RecordingSink | None = sink
        self._on_tick = on_tick
        self._sampler = Sampler(meters, clock, header.interval_s)
        self._gauges = GaugeReader(gauges, clock, self._keep) if gauges else None
        self._live = LiveEnergy([meter.source for meter in meters])
        self._epochs = Epochs(header.planned_epochs, self._live, on_reached)
        self._lock = threading.RLock()  # never held while a meter or the sink is at work
        self._next_id = 1
        self._open: dict[int, Span] = {}
        self._dirty: dict[int, Span] = {}  # opened or closed since the last flush
        self._metrics: list[Metric] = []
        self._asked: list[tuple[float, Answer]] = []  # not all meters have passed that instant
        self._gaps: list[Gap] = []  # not flushed yet
        self._warnings: list[str] = []
        self._stop = threading.Event()
        self._sampling: threading.Thread | None = None
        self._writing: threading.Thread | None = None
        self._end_s: float | None = None  # set once the run ends
        self._abandoned = False  # a driver hangs: what it says later comes too late

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
        """Whether the training itself tells its epochs."""
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
            span = Span(self._next_id, parent, kind, name, at, None, index, owner)
            self._next_id += 1
            self._open[span.id] = self._dirty[span.id] = span
            if kind == "epoch":
                self._asked.append((at, self._epochs.begin(span, owner)))
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
                self._asked.append((closed.end_s, self._epochs.end(closed)))

    def add_epoch(
        self, index: int, start: Instant, end: Instant, metrics: Mapping[str, float]
    ) -> SpanEnergy:
        """An epoch that is over, told of by what the command printed; and its metrics."""
        with self._lock:
            name = f"epoch {index}"
            span = Span(self._next_id, None, "epoch", name, start.t_s, end.t_s, index, os.getpid())
            self._next_id += 1
            self._dirty[span.id] = span
            self._metrics += [Metric(end.t_s, *metric, span.id) for metric in metrics.items()]
            duration = end.t_s - start.t_s
            energy = self._live.between(start.mark, end.mark, duration)
            return SpanEnergy(span, duration, energy, {}, dict(metrics))

    def step(self, part: float, *, t_s: float | None = None, origin: int | None = None) -> None:
        """So much is done, from 0 to 1, of the epoch under way; of the run where it has none."""
        with self._lock:
            if self._epochs.counts(os.getpid() if origin is None else origin):
                at = self.now() if t_s is None else t_s
                self._asked.append((at, self._epochs.step(part, at)))

    def ask(self, t_s: float, then: Callable[[Instant], None]) -> None:
        """Call `then` with the energy from the start up to `t_s`, now or a little ago.

        From the sampling thread, as soon as all meters have passed that instant.
        """
        with self._lock:
            self._asked.append(
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
        """So many epochs are still to come, after those that have begun."""
        with self._lock:
            self._epochs.plan(epochs, os.getpid() if origin is None else origin)

    def warn(self, text: str) -> None:
        """Something the reader of the recording must know; the same text is kept once."""
        with self._lock:
            if text not in self._warnings:
                self._warnings.append(text)

    @property
    def warnings(self) -> list[str]:
        """What was warned of so far."""
        return list(self._warnings)

    @property
    def energy(self) -> Estimate | None:
        """What was used so far, up to the last reading."""
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
        """Take the first reading and begin. Without threads the caller calls `tick` and `flush`."""
        self.tick(everything=True)
        if threads:
            self._sampling = self._thread(self._sample)
            self._writing = self._thread(self._write)
            self._start_gauges()
        if self._writing is None:
            self._to_sink(lambda sink: sink.open(self.header))

    def _thread(self, target: Callable[[], None]) -> threading.Thread | None:
        thread = threading.Thread(target=target, name=f"joulecast-{target.__name__}")
        thread.daemon = True  # a training that dies must not hang on its own metering
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more: first and last readings remain
            self.warn(f"the run was not followed all along: {error}")
            return None
        return thread

    def _start_gauges(self) -> None:
        try:
            if self._gauges is not None:
                self._gauges.start()
        except RuntimeError as error:  # the system gives no more threads
            self.warn(f"the gauges were not followed all along: {error}")

    def _keep(self, gaps: list[Gap]) -> None:
        with self._lock:
            self._gaps += gaps

    def _sample(self) -> None:
        due = self.clock()
        while True:
            due = max(due + self.header.interval_s, self.clock())
            if self._stop.wait(max(0.0, due - self.clock())):
                break
            self._guarded(self.tick)
        self._guarded(self._last_round)

    def _write(self) -> None:
        self._to_sink(lambda sink: sink.open(self.header))
        while not self._stop.wait(FLUSH_S):
            self._guarded(self.flush)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Whatever goes wrong in one round, the next one comes."""
        try:
            action()
        except Exception as error:
            self.warn(f"a fault in the recorder, which goes on: {type(error).__name__}: {error}")

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
        for span in list(self._open):
            self.end(span, t_s=self._end_s)

    def _take_in(self, readings: dict[str, Reading], *, last: bool = False) -> None:
        """What a round found; after the `last` no edge waits any longer."""
        with self._lock:
            if last and self._end_s is not None:
                self._sampler.mark_silent(self._end_s)
            gaps = self._sampler.take_gaps()
            self._gaps += gaps
            self._live.push(readings, gaps)
            horizon_s = math.inf if last else self._sampler.horizon_s()
            answers = self._settled(horizon_s)
            if math.isfinite(horizon_s):
                self._live.forget(horizon_s)
        for answer in answers:
            self._guarded(answer)

    def _settled(self, horizon_s: float) -> list[Callable[[], None]]:
        """Those who asked for an instant that all meters have now passed, ready to be told."""
        known = [(at, then) for at, then in self._asked if at <= horizon_s]
        if not known:
            return []
        self._asked = [(at, then) for at, then in self._asked if at > horizon_s]
        marks = self._live.marks([at for at, _ in known])
        return [partial(then, mark) for (_, then), mark in zip(known, marks, strict=True)]

    # --- the sink --------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hand all that is new to the sink."""
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
        except Exception as error:  # the training must not stop because its record does
            self._sink = None
            self.warn(f"the recording could not be stored: {error}")

    def stop(self, status: Status, exit_code: int | None = None) -> None:
        """Take the last reading, close what is open, and the sink. A second call does nothing.

        A meter that does not answer is waited for no longer than `ANSWER_S` and its own update
        period. The sink is waited for as long as it takes: giving up on it would lose the end of
        the recording, and a ledger has time-outs of its own.
        """
        with self._lock:
            if self._end_s is not None:
                return
            self._end_s = duration = self.now()
        self._stop.set()
        # Before the meters: some gauges ask through a session that their GPU's meter holds.
        if self._gauges is not None and not self._gauges.stop(duration):
            self.warn("a gauge does not answer: the last readings of gauges are missing")
        if self._sampling is None:
            self._last_round()
        else:
            self._await_last_round(self._sampling)
        if self._writing is not None:
            self._writing.join()
        self.flush()
        footer = Footer(status, duration, exit_code, self.warnings, self._live.total(duration))
        self._to_sink(lambda sink: sink.close(footer))

    def _await_last_round(self, sampling: threading.Thread) -> None:
        while sampling.is_alive():
            sampling.join(_LOOK_S)
            domain = self._sampler.hanging()
            if domain is not None:
                self._abandoned = True
                self.warn(f"{domain}: its meter does not answer; the last readings are missing")
                self._close_spans()
                self._take_in({}, last=True)
                return
