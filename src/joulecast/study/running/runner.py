"""Works on a study: runs one trial after the other, until none is pending or a limit is reached.

Any number of runners may work on one study, on any machines that share its ledger.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LedgerError
from ...estimate import Estimate
from ...ledger import claims, studies
from ...ledger.liveness import this_process
from ...ledger.study_model import Level, Study, Trial, TrialStatus, counts_by_status
from ...recording.summary import summarize
from ...run.run_state import RunState
from ...units import format_duration, format_quantity
from .. import entry
from ..results import figures_of
from .attempt import Attempt, AttemptHooks, attempt
from .cool_down import cool_down, gpu_temperatures
from .leftovers import end_leftovers
from .study_forecast import StudyForecast
from .study_progress import EndedTrial, StudyListener, StudyProgress
from .study_run import EndReason, StudyRun
from .trial_claim import TrialClaim
from .trial_spec import TrialSpec

if TYPE_CHECKING:
    from ...ledger import Ledger

# Configurations that are tried for the warm-up, should one fail.
_WARM_UPS = 3
# A run without energy after so long will probably have none.
_NO_ENERGY_S = 10.0
_STOPPED_BY_USER = "the user stopped the study"


@dataclass(slots=True)
class RunnerContext:
    """What surrounds a runner; tests pass their own.

    Attributes:
        env: the environment of trials.
        stop: ends the study in order once it is set.
        listener: receives what happens.
        temperatures: of the GPUs, degrees Celsius; None: read by NVML.
        root: of the system's files.
        verbose: whether the listener receives what trials print.
    """

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stop: threading.Event = field(default_factory=threading.Event)
    listener: StudyListener = field(default_factory=StudyListener)
    temperatures: Callable[[], list[float] | None] | None = None
    root: Path = Path("/")
    verbose: bool = False


class Runner:
    """One runner's work on one study, whose plan is in the ledger."""

    def __init__(self, ledger: Ledger, study: Study, folder: Path, context: RunnerContext) -> None:
        self._ledger, self._study, self._folder, self._context = ledger, study, folder, context
        self._me = this_process()
        self._ended: list[EndedTrial] = []
        self._messages: list[str] = []
        self._forecast = StudyForecast()
        self._counts: dict[TrialStatus, int] = {}
        self._pending: list[Trial] = []
        # Joules and seconds of all runs of the study so far.
        self._used = (0.0, 0.0)

    def run(self) -> StudyRun:
        """Run trials until none is pending, a limit is reached, or the study is stopped."""
        self._compare_code()
        if (ended := end_leftovers()) > 0:
            self._send_once(f"processes that a killed runner had left were ended: {ended}")
        cold, first = self._study.conditions.warm_up_s > 0, True
        while True:
            end = self._before_next()
            if end is None and not first:
                end = self._pause()
            if end is None and cold:
                cold, end = False, self._warm_up()
            if end is None:
                trial = claims.claim(self._ledger, self._study.name, self._me)
                # Other runners may have taken the last ones.
                if trial is None:
                    continue
                first, end = False, self._run(trial)
            if end is not None:
                self._update()
                return self._result(end)

    # before a trial

    def _take_back(self) -> None:
        """Make trials of runners that are gone pending again: no other process does it."""
        for lost in claims.reclaim(self._ledger, self._study.name):
            self._send_once(
                f"trial {lost.trial_id} was interrupted on {lost.host}: it is run again"
            )
            if lost.run_id is not None:
                # The recording may never have reached the ledger.
                with suppress(LedgerError):
                    summary = summarize(self._ledger.load(lost.run_id))
                    self._add_used(summary.total, summary.duration_s)

    def _compare_code(self) -> None:
        planned = studies.load(self._ledger, self._study.name)
        if planned.code != entry.code_of(self._study, self._folder):
            file = entry.place(self._study, self._folder)[0].name
            self._send_once(
                f"{file} has changed since the study was planned: trials may not compare"
            )

    def _before_next(self) -> EndReason | None:
        """Why no other trial is started, or None."""
        self._take_back()
        self._update()
        if not self._pending:
            running = self._counts.get(TrialStatus.RUNNING, 0)
            return EndReason.ELSEWHERE if running else self._limit_passed() or EndReason.COMPLETE
        if self._context.stop.is_set():
            return EndReason.STOPPED
        return self._next_limit(self._pending[0].factors)

    def _update(self) -> list[Trial]:
        """Read all trials from the ledger: other runners may work on them, too."""
        trials = studies.trials(self._ledger, self._study.name)
        self._counts = counts_by_status(trials)
        self._pending = [trial for trial in trials if trial.status is TrialStatus.PENDING]
        self._used = studies.used(self._ledger, self._study.name)
        self._forecast.update(trials, self._used[0])
        return trials

    def _limits(self) -> list[tuple[EndReason, float, float]]:
        """The limits of the plan, each with its value and what was used of it."""
        limits = (
            (EndReason.ENERGY, self._study.max_energy_j, self._used[0]),
            (EndReason.DURATION, self._study.max_duration_s, self._used[1]),
        )
        return [(end, limit, used) for end, limit, used in limits if limit is not None]

    def _limit_passed(self) -> EndReason | None:
        """The limit that all runs together have passed."""
        return next((end for end, limit, used in self._limits() if used > limit), None)

    def _next_limit(self, factors: Mapping[str, Level]) -> EndReason | None:
        """The limit that is reached, or that the next trial is expected to pass."""
        expected = {
            EndReason.ENERGY: self._forecast.energy_of,
            EndReason.DURATION: self._forecast.duration_of,
        }
        for end, limit, used in self._limits():
            if used >= limit or used + (expected[end](factors) or 0.0) > limit:
                return end
        return None

    def _pause(self) -> EndReason | None:
        conditions = self._study.conditions
        if not conditions.cool_down_s and conditions.cool_to_c is None:
            return None
        self._show("cooling down")
        read = self._context.temperatures or (lambda: gpu_temperatures(self._context.env))
        self._forecast.add_pause(
            cool_down(conditions, read, self._context.stop.wait, self._send_once)
        )
        return self._before_next()

    def _warm_up(self) -> EndReason | None:
        """Run the next trial for as long as the plan asks, without keeping its result."""
        until = time.monotonic() + self._study.conditions.warm_up_s

        def stops(_: RunState | None) -> str | None:
            if self._context.stop.is_set():
                return _STOPPED_BY_USER
            return "it was the warm-up" if time.monotonic() >= until else None

        # Not tagged as `study`, so that this tag selects the trials only.
        tags = {"warm_up": self._study.name}
        candidates = {trial.configuration: trial for trial in self._pending}
        for name, trial in itertools.islice(candidates.items(), _WARM_UPS):
            length = format_duration(max(0.0, round(until - time.monotonic(), 1)))
            self._send_once(f"warming up for {length} with {name}: no part of the results")
            failed = None
            while failed is None and stops(None) is None:
                result = self._attempt(trial, tags, "warming up", stops, lambda run_id: None)
                self._add_used(result.energy, result.duration_s)
                if result.status not in (None, TrialStatus.FINISHED):
                    failed = result.error
            if failed is None:
                break
            self._send_once(f"the warm-up with {name} failed: {failed}")
        return self._before_next()

    # a trial

    def _run(self, trial: Trial) -> EndReason | None:
        """Run a claimed trial; returns why no other is started, or None."""
        study = self._study
        reached: EndReason | None = None
        claim = TrialClaim(self._ledger, study.name, trial.trial_id, self._me, self._send_once)

        def stops(run: RunState | None) -> str | None:
            nonlocal reached
            if self._context.stop.is_set():
                return _STOPPED_BY_USER
            if claim.lost.is_set():
                return "another runner has taken the trial over"
            reached = None if run is None else self._limit_reached(run)
            return None if reached is None else f"the study's {reached} was reached"

        tags = {
            "study": study.name,
            "trial": trial.trial_id,
            "repetition": str(trial.repetition),
            "seed": str(trial.seed),
        }
        with claim:
            began = time.monotonic()
            result = self._attempt(trial, tags, "running", stops, claim.began)
            self._forecast.add_trial(time.monotonic() - began, result.duration_s or 0.0)
            if result.status is not None:
                kept = claim.keep(result, figures_of(result.summary))
            else:
                kept = claim.give_back()
                # A runner that takes a trial over counts what was recorded of it.
                if kept:
                    self._add_used(result.energy, result.duration_s)
        if not kept:
            self._send_once(
                f"trial {trial.trial_id} was taken over by another runner: not counted here"
            )
        elif result.status is not None:
            self._report(trial, result)
        else:
            return reached
        return None

    def _limit_reached(self, run: RunState) -> EndReason | None:
        """The limit that the running trial has reached."""
        used_here = {
            EndReason.ENERGY: None if run.energy is None else run.energy.value,
            EndReason.DURATION: run.t_s,
        }
        for end, limit, used in self._limits():
            here = used_here[end]
            if here is None and run.t_s > _NO_ENERGY_S:
                self._send_once("the energy limit has no effect: no energy is measured")
            if here is not None and used + here >= limit:
                return end
        return None

    def _attempt(
        self,
        trial: Trial,
        tags: Mapping[str, str],
        phase: str,
        stops: Callable[[RunState | None], str | None],
        began: Callable[[str], None],
    ) -> Attempt:
        self._show(phase, trial)
        context = self._context
        hooks = AttemptHooks(
            stops=stops,
            began=began,
            state=lambda run: self._show(phase, trial, run),
            message=self._send_once,
            output=context.listener.output if context.verbose else None,
        )
        return attempt(
            TrialSpec.of(self._study, trial.factors, trial.seed, self._folder),
            self._study.entry,
            tags=tags,
            folder=self._folder,
            ledger=self._ledger.location.url or self._ledger.location.path,
            env=context.env,
            hooks=hooks,
            root=context.root,
        )

    def _add_used(self, energy: Estimate | None, duration_s: float | None) -> None:
        """Count a run for the limits that is in no result."""
        if energy is not None:
            self._forecast.add_attempt(energy)
        energy_j = 0.0 if energy is None else energy.value
        studies.add_used(self._ledger, self._study.name, energy_j, duration_s or 0.0)

    # messages

    def _report(self, trial: Trial, result: Attempt) -> None:
        """Report a trial that has a result."""
        summary, quality = result.summary, self._study.quality
        metrics = {} if summary is None else dict(summary.metrics)
        if result.status is TrialStatus.FINISHED and quality is not None and quality not in metrics:
            names = ", ".join(sorted(metrics)) or "none"
            self._send_once(f"{quality} was not logged by {trial.configuration} (metrics: {names})")
        stored = next(t for t in self._update() if t.trial_id == trial.trial_id)
        ended = EndedTrial(stored, metrics)
        self._ended.append(ended)
        self._context.listener.ended(ended, self._progress("running"))

    def _show(self, phase: str, trial: Trial | None = None, run: RunState | None = None) -> None:
        self._context.listener.progress(self._progress(phase, trial, run))

    def _progress(
        self, phase: str, trial: Trial | None = None, run: RunState | None = None
    ) -> StudyProgress:
        # A warm-up is no trial of which results are expected.
        counted = (trial, run) if phase == "running" else (None, None)
        return StudyProgress(
            name=self._study.name,
            counts=dict(self._counts),
            phase=phase,
            trial=trial,
            run=run,
            energy=self._forecast.energy(*counted),
            remaining=self._forecast.remaining(*counted),
        )

    def _send_once(self, text: str) -> None:
        """Send a message once: a problem of one trial usually is one of all."""
        if text not in self._messages:
            self._messages.append(text)
            self._context.listener.message(text)

    def _result(self, end: EndReason) -> StudyRun:
        return StudyRun(
            name=self._study.name,
            ended=end,
            text=self._end_text(end),
            counts=dict(self._counts),
            energy=self._forecast.used(),
            energy_j=self._forecast.used_j,
            duration_s=self._used[1],
            trials=tuple(self._ended),
            notes=tuple(self._messages),
        )

    def _end_text(self, end: EndReason) -> str:
        """Why the runner ended, for people."""
        waiting = len(self._pending)
        pending = f"{waiting} {'trial is' if waiting == 1 else 'trials are'} pending"
        if end is EndReason.COMPLETE:
            return "all trials are over"
        if end is EndReason.ELSEWHERE:
            running = self._counts.get(TrialStatus.RUNNING, 0)
            return f"no trial is pending: {running} still at other runners"
        if end is EndReason.STOPPED:
            return f"stopped: {pending}"
        limit, used = next((limit, used) for e, limit, used in self._limits() if e is end)
        unit = "J" if end is EndReason.ENERGY else "s"
        named = f"the {end} of {format_quantity(limit, unit)}"
        so_far = f"({format_quantity(used, unit)} used)"
        if not waiting:
            return f"all trials are over, and passed {named} {so_far}"
        how = "is reached" if used >= limit else "would be passed by the next trial"
        return f"{named} {how} {so_far}: {pending}; raise it in the plan, then resume"
