"""What a study found, in sentences: the same on the page, in the terminal and on paper."""

from __future__ import annotations

from collections.abc import Mapping

from ...analysis.carbon.cost import format_money
from ...analysis.statistics.correlation import Correlations
from ...analysis.statistics.group_comparison import Comparison
from ...analysis.table.columns import UNKNOWN
from ...analysis.tradeoff.weigh import Configuration
from ...csv_table import number
from ...study.findings.findings import Findings
from ...study.findings.measures import measure
from ...study.model import Conditions, Study, TrialStatus
from ...units import Estimate, Provenance, format_duration, format_quantity, one_line
from .common import percent

LONGEST = 60
"""Letters of a name in a sentence."""
_STATUS = {
    "finished": "finished",
    "failed": "failed",
    "out_of_memory": "ran out of memory",
    "running": "running",
    "pending": "not started",
}


def status_text(status: str) -> str:
    """A trial's status as people say it."""
    return _STATUS.get(status, one_line(status))


def headlines(found: Findings) -> list[str]:
    """The findings that matter most, as sentences; the first answers what to choose."""
    return [*_choice(found), *_factors(found), *_dependence(found), *_totals(found)]


def _choice(found: Findings) -> list[str]:
    weighed, quality = found.tradeoff, found.quality
    if weighed is None or quality is None or len(weighed.configurations) < 2:
        return []
    by_name = {c.name: c for c in weighed.configurations}
    pick, best = by_name[weighed.pick.name], by_name[weighed.pick.best]
    tolerance = percent(weighed.pick.tolerance)
    metric, energy = one_line(quality.label, LONGEST), found.energy.text

    def has(c: Configuration) -> str:
        return f"{quality.text(c.quality.value)} for {energy(c.cost.value)}"

    lines = []
    if pick.name == best.name:
        lines.append(
            f"{_name(best.name)} has the best {metric}, {has(best)}, and nothing cheaper comes "
            f"within {tolerance} of it."
        )
    else:
        lines.append(
            f"{_name(pick.name)} is the cheapest within {tolerance} of the best {metric}: "
            f"{has(pick)}; the best, {_name(best.name)}, has {has(best)}."
        )
        if weighed.pick.pair is not None:
            lines.append(f"{weighed.pick.pair.sentence}.")
    cheapest, dearest = weighed.configurations[0], weighed.configurations[-1]
    ratio = dearest.cost.value / cheapest.cost.value
    if ratio >= 1.1:
        lines.append(
            f"A run takes {ratio:.1f} times as much energy with {_name(dearest.name)} "
            f"({energy(dearest.cost.value)}) as with {_name(cheapest.name)} "
            f"({energy(cheapest.cost.value)})."
        )
    front = weighed.front
    if len(front) > 1:
        lines.append(
            f"{len(front)} of {len(weighed.configurations)} configurations are on the front: none "
            "beats them in both."
        )
    return lines


def _factors(found: Findings) -> list[str]:
    """What each factor does to energy and quality, over all runs."""
    return [test_sentence(test.comparison) for test in found.tests if not test.within]


def test_sentence(c: Comparison) -> str:
    """`architecture makes a large difference to energy (Kruskal-Wallis, p < 0.001, ..)`."""
    what, of = measure(c.value).label, one_line(c.by, LONGEST)
    t = c.test
    if t.p is None or t.effect is None:
        return f"Whether {of} makes a difference to {what} cannot be said: {t.reason}."
    figures = f"{test_name(t.name)}, {p_text(t.p)}{effect_text(t.effect.name, t.effect.value)}"
    if t.p >= c.alpha:
        return f"No difference of {what} between the levels of {of} is shown ({figures})."
    word = t.effect.word or "clear"
    return f"{of} makes a {word} difference to {what} ({figures})."


def test_name(name: str) -> str:
    """A test as the literature calls it."""
    return {
        "kruskal-wallis": "Kruskal-Wallis",
        "welch-anova": "Welch's ANOVA",
        "games-howell": "Games-Howell",
        "dunn-holm": "Dunn with Holm",
    }.get(name, name)


def effect_text(name: str, value: float | None) -> str:
    """`, eta squared 0.92`, or nothing where it is unknown."""
    if value is None:
        return ""
    return f", {name.replace('-', ' ')} {value:.2f}"


def p_text(p: float | None) -> str:
    """`p < 0.001`, `p = 0.032`."""
    if p is None:
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _dependence(found: Findings) -> list[str]:
    """Interactions that are there."""
    lines = []
    for act in found.interactions:
        both = act.effects[2]
        if both.p is not None and both.p < act.alpha:
            a, b, what = (one_line(x, LONGEST) for x in (act.a, act.b, measure(act.value).label))
            size = effect_text("partial-eta-squared", both.partial_eta_squared)
            lines.append(
                f"The effect of {a} on {what} depends on {b} ({method_name(act.method)}, "
                f"{p_text(both.p)}{size})."
            )
    return lines


def method_name(method: str) -> str:
    """How an interaction was tested."""
    return {"anova": "two-way ANOVA", "art": "aligned rank transform"}.get(method, method)


