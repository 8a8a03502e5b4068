"""Statistics in words, the same in notes, in the terminal, on pages and on paper."""

from collections.abc import Sequence

from ...units import one_line

_NAMES = {
    "kruskal-wallis": "Kruskal-Wallis",
    "welch-anova": "Welch's ANOVA",
    "van-elteren": "van Elteren's test",
    "van-elteren-holm": "van Elteren with Holm",
    "dunn-holm": "Dunn with Holm",
    "games-howell": "Games-Howell",
    "cliffs-delta": "Cliff's delta",
    "anova": "two-way ANOVA",
    "art": "aligned rank transform",
}


def statistic_name(key: str) -> str:
    """The name, in the literature, of a test or an effect size: `eta squared`."""
    return _NAMES.get(key, key.replace("-", " "))


def p_text(p: float | None) -> str:
    """`p < 0.001`, `p = 0.013`, `p = 0.34`, `p unknown`."""
    if p is None:
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def effect_text(name: str, value: float | None) -> str:
    """`eta squared 0.92`, `Cliff's delta unknown`."""
    return f"{statistic_name(name)} {'unknown' if value is None else f'{value:.2f}'}"


def some(names: Sequence[str]) -> str:
    """`a, b and c`, or `a, b, c and 4 more`, without control characters."""
    shown = [one_line(name) for name in names[:3]]
    if len(names) > 3:
        return f"{', '.join(shown)} and {len(names) - 3} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
