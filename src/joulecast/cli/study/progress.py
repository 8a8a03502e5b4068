"""A running study on stderr: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ...reports.terminal.study_progress import ended_text, now_text
from ...study.running.study_progress import EndedTrial, StudyListener, StudyProgress
from ...units import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class StudyReporter(StudyListener):
    """Prints a line for each trial that is over; on a terminal a bar below them."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def __enter__(self) -> StudyReporter:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar
            from rich.table import Column

            line = Column(no_wrap=True, overflow="ellipsis")
            self._bar = Bar(
                BarColumn(bar_width=20),
                TextColumn("{task.description}", markup=False, table_column=line),
                console=Console(stderr=True),
                transient=True,
                # It runs next to a training that is measured.
                refresh_per_second=2,
            )
            self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            # The terminal may be gone.
            with suppress(OSError, ValueError):
                self._bar.stop()
            self._bar = None

    def message(self, text: str) -> None:
        """See `StudyListener`."""
        self._line(f"joulecast: {text}")

    def ended(self, ended: EndedTrial, progress: StudyProgress) -> None:
        """See `StudyListener`."""
        self._line(ended_text(ended, progress))
        self.progress(replace(progress, trial=None, run=None, phase="between two trials"))

    def progress(self, progress: StudyProgress) -> None:
        """See `StudyListener`."""
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                total=progress.total,
                completed=progress.done,
                description=printable(now_text(progress)),
            )

    def output(self, data: bytes) -> None:
        """See `StudyListener`."""
        if self._bar is not None:
            self._line(data.decode(errors="replace").rstrip("\n"))
            return
        with suppress(OSError):
            os.write(2, data)

    def _line(self, text: str) -> None:
        text = printable(text)
        # Stderr may be closed.
        with suppress(OSError, ValueError):
            if self._bar is not None:
                self._bar.console.print(text, markup=False, highlight=False)
            else:
                click.echo(text, err=True)
