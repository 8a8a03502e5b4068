"""The lines of each tool: one small parser each, tried in this order.

A parser returns a sighting, None where the line is not its tool's, or `NOTHING` where it is but
does not report training (a bar of a download, of a validation).
"""

import re
from collections.abc import Callable

from . import counter_labels as labels
from .sighting import SURE, Moment, Sighting, metrics_in

NOTHING = Sighting("")

# Every line below contains at least one of these; most output contains none.
NEEDLES = (
    *(b"poch", b"POCH", b"%", "━".encode(), b"step", b"Step", b"STEP", b"iter", b"Iter", b"ITER"),
    *(b"Ep ", b"EP ", b"ep ", b"]\t", b"Train: "),
)

_COUNT = r"[\d.]+[kMGTP]?"
_SCALE = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


def parse(text: str, end: str) -> Sighting | None:
    """The sighting on a line, if any. `end` is the end of the line; empty while it may continue."""
    for needles, parser in _PARSERS:
        if any(needle in text for needle in needles):
            sighting = parser(text, end)
            if sighting is not None:
                return None if sighting is NOTHING else sighting
    return None


# --- bars -----------------------------------------------------------------------------------

_TQDM = re.compile(
    rf"(?P<label>.*?):?\s*\d{{1,3}}%\|[^|]*\|\s*(?P<n>{_COUNT})/(?P<total>{_COUNT})\s*"
    r"\[[\d:]+<[^,\]]*,\s*[\d.?e+-]*[kMGTP]?(?P<rate>[^,\]]*)(?P<more>.*)\]?"
)


def _tqdm(text: str, end: str) -> Sighting | None:
    match = _TQDM.match(text)
    if match is None or not (end or text.endswith("]")):
        return None
    unit = match["rate"].strip().removesuffix("/s").removeprefix("s/")
    return _bar(
        "tqdm",
        match["label"].strip(),
        unit,
        _number(match["n"]),
        _number(match["total"]),
        match["more"],
    )


_RICH = re.compile(r"(?P<label>.*?)\s*[━╸╺]{5,}\s+(?:(?P<n>\d+)/(?P<total>\d+)|(?P<percent>\d+)%)")


def _rich(text: str, end: str) -> Sighting | None:
    match = _RICH.match(text)
    # "4/4" may become "4/40".
    if match is None or not (end or match.end() < len(text)):
        return None
    label, more = match["label"].strip(), text[match.end() :]
    if match["total"]:
        return _bar("rich", label, "", float(match["n"]), float(match["total"]), more)
    return _bar("rich", label, "", float(match["percent"]), None, more)


def _bar(tool: str, label: str, unit: str, n: float, total: float | None, more: str) -> Sighting:
    """A bar at `n` of `total`, or at `n` percent where the total is not printed."""
    if labels.is_other(label, unit) or total == 0 or n > (total or 100):
        return NOTHING
    metrics = metrics_in(more)
    if "v_num" in more:
        tool = "lightning"
    form = f"{tool} bar {labels.shape_of(label)}"
    step, fraction = (n, None) if total is not None else (None, n / 100)
    if (spoken := _EPOCH.search(label)) is not None:
        number, epochs = _numbers(spoken)
        return Sighting(
            tool, form, Moment.WITHIN, number, epochs, step, total, fraction, metrics=metrics
        )
    if unit.startswith("epoch") or re.search(r"(?i)(?<![a-z])epochs?(?![a-z])", label):
        epochs = None if total is None else int(total)
        sure = unit.startswith("epoch") or "epochs" in label.lower()
        return Sighting(
            tool,
            form,
            Moment.COUNT,
            step,
            epochs,
            fraction=fraction,
            shape=SURE if sure else "",
            metrics=metrics,
        )
    return Sighting(
        tool, form, Moment.WITHIN, None, None, step, total, fraction, label, metrics=metrics
    )


_KERAS = re.compile(r"\s*(\d+)/(\d+)\s+(?:━+|\[[=>.]+\]|- \d+m?s)\s")


def _keras(text: str, end: str) -> Sighting | None:
    """`12/32 ━━━━ 2s 20ms/step - loss: 1.2`; the line is complete when the epoch has ended."""
    match = _KERAS.match(text)
    if match is None:
        return None
    step, steps = float(match[1]), float(match[2])
    if not 0 < steps >= step:
        return NOTHING
    over = end == "\n" and step == steps
    return Sighting(
        "keras",
        "keras bar",
        Moment.END if over else Moment.WITHIN,
        step=step,
        steps=steps,
        metrics=metrics_in(text[match.end() :]) if end else {},
    )


