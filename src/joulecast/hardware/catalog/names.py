"""Tolerant matching of hardware names: many spellings of one product, never another product.

A name becomes tokens without decoration (case, trademarks, vendor words, clock, core count).
Whatever is left identifies the product ("Ti", "v3", "Laptop", "80gb", "pcie") and must agree in
full: there is no "closest" answer, only a match or a miss that lists what is near.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from ...errors import UnknownHardwareError

T = TypeVar("T")

NEAREST = 5  # names listed on a miss

_VENDORS = frozenset({"nvidia", "amd", "intel", "apple"})
# Words that decorate a product name and never tell two products apart.
_DECORATION = _VENDORS | {"geforce", "tesla", "grid", "ati", "radeon", "instinct"}
_DECORATION |= {"processor", "cpu", "gpu", "graphics", "generation", "edition", "accelerator"}
# Family words that people leave out where the rest of the name is unique: "3090", "E5-2680 v3".
_FAMILIES = frozenset({"rtx", "gtx", "gt", "rx", "xeon", "core", "epyc"})
_FAMILIES |= {"platinum", "gold", "silver", "bronze"}

_CUTS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\((?:r|tm|c)\)|[®™©]", " "),
        (r"@\s*[\d.]+\s*[gm]hz.*|\b[\d.]+\s*[gm]hz\b", " "),  # "CPU @ 3.40GHz"
        (r"\b(?:\d+|single|dual|triple|quad|six|eight|twelve|sixteen)-core\b", " "),
        (r"\b\d+(?:st|nd|rd|th) gen\b", " "),  # "13th Gen Intel(R) Core(TM) i7-13700K"
        (r"\b(?:with|w/)\s*radeon\b.*", " "),  # "Ryzen 7 5700U with Radeon Graphics"
        (r"\bpci[\s-]?e(?:xpress)?\b|\bpci express\b", " pcie "),
        (r"(?<![a-z\d.])(\d+)\s*(?:gi?b|g)(?![a-z\d])", r" \1gb "),  # "80 GB", "80GiB", "80G"
        (r"\b(rtx|gtx|gt|rx)(?=\d)", r"\1 "),  # "RTX3090"
    )
)
_TOKEN = re.compile(r"[^\W_]+\+?")


def _fold(name: str) -> str:
    """Lower case without trademarks and accents; compatibility forms (full width) made plain."""
    name = re.sub("[®™©]", " ", name)  # before folding: it would turn the sign into the letters TM
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@lru_cache(maxsize=8192)
def normalize(name: str) -> tuple[str, ...]:
    """The tokens that identify a product, in the order written; () where nothing is left.

    >>> normalize("NVIDIA GeForce RTX 3090")
    ('rtx', '3090')
    >>> normalize("Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz")
    ('xeon', 'e5', '2680', 'v3')
    >>> normalize("NVIDIA A100 80 GB PCIe")
    ('a100', '80gb', 'pcie')
    """
    text = _fold(name)
    for pattern, replacement in _CUTS:
        text = pattern.sub(replacement, text)
    return tuple(t for t in _TOKEN.findall(text) if t not in _DECORATION)


def _join(tokens: tuple[str, ...]) -> str:
    """One string that forgets where tokens met ("3090 Ti" = "3090Ti") save between two digits."""
    return re.sub(r"(?<=\D) | (?=\D)", "", " ".join(tokens))


@lru_cache(maxsize=8192)
def _vendors(name: str) -> frozenset[str]:
    return _VENDORS & set(_TOKEN.findall(_fold(name)))


def match(name: str, candidates: Mapping[str, T], kind: str) -> T:
    """The row that `name` names, among `candidates` (canonical name or alias -> row).

    The first name given for a row is the one shown to people. Tried in turn, the first step that
    finds anything decides: the same tokens however they are joined ("RTX3090Ti"); the same tokens
    in another order ("A100 80GB PCIe", "A100-PCIE-80GB"); the same but for family words left out
    ("3090", "E5-2680 v3"). `kind` says what is looked for ("GPU").

    Raises `UnknownHardwareError` where nothing matches, or where the name fits several different
    rows; its one line lists up to five of the nearest names.
    """
    tokens = normalize(name)
    vendors = _vendors(name)
    possible = {
        known: row
        for known, row in candidates.items()
        if not vendors or not _vendors(known) or vendors & _vendors(known)
    }
    for same in (_same_string, _same_tokens, _same_but_family):
        found = [known for known in possible if tokens and same(tokens, normalize(known))]
        rows = {id(possible[known]): possible[known] for known in found}
        if len(rows) == 1:
            return next(iter(rows.values()))
        if rows:
            break
    raise UnknownHardwareError(_miss(name, kind, len(rows), _nearest(tokens, candidates)))


def _miss(name: str, kind: str, fits: int, near: list[str]) -> str:
    shown = repr(name if len(name) <= 80 else name[:77] + "...")
    what = f"{shown} fits {fits} {kind}s" if fits else f"no {kind} in the catalog is called {shown}"
    if not near:
        return f"{what}; no known name is near it"
    return f"{what}; the nearest known names are: {'; '.join(near)}"


def _same_string(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return _join(a) == _join(b)


def _same_tokens(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return sorted(a) == sorted(b)


def _same_but_family(asked: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether `asked` is `known` with only family words left out (never with one added)."""
    rest = tuple(t for t in asked if t not in _FAMILIES)
    return (
        bool(rest)
        and _join(rest) == _join(tuple(t for t in known if t not in _FAMILIES))
        and _FAMILIES.intersection(asked) <= _FAMILIES.intersection(known)
    )


def _nearest(tokens: tuple[str, ...], candidates: Mapping[str, object]) -> list[str]:
    """Shown names, best first: variants of what was asked, then what it varies, then likeness."""
    if not tokens:
        return []
    import difflib  # only a miss needs it

    asked, written = set(tokens), _join(tokens)
    shown: dict[int, str] = {}
    best: dict[int, float] = {}
    for known, row in candidates.items():
        shown.setdefault(id(row), known)
        have = normalize(known)
        likeness = difflib.SequenceMatcher(None, written, _join(have)).ratio()
        score = likeness + (2 if asked < set(have) else 1 if have and set(have) < asked else 0)
        best[id(row)] = max(best.get(id(row), 0.0), score)
    ranked = sorted(best, key=lambda key: -best[key])
    return [shown[key] for key in ranked[:NEAREST] if best[key] >= 0.5]
