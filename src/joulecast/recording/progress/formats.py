"""The lines of each tool: a table of regular expressions, tried in this order.

The groups of an expression are the fields of the line: label, unit, mode, epoch, epochs, step,
steps, percent. A line of another part of the program than training is a phase.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from . import words
from .sighting import SURE, Moment, Sighting, metrics_in

# The line is that of a tool, and reports nothing.
NOTHING = Sighting("")

# Every line below contains at least one of these; most output contains none.
NEEDLES = (
    *(b"poch", b"POCH", b"%", "━".encode(), b"step", b"Step", b"STEP", b"iter", b"Iter", b"ITER"),
    *(b"Ep ", b"EP ", b"ep ", b"]\t", b"Train: ", b"/? [", b"it/s]"),
)

Fields = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Format:
    """One form of line.

    Attributes:
        tool: a key of `TOOLS`.
        needles: texts of which its lines contain one.
        regex: of its beginning; of any part of it where it starts with a lookbehind.
        read: makes the sighting of the fields, and the text before and after them.
        close: of a line that may still grow, what must follow the fields; None: it must end.
        ends: whether it is printed at the end of an epoch, after its last step.
    """

    tool: str
    needles: tuple[str, ...]
    regex: re.Pattern[str]
    read: Callable[["Format", Fields, str, str], Sighting]
    close: str | None = None
    ends: bool = False


def parse(text: str, end: str) -> Sighting | None:
    """The sighting on a line, if any. `end` is the end of the line; empty while it may continue."""
    for form in FORMATS:
        match = _match(form, text, end)
        if match is None:
            continue
        before, after = text[: match.start()], text[match.end() :]
        s = form.read(form, match.groupdict(), before, after if end else "")
        if s is NOTHING or not in_range(s):
            return None
        if s.over and end != "\n":
            moment = Moment.WITHIN if s.moment is Moment.END else s.moment
            return replace(s, over=False, moment=moment)
        return s
    return None


def _match(form: Format, text: str, end: str) -> re.Match[str] | None:
    if not any(needle in text for needle in form.needles):
        return None
    if not end and (form.close is None or not text.endswith(form.close)):
        return None
    match = form.regex.search(text)
    # "4/4" may become "4/40".
    cut = match is not None and match.end() == len(text) and not (end or form.close)
    return None if cut else match


def in_range(s: Sighting) -> bool:
    """Whether no number on a line exceeds its total."""
    if s.epochs is not None and s.epoch is not None and s.epoch > s.epochs:
        return False
    if s.fraction is not None and s.fraction > 1:
        return False
    return s.steps is None or (s.step is not None and 0 < s.steps >= s.step)


def _number(text: str | None) -> float | None:
    if not text or text in ("?", "--"):
        return None
    try:
        value = float(text.rstrip("kMGTP")) * _SCALE.get(text[-1], 1.0)
    except ValueError:
        # Text such as "1.2.3" is no number.
        return None
    return value if 0 <= value < _LARGEST else None


_LARGEST = 1e15
_SCALE = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


def sighting_of(tool: str, fields: Fields, series: str = "", after: str = "") -> Sighting:
    """The fields in numbers, as steps within an epoch or loop; results are read from `after`."""
    percent, fraction = _number(fields.get("percent")), _number(fields.get("fraction"))
    step, steps = _number(fields.get("step")), _number(fields.get("steps"))
    epochs = _number(fields.get("epochs"))
    return Sighting(
        tool,
        f"{tool} {series}",
        epoch=_number(fields.get("epoch")),
        epochs=None if epochs is None else int(epochs),
        step=step,
        steps=steps,
        fraction=fraction if percent is None else percent / 100,
        over=percent == 100 or (steps is not None and step == steps),
        metrics=metrics_in(after),
    )


# --- bars -----------------------------------------------------------------------------------

_NUMBERED = re.compile(r"(?P<epoch>\d{1,7})\s*(?:/|of)\s*(?P<epochs>\d{1,7})\W*$")


def _bar(form: Format, fields: Fields, _before: str, after: str) -> Sighting:
    """A bar, whose label may name an epoch, or the epochs, or something else than training."""
    label = (fields["label"] or "").strip()
    unit = (fields.get("unit") or "").strip().removesuffix("/s").removeprefix("s/")
    s = sighting_of(form.tool, fields, f"bar {words.shape_of(label)}", after)
    if "v_num" in after:
        s = replace(s, tool="lightning", form=f"lightning bar {words.shape_of(label)}")
    if phase := words.phase_of(label, unit):
        return replace(s, moment=Moment.PHASE, shape=phase)
    named = _named_epoch(label)
    if named is not None:
        numbers = sighting_of(form.tool, named.groupdict())
        return replace(s, epoch=numbers.epoch, epochs=numbers.epochs)
    sure = unit.startswith("epoch") or "epochs" in label.lower()
    # Without a total, `tqdm(loader, desc="Epoch")` counts the batches of one.
    if sure or (s.steps and re.search(r"(?i)(?<![a-z])epoch(?![a-z])", label)):
        return _count_of(s, SURE if sure else "")
    return replace(s, shape=label)


def _count_of(s: Sighting, shape: str) -> Sighting:
    """A bar whose steps are epochs."""
    total = None if s.steps is None else int(s.steps)
    counted = replace(s, moment=Moment.COUNT, epoch=s.step, epochs=total, shape=shape)
    return replace(counted, step=None, steps=None, over=False)


def _named_epoch(label: str) -> re.Match[str] | None:
    """The epoch in a bar's label: "Epoch 3", "Train 3/5"."""
    numbered = _NUMBERED.search(label)
    if numbered is not None and words.numbers_epochs(label[: numbered.start()]):
        return numbered
    return _EPOCH.search(label)


