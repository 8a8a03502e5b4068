"""`joulecast compare`: whether groups of runs differ, and by how much."""

from typing import Any

import click

from ..errors import UsageError
from ..result import Result
from . import options
from .verb import verb


@verb("compare")
@options.table
@options.column(
    "--value",
    default="energy_j",
    help="Column to compare. A unit in its name, such as energy (kWh), is converted to SI.",
)
@options.by
@options.baseline
@options.column(
    "--with",
    "other",
    help="Instead of comparing groups, correlate --value with this column (Spearman's rho), over "
    "all rows and in each group of --by.",
)
@click.option(
    "--test",
    type=click.Choice(("auto", "welch", "kruskal", "anova", "art")),
    default="auto",
    help="One factor: welch (Welch's ANOVA, Games-Howell) or kruskal (Kruskal-Wallis, Dunn). Two: "
    "anova (two-way analysis of variance) or art (aligned rank transform). auto: as normality and "
    "equal variances allow.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    help="Significance level of every test, between 0 and 1.",
)
def command(
    value: str,
    by: tuple[str, ...],
    baseline: str | None,
    other: str | None,
    test: str,
    alpha: float,
    **table: Any,
) -> Result:
    """Show whether groups of runs differ, and by how much: tests, effect sizes, each pair.

        joulecast compare runs.csv --value "energy (kWh)" --by architecture

    With two columns, as in --by architecture,gpu, it shows whether the effect of the one depends on
    the other.

    DATA.csv has a row for each run. RUN is an id, a name (all runs of it), a pattern such as
    "resnet*", or last. The columns of recorded runs are energy_j, duration_s, power_w and others,
    their metrics and their tags.
    """
    import joulecast

    if other is None:
        return joulecast.compare(
            value=value, by=by, test=test, alpha=alpha, baseline=baseline, **table
        )
    if baseline is not None or test != "auto":
        raise UsageError("--with shows a correlation: leave out --baseline and --test")
    if len(by) > 1:
        raise UsageError("--with correlates in the groups of one column: give --by once")
    return joulecast.correlate(x=value, y=other, by=by[0] if by else None, **table)
