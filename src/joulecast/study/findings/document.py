"""The findings of a study as the document `joulecast/study/1`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...serialize import to_builtins

if TYPE_CHECKING:
    from ..model import Study
    from .evidence import Evidence
    from .findings import Findings, Test
    from .grouping import ConfigurationGroup

SCHEMA = "joulecast/study/1"


def document(found: Findings) -> dict[str, Any]:
    """Plain JSON types; null where not known, with the reason in `missing` or beside it."""
    return {
        "schema": SCHEMA,
        "name": found.name,
        "plan": None if found.plan is None else plan_json(found.plan),
        "factors": {f: list(levels) for f, levels in found.factors.items()},
        "held": dict(found.held),
        "quality": found.quality and {"name": found.quality.column, "maximize": found.maximize},
        "counts": dict(found.counts),
        "energy": _energy(found),
        "energy_of_runs": found.total_runs,
        "duration_s": found.duration_s,
        "measures": [
            {"column": m.column, "name": m.label, "unit": m.unit.name} for m in found.measures
        ],
        "configurations": [_group(g) for g in found.groups],
        "failures": [asdict(failure) for failure in found.failures],
        "tradeoff": found.tradeoff and found.tradeoff.to_json(),
        "tests": [_test(t) for t in found.tests],
        "interactions": [i.to_json() for i in found.interactions],
        "power_against_utilization": found.utilization and found.utilization.to_json(),
        "recordings": _evidence(found.evidence),
        "carbon": _carbon(found),
        "missing": list(found.missing),
    }


def plan_json(plan: Study) -> dict[str, Any]:
    """A plan as JSON types."""
    found = asdict(plan)
    found["factors"] = {f: list(levels) for f, levels in plan.factors.items()}
    return found


def _group(group: ConfigurationGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "factors": dict(group.levels),
        "n": len(group.rows),
        "failed": group.failed,
        "figures": {column: to_builtins(m) for column, m in group.medians.items()},
    }


def _test(test: Test) -> dict[str, Any]:
    return {"within": dict(test.within), "comparison": test.comparison.to_json()}


def _evidence(found: Evidence) -> dict[str, Any]:
    return {
        "runs": [
            {
                "configuration": run.configuration,
                "run_id": run.run_id,
                "power": to_builtins(run.power),
                "curve": run.curve and asdict(run.curve),
            }
            for run in found.runs
        ],
        "sources": [
            {
                "domain": s.domain,
                "source": s.source,
                "device": s.device,
                "provenance": str(s.provenance),
            }
            for s in found.sources
        ],
        "environments": {host: dict(env) for host, env in found.environments.items()},
        "interval_s": found.interval_s and list(found.interval_s),
    }


def _energy(found: Findings) -> dict[str, Any] | None:
    if found.total is None:
        return None
    reason = {} if found.provenance else {"reason": found.why_no_provenance}
    return _as_known(found.total.to_json(), found) | reason


def _carbon(found: Findings) -> dict[str, Any]:
    document = found.footprint.to_json()
    for each in (document["whole"], *document["configurations"].values()):
        for figure in ("energy", "cost"):
            each[figure] = each[figure] and _as_known(each[figure], found)
    return document


def _as_known(estimate: dict[str, Any], found: Findings) -> dict[str, Any]:
    """An energy, or its price: without a provenance where that of the energy is not known."""
    return estimate if found.provenance else estimate | {"provenance": None}
