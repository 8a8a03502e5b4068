"""The findings of a study in sentences: the same on the page, in the terminal and on paper."""

from ...analysis.carbon.cost import format_money
from ...analysis.statistics.correlation import Correlations
from ...analysis.statistics.group_comparison import Comparison
from ...analysis.statistics.wording import effect_text, p_text, statistic_name
from ...analysis.table.columns import UNKNOWN
from ...analysis.tradeoff.weigh import Configuration
from ...csv_table import number
from ...estimate import Estimate, Provenance
from ...ledger.study_model import Conditions, Study, TrialStatus
from ...study.findings.findings import FactorTest, Findings
from ...study.findings.measures import measure
from ...units import counted, format_duration, format_quantity, one_line
from .common import lead, mix_text, percent

MAX_NAME = 60
"""Letters of a name in a sentence."""
_STATUS = {
    "finished": "finished",
    "failed": "failed",
    "out_of_memory": "ran out of memory",
    "running": "running",
    "pending": "not started",
}


def status_text(status: str) -> str:
    """A trial's status for people."""
    return _STATUS.get(status, one_line(status))


def headlines(findings: Findings) -> list[str]:
    """The most important findings as sentences; the first answers what to choose."""
    return [*_choice(findings), *_factors(findings), *_dependence(findings), *_totals(findings)]


def _choice(findings: Findings) -> list[str]:
    weighed, quality = findings.tradeoff, findings.quality
    if weighed is None or quality is None or len(weighed.configurations) < 2:
        return []
    by_name = {c.name: c for c in weighed.configurations}
    pick, best = by_name[weighed.pick.name], by_name[weighed.pick.best]
    tolerance = percent(weighed.pick.tolerance)
    metric, energy = one_line(quality.label, MAX_NAME), findings.energy_measure.text

    def has(c: Configuration) -> str:
        return f"{quality.text(c.quality.value)} for {energy(c.cost.value)}"

    lines = []
    if pick.name == best.name:
        lines.append(
            f"{_name(best.name)} has the best {metric}, {has(best)}, and no configuration that "
            f"uses less energy comes within {tolerance} of it."
        )
    else:
        lines.append(
            f"{_name(pick.name)} uses the least energy within {tolerance} of the best {metric}: "
            f"{has(pick)}; the best, {_name(best.name)}, has {has(best)}."
        )
        if weighed.pick.pair is not None:
            lines.append(f"{weighed.pick.pair.sentence}.")
    lowest, highest = weighed.configurations[0], weighed.configurations[-1]
    ratio = highest.cost.value / lowest.cost.value
    if ratio >= 1.1:
        lines.append(
            f"A run uses {ratio:.1f} times as much energy with {_name(highest.name)} "
            f"({energy(highest.cost.value)}) as with {_name(lowest.name)} "
            f"({energy(lowest.cost.value)})."
        )
    front = weighed.front
    if len(front) > 1:
        lines.append(
            f"{len(front)} of {len(weighed.configurations)} configurations are on the front: none "
            "beats them in both."
        )
    return lines


def _factors(findings: Findings) -> list[str]:
    """The effect of each factor on energy and quality, over all runs."""
    return [test_sentence(test.comparison) for test in findings.tests if not test.within]


def test_sentence(c: Comparison) -> str:
    """`arch makes a large difference to energy at equal width (van Elteren's test, p = 0.005)`."""
    what, of = measure(c.value).label, one_line(c.by, MAX_NAME)
    at = f" at equal {_and([one_line(f, MAX_NAME) for f in c.blocks])}" if c.blocks else ""
    t = c.test
    if t.p is None or t.effect is None:
        return f"Whether {of} makes a difference to {what} is unknown: {t.reason}."
    figures = ", ".join(
        (statistic_name(t.name), p_text(t.p), effect_text(t.effect.name, t.effect.value))
    )
    if t.p >= c.alpha:
        of_what = f"{'consistent ' if c.blocks else ''}difference of {what}"
        return f"No {of_what} between the levels of {of} is shown{at} ({figures})."
    word = t.effect.word or "clear"
    return f"{of} makes a {word} difference to {what}{at} ({figures})."


def _dependence(findings: Findings) -> list[str]:
    """Interactions that are significant."""
    lines = []
    for act in findings.interactions:
        both = act.effects[2]
        if both.p is not None and both.p < act.alpha:
            a, b, what = (one_line(x, MAX_NAME) for x in (act.a, act.b, measure(act.value).label))
            size = effect_text("partial-eta-squared", both.partial_eta_squared)
            lines.append(
                f"The effect of {a} on {what} depends on {b} ({statistic_name(act.method)}, "
                f"{p_text(both.p)}, {size})."
            )
    return lines


def _totals(findings: Findings) -> list[str]:
    lines = []
    planned = findings.counts.get("planned", 0)
    if findings.energy is not None:
        lines.append(_total_sentence(findings, findings.energy, planned))
        caution = _provenance_sentence(findings, findings.energy)
        lines += [caution] if caution and len(findings.runs) else []
    bad = {
        status: n
        for status, n in findings.counts.items()
        if status not in (TrialStatus.FINISHED, "planned") and n
    }
    if bad:
        parts = [f"{n:,} {status_text(s)}" for s, n in bad.items()]
        lines.append(f"Of {counted(planned, 'trial')}, {_and(parts)}.")
    return lines


