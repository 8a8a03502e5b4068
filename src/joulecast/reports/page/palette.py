"""Colors by domain: a hue for each family, lighter for each further member.

The hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any of the
common color vision deficiencies can distinguish; they stand on white and on black.
"""

from collections.abc import Sequence

from ...estimate import Provenance

_FAMILIES = {"gpu": "#0072b2", "cpu": "#d55e00", "dram": "#009e73", "node": "#cc79a7"}
_OTHER = "#8a8f98"
_LIGHTEST = 0.6
"""How far towards white the last member of a family goes."""

PATTERN = {Provenance.MEASURED: "", Provenance.MODELLED: "/", Provenance.ASSUMED: "."}
"""Fill by provenance, so that it needs no color: solid, hatched, dotted."""


def domain_colors(domains: Sequence[str]) -> dict[str, str]:
    """A color for each domain as `#rrggbb`."""
    families: dict[str, list[str]] = {}
    for domain in domains:
        families.setdefault(domain.partition(":")[0], []).append(domain)
    return {
        domain: _lighter(_FAMILIES.get(family, _OTHER), _LIGHTEST * i / max(1, len(members) - 1))
        for family, members in families.items()
        for i, domain in enumerate(members)
    }


def _lighter(color: str, towards_white: float) -> str:
    parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(p + (255 - p) * towards_white):02x}" for p in parts)


def translucent(color: str, alpha: float) -> str:
    """`#rrggbb` with an opacity, as CSS and plotly read it."""
    parts = ", ".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))
    return f"rgba({parts}, {alpha:g})"
