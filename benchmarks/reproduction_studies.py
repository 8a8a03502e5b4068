"""RQ1 of del Rey et al. (arXiv 2307.05520) from the SEAA runs alone, with the published figures.

Prints the tables of `docs/reproductions/reproduction-studies.md`; `--write` puts them there.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from harness import ROOT, SHARED_DATA, machine
from joulecast.analysis.statistics.correlation import correlate
from joulecast.analysis.statistics.group_comparison import Comparison, compare_groups
from joulecast.analysis.statistics.wording import p_text
from joulecast.analysis.table.columns import Table

RUNS = SHARED_DATA / "seaa" / "runs.csv"
MEDIANS = SHARED_DATA / "delrey" / "figure_bar_medians.csv"
PAGE = ROOT / "docs" / "reproductions" / "reproduction-studies.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BASELINE = "vgg16"
ENVIRONMENTS = {
    "Cloud": "Cloud",
    "Local ML Engineer/Gamer": "Local ML",
}  # our names of the paper's environments
# The column "trained epochs" counts this many epochs that were not trained.
EPOCHS_TOO_HIGH = 9
# Images of an epoch: training and validation, whole batches.
IMAGES = 33_952
RAM_W = 4.8
"""Of the Cloud server, W: what the authors' full data set gives for its first runs (0.375 W/GB of
the 12.5 to 12.9 GB in use). The table at hand has no such column."""
PUBLISHED = {  # energy per image less than VGG16's, %
    ("Cloud", "mobilenet_v2"): 63.9,
    ("Cloud", "resnet50"): 29.3,
    ("Cloud", "xception"): 13.9,
    ("Cloud", "nasnet_mobile"): 13.5,
    ("Local ML", "mobilenet_v2"): 80.8,
    ("Local ML", "nasnet_mobile"): 55.9,
    ("Local ML", "resnet50"): 49.4,
}
PUBLISHED_H, PUBLISHED_ETA, PUBLISHED_RHO = 116.85, 0.917, 0.98
NAMES = {
    "MobileNet V2": "mobilenet_v2",
    "NASNet Mobile": "nasnet_mobile",
    "ResNet50": "resnet50",
    "Xception": "xception",
    "VGG16": "vgg16",
}
POWER, USAGE, GFLOPS = "average power draw (W)", "gpu usage (%)", "GFLOPs"
PER_IMAGE, TIMED = "energy_per_image_j", "duration_per_image_ms"
PER_RUN, WITH_RAM = "energy_j", "with_ram_j"


@dataclass(frozen=True)
class Reduction:
    """How much less energy per image than VGG16, %, by medians."""

    environment: str
    architecture: str
    published: float | None
    here: float
    with_ram: float
    of_run: float  # the same of the energy of whole runs
    figure: float | None  # of the medians read off the paper's figure


def runs() -> dict[str, Table]:
    """The runs of each environment, with energies of a run and of an image, J."""
    with RUNS.open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["training environment"] in ENVIRONMENTS]
    tables = {}
    for long, short in ENVIRONMENTS.items():
        here = [r for r in rows if r["training environment"] == long]
        images = np.array([(float(r["trained epochs"]) - EPOCHS_TOO_HIGH) * IMAGES for r in here])
        energy = np.array([1e6 * float(r["energy (MJ)"]) for r in here])
        seconds = np.array([3600 * float(r["training duration (h)"]) for r in here])
        columns = {
            name: list(map(float, (r[name] for r in here))) for name in (POWER, USAGE, GFLOPS)
        }
        columns |= {"f1-score": [float(r["f1-score"]) for r in here]}
        columns |= {
            PER_RUN: energy.tolist(),
            PER_IMAGE: (energy / images).tolist(),
            WITH_RAM: ((energy + RAM_W * seconds) / images).tolist(),
            TIMED: (1e3 * seconds / images).tolist(),
        }
        tables[short] = Table(short, columns | {"architecture": [r["architecture"] for r in here]})
    return tables


def energy(table: Table, value: str = PER_IMAGE) -> Comparison:
    """Architectures compared, each with VGG16 first."""
    return compare_groups(table, value, "architecture", baseline=BASELINE)


def reductions(tables: dict[str, Table]) -> list[Reduction]:
    """The reduction of every architecture in both environments."""
    drawn = figure_medians()
    rows = []
    for environment, table in tables.items():
        by = {
            value: {p.b: -(p.median_change_pct or 0.0) for p in energy(table, value).pairs
                    if p.a == BASELINE}
            for value in (PER_IMAGE, WITH_RAM, PER_RUN)
        }  # fmt: skip
        for name, here in by[PER_IMAGE].items():
            seen = drawn.get((environment, name)), drawn.get((environment, BASELINE))
            figure = None if None in seen else 100 * (1 - seen[0] / seen[1])
            published = PUBLISHED.get((environment, name))
            others = by[WITH_RAM][name], by[PER_RUN][name]
            rows.append(Reduction(environment, name, published, here, *others, figure))
    return rows


def figure_medians() -> dict[tuple[str, str], float]:
    """Energy per image that the bars of the paper's figure show, J, to two digits."""
    if not MEDIANS.is_file():
        return {}
    with MEDIANS.open(newline="") as file:
        return {
            (r["training_environment"], NAMES[r["architecture"]]): float(r["median"])
            for r in csv.DictReader(file)
            if r["metric"] == "energy"
        }


def without_outliers(table: Table, columns: Sequence[str]) -> Table:
    """Without runs beyond 1.5 interquartile ranges of their architecture, in any of the columns."""
    labels = np.array(table.labels("architecture"))
    keep = np.ones(len(table), dtype=bool)
    for column in columns:
        values = table.numbers(column)
        for label in set(labels.tolist()):
            own = labels == label
            low, high = np.quantile(values[own], [0.25, 0.75])
            reach = 1.5 * (high - low)
            keep &= ~own | ((values >= low - reach) & (values <= high + reach))
    return table.rows(keep)


