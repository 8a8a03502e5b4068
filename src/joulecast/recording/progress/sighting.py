"""One thing seen in a run's output that may be progress: facts of the text, not yet believed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Moment(StrEnum):
    """When in an epoch a line with its number is printed."""

    START = "start"  # a header: epoch n begins
    WITHIN = "within"  # epoch n is under way
    END = "end"  # epoch n is over: its results are on the line
    COUNT = "count"  # the number counts finished epochs, and may have a fraction


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one line says. Numbers are as printed (the first epoch may be 0 or 1).

    With `epoch`, the steps are those of that epoch; without, those of some loop not known yet.
    """

    tool: str  # a key of `TOOLS`
    form: str = ""  # what tells this series of lines from others; stays the same along it
    moment: Moment = Moment.WITHIN
    epoch: float | None = None
    epochs: int | None = None
    step: float | None = None
    steps: float | None = None
    fraction: float | None = None  # of the loop, where it is printed without steps
    shape: str = ""  # the words of the line: two lines of one epoch and shape are a repetition
    metrics: Mapping[str, float] = field(default_factory=dict)


def within(s: Sighting) -> float:
    """The part of the epoch or loop that is done: below 1, since its last step is not its end."""
    if s.fraction is not None:
        return min(s.fraction, 0.995)
    if s.step is None or not s.steps:
        return 0.0
    return min(s.step, s.steps - 0.5) / s.steps


TOOLS: dict[str, str] = {
    "pattern": "the progress pattern",
    "keras": "Keras's progress",
    "lightning": "Lightning's bar",
    "transformers": "the Hugging Face Trainer's progress",
    "ultralytics": "Ultralytics's table",
    "tqdm": "tqdm's bar",
    "rich": "a rich bar",
    "epoch line": "'Epoch 3/30' lines",
    "table": "a table of epochs",
    "json": "JSON lines",
    "boosting": "boosting rounds",
    "step line": "'step 100/5000' lines",
    "percent": "percentages",
}  # in words for people

SURE = "epochs"  # the shape of a bar that counts epochs by its own words

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PAIR = re.compile(
    r"""(?<![\w./@-])["']?([A-Za-z][A-Za-z_./@-]*\d*(?:\ [A-Za-z_]+\d*)?)"""
    rf"""["']?\s*(?:[:=]\s*["']?\s*|\s)({_NUMBER})(?![\w%/:]|\.\d)"""
)
_MOST_METRICS = 32  # of one line
# What is printed beside an epoch and says nothing of its result.
_SETTINGS = re.compile(
    r"(?i)^(?:.*[ _])?(?:lr|learning.?rate|batch(?:_?size)?|epochs?|steps?|iter\w*|seed|fold|rank"
    r"|eta|time|data|gpu|mem\w*|v_num|size|instances|elapsed|speed|.*runtime|.*per_second|dur"
    r"|took|in|of|to|at|ms)$"
)


def metrics_in(text: str) -> dict[str, float]:
    """The results on a line: `loss: 0.3`, `val_acc=0.9`, `'loss': '0.3'`; no settings or times."""
    found: dict[str, float] = {}
    for match in _PAIR.finditer(text):
        words = [word for word in match[1].lower().split() if len(word) > 1 and "/s" not in word]
        name = " ".join(words).rstrip("./-")
        if name and len(found) < _MOST_METRICS and not _SETTINGS.match(name):
            found[name] = float(match[2])
    return found