_ULTRALYTICS = re.compile(
    r"\s*(\d+)/(\d+)\s+[\d.]+[MG]?B?\s+\d[^%|]*:\s*\d+%\s*[|━─╸╺][^\d]*(\d+)/(\d+)"
)


def _ultralytics(text: str, end: str) -> Sighting | None:
    """`1/30  0G  1.2  3.4  0.9  12  640: 45%|####  | 4/8`."""
    match = _ULTRALYTICS.match(text)
    if match is None or not (end or match.end() < len(text)):
        return None
    epoch, epochs, step, steps = (int(number) for number in match.groups())
    return _within("ultralytics", "ultralytics", epoch, epochs, step, steps, {})


def _within(
    tool: str,
    form: str,
    epoch: float,
    epochs: int | None,
    step: float,
    steps: float,
    metrics: dict[str, float],
) -> Sighting:
    if not 0 < steps >= step:
        return NOTHING
    return Sighting(tool, form, Moment.WITHIN, epoch, epochs, step, steps, metrics=metrics)


# --- lines of data --------------------------------------------------------------------------

_DICT_EPOCH = re.compile(r"""["']epoch["']\s*:\s*["']?(\d+(?:\.\d+)?)["']?\s*[,}]""")


def _dictionary(text: str, end: str) -> Sighting | None:
    """`{'loss': 0.5, 'epoch': 1.23}` of transformers, and JSON lines."""
    text = text.lstrip()
    if not end or not text.startswith("{"):
        return None
    match = _DICT_EPOCH.search(text)
    if match is None or not text.endswith("}"):
        return NOTHING
    metrics = metrics_in(text)
    if text.startswith("{'"):
        epoch = float(match[1])
        return Sighting("transformers", "transformers", Moment.COUNT, epoch, metrics=metrics)
    if "." in match[1]:
        return Sighting("json", "json", Moment.COUNT, float(match[1]), metrics=metrics)
    return Sighting(
        "json",
        "json",
        Moment.END if metrics else Moment.START,
        float(match[1]),
        shape=labels.shape_of(text),
        metrics=metrics,
    )


_BOOSTING = re.compile(r"\[(\d+)\]\t+\S.*?:\s*[-+\d.]")


def _boosting(text: str, end: str) -> Sighting | None:
    """`[12]\\ttrain-rmse:0.3` of XGBoost (from 0) and LightGBM (from 1): a round is an epoch."""
    match = _BOOSTING.match(text) if end else None
    if match is None:
        return None
    return Sighting(
        "boosting",
        "boosting",
        Moment.END,
        float(match[1]),
        metrics=metrics_in(text[match.end(1) :]),
    )


_TIMM = re.compile(r"(?:.*\s)?Train: (\d+) \[\s*(\d+)/(\d+)\s")


def _timm(text: str, _end: str) -> Sighting | None:
    """`Train: 0 [  50/1251 (  4%)]  Loss: 6.9`, epochs from 0."""
    match = _TIMM.match(text)
    if match is None:
        return None
    epoch, step, steps = (int(number) for number in match.groups())
    metrics = metrics_in(text[match.end() :])
    return _within("epoch line", "timm", epoch, None, step, steps, metrics)


# --- words ----------------------------------------------------------------------------------

_EPOCH = re.compile(
    r"""(?ix) (?<![\w./\\-]) ep(?P<word>och(?P<plural>s)?)? (?:\(train\))?
    \s* (?:no\.?|\#|number)? [\s:=\[\(\#"']* (?P<n>\d{1,7}) (?![\w-]|\.\w)
    (?: \s* [\])]? \s* (?:/|of|out\ of) \s* [\[(]? (?P<total>\d{1,7}) (?![\w-]|\.\d) )?"""
)
_STEP = re.compile(
    r"(?i)[^\w(]*(?:(?:step|batch|iter|iteration|it|train|training|minibatch)\w*\W*)?"
    r"\[?\s*(\d+)\s*(?:/|of)\s*(\d+)"
)
_STEP_ALONE = re.compile(r"(?i)(?<![a-z])(?:step|batch|iter|iteration|minibatch)\W*\d")
_TIMING = re.compile(
    r"(?i)(?<![a-z])(?:took|time|elapsed|duration|done|finished|completed?)(?![a-z])"
)


def _numbers(match: re.Match[str]) -> tuple[float, int | None]:
    return float(match["n"]), int(match["total"]) if match["total"] else None