def significant(comparison: Comparison) -> dict[frozenset[str], bool]:
    """Whether each pair differs significantly."""
    return {frozenset((p.a, p.b)): bool(p.significant) for p in comparison.pairs}


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def reduction_table(tables: dict[str, Table]) -> str:
    """The reductions as published and as computed here."""
    head = ("environment", "architecture", "published", "here", "off by", "with RAM at 4.8 W")
    rows = [(*head, "off the paper's figure", "of whole runs")]
    for r in reductions(tables):
        off = None if r.published is None else r.here - r.published
        ram = _percent(r.with_ram) if r.environment == "Cloud" else ""
        figures = (_percent(r.published), _percent(r.here), _percent(off), ram)
        rest = (_percent(r.figure), _percent(r.of_run))
        rows.append((r.environment, r.architecture, *figures, *rest))
    return markdown(rows)


def test_table(tables: dict[str, Table]) -> str:
    """H and eta squared of energy per image: of all runs, and of those that are no outliers."""
    kinds: dict[str, tuple[str, ...]] = {
        "all runs": (),
        "no outliers in energy per image": (PER_IMAGE,),
        "nor in GPU usage": (PER_IMAGE, USAGE),
        "nor in time per image": (PER_IMAGE, USAGE, TIMED),
    }
    head = ("environment", "runs taken", "runs", "not normal", "Levene", "H", "eta squared")
    rows = [(*head, "pairs that differ")]
    for environment, table in tables.items():
        for kind, columns in kinds.items():
            comparison = energy(without_outliers(table, columns) if columns else table)
            test = comparison.test
            assert test.effect is not None and test.name == "kruskal-wallis"
            failed = [n.group for n in comparison.normality if n.normal is False]
            pairs = significant(comparison)
            figures = (f"{test.statistic:.2f}", f"{test.effect.value:.3f}")
            count = str(sum(group.n for group in comparison.groups))
            differ = f"{sum(pairs.values())} of {len(pairs)}"
            names = ", ".join(failed) or "none"
            levene = p_text(comparison.spread.p)
            rows.append((environment, kind, count, names, levene, *figures, differ))
    rows.append(("Cloud", "published", "128 (by the formula)", "", "",
                 f"{PUBLISHED_H}", f"{PUBLISHED_ETA}", ""))  # fmt: skip
    return markdown(rows)


def pair_table(tables: dict[str, Table]) -> str:
    """Every pair, of all runs: how it differs in the median, p and Cliff's delta."""
    head = ("environment", "pair (b against a)", "median change", "p, Dunn with Holm")
    rows = [(*head, "Cliff's delta (90 % interval)", "size", "same without outliers")]
    for environment, table in tables.items():
        trimmed = significant(energy(without_outliers(table, (PER_IMAGE, USAGE))))
        for p in energy(table).pairs:
            effect = p.effect
            delta = f"{effect.value:.2f} ({effect.low:.2f} to {effect.high:.2f})"
            same = "yes" if trimmed[frozenset((p.a, p.b))] == p.significant else "no"
            change = f"{p.median_change_pct:+.1f} %"
            figures = (f"{p.b} against {p.a}", change, p_text(p.p_adjusted), delta)
            rows.append((environment, *figures, str(effect.word), same))
    return markdown(rows)


def correlation_table(tables: dict[str, Table]) -> str:
    """Spearman's rho within each environment, and over both."""
    both = Table("both", {c: [*tables["Cloud"].cells(c), *tables["Local ML"].cells(c)]
                          for c in tables["Cloud"].columns})  # fmt: skip
    pairs = (
        (POWER, USAGE, f"{PUBLISHED_RHO}"),
        (PER_IMAGE, USAGE, ""),
        (PER_IMAGE, GFLOPS, ""),
        (POWER, GFLOPS, ""),
        (PER_IMAGE, "f1-score", ""),
    )
    rows = [("of", "and", "published", *tables, "both together")]
    for x, y, published in pairs:
        overall = [correlate(t, x, y).overall for t in (*tables.values(), both)]
        texts = [f"{c.rho:.2f} ({c.low:.2f} to {c.high:.2f})" for c in overall]
        rows.append((x, y, published, *texts))
    return markdown(rows)


def page() -> str:
    """All tables, with the date and the versions of the libraries that computed them."""
    tables = runs()
    where = machine()
    versions = ", ".join(f"{n} {metadata.version(n)}" for n in ("numpy", "scipy"))
    joulecast = where["versions"].get("joulecast", "")
    made = f"{where['date']}, joulecast {joulecast}, Python {where['python']}, {versions}."
    return "\n\n".join(
        (
            made,
            "### Energy per image less than that of VGG16, % of the median",
            reduction_table(tables),
            "### Do the architectures differ? (energy per image, Kruskal-Wallis)",
            test_table(tables),
            "### Pairs (energy per image, all runs)",
            pair_table(tables),
            "### Spearman's rho (90 % interval)",
            correlation_table(tables),
        )
    )


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, nargs="?", const=PAGE, metavar="PAGE",
                        help=f"put the tables there [default: docs/{PAGE.name}]")  # fmt: skip
    args = parser.parse_args()
    if not RUNS.is_file():
        print("skipped: ../shared/data/seaa is absent")
        return
    tables = page()
    print(tables)
    if args.write:
        text = args.write.read_text()
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        args.write.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")


if __name__ == "__main__":
    main()
