"""Tolerant matching of hardware names: many spellings of one product, never another product.

A name becomes tokens without decoration (case, trademarks, vendor words, clock, core count). The
rest identifies the product ("Ti", "v3", "Laptop", "80gb", "pcie") and must agree in full. There is
no closest match: a name matches, or it is an error that lists the nearest names.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from ...errors import UnknownHardwareError

T = TypeVar("T")

# Names listed in the error.
NEAREST = 5

_VENDORS = frozenset({"nvidia", "amd", "intel", "apple"})
# Words that decorate a product name and never distinguish two products.
_DECORATION = _VENDORS | {"geforce", "tesla", "grid", "ati", "radeon", "instinct"}
_DECORATION |= {
    "aws",
    "processor",
    "cpu",
    "gpu",
    "graphics",
    "generation",
    "edition",
    "accelerator",
}
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
    # Before folding, which would turn the sign into the letters TM.
    name = re.sub("[®™©]", " ", name)
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@lru_cache(maxsize=8192)
def normalize(name: str) -> tuple[str, ...]:
    """The tokens that identify a product, in the order written; () where none remain.

    Examples:
        >>> normalize("NVIDIA GeForce RTX 3090")
        ('rtx', '3090')
        >>> normalize("Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz")
        ('xeon', 'e5', '2680', 'v3')
    """
    text = _fold(name)
    for pattern, replacement in _CUTS:
        text = pattern.sub(replacement, text)
    return tuple(t for t in _TOKEN.findall(text) if t not in _DECORATION)


def _join(tokens: tuple[str, ...]) -> str:
    """The tokens without the spaces between them ("3090Ti"), except between two digits."""
    return re.sub(r"(?<=\D) | (?=\D)", "", " ".join(tokens))


@lru_cache(maxsize=8192)
def _vendors(name: str) -> frozenset[str]:
    return _VENDORS & set(_TOKEN.findall(_fold(name)))


def match(name: str, candidates: Mapping[str, T], kind: str) -> T:
    """The row with a name, among `candidates` (canonical name or alias -> row).

    The first of these comparisons that fits any row decides: the same tokens, joined in any way
    ("RTX3090Ti"); the same tokens in another order ("A100 80GB PCIe", "A100-PCIE-80GB"); the same
    without family words ("3090", "E5-2680 v3").

    Args:
        name: as a driver, a vendor or a person writes it.
        candidates: rows by name; the first name of a row is the one shown to people.
        kind: what is looked for ("GPU"), for the error.

    Raises:
        UnknownHardwareError: no row fits, or several do; the text lists the nearest names.
    """
    rows = fitting(name, candidates)
    if len(rows) == 1:
        return rows[0]
    raise UnknownHardwareError(_miss(name, kind, len(rows), _nearest(normalize(name), candidates)))


def fitting(name: str, candidates: Mapping[str, T]) -> list[T]:
    """The rows that fit a name, see `match`: without the search for the nearest names."""
    tokens = normalize(name)
    vendors = _vendors(name)
    possible = [other for other in candidates if _same_vendor(vendors, _vendors(other))]
    for same in (_same_string, _same_tokens, _same_but_family):
        names = [other for other in possible if tokens and same(tokens, normalize(other))]
        if names:
            return list({id(candidates[other]): candidates[other] for other in names}.values())
    return []


def _same_vendor(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or bool(one & other)


def _miss(name: str, kind: str, fits: int, near: list[str]) -> str:
    shown = repr(name if len(name) <= 80 else name[:77] + "...")
    problem = (
        f"{shown} fits {fits} {kind}s" if fits else f"no {kind} in the catalog is named {shown}"
    )
    hint = f"the nearest names are: {'; '.join(near)}" if near else "no name in it is similar"
    return f"{problem}; {hint}"


def _same_string(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return _join(a) == _join(b)


def _same_tokens(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return sorted(a) == sorted(b)


def _same_but_family(asked: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether `asked` is `known` without some of its family words (never with one added)."""
    rest = tuple(t for t in asked if t not in _FAMILIES)
    return (
        bool(rest)
        and _join(rest) == _join(tuple(t for t in known if t not in _FAMILIES))
        and _FAMILIES.intersection(asked) <= _FAMILIES.intersection(known)
    )


def _nearest(tokens: tuple[str, ...], candidates: Mapping[str, object]) -> list[str]:
    """Names to show, best first: longer variants of the name, shorter ones, then similar names."""
    if not tokens:
        return []
    # Late: only an error needs it.
    import difflib

    asked, written = set(tokens), _join(tokens)
    shown: dict[int, str] = {}
    best: dict[int, float] = {}
    for known, row in candidates.items():
        shown.setdefault(id(row), known)
        have = normalize(known)
        similarity = difflib.SequenceMatcher(None, written, _join(have)).ratio()
        score = similarity + (2 if asked < set(have) else 1 if have and set(have) < asked else 0)
        best[id(row)] = max(best.get(id(row), 0.0), score)
    ranked = sorted(best, key=lambda key: -best[key])
    return [shown[key] for key in ranked[:NEAREST] if best[key] >= 0.5]
