"""Masks what looks like a secret in texts that are stored: command lines, tags, names, notes.

The name of an option or variable shows most secrets (`--api-key=...`, `TOKEN=...`), the form of the
text the others (`user:password@`, `hf_...`). Names of machine learning are none: `--max-tokens`,
`--pad-token`, `--sort-key`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

MASK = "***"

# The last word of a name that is always secret; words before "key" that make it one; words before
# "token" that make it one of a vocabulary, or a count.
_SECRET = re.compile(
    "pass(word|wd|phrase|code)|pwd|secrets?|credentials?|authorization|cookie"
    "|(api|access|secret)key"
)
_OF_KEYS = re.compile(
    "access|account|anthropic|api|app|auth|azure|client|encryption|hf|license|openai|private"
    "|secret|service|signing|ssh|storage|subscription|wandb"
)
_OF_TOKENS = re.compile(
    "bos|class|cls|end|eos|image|mask|next|pad|per|prev|sep|special|start|stop|unk"
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# A name, and what is between it and its value.
_NAMED = re.compile(
    r"(?<![\w.-])(-{0,2})([A-Za-z][\w.-]*)"
    r"([\"']?\s*[=:]\s*(?:(?i:bearer|basic|token)\s+)?|\s+(?!-))"
)
# A value may be quoted, and ends before what follows it in a URL or a shell.
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s\"'&;,|)]+")
# user:password@host, with or without a scheme; not image:tag@sha256:...
_ADDRESS = re.compile(
    r"(://[^\s/:@]{0,99}:)[^\s/]{1,999}(?=@)"
    r"|((?<![\w.+%-])[\w.+%-]+:)[^\s:/@]{1,999}(?=@(?!sha256:)[\w\[])"
)
# The id of an AWS key, which its secret may follow.
_AWS_ID = r"(?:AKIA|ASIA)[0-9A-Z]{16}"
_KNOWN = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|[rs]k_(?:live|test)_\w{16,}|gh[pousr]_\w{16,}"
    r"|github_pat_\w{16,}|glpat-[\w-]{16,}|AIza[\w-]{30,}"
    r"|xox[abprs]-[\w-]{10,}|npm_\w{20,}|pypi-[\w-]{20,}|nvapi-[\w-]{20,}|r8_\w{20,}"
    r"|(?:gsk|dckr_pat|dop_v1)_\w{20,}|(?:hvs|ya29)\.[\w-]{20,}"
    rf"|{_AWS_ID}(?:[\s:,;]+[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+]))?"
    r"|eyJ[\w-]{8,500}\.[\w-]+\.[\w-]*)"
    r"|(?<=[Bb]earer )[\w.~+/=-]{8,}|(?<=hooks\.slack\.com/services/)[\w/]+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*"
)


def masked(value: Any) -> Any:
    """A text, or all texts inside of mappings and lists, with `MASK` in place of secrets.

    Examples:
        >>> masked("postgresql://ann:pw@db/runs")
        'postgresql://ann:***@db/runs'
        >>> masked({"api_key": "9f2c", "max_tokens": "512"})
        {'api_key': '***', 'max_tokens': '512'}
    """
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, Mapping):
        return {k: MASK if v and _is_secret(str(k)) else masked(v) for k, v in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


# The same metrics are logged again and again.
@lru_cache(maxsize=512)
def _masked_text(text: str) -> str:
    return _KNOWN.sub(MASK, _ADDRESS.sub(rf"\g<1>\g<2>{MASK}", _without_named(text)))


def masked_command(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command; one that follows the name of a secret is masked, too.

    Examples:
        >>> masked_command(["python", "train.py", "--token", "9f2c", "--max-tokens", "512"])
        ['python', 'train.py', '--token', '***', '--max-tokens', '512']
    """
    result: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        user, colon, _ = argument.partition(":")
        names = re.fullmatch(r"-{1,2}[A-Za-z][\w.-]*", before) and _is_secret(before.lstrip("-"))
        if (names or re.fullmatch(_AWS_ID, before)) and not argument.startswith("-"):
            result.append(MASK)
        elif colon and before in ("-u", "--user", "--proxy-user"):
            result.append(f"{user}:{MASK}")
        else:
            result.append(masked(argument))
    return result


def _is_secret(name: str) -> bool:
    """Whether the value of a variable, option or tag of this name is a secret."""
    nearest, last = ["", "", *(word.lower() for word in _WORDS.findall(name[-80:]))][-2:]
    if last == "token":
        return not _OF_TOKENS.fullmatch(nearest)
    if last == "key":
        return bool(_OF_KEYS.fullmatch(nearest))
    return bool(_SECRET.fullmatch(last)) or (last == "pass" and bool(nearest))


def _without_named(text: str) -> str:
    parts, at = [], 0
    for name in _NAMED.finditer(text):
        # Between an option and its value may be a space.
        is_name = name[1] or not name[3].isspace()
        if is_name and name.start() >= at and _is_secret(name[2]):
            value = _VALUE.match(text, name.end())
            parts += [text[at : name.end()], MASK if value else ""]
            at = value.end() if value else name.end()
    return "".join(parts) + text[at:]
