"""Follows a run while it goes on: its progress, the forecast of the whole, and its budget."""

import math
import threading
from collections.abc import Callable, Sequence
from functools import partial

from ..estimate import Estimate, format_estimate
from ..forecasting.base import History
from ..forecasting.online.forecaster import Online
from ..recording.epochs import OWN, RunPosition
from ..recording.live_energy import Instant
from ..recording.made_forecasts import ForecastRecord, keep
from ..recording.recorder import Recorder
from ..recording.summary import SpanEnergy
from ..units import format_duration
from .budget import Action
from .budget_watch import BudgetWatch, goes_on
from .output_progress import OutputProgress
from .power_progress import PowerProgress
from .run_options import RunOptions
from .run_state import RunEstimator, RunState

POLL_S = 0.5
# Epochs by which the metric of early stopping should have been logged.
_METRIC_BY = 2
# Parts of a run whose epochs are not known, after each of which its state is printed.
_PARTS = 4
# Parts after each of which its forecast is recorded.
_KEPT_PARTS = 20
NO_PROGRESS = "no progress was found in its output: describe it with --progress-pattern"


class ProgressMonitor:
    """Follows the progress of one run and reports what is new.

    Args:
        options: how the run is recorded.
        recorder: of the run; calls `update` and `poll`.
        notify: is given one line for people at a time.
        show: is given the state of the run and of its budget, about twice a second.
        on_exceeded: is called once, from the recorder's thread, when the budget is exceeded and
            the run is to stop.

    Raises:
        UsageError: the progress pattern is not valid.
    """

    def __init__(
        self,
        options: RunOptions,
        recorder: Recorder,
        notify: Callable[[str], None],
        show: Callable[[RunState, str | None], None] | None = None,
        on_exceeded: Callable[[], None] | None = None,
    ) -> None:
        self._recorder, self._notify, self._show = recorder, notify, show
        self._live, self._on_exceeded = options.live, on_exceeded
        self._estimator = RunEstimator(Online, options.epochs, options.early_stopping)
        self._output = OutputProgress(recorder, self.update, options.epochs, options.pattern)
        self._power = (
            PowerProgress(options.epochs) if options.epochs and options.reads_output else None
        )
        # Messages that the user has read already; they are among the recording's warnings, too.
        self.messages: list[str] = []
        self._budget = None
        if options.budget is not None:
            metered = bool(recorder.header.sources)
            self._budget = BudgetWatch(options.budget, metered=metered)
            for note in options.budget.notes:
                self._warn(note)
        # `check_budget` is called by the training's thread, `poll` by the recorder's.
        self._checking = threading.Lock()
        self.active = options.live or self._budget is not None or show is not None
        self._next_s = 0.0
        # Of loops that started again; of epochs in this one.
        self._count = self._epochs = 0
        self._recorded = False
        self._rule = options.early_stopping
        self._metrics: set[str] = set()
        self.source: str | None = None
        """Where the progress comes from, in words; None while there is none."""
        self.remark: str | None = None
        """Why no epochs were recorded, where the output was read for them; known at the end."""
        self._reads, self._concluded = options.reads_output, False
        # The part of a run without epochs that is done, in `_PARTS`.
        self._part = 0
        # The part in `_KEPT_PARTS` of which the forecast is recorded.
        self._kept = 0

    def update(self, position: RunPosition) -> None:
        """The run is at a position, by its training, its output, or its power."""
        self.source = position.source
        if position.count != self._count:
            self._count, self._epochs = position.count, 0
        self._estimator.update(position)
        self._keep_forecast(position)
        if position.epoch is not None:
            self._epochs += 1
            self._recorded = True
            self._check_metric(position.epoch)
            # Epochs read from elsewhere are less certain than those that a training reports.
            if position.source != OWN:
                self._note(f"its epochs were read from {position.source}")
            if self._live:
                self._notify(self._epoch_line(position.epoch))
        elif self._live and position.source != OWN and not self._epochs and position.planned:
            self._print_part(position.done / position.planned)

    def _keep_forecast(self, position: RunPosition) -> None:
        """Record the forecast after each epoch and each twentieth of the run."""
        part = math.floor(_KEPT_PARTS * position.done / position.planned) if position.planned else 0
        if position.epoch is None and part <= self._kept:
            return
        self._kept = part
        made = self._estimator.made()
        if made is not None:
            keep(self._recorder.forecasts, made)

    def _print_part(self, done: float) -> None:
        """A line for each quarter of a run whose epochs are not known."""
        part = math.floor(_PARTS * done + 1e-9)
        if self._part < part < _PARTS:
            state = self.state()
            energy = format_estimate(state.energy, short=True) if state.energy else "not measured"
            self._notify(f"{100 * done:.0f} % done: {energy}{self._forecast_text(state)}")
        self._part = part

    def _conclude(self, _: Instant) -> None:
        """What is said about the progress agrees with the epochs that were recorded."""
        if self._reads and self.source is None:
            self.remark = self._why_unknown()
        elif self._reads and self.source != OWN and not self._recorded:
            self.remark = f"its progress was read from {self.source}; no epochs were recorded"
        if self.remark is not None:
            self._note(self.remark)

    def _why_unknown(self) -> str:
        if self._output.steps is None:
            return NO_PROGRESS
        last, per_s = self._output.steps
        return (
            f"its output counts {last:,.0f} steps, {per_s:.3g} per second, and no total: a line "
            "'max_iters = N' before them, or an option --max_iters=N of the command, allows a "
            "forecast"
        )

    def _note(self, text: str) -> None:
        """A warning of the recording that the summary prints in its own words."""
        if text not in self.messages:
            self.messages.append(text)
            self._recorder.warn(text)

    def _check_metric(self, epoch: SpanEnergy) -> None:
        """Warn of an early stopping rule whose metric is not logged: a misspelt name."""
        rule = self._rule
        if rule is None or self._epochs > _METRIC_BY:
            return
        self._metrics |= set(epoch.metrics)
        if self._epochs == _METRIC_BY and rule.metric not in self._metrics:
            logged = ", ".join(sorted(self._metrics)) or "none"
            self._warn(f"early stopping: {rule.metric} was not logged yet (metrics: {logged})")

    def use_record(self, record: ForecastRecord | None) -> None:
        """Make intervals as wide as the record of earlier runs asks."""
        if record is not None:
            self._estimator.width = record.width

    def use_histories(self, histories: Sequence[History]) -> None:
        """Use past runs in the forecast."""
        if histories:
            self._estimator.replace_forecaster(partial(Online, histories))

    def read_output(self, stream: int, data: bytes, t: float) -> None:
        """The command wrote `data` to descriptor `stream`, at the clock's time `t`."""
        self._output.feed(stream, data, t)

    def finish(self, *, succeeded: bool = True) -> None:
        """The command has ended: its last epoch is complete where it `succeeded`."""
        self._output.finish(succeeded=succeeded)

    def poll(self) -> None:
        """Called before each round of readings; acts every `POLL_S`, and at the end."""
        now = self._recorder.now()
        self._output.settle()
        self._poll_power(now)
        ending = self._recorder.ending
        if ending and not self._concluded:
            self._concluded = True
            # After the last epochs, which wait for the last readings.
            self._recorder.when_read(now, self._conclude)
        if not self.active or (now < self._next_s and not ending):
            return
        self._next_s = now + POLL_S
        state = self.state()
        self._update_budget(state)
        if self._show is not None and not ending:
            self._show(state, self._budget_text(state.energy))

    def _poll_power(self, now: float) -> None:
        if self._power is not None and self.source in (None, self._power.source):
            for position in self._power.push(now, self._recorder.energy):
                self.update(position)

    def state(self) -> RunState:
        """The state of the run now."""
        recorder = self._recorder
        now = recorder.now()
        return self._estimator.state(now, recorder.energy, min(now, recorder.read_s))

    # --- the budget ------------------------------------------------------------------------------

    def check_budget(self) -> None:
        """Called at the end of an epoch. Raises `BudgetExceeded` where the run is to stop."""
        if self._budget is None:
            return
        state = self.state()
        self._update_budget(state)
        exceeded = self._budget.exceeded(state.energy, state.total_energy)
        if exceeded is not None and not goes_on(self._budget.budget.on_exceeded, exceeded):
            raise exceeded.error()

    def _update_budget(self, state: RunState) -> None:
        if self._budget is None:
            return
        with self._checking:
            status = self._budget.update(state.t_s, state.energy, state.total_energy)
        if status is None:
            return
        self._warn(status.text)
        exceeded = status.action is Action.EXCEEDED
        if exceeded and self._on_exceeded and status.budget.on_exceeded == "stop":
            self._on_exceeded()

    def _budget_text(self, energy: Estimate | None) -> str | None:
        if self._budget is None or energy is None:
            return None
        budget = self._budget.budget
        return f"{100 * budget.share(energy):.0f} % of the budget of {budget}"

    # --- messages --------------------------------------------------------------------------------

    def _warn(self, text: str) -> None:
        self.messages.append(text)
        self._recorder.warn(text)
        self._notify(text)

    def _epoch_line(self, epoch: SpanEnergy) -> str:
        state = self.state()
        planned = state.planned
        # Counted from 1, as people do.
        number = self._epochs if epoch.span.index is None else epoch.span.index + 1
        of = f" of {planned + number - self._epochs:g}" if planned else ""
        energy = format_estimate(epoch.energy, short=True) if epoch.energy else "not measured"
        text = f"epoch {number}{of}: {energy} in {format_duration(epoch.duration_s)}"
        last = planned is not None and max(self._epochs, state.done or 0.0) >= planned
        return text if last else text + self._forecast_text(state)

    def _forecast_text(self, state: RunState) -> str:
        text = ""
        if state.total_energy is not None and state.planned:
            text += f"; forecast {format_estimate(state.total_energy, short=True)}"
            text += f", {format_duration(state.remaining_s or 0.0)} remaining"
        return text if state.early_stop is None else f"{text}; {state.early_stop}"