def _steps(form: Format, fields: Fields, before: str, after: str) -> Sighting:
    """Steps of an epoch or loop. Keras' line is complete when its epoch has ended."""
    label = fields.get("label") or ""
    s = sighting_of(form.tool, fields, words.shape_of(label or before), after)
    ends = form.ends and (s.over or s.steps is None)
    return replace(s, moment=Moment.END if ends else Moment.WITHIN, shape=label or form.tool)


# --- lines of data --------------------------------------------------------------------------

_DICT_EPOCH = re.compile(r"""["']epoch["']\s*:\s*["']?(?P<epoch>\d+(?:\.\d+)?)["']?\s*[,}]""")


def _dictionary(form: Format, fields: Fields, before: str, after: str) -> Sighting:
    """`{'loss': 0.5, 'epoch': 1.23}` of transformers, and JSON lines."""
    match = _DICT_EPOCH.search(after)
    if match is None or not after.endswith("}"):
        return NOTHING
    tool = "transformers" if after.startswith("'") else "json"
    metrics, epoch = metrics_in(after), float(match["epoch"])
    s = Sighting(tool, tool, Moment.COUNT, epoch, metrics=metrics)
    if tool == "transformers" or "." in match["epoch"]:
        return s
    moment = Moment.END if metrics else Moment.START
    return replace(s, moment=moment, shape=words.shape_of(after))


# --- words ----------------------------------------------------------------------------------

_EPOCH = re.compile(
    r"""(?ix) (?<![\w./\\-]) ep(?:och(?P<plural>s)?)? (?:\((?P<mode>\w+)\))?
    \s* (?:no\.?|\#|number)? [\s:=\[\(\#"']* (?P<epoch>\d{1,7}) (?![\w-]|\.\w)
    (?: \s* [\])]? \s* (?:/|of|out\ of) \s* [\[(]? (?P<epochs>\d{1,7}) (?![\w-]|\.\d) )?"""
)
_STEP = re.compile(
    r"(?i)[^\w(]*(?:(?:step|batch|iter|iteration|it|train|training|minibatch)\w*\W*)?"
    r"\[?\s*(?P<step>\d+)\s*(?:/|of)\s*(?P<steps>\d+)"
)
_STEP_ALONE = re.compile(r"(?i)(?<![a-z])(?:step|batch|iter|iteration|minibatch)\W*\d")
_TIMING = re.compile(
    r"(?i)(?<![a-z])(?:took|time|elapsed|duration|done|finished|completed?)(?![a-z])"
)


