"""What a line is about, by the words around its numbers."""

import re

# Labels of bars and lines that do not show training, as authors and libraries write them.
_OTHER = re.compile(
    r"(?i)(?<![a-z])(?:val|valid\w*|test\w*|eval\w*|predict\w*|infer\w*|sanity|scor(?:e|ing)"
    r"|download\w*|upload\w*|load\w*|fetch\w*|read\w*|writ\w*|sav\w*|extract\w*|unpack\w*"
    r"|map|filter|tokeni\w*|prepar\w*|preprocess\w*|generat\w*|build\w*|scan\w*|cach\w*|index\w*"
    r"|comput\w*|convert\w*|encod\w*|embed\w*|materiali\w*|shards?|files?|warm\w*|sampl\w*"
    r"|compil\w*|collect\w*|install\w*|transform\w*|verif\w*|check\w*|analy\w*|benchmark\w*)"
    r"(?![a-z])"
)
_OTHER_UNIT = re.compile(
    r"(?i)(?:[kmgtp]?i?b|\w*bytes?|examples?|files?|docs?|rows?|records?|tok(?:en)?s?|shards?"
    r"|img|images?|models?|words?)"
)
# A counter of the whole run rather than of one epoch.
OVERALL = re.compile(r"(?i)(?<![a-z])(?:progress|overall|total|steps?|global|iter\w*|percent)")
# "Train 3/5": the words of a bar's label whose numbers are those of an epoch.
_NUMBERED = re.compile(r"(?i)(?:train\w*|tr|fit\w*|round|pass|e|)")


_KINDS = {"val": "validation", "eval": "evaluation", "test": "test", "predict": "prediction"}


def phase_of(label: str, unit: str = "") -> str:
    """The phase of a bar or line that shows validating, downloading and the like; else empty."""
    if (match := _OTHER.search(label)) is not None:
        word = match[0].lower()
        return next((name for start, name in _KINDS.items() if word.startswith(start)), word)
    return shape_of(label) or unit if unit and _OTHER_UNIT.fullmatch(unit) else ""


def numbers_epochs(words: str) -> bool:
    """Whether "3/5" after these words of a bar's label is an epoch's number."""
    return all(_NUMBERED.fullmatch(word) for word in re.findall(r"[A-Za-z]+", words))


# --- the word before "epoch" ----------------------------------------------------------------

# "best epoch 7", "resumed from epoch 12": an epoch is mentioned, no progress is reported.
_MENTIONED = re.compile(
    r"(?i)(?<![a-z])(?:best|from|resum\w*|restor\w*|load\w*|sav\w*|checkpoint\w*|early|stop\w*|until"
    r"|since|last|latest|previous|prev|next|per|every|each|total|num|max|min|number|at|for|warm\w*"
    r"|by|before|if|when|patience|expected|remaining|skip\w*|config\w*|arg\w*|namespace|default"
    r"|settings?|params?|hparams?|option\w*|usage|error|traceback|eta)(?![a-z])"
)
_REPORTED = re.compile(
    r"(?i)(?:train(?:ing|er)?|tr|start(?:ing|ed)?|begin(?:ning)?|begun|running|new|end|ended|of|the"
    r"|after|finished|finishing|completed?|done|current|fold|run|stage|phase|trial|seed|rank|gpu|cpu"
    r"|cuda|device|worker|info|debug|root|main|summary|results?|model|split|client|round)"
)
# "warmup", "every": a number of epochs that is not that of the run follows.
LIMIT = re.compile(
    r"(?i)(?<![a-z])(?:warm\S*|sav\w*|every\S*|each|eval\S*|log\w*|val\S*|patience|decay|cool\w*"
    r"|last|after|freeze|no|than|in|best)(?:[_ ]\w+)?[_ ]?$"
)
# What ends the part of a line before it.
_CLAUSE = re.compile(r"[\])}|>:\u2013\u2014;=*#]|\s-+\s|,\s")
_REMAINING = re.compile(r"(?i)\beta:\s*\S+")
# "End of", "finished"; "starting".
OVER = re.compile(r"(?i)(?<![a-z])(?:end|ended|finish(?:ed|ing)|completed?|done|after)(?![a-z])")
BEGINS = re.compile(r"(?i)(?<![a-z])(?:start\w*|begin\w*|begun|running)(?![a-z])")
# After the number: "3: val_loss improved from" is no report.
NO_REPORT_AFTER = re.compile(
    r"(?i)improved from|not improve|reducing|early.?stop|saving|saved|restor|\bwas\b"
    r"|\.(?:pth?|ckpt|h5|keras|safetensors|bin|npz|pkl)\b"
    r"|^\W*(?:s|secs?|seconds?|min|minutes?|hours?|ms|days?)\b|^\s*[*x+]"
)


def reports_progress(before: str) -> bool:
    """Whether the text before the word "epoch" or "step" allows a report of progress."""
    before = _REMAINING.sub("", before)
    if _MENTIONED.search(before):
        return False
    clause = _CLAUSE.split(before)[-1]
    return all(_REPORTED.fullmatch(word) for word in re.findall(r"[A-Za-z_]+", clause))


def shape_of(text: str) -> str:
    """The words of a line without its numbers, shortened."""
    return " ".join(re.findall(r"[A-Za-z_]+", text))[:200]
