"""Works on a study: takes one trial after the other, until none is left or a limit is reached.

Any number of runners may work on one study, on any machines that share its ledger.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LedgerError
from ...ledger import claims, studies
from ...ledger.liveness import this_process
from ...recording.summary import summarize
from ...run.run_state import RunState
from ...units import Estimate, format_duration, format_quantity
from .. import entry
from ..model import Level, Study, Trial, TrialStatus
from ..results import figures_of
from ..stored_plan import trial_of
from .attempt import Attempt, Watcher, attempt
from .claimed import Claimed
from .conditions import cool_down, gpu_temperatures
from .expected import Expected
from .outcome import End, Outcome
from .progress import Ended, Listener, Progress, Silent

if TYPE_CHECKING:
    from ...ledger import Ledger
    from ...ledger.studies import StoredTrial

_WARM_UPS = 3  # configurations that are tried, should one fail
_PATIENCE_S = 10.0  # meters that have told no energy by then will hardly do so


@dataclass(slots=True)
class Around:
    """The world a runner works in; tests hand in their own."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stop: threading.Event = field(default_factory=threading.Event)
    listener: Listener = field(default_factory=Silent)
    temperatures: Callable[[], list[float] | None] | None = None
    root: Path = Path("/")
    verbose: bool = False


class Runner:
    """One runner's work on one study, whose plan is in the ledger."""

    def __init__(self, ledger: Ledger, study: Study, folder: Path, around: Around) -> None:
        self._ledger, self._study, self._folder, self._around = ledger, study, folder, around
        self._me = this_process()
        self._ended: list[Ended] = []
        self._said: list[str] = []
        self._expected = Expected()
        self._counts: dict[TrialStatus, int] = {}
        self._pending: list[StoredTrial] = []
        self._spent = (0.0, 0.0)

    def run(self) -> Outcome:
        """Until none is left, a limit is reached, or it is told to stop."""
        self._compare_code()
        cold, first = self._study.conditions.warm_up_s > 0, True
        while True:
            end = self._before_next()
            if end is None and not first:
                end = self._rest()
            if end is None and cold:
                cold, end = False, self._warm_up()
            if end is None:
                row = claims.claim(self._ledger, self._study.name, self._me)
                if row is None:  # other runners took what was left
                    continue
                first, end = False, self._run(row)
            if end is not None:
                self._look()
                return self._outcome(end)

    # before a trial

    def _take_back(self) -> None:
        """What runners have left behind that are gone: there may be nobody else to do it."""
        for lost in claims.reclaim(self._ledger, self._study.name):
            self._say(f"trial {lost.trial_id} was interrupted on {lost.host}: it is run again")
            if lost.run_id is not None:
                with suppress(LedgerError):  # its recording never came into the ledger
                    summary = summarize(self._ledger.load(lost.run_id))
                    self._spend(summary.total, summary.duration_s)

    def _compare_code(self) -> None:
        known = studies.load(self._ledger, self._study.name)
        if known.code != entry.code_of(self._study, self._folder):
            file = entry.place(self._study, self._folder)[0].name
            self._say(f"{file} has changed since the study was planned: trials may not compare")

    def _before_next(self) -> End | None:
        """Why no other is started, or None."""
        self._take_back()
        self._look()
        if not self._pending:
            running = self._counts.get(TrialStatus.RUNNING, 0)
            return End.ELSEWHERE if running else self._limit_passed() or End.COMPLETE
        if self._around.stop.is_set():
            return End.STOPPED
        return self._limit(self._pending[0].factors)

    def _look(self) -> list[StoredTrial]:
        """At what the ledger knows: other runners may have been at work. All trials."""
        rows = studies.trials(self._ledger, self._study.name)
        self._counts = {}
        for row in rows:
            status = TrialStatus(row.status)
            self._counts[status] = self._counts.get(status, 0) + 1
        self._pending = [row for row in rows if row.status == TrialStatus.PENDING]
        self._spent = studies.spent(self._ledger, self._study.name)
        self._expected.learn(rows, self._spent)
        return rows

    def _limit_passed(self) -> End | None:
        """The limit that all of it together has passed."""
        study, (energy_j, duration_s) = self._study, self._spent
        if study.max_energy_j is not None and energy_j > study.max_energy_j:
            return End.ENERGY
        if study.max_duration_s is not None and duration_s > study.max_duration_s:
            return End.DURATION
        return None

    def _limit(self, factors: Mapping[str, Level]) -> End | None:
        """The limit that is reached, or that the next trial is expected to pass."""
        study, (energy_j, duration_s) = self._study, self._spent
        if study.max_energy_j is not None:
            left = study.max_energy_j - energy_j
            if left <= 0 or (self._expected.energy_of(factors) or 0.0) > left:
                return End.ENERGY
        if study.max_duration_s is not None:
            left = study.max_duration_s - duration_s
            if left <= 0 or (self._expected.duration_of(factors) or 0.0) > left:
                return End.DURATION
        return None

    def _rest(self) -> End | None:
        conditions = self._study.conditions
        if not conditions.cool_down_s and conditions.cool_to_c is None:
            return None
        self._show("cooling down")
        read = self._around.temperatures or (lambda: gpu_temperatures(self._around.env))
        wait = self._around.stop.wait
        self._expected.rested(cool_down(conditions, read, wait, self._say))
        return self._before_next()

    def _warm_up(self) -> End | None:
        """The next trial's work for as long as is asked, thrown away."""
        length_s = self._study.conditions.warm_up_s
        until = time.monotonic() + length_s

        def stops(seen: RunState | None) -> str | None:
            if self._around.stop.is_set():
                return "the user stopped the study"
            return "it was the warm-up" if time.monotonic() >= until else None

        tags = {"warm_up": self._study.name}  # `study` finds the trials alone
        different = {trial.configuration: trial for trial in map(trial_of, self._pending)}
        for name, trial in itertools.islice(different.items(), _WARM_UPS):
            length = format_duration(max(0.0, round(until - time.monotonic(), 1)))
            self._say(f"warming up for {length} with {name}: no part of the results")
            failed = None
            while failed is None and stops(None) is None:
                result = self._attempt(trial, tags, "warming up", stops, lambda run_id: None)
                self._spend(result.energy, result.duration_s)
                if result.status not in (None, TrialStatus.FINISHED):
                    failed = result.error
            if failed is None:
                break
            self._say(f"the warm-up with {name} failed: {failed}")
        return self._before_next()

    # a trial

    def _run(self, row: StoredTrial) -> End | None:
        """Runs it; why no other is started, or None."""
        trial, study = trial_of(row), self._study
        limit: list[End] = []

        def stops(seen: RunState | None) -> str | None:
            if self._around.stop.is_set():
                return "the user stopped the study"
            if claimed.lost.is_set():
                return "another runner has taken the trial over"
            if seen is not None and (passed := self._passed(seen)) is not None:
                limit[:] = [passed]
                return f"the study's {passed} was reached"
            return None

        tags = {
            "study": study.name,
            "trial": trial.trial_id,
            "repetition": str(trial.repetition),
            "seed": str(trial.seed),
        }
        claimed = Claimed(self._ledger, study.name, trial.trial_id, self._me, self._say)
        with claimed:
            began = time.monotonic()
            result = self._attempt(trial, tags, "running", stops, claimed.began)
            self._expected.took(time.monotonic() - began, result.duration_s or 0.0)
            if result.status is not None:
                kept = claimed.keep(result, figures_of(result.summary))
            else:
                kept = claimed.give_back()
                if kept:  # who takes a trial over counts what was recorded of it
                    self._spend(result.energy, result.duration_s)
        if not kept:
            self._say(f"trial {trial.trial_id} was taken over by another runner: not counted here")
        elif result.status is not None:
            self._tell(trial, result)
        elif limit:
            return limit[0]
        return None

    def _passed(self, seen: RunState) -> End | None:
        """The limit that the trial under way has reached."""
        study, (spent_j, spent_s) = self._study, self._spent
        if study.max_energy_j is not None:
            if seen.energy is None and seen.t_s > _PATIENCE_S:
                self._say("the limit on energy cannot be kept: no energy is measured")
            if seen.energy is not None and spent_j + seen.energy.value >= study.max_energy_j:
                return End.ENERGY
        if study.max_duration_s is not None and spent_s + seen.t_s >= study.max_duration_s:
            return End.DURATION
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
        output = self._around.listener.output if self._around.verbose else None
        where = self._ledger.location.url or self._ledger.location.path
        watcher = Watcher(
            stops, began, lambda seen: self._show(phase, trial, seen), self._say, output
        )
        return attempt(
            self._study,
            trial.factors,
            trial.seed,
            tags=tags,
            folder=self._folder,
            ledger=where,
            env=self._around.env,
            watcher=watcher,
            root=self._around.root,
        )

    def _spend(self, energy: Estimate | None, duration_s: float | None) -> None:
        """What is in no result counts for the limits all the same."""
        joules = 0.0
        if energy is not None:
            joules = energy.value
            self._expected.metered(energy)
        studies.add_spent(self._ledger, self._study.name, joules, duration_s or 0.0)

    # words

    def _tell(self, trial: Trial, result: Attempt) -> None:
        summary, quality = result.summary, self._study.quality
        metrics = {} if summary is None else dict(summary.metrics)
        if result.status is TrialStatus.FINISHED and quality is not None and quality not in metrics:
            there = ", ".join(sorted(metrics)) or "none"
            self._say(f"{quality} was not logged by {trial.configuration} (metrics: {there})")
        trial = replace(
            trial,
            status=result.status or TrialStatus.PENDING,
            run_id=result.run_id,
            error=result.error,
            ended_at=next(r.ended_at for r in self._look() if r.trial_id == trial.trial_id),
        )
        ended = Ended(trial, result.energy, result.duration_s, metrics)
        self._ended.append(ended)
        self._around.listener.ended(ended, self._progress("running"))

    def _show(self, phase: str, trial: Trial | None = None, seen: RunState | None = None) -> None:
        self._around.listener.progress(self._progress(phase, trial, seen))

    def _progress(
        self, phase: str, trial: Trial | None = None, seen: RunState | None = None
    ) -> Progress:
        mine = (trial, seen) if phase == "running" else (None, None)  # a warm-up is no trial
        return Progress(
            name=self._study.name,
            counts=dict(self._counts),
            phase=phase,
            trial=trial,
            seen=seen,
            energy=self._expected.energy(*mine),
            left=self._expected.left(*mine),
        )

    def _say(self, text: str) -> None:
        """Once: what is wrong with one trial as a rule is with all."""
        if text not in self._said:
            self._said.append(text)
            self._around.listener.say(text)

    def _outcome(self, end: End) -> Outcome:
        waiting = len(self._pending)
        left = f"{waiting} {'trial is' if waiting == 1 else 'trials are'} left"
        study, running = self._study, self._counts.get(TrialStatus.RUNNING, 0)
        text = {
            End.COMPLETE: "all trials are over",
            End.ELSEWHERE: f"nothing is left to start: {running} still at other runners",
            End.STOPPED: f"stopped: {left}",
        }.get(end)
        if text is None:
            energy = end is End.ENERGY
            of = (study.max_energy_j if energy else study.max_duration_s) or 0.0
            spent, unit = self._spent[0 if energy else 1], "J" if energy else "s"
            limit, used = format_quantity(of, unit), format_quantity(spent, unit)
            if not waiting:
                text = f"all trials are over, and passed the {end} of {limit} ({used} used)"
            else:
                how = "is reached" if spent >= of else "would be passed by the next trial"
                text = f"the {end} of {limit} {how} ({used} used): {left}; raise it in the plan, "
                text += "then go on"
        return Outcome(
            study=study,
            end=end,
            text=text,
            ended=tuple(self._ended),
            counts=dict(self._counts),
            energy_j=self._expected.spent_j,
            spent=self._expected.spent(),
            duration_s=self._spent[1],
            notes=tuple(self._said),
        )