def _epoch_line(form: Format, fields: Fields, before: str, after: str) -> Sighting:
    """`Epoch 3/30` and similar lines, with or without steps and results after it."""
    series = words.shape_of(before) + ("" if fields["epochs"] is None else " of")
    s = replace(sighting_of(form.tool, fields, series, after), shape=words.shape_of(after))
    mode, clause = fields["mode"] or "", before.rpartition("]")[2]
    phase = words.phase_of(f"{mode} {clause}")
    if (phase and not s.metrics) or mode.lower() not in ("", "train"):
        return replace(s, moment=Moment.PHASE, shape=phase or mode)
    if not _reports_progress(fields, before, after):
        return NOTHING
    steps = _STEP.match(after)
    if steps is not None:
        step, total = float(steps["step"]), float(steps["steps"])
        if step > total > 0:
            # mmengine's `Epoch(train) [1][20/16]` of a run by iterations: it counts no epochs.
            return replace(s, epoch=None, step=step)
        return replace(s, step=step, steps=total, over=step == total)
    moment = _moment(before, after, bool(s.metrics))
    return replace(s, form=f"{s.form} {moment}", moment=moment)


def _reports_progress(fields: Fields, before: str, after: str) -> bool:
    """Whether a line with an epoch's number is a report of progress, by the words around it."""
    if fields["epochs"] is None and (fields["plural"] or words.NO_REPORT_AFTER.search(after)):
        return False
    if not words.reports_progress(before):
        return False
    has_results = bool(after.strip(" |,:-"))
    return has_results or not words.phase_of(f"{before} {after[:12]}")


def _moment(before: str, after: str, has_metrics: bool) -> Moment:
    """When in its epoch a line without steps is printed."""
    if words.BEGINS.search(before) or words.BEGINS.search(after):
        return Moment.START
    if _STEP_ALONE.search(after):
        return Moment.WITHIN
    if words.OVER.search(before) or has_metrics or _TIMING.search(after):
        return Moment.END
    return Moment.START


def _step_line(form: Format, fields: Fields, before: str, after: str) -> Sighting:
    """`step 100/5000`, `Iter(train) [10/200]`, `iter: 19`: of an epoch or of the whole run."""
    clause = before.rpartition("]")[2]
    s = replace(sighting_of(form.tool, fields, words.shape_of(clause), after), shape="steps")
    if phase := words.phase_of(f"{fields['mode'] or ''} {clause}"):
        return replace(s, moment=Moment.PHASE, shape=phase)
    return s if words.reports_progress(before) else NOTHING


def _plan(form: Format, fields: Fields, before: str, after: str) -> Sighting:
    """`Num Epochs = 3`, `max_iters: 2000`: numbers that a configuration or a log announces."""
    number = _number(fields["epochs"] or fields["more"] or fields["steps"]) or 0.0
    if number == 0 or words.LIMIT.search(before[-30:]):
        return NOTHING
    if fields["steps"]:
        return Sighting(form.tool, "plan", Moment.PLAN, steps=number, step=0.0)
    return Sighting(form.tool, "plan", Moment.PLAN, epochs=int(number))


def announced(command: Sequence[str]) -> Iterator[Sighting]:
    """The numbers of epochs or steps among a command's options: `--epochs 90`, `max_iters=500`."""
    for argument, following in pairwise([*command, ""]):
        name, equals, value = argument.rpartition("=")
        option = (name or argument).rpartition(".")[2].lstrip("-").replace("-", "_")
        if equals or argument.startswith("--"):
            s = parse(f"{option} = {value if equals else following}", "\n")
            if s is not None and s.moment is Moment.PLAN:
                yield s


_COUNT = r"[\d.]+[kMGTP]?"
_EPOCH_NEEDLES = ("poch", "POCH", "Ep", "EP", "ep")
_STEP_NEEDLES = ("tep", "TEP", "iter", "Iter", "ITER")

