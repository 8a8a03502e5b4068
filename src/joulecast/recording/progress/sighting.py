"""One line of output that may report progress: its text in numbers, not yet trusted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Moment(StrEnum):
    """When in an epoch a line with its number is printed."""

    # A header: epoch n starts.
    START = "start"
    # During epoch n.
    WITHIN = "within"
    # At the end of epoch n, with its results.
    END = "end"
    # The number is that of finished epochs, and may have a fraction.
    COUNT = "count"
    # Outside the epochs: validation, a checkpoint, a download.
    PHASE = "phase"
    # Before the training: the numbers of its epochs or steps.
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Sighting:
    """The content of one line. Numbers are as printed (the first epoch may be 0 or 1).

    With `epoch`, the steps are those of that epoch; without, those of an unknown loop. `over`: its
    bar is full and was left, so that the epoch or loop has ended.
    """

    tool: str  # a key of `TOOLS`
    form: str = ""  # identifies the series of lines
    moment: Moment = Moment.WITHIN
    epoch: float | None = None
    epochs: int | None = None
    step: float | None = None
    steps: float | None = None
    fraction: float | None = None  # of the loop, where it is printed without steps
    over: bool = False
    # The words of the line: two lines of one epoch and shape are a repetition. A phase's name.
    shape: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


# The last step of an epoch is not its end.
ALMOST = 0.995


def within(s: Sighting) -> float:
    """The fraction of the epoch or loop that is done, below 1."""
    if s.fraction is not None:
        return min(s.fraction, ALMOST)
    return min((s.step or 0.0) / s.steps, ALMOST) if s.steps else 0.0


TOOLS: dict[str, str] = {
    "pattern": "the progress pattern",
    "keras": "Keras's progress",
    "lightning": "Lightning's bar",
    "transformers": "the Hugging Face Trainer's progress",
    "ultralytics": "Ultralytics's table",
    "tqdm": "tqdm's bar",
    "rich": "a rich bar",
    "fastai": "fastai's bar",
    "epoch line": "lines that number the epochs",
    "table": "a table of epochs",
    "json": "JSON lines",
    "boosting": "boosting rounds",
    "step line": "lines like 'step 100/5000'",
    "percent": "percentages",
}  # in words for people

# The shape of a bar whose label names epochs.
SURE = "epochs"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PAIR = re.compile(
    r"""(?<![\w./@-])["']?([A-Za-z][A-Za-z_./@-]*\d*(?:\ [A-Za-z_]+\d*)?)"""
    rf"""["']?\s*(?:[:=]\s*["']?\s*|\s)({_NUMBER})(?![\w%/:]|\.\d)"""
)
# Of one line.
_MAX_METRICS = 32
# Names that are printed with an epoch and are not results.
_SETTINGS = re.compile(
    r"(?i)^(?:.*[ _])?(?:lr|learning.?rate|batch(?:_?size)?|epochs?|steps?|iter\w*|seed|fold|rank"
    r"|eta|time|data|gpu|mem\w*|v_num|size|instances|elapsed|speed|.*runtime|.*per_second|dur"
    r"|took|in|of|to|at|ms)$"
)


def metrics_in(text: str) -> dict[str, float]:
    """The results on a line: `loss: 0.3`, `val_acc=0.9`, `'loss': '0.3'`; no settings or times."""
    metrics: dict[str, float] = {}
    for match in _PAIR.finditer(text):
        words = [word for word in match[1].lower().split() if len(word) > 1 and "/s" not in word]
        name = " ".join(words).rstrip("./-")
        if name and len(metrics) < _MAX_METRICS and not _SETTINGS.match(name):
            metrics[name] = float(match[2])
    return metrics
