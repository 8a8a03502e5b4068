"""Makes a recording: samples the meters, takes the training's events, hands all to a sink."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..meters.base import Meter
from ..units import Estimate
from .live import LiveEnergy, Mark
from .model import Footer, Gap, Header, Metric, Sink, Span, Status
from .sampler import Sampler
from .summary import SpanEnergy

FLUSH_S = 1.0


class Recorder:
    """One run under way. Implements `Events`; all methods may be called from any thread.

    `start` begins two threads: one samples, one writes, so that a slow disk never costs a sample.
    `on_epoch` is called from the sampling thread with each epoch, once its energy is known.
    `on_tick` is called once a round, before the meters are read.
    """

    def __init__(
        self,
        header: Header,
        meters: Sequence[Meter],
        sink: Sink,
        clock: Callable[[], float],
        *,
        on_epoch: Callable[[SpanEnergy], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        self.header = header
        self.clock = clock
        self.planned_epochs = header.planned_epochs  # of this run in all, begun or to come
        self._epochs_begun = 0
        self._epochs_of: int | None = None  # the process that began the first epoch
        self._sink: Sink | None = sink
        self._on_epoch, self._on_tick = on_epoch, on_tick
        self._sampler = Sampler(meters, clock, header.interval_s)
        self._live = LiveEnergy([meter.source for meter in meters])
        self._lock = threading.RLock()
        self._tick_lock = threading.Lock()
        self._next_id = 1
        self._open: dict[int, Span] = {}
        self._dirty: dict[int, Span] = {}  # opened or closed since the last flush
        self._metrics: list[Metric] = []
        self._epoch_metrics: dict[int, dict[str, float]] = {}
        self._marks: dict[int, Mark] = {}  # of epochs that are open
        self._edges: list[tuple[Span, bool]] = []  # epochs' edges whose energy is not known yet
        self._gaps_flushed = 0
        self._warnings: list[str] = []
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._closed = False

    # --- events ----------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the start of the run."""
        return self.clock() - self._sampler.start_s

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
                self._edges.append((span, False))
                if self._counts(owner):
                    self._epochs_of = owner
                    self._epochs_begun += 1
            return span.id

    def end(self, span: int, *, t_s: float | None = None) -> None:
        """A span closes; one that is not open is left alone."""
        with self._lock:
            opened = self._open.pop(span, None)
            if opened is None:
                return
            closed = replace(opened, end_s=max(opened.start_s, self.now() if t_s is None else t_s))
            self._dirty[span] = closed
            if closed.kind == "epoch":
                self._edges.append((closed, True))

    def metric(
        self, name: str, value: float, span: int | None = None, *, t_s: float | None = None
    ) -> None:
        """A number was logged."""
        with self._lock:
            self._metrics.append(Metric(self.now() if t_s is None else t_s, name, value, span))
            if span is not None:
                self._epoch_metrics.setdefault(span, {})[name] = value

    def plan(self, epochs: int, *, origin: int | None = None) -> None:
        """So many epochs are still to come, after those that have begun."""
        with self._lock:
            if self._counts(origin):
                self.planned_epochs = self._epochs_begun + epochs

    def _counts(self, origin: int | None) -> bool:
        """Whether a process's epochs count: ranks of one job all tell the same ones."""
        return self._epochs_of in (None, os.getpid() if origin is None else origin)

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
        return self._energy_up_to(self.now())

    def _energy_up_to(self, t_s: float) -> Estimate | None:
        with self._tick_lock:
            end = self._live.mark(t_s, self._sampler.gaps)
            start = {name: joules * 0.0 for name, joules in end.items()}
            return self._live.between(start, end, t_s)

    # --- the rounds ------------------------------------------------------------------------------

    def start(self, *, threads: bool = True) -> None:
        """Take the first reading and begin. Without threads the caller calls `tick` and `flush`."""
        self.tick(everything=True)
        if threads:
            for target in (self._sample, self._write):
                thread = threading.Thread(target=target, name=f"joulecast-{target.__name__}")
                thread.daemon = True  # a training that dies must not hang on its own metering
                thread.start()
                self._threads[target.__name__] = thread
        else:
            self._to_sink(lambda sink: sink.open(self.header))

    def _sample(self) -> None:
        due = self.clock()
        while True:
            due = max(due + self.header.interval_s, self.clock())
            if self._stop.wait(max(0.0, due - self.clock())):
                return
            self.tick()

    def _write(self) -> None:
        self._to_sink(lambda sink: sink.open(self.header))
        while not self._stop.wait(FLUSH_S):
            self.flush()

    def tick(self, *, everything: bool = False, last: bool = False) -> None:
        """One round of readings; after the `last` no edge waits any longer."""
        if self._on_tick is not None:
            self._on_tick()
        with self._tick_lock:
            readings = self._sampler.tick(everything=everything)
            self._live.push(readings, self._sampler.gaps)
            finished = self._settle_edges(math.inf if last else self._sampler.horizon_s())
        if self._on_epoch is not None:
            for epoch in finished:
                self._on_epoch(epoch)

    def _settle_edges(self, horizon_s: float) -> list[SpanEnergy]:
        """The epochs whose both edges all meters have now passed."""
        with self._lock:
            known = [e for e in self._edges if (e[0].end_s or e[0].start_s) <= horizon_s]
            self._edges = [e for e in self._edges if (e[0].end_s or e[0].start_s) > horizon_s]
        finished = []
        for span, is_end in known:
            at = span.end_s if is_end and span.end_s is not None else span.start_s
            mark = self._live.mark(at, self._sampler.gaps)
            if not is_end:
                self._marks[span.id] = mark
                continue
            start = self._marks.pop(span.id, None)
            duration = at - span.start_s
            energy = self._live.between(start, mark, duration) if start else None
            metrics = self._epoch_metrics.pop(span.id, {})
            finished.append(SpanEnergy(span, duration, energy, {}, metrics))
        return finished

    # --- the sink --------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hand all that is new to the sink."""
        with self._tick_lock, self._lock:
            samples = self._sampler.take()
            spans, self._dirty = list(self._dirty.values()), {}
            metrics, self._metrics = self._metrics, []
            gaps: list[Gap] = self._sampler.gaps[self._gaps_flushed :]
            self._gaps_flushed += len(gaps)
        self._to_sink(lambda sink: sink.flush(samples, spans, metrics, gaps))

    def _to_sink(self, action: Callable[[Sink], None]) -> None:
        if self._sink is None:
            return
        try:
            action(self._sink)
        except Exception as error:  # the training must not stop because its record does
            self._sink = None
            self.warn(f"the recording could not be stored: {error}")

    def stop(self, status: Status, exit_code: int | None = None) -> None:
        """Take the last reading, close what is open, and the sink. A second call does nothing."""
        duration = self.now()  # before anything that takes time: the run has ended
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._stop.set()
        self._join(self._sample)
        for span in list(self._open):
            self.end(span, t_s=duration)
        self.tick(everything=True, last=True)
        self._join(self._write)
        self.flush()
        total = self._energy_up_to(duration)
        footer = Footer(status, duration, exit_code, self.warnings, total)
        self._to_sink(lambda sink: sink.close(footer))
        self._sampler.close()

    def _join(self, target: Callable[[], None]) -> None:
        thread = self._threads.pop(target.__name__, None)
        if thread is not None:
            thread.join()