def _total_sentence(findings: Findings, energy: Estimate, planned: int) -> str:
    text = f"All {planned:,} runs together" if planned > 1 else "The run"
    count = findings.energy_runs
    if count < planned:
        runs = f"{count:,} runs" if count > 1 else "one run"
        text = f"The {runs} whose energy is known, of {planned:,},"
    how = mix_text(energy) or str(energy.provenance)
    if findings.why_no_provenance is not None:
        how = "unknown whether measured"
    used = f"{text} used {lead(energy)} ({how}; {format_quantity(energy.value / 3600, 'Wh')})"
    carbon, cost = findings.carbon.whole.operational, findings.carbon.whole.cost
    if carbon is not None:
        used += f", about {format_quantity(carbon.value, 'g')} CO2e"
    if cost is not None:
        used += f" and {money(cost)}"
    return f"{used}."


def _provenance_sentence(findings: Findings, energy: Estimate) -> str | None:
    """A caution where not all energy was measured."""
    if findings.why_no_provenance is not None:
        return None
    shares = energy.mix or {str(energy.provenance): 1.0}
    other = [kind for kind in shares if kind != Provenance.MEASURED]
    if not other:
        return None
    what = "Part of the energy" if Provenance.MEASURED in shares else "Energy"
    return (
        f"{what} is {' or '.join(other)}, not measured: differences between configurations are "
        "only as accurate as the model behind it."
    )


def among_text(test: FactorTest) -> str:
    """`environment = Cloud`, `equal width`, or `all runs`."""
    if test.within:
        return ", ".join(f"{one_line(f, 30)} = {one_line(v, 40)}" for f, v in test.within.items())
    blocks = [one_line(f, 30) for f in test.comparison.blocks]
    return f"equal {_and(blocks)}" if blocks else "all runs"


def utilization_sentence(correlations: Correlations | None) -> str:
    """The correlation of power and utilization."""
    if correlations is None:
        return ""
    one = correlations.overall
    x, y = measure(correlations.x).label, measure(correlations.y).label
    if one.rho is None:
        return f"Whether {y} depends on {x} is unknown: {one.reason}."
    bounds = "" if one.low is None or one.high is None else f" ({one.low:.2f} to {one.high:.2f})"
    notes = "".join(f" {note}." for note in correlations.notes)
    return (
        f"Spearman's rank correlation of {y} and {x}: {one.rho:.2f}{bounds}, {p_text(one.p)}, "
        f"{counted(one.n, 'run')}.{notes}"
    )


def plan_rows(findings: Findings) -> list[tuple[str, str]]:
    """The plan in short: labels and texts."""
    rows = [
        (one_line(f, MAX_NAME), ", ".join(one_line(x, 40) for x in levels))
        for f, levels in findings.factors.items()
    ]
    rows += [
        (one_line(f, MAX_NAME), f"{one_line(x, 40)} (always)")
        for f, x in findings.constants.items()
    ]
    done = findings.counts.get(str(TrialStatus.FINISHED), 0)
    planned = findings.counts.get("planned", 0)
    runs = f"{planned:,}, {done:,} finished" if planned != done else f"{done:,}, all finished"
    rows.append(("runs", runs))
    per = sorted({len(g.rows) for g in findings.configurations if len(g.rows)})
    if per:
        each = f"{per[0]}" if len(per) == 1 else f"{per[0]} to {per[-1]}"
        rows.append(("runs of each configuration", each))
    if findings.quality is not None:
        aim = "more is better" if findings.maximize else "less is better"
        rows.append(("quality metric", f"{one_line(findings.quality.column, MAX_NAME)} ({aim})"))
    if findings.duration_s is not None:
        rows.append(("time of all runs", format_duration(findings.duration_s)))
    return rows + (training_rows(findings.plan) if findings.plan else [])


def training_rows(plan: Study) -> list[tuple[str, str]]:
    """How the trials of a plan are run: labels and texts."""
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
    """What was done around trials."""
    parts = []
    if c.warm_up_s > 0:
        parts.append(f"{format_duration(c.warm_up_s)} of warm-up before the first")
    if c.cool_to_c is not None:
        longest = format_duration(c.cool_longest_s)
        parts.append(f"pause until every GPU is at {c.cool_to_c:g} °C, {longest} at most")
    if c.cool_down_s > 0:
        parts.append(f"{format_duration(c.cool_down_s)} of pause after each")
    return ", ".join(parts) or "no warm-up, no pause"


def _name(name: str) -> str:
    return one_line(name, MAX_NAME)


def money(cost: Estimate) -> str:
    """A cost without its bounds: `0.32 EUR`."""
    return format_money(cost).partition(" (")[0]


def level_name(factor: str, level: str) -> str:
    """A level by itself: `resnet50`; `batch=32` and `aug=none`, which need their factor."""
    bare = number(level) is not None or level.lower() in UNKNOWN
    return f"{factor}={level}" if bare else level


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
