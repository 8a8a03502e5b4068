"""A trade-off as the document `joulecast/tradeoff/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...serialize import to_builtins
from .labels import LABELS

if TYPE_CHECKING:
    from .front import Configuration, FrontStep, Tradeoff

SCHEMA = "joulecast/tradeoff/1"
J_PER_KWH = 3.6e6


def document(found: Tradeoff) -> dict[str, Any]:
    """Plain JSON types; costs in the unit named by `cost.unit`, null where not known."""
    joules = found.unit.name == "J"
    return {
        "schema": SCHEMA,
        "title": found.title,
        "cost": {"column": found.cost, "unit": found.unit.name},
        "quality": {"column": found.quality, "maximize": found.maximize},
        "by": list(found.by),
        "rows": found.rows,
        "left_out": [{"reason": r, "rows": n} for r, n in found.left_out.items()],
        "configurations": [_configuration(c, joules) for c in found.configurations],
        "front": [c.name for c in found.front],
        "front_draws": found.draws,
        "reference": found.reference,
        "pairs": [p.to_json(found.scale) for p in found.pairs],
        "diminishing_returns": [_step(s, joules) for s in found.steps],
        "cheapest_within": {
            "tolerance": found.pick.tolerance,
            "best": found.pick.best,
            "threshold": found.pick.threshold,
            "name": found.pick.name,
            "against_best": found.pick.pair and found.pick.pair.to_json(found.scale),
        },
        "labels": found.bounds
        and [
            {"label": name, "from": low, "to": high}
            for name, low, high in zip(LABELS, found.bounds, found.bounds[1:], strict=False)
        ],
        "notes": found.notes,
    }


def _configuration(c: Configuration, joules: bool) -> dict[str, Any]:
    return {
        "name": c.name,
        "factors": c.factors,
        "n": c.n,
        "cost": to_builtins(c.cost),
        "quality": to_builtins(c.quality),
        "on_front": c.on_front,
        "front_share": c.front_share,
        "label": c.label,
    } | _rates("quality_per", c.per_unit, joules)


def _step(s: FrontStep, joules: bool) -> dict[str, Any]:
    return {
        "from": s.start,
        "to": s.end,
        "extra_cost": s.extra_cost,
        "gain": s.gain,
        "relative_to_first": s.relative,
    } | _rates("gain_per", s.gain_per_unit, joules)


def _rates(name: str, per_unit: float | None, joules: bool) -> dict[str, float | None]:
    """Per unit of cost; and where that is the joule, per joule and per kWh."""
    known = joules and per_unit is not None
    return {
        f"{name}_cost": per_unit,
        f"{name}_joule": per_unit if known else None,
        f"{name}_kwh": per_unit * J_PER_KWH if known and per_unit is not None else None,
    }