FORMATS = (
    Format(
        "tqdm",
        ("%|",),
        re.compile(
            rf"^(?P<label>.*?):?\s*\d{{1,3}}%\|[^|]*\|\s*(?P<step>{_COUNT})/(?P<steps>{_COUNT})\s*"
            r"\[[\d:]+<[^,\]]*,\s*[\d.?e+-]*[kMGTP]?(?P<unit>[^,\]]*)"
        ),
        _bar,
        close="]",
    ),
    # A loader without a length: `Epoch 1: |    | 43/? [00:04<00:00, 9.8it/s]`, `43it [00:04, `.
    Format(
        "tqdm",
        ("/? [", "/s]", "s/it]"),
        re.compile(
            r"^(?P<label>.*?):?\s*(?:\|[^|]*\|)?(?<![\w.])\s*"
            r"(?P<step>\d+)(?:/\?\s*|(?P<unit>[a-z]+)\s)\[\d\d:[\d:]+[<,]"
        ),
        _bar,
        close="]",
    ),
    # `Epoch 1/6 : |███---| 50.00% [8/16 00:01<00:01... 1.66]`
    Format(
        "fastai",
        ("% [",),
        re.compile(
            r"^(?P<label>.*?):?\s*\|[^|]*\|\s*[\d.]+% \[(?P<step>\d+)/(?P<steps>\d+) [\d:]+<[^\]]*"
        ),
        _bar,
        close="]",
    ),
    Format(
        "keras",
        ("━", "/step"),
        re.compile(r"^\s*(?P<step>\d+)/(?P<steps>\d+)\s+(?:━+|\[[=>.]+\]|- \d+m?s)\s"),
        _steps,
        close="",
        ends=True,
    ),
    # `1/30  0G  1.2  3.4  0.9  12  640: 45%|####  | 4/8`
    Format(
        "ultralytics",
        ("% ", "%|"),
        re.compile(
            r"^\s*(?P<epoch>\d+)/(?P<epochs>\d+)\s+[\d.]+[MG]?B?\s+\d[^%|]*:\s*\d+%\s*[|━─╸╺][^\d]*"
            r"(?P<step>\d+)/(?P<steps>\d+)"
        ),
        _steps,
        close="",
    ),
    Format(
        "rich",
        ("━", "╸", "╺"),
        re.compile(
            r"^(?P<label>.*?)\s*[━╸╺]{5,}\s+"
            r"(?:(?P<step>\d+)/(?:(?P<steps>\d+)|--)|(?P<percent>\d+)%)"
        ),
        _bar,
        close="",
    ),
    Format("json", ('epoch"', "epoch'"), re.compile(r"^\s*\{"), _dictionary),
    Format(
        "boosting",
        ("]\t",),
        re.compile(r"^\[(?P<epoch>\d+)\]\t+(?=\S.*?:\s*[-+\d.])"),
        _steps,
        ends=True,
    ),
    # `Train: [0/3][5/20]` of Swin, `Train: 0 [  50/1251 (  4%)]` of timm
    Format(
        "epoch line",
        ("Train: ",),
        re.compile(
            r"(?<!\w)Train: \[?(?P<epoch>\d+)(?:/(?P<epochs>\d+))?\]?\s*"
            r"\[\s*(?P<step>\d+)/(?P<steps>\d+)(?=[\s\]])"
        ),
        _steps,
    ),
    Format(
        "plan",
        (*_EPOCH_NEEDLES, *_STEP_NEEDLES),
        re.compile(
            r"(?i)(?<![\w.])(?:(?:num|max|total|n|num_train|scheduled)[_ ])?(?:epochs"
            r"(?: / epoch数)?['\"]?(?:\s*[=:]\s*|\s)(?P<epochs>\d{1,6})(?![\w/%]|\.\d|\s*[/|\[])"
            r"|for (?P<more>\d{1,6}) epochs\b)"
            r"|(?i:(?<![\w.])(?:max|total|num)[_ ](?:train_?|training |optimization )?"
            r"(?:steps|iters?|iterations)(?: / 学習ステップ数)?['\"]?\s*[=:]\s*"
            r"(?P<steps>\d{1,9})(?![\w/%]|\.\d|\s*[/|\[]))"
        ),
        _plan,
    ),
    Format("epoch line", _EPOCH_NEEDLES, _EPOCH, _epoch_line),
    Format(
        "step line",
        _STEP_NEEDLES,
        re.compile(
            r"(?i)(?<![\w./-])(?:global[ _])?(?:step|iter|iteration)s?\b(?:\((?P<mode>\w+)\))?"
            r"[\s:=\[(#]*(?P<step>\d+)(?![\w.])\s*\]?(?:\s*(?:/|of)\s*\[?(?P<steps>\d+)(?![\w.]))?"
        ),
        _step_line,
    ),
    Format(
        "percent",
        ("%",),
        re.compile(
            r"(?i)^\W*(?P<label>(?:(?:training|train|progress|overall|completed?|total)\W*)*)"
            r"(?<![.\d])(?P<percent>\d{1,3}(?:\.\d+)?)\s?%"
            r"(?:$|\s*(?:[|\[█#=▉-▏.(,-]|complete|done|trained|finished))"
        ),
        _steps,
    ),
)
