"""What the runner and the process of a trial agree on: one description of the trial's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...forecasting.early_stopping import rule as early_stopping
from ...ledger.study_model import Level, Study, level_text
from ...run.run_options import RunOptions
from ..entry import place


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """How a trial is run; sent to its process as JSON.

    Attributes:
        name: of its run.
        file: that the function is in.
        function: its name.
        factors: that it is called with.
        seed: likewise.
        epochs: planned; None: as the function chooses.
        early_stopping: the rule, as text.
    """

    name: str
    file: str
    function: str
    factors: Mapping[str, Level]
    seed: int
    epochs: int | None
    early_stopping: str | None

    @classmethod
    def of(cls, study: Study, factors: Mapping[str, Level], seed: int, folder: Path) -> TrialSpec:
        """The run of the study's function, whose file is relative to `folder`."""
        file, function = place(study, folder)
        # A factor named epochs takes precedence over the study's own.
        epochs = factors.get("epochs")
        if not isinstance(epochs, int) or isinstance(epochs, bool):
            epochs = study.epochs
        return cls(
            name=f"{study.name}/{','.join(map(level_text, factors.values()))}",
            file=str(file.absolute()),
            function=function,
            factors=dict(factors),
            seed=seed,
            epochs=epochs,
            early_stopping=study.early_stopping,
        )

    @property
    def levels(self) -> dict[str, str]:
        """The factors as texts."""
        return {factor: level_text(level) for factor, level in self.factors.items()}

    def run_options(self, **more: Any) -> RunOptions:
        """The options of its run: in the runner with `more`, which the process need not know."""
        rule = self.early_stopping
        return RunOptions(
            name=self.name,
            epochs=self.epochs,
            early_stopping=None if rule is None else early_stopping.parse(rule),
            **more,
        )
