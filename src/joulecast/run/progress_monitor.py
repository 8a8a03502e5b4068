"""Looks ahead while a run goes on: its progress, the forecast of all of it, and its budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from ..forecasting.base import History
from ..forecasting.online.forecaster import Online
from ..recording.epochs import OWN, RunPosition
from ..recording.recorder import Recorder
from ..recording.summary import SpanEnergy
from ..units import Estimate, format_duration, format_estimate
from .budget_watch import Action, BudgetWatch, Policy, goes_on
from .output_progress import OutputProgress
from .power_progress import PowerProgress
from .run_options import RunOptions
from .run_state import RunEstimator, RunState

LOOK_S = 0.5  # between two looks
_METRIC_BY = 2  # epochs by which the metric of early stopping should have been logged


class ProgressMonitor:
    """Told by the recorder where the run is; tells `talk` what is news, and `show` how it stands.

    `over_budget` is called once, from the recorder's thread, when the budget is spent and the
    policy is to stop.
    """

    def __init__(
        self,
        options: RunOptions,
        recorder: Recorder,
        talk: Callable[[str], None],
        show: Callable[[RunState, str | None], None] | None = None,
        over_budget: Callable[[], None] | None = None,
    ) -> None:
        """Raises `UsageError` for a progress pattern that is none."""
        self._recorder, self._talk, self._show = recorder, talk, show
        self._live, self._over_budget = options.live, over_budget
        self._outlook = RunEstimator(Online, options.epochs, options.early_stopping)
        self._printed = OutputProgress(recorder, self.reached, options.epochs, options.pattern)
        self._pulse = (
            PowerProgress(options.epochs) if options.epochs and options.reads_output else None
        )
        self._policy = options.on_budget
        self.said: list[str] = []  # of the warnings, those that were told on the way
        metered = bool(recorder.header.sources)
        self._budget = None
        if options.budget is not None:
            self._budget = BudgetWatch(options.budget, metered=metered)
            for note in options.budget.notes:
                self._tell(note)
        self._judging = threading.Lock()  # the training's thread asks at the end of an epoch
        self.active = options.live or self._budget is not None or show is not None
        self._next_s = 0.0
        self._count = self._epochs = 0  # of loops that began again; of epochs in this one
        self._rule = options.early_stopping
        self._metrics: set[str] = set()  # of the first epochs
        self.source: str | None = None  # who tells the progress, in words
        self._reads = options.reads_output

    def reached(self, place: RunPosition) -> None:
        """The run is at a place, as its training tells, or what it prints, or its power."""
        if place.source != self.source:
            self.source = place.source
            if place.source != OWN:  # its epochs are not as certain as those it would tell itself
                text = f"its epochs were read from {place.source}"
                self._recorder.warn(text)
                self.said.append(text)
        if place.count != self._count:
            self._count, self._epochs = place.count, 0
        self._outlook.reached(place)
        if place.epoch is not None:
            self._epochs += 1
            self._look_for_metric(place.epoch)
            if self._live:
                self._talk(self._epoch_line(place.epoch))

    def _look_for_metric(self, epoch: SpanEnergy) -> None:
        """Early stopping by a metric that nobody logs is never foreseen: a slip of the pen, say."""
        rule = self._rule
        if rule is None or self._epochs > _METRIC_BY:
            return
        self._metrics |= set(epoch.metrics)
        if self._epochs == _METRIC_BY and rule.metric not in self._metrics:
            there = ", ".join(sorted(self._metrics)) or "none"
            self._tell(f"early stopping: {rule.metric} was not logged yet (metrics seen: {there})")

    def learn(self, past: Sequence[History]) -> None:
        """Forecast with what past runs teach, too."""
        if past:
            self._outlook.learn(partial(Online, past))

    def output(self, stream: int, data: bytes, t: float) -> None:
        """The command wrote `data` to descriptor `stream`, at the clock's time `t`."""
        self._printed.feed(stream, data, t)

    def finish(self) -> None:
        """The command has ended well, and so has its last epoch."""
        self._printed.finish()

    def look(self) -> None:
        """Called before each round of readings; looks twice a second, and at the end."""
        now = self._recorder.now()
        self._printed.settle()
        if self._pulse is not None and self.source in (None, self._pulse.source):
            for place in self._pulse.push(now, self._recorder.energy):
                self.reached(place)
        ending = self._recorder.ending
        if not self.active or (now < self._next_s and not ending):
            return
        self._next_s = now + LOOK_S
        seen = self.snapshot()
        if self._budget is not None:
            self._judge(seen)
        if self._show is not None and not ending:
            self._show(seen, self._budget_text(seen.energy))

    def snapshot(self) -> RunState:
        """How the run stands now."""
        recorder = self._recorder
        now = recorder.now()
        return self._outlook.at(now, recorder.energy, min(now, recorder.read_s))

    @property
    def unheard(self) -> bool:
        """Whether progress was looked for, and none was found."""
        return self._reads and self.source is None

    # the budget

    def check_budget(self) -> None:
        """At the end of an epoch: raises `BudgetExceeded` where the run is not to go on."""
        if self._budget is None:
            return
        seen = self.snapshot()
        self._judge(seen)
        spent = self._budget.overspent(seen.energy, seen.total_energy)
        if spent is not None and not goes_on(self._policy, spent):
            raise spent.error()

    def _judge(self, seen: RunState) -> None:
        if self._budget is None:
            return
        with self._judging:
            news = self._budget.update(seen.t_s, seen.energy, seen.total_energy)
            if news is None:
                return
        self._tell(news.text)
        spent = news.action is Action.EXCEEDED
        if spent and self._over_budget and self._policy is Policy.STOP:
            self._over_budget()

    def _budget_text(self, energy: Estimate | None) -> str | None:
        if self._budget is None or energy is None:
            return None
        budget = self._budget.budget
        return f"{100 * budget.share(energy):.0f} % of the budget of {budget}"

    # words

    def _tell(self, text: str) -> None:
        self.said.append(text)
        self._recorder.warn(text)
        self._talk(text)

    def _epoch_line(self, epoch: SpanEnergy) -> str:
        seen = self.snapshot()
        planned = seen.planned
        of = f" ({self._epochs} of {planned:g})" if planned else ""
        energy = format_estimate(epoch.energy) if epoch.energy else "not measured"
        text = f"epoch {epoch.span.index}{of}: {energy} in {format_duration(epoch.duration_s)}"
        if seen.total_energy is not None and planned and self._epochs < planned:
            text += f"; forecast {format_estimate(seen.total_energy)}"
            text += f", {format_duration(seen.left_s or 0.0)} left"
        if seen.early is not None and not (planned and self._epochs >= planned):
            text += f"; {seen.early}"
        return text