def _totals(found: Findings) -> list[str]:
    lines = []
    if found.total is not None:
        n, known = found.counts.get("planned", 0), found.total_runs
        text = f"All {n:,} runs together" if n > 1 else "The run"
        if known < n:
            runs = f"{known:,} runs" if known > 1 else "one run"
            text = f"The {runs} whose energy is known, of {n:,},"
        how = found.provenance or "not known whether measured"
        used = (
            f"{text} used {_lead(found.total)} ({how}; "
            f"{format_quantity(found.total.value / 3600, 'Wh')})"
        )
        carbon = found.footprint.whole.operational
        if carbon is not None:
            used += f", about {format_quantity(carbon.value, 'g')} CO2e"
        if found.footprint.whole.cost is not None:
            used += f" and {money(found.footprint.whole.cost)}"
        lines.append(used + ".")
    if found.provenance not in (None, Provenance.MEASURED) and len(found.table):
        meters = {s.provenance for s in found.evidence.sources}
        part = not meters or Provenance.MEASURED in meters
        lines.append(
            f"{'Part of the energy' if part else 'Energy'} is {found.provenance}, "
            "not measured: configurations are compared as well "
            "as the model that gave it tells them apart."
        )
    bad = {
        status: n
        for status, n in found.counts.items()
        if status not in (TrialStatus.FINISHED, "planned") and n
    }
    if bad:
        parts = [f"{n:,} {status_text(s)}" for s, n in bad.items()]
        lines.append(f"Of {found.counts.get('planned', 0):,} trials, {_and(parts)}.")
    return lines


def within_text(within: Mapping[str, str]) -> str:
    """`environment = Cloud`, or `all runs`."""
    if not within:
        return "all runs"
    return ", ".join(f"{one_line(f, 30)} = {one_line(v, 40)}" for f, v in within.items())


def utilization_sentence(found: Correlations | None) -> str:
    """How power goes with how busy the device is."""
    if found is None:
        return ""
    one = found.overall
    x, y = measure(found.x).label, measure(found.y).label
    if one.rho is None:
        return f"Whether {y} goes with {x} cannot be said: {one.reason}."
    bounds = "" if one.low is None or one.high is None else f" ({one.low:.2f} to {one.high:.2f})"
    notes = "".join(f" {note}." for note in found.notes)
    return (
        f"Spearman's rank correlation of {y} and {x}: {one.rho:.2f}{bounds}, {p_text(one.p)}, "
        f"{one.n:,} runs.{notes}"
    )


def plan_rows(found: Findings) -> list[tuple[str, str]]:
    """The plan in short: labels and texts."""
    rows = [
        (one_line(f, LONGEST), ", ".join(one_line(x, 40) for x in levels))
        for f, levels in found.factors.items()
    ]
    rows += [(one_line(f, LONGEST), f"{one_line(x, 40)} (always)") for f, x in found.held.items()]
    done = found.counts.get(str(TrialStatus.FINISHED), 0)
    planned = found.counts.get("planned", 0)
    runs = f"{planned:,}, {done:,} finished" if planned != done else f"{done:,}, all finished"
    rows.append(("runs", runs))
    per = sorted({len(g.rows) for g in found.groups if len(g.rows)})
    if per:
        each = f"{per[0]}" if len(per) == 1 else f"{per[0]} to {per[-1]}"
        rows.append(("runs of each configuration", each))
    if found.quality is not None:
        aim = "more is better" if found.maximize else "less is better"
        rows.append(("correctness by", f"{one_line(found.quality.column, LONGEST)} ({aim})"))
    if found.duration_s is not None:
        rows.append(("time of all runs", format_duration(found.duration_s)))
    return rows + (_plan(found.plan) if found.plan else [])


def _plan(plan: Study) -> list[tuple[str, str]]:
    rows = [("training", one_line(plan.entry, 120))]
    order = {
        "randomized": "randomized over all trials",
        "blocked": "randomized within each repetition",
    }.get(plan.order, plan.order)
    rows.append(("order", f"{order}, seed {plan.seed}"))
    if plan.epochs is not None:
        rows.append(("epochs", f"{plan.epochs:,}"))
    if plan.early_stopping:
        rows.append(("early stopping", one_line(plan.early_stopping, 120)))
    rows.append(("between trials", conditions_text(plan.conditions)))
    return rows


def conditions_text(c: Conditions) -> str:
    """What was done around trials, in words."""
    parts = []
    if c.warm_up_s > 0:
        parts.append(f"{format_duration(c.warm_up_s)} of warm-up before the first")
    if c.cool_to_c is not None:
        longest = format_duration(c.cool_longest_s)
        parts.append(f"rest until every GPU is at {c.cool_to_c:g} °C, {longest} at most")
    if c.cool_down_s > 0:
        parts.append(f"{format_duration(c.cool_down_s)} of rest after each")
    return ", ".join(parts) or "neither warm-up nor rest"


def _name(name: str) -> str:
    return one_line(name, LONGEST)


def money(cost: Estimate) -> str:
    """A cost without its bounds: `0.32 EUR`."""
    return format_money(cost).partition(" (")[0]


def level_name(factor: str, level: str) -> str:
    """A level by itself: `resnet50`; `batch=32` and `aug=none`, which alone say nothing."""
    bare = number(level) is not None or level.lower() in UNKNOWN
    return f"{factor}={level}" if bare else level


def _lead(estimate: Estimate) -> str:
    return str(estimate).partition(" (")[0]


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