def _epoch_line(text: str, end: str) -> Sighting | None:
    """`Epoch 3/30` and similar lines, with or without steps and results after it."""
    # The line may continue: "1/3" may become "1/30".
    if not end:
        return None
    match = _EPOCH.search(text)
    if match is None:
        return None
    before, after = text[: match.start()], text[match.end() :]
    number, epochs = _numbers(match)
    if not _reports_progress(match, before, after):
        return NOTHING
    form = f"epoch line {labels.shape_of(before)}{'' if epochs is None else ' of'}"
    metrics = metrics_in(after)
    steps = _STEP.match(after)
    if steps is not None and 0 < float(steps[2]) >= float(steps[1]):
        return _within(
            "epoch line", form, number, epochs, float(steps[1]), float(steps[2]), metrics
        )
    moment = _moment(before, after, bool(metrics))
    shape = labels.shape_of(after)
    return Sighting(
        "epoch line", f"{form} {moment}", moment, number, epochs, shape=shape, metrics=metrics
    )


def _reports_progress(match: re.Match[str], before: str, after: str) -> bool:
    """Whether a line with an epoch's number is a report of progress, by the words around it."""
    number, epochs = _numbers(match)
    if epochs is None:
        plural_or_short = match["plural"] or not match["word"]
        if plural_or_short or labels.excludes_report(after):
            return False
    elif number > epochs:
        return False
    if not labels.reports_an_epoch(before):
        return False
    has_results = bool(after.strip(" |,:-"))
    return has_results or not labels.is_other(f"{before} {after[:12]}")


def _moment(before: str, after: str, has_metrics: bool) -> Moment:
    """When in its epoch a line without steps is printed."""
    if labels.marks_start(before) or labels.marks_start(after):
        return Moment.START
    if _STEP_ALONE.search(after):
        return Moment.WITHIN
    if labels.marks_end(before) or has_metrics or _TIMING.search(after):
        return Moment.END
    return Moment.START


_STEPS = re.compile(
    r"(?i)(?<![\w./-])(?:global[ _])?(?:step|iter|iteration)s?\b[\s:=\[(#]*(\d+)\s*\]?\s*"
    r"(?:/|of)\s*\[?(\d+)(?![\w.])"
)


def _step_line(text: str, end: str) -> Sighting | None:
    """`step 100/5000`, of an epoch or of the whole run."""
    match = _STEPS.search(text) if end else None
    if match is None:
        return None
    before, after = text[: match.start()], text[match.end() :]
    if labels.is_other(before) or not labels.reports_an_epoch(before):
        return NOTHING
    step, steps = float(match[1]), float(match[2])
    if not 0 < steps >= step:
        return NOTHING
    metrics = metrics_in(after)
    form = f"step line {labels.shape_of(before)}"
    return Sighting("step line", form, step=step, steps=steps, shape="steps", metrics=metrics)


_PERCENT = re.compile(
    r"(?i)\W*((?:(?:training|train|progress|overall|completed?|total)\W*)*)(?<![.\d])"
    r"(\d{1,3}(?:\.\d+)?)\s?%(?:$|\s*(?:[|\[█#=▉-▏.(,-]|complete|done|trained|finished))"
)


def _percent(text: str, end: str) -> Sighting | None:
    """`Progress: 12%`, `12%|`, `12% complete`."""
    match = _PERCENT.match(text)
    if match is None or not end:
        return None
    fraction = float(match[2]) / 100
    if fraction > 1:
        return NOTHING
    words = match[1] or "progress"
    form = f"percent {labels.shape_of(match[1])}"
    return Sighting("percent", form, fraction=fraction, shape=words)


# Each with texts of which its lines contain one.
_PARSERS: tuple[tuple[tuple[str, ...], Callable[[str, str], Sighting | None]], ...] = (
    (("%|",), _tqdm),
    (("━", "/step"), _keras),
    (("% ", "%|"), _ultralytics),
    (("━",), _rich),
    (('epoch"', "epoch'"), _dictionary),
    (("]\t",), _boosting),
    (("Train: ",), _timm),
    (("poch", "POCH", "Ep", "EP", "ep"), _epoch_line),
    (("tep", "TEP", "iter", "Iter", "ITER"), _step_line),
    (("%",), _percent),
)


def _number(text: str) -> float:
    scale = _SCALE.get(text[-1], 1.0)
    try:
        return float(text.rstrip("kMGTP")) * scale
    except ValueError:
        # Text such as "1.2.3" is no number.
        return 0.0
