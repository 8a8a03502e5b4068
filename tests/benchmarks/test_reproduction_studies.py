"""RQ1 of the paper, from its published runs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "seaa" / "runs.csv"
needs_data = pytest.mark.skipif(not DATA.is_file(), reason="needs shared/data/seaa")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("reproduction_studies")


@needs_data
def test_reductions_against_vgg16_are_those_published(script: ModuleType) -> None:
    reductions = {(r.environment, r.architecture): r for r in script.reductions(script.runs())}
    assert len(script.PUBLISHED) == 7 and set(script.PUBLISHED) <= set(reductions)
    for key, published in script.PUBLISHED.items():
        assert reductions[key].here == pytest.approx(published, abs=1.5), key
        # Only the memory power of the cloud server was published.
        if key[0] == "Cloud":
            assert reductions[key].with_ram == pytest.approx(published, abs=0.3), key


@needs_data
def test_the_published_test_is_that_of_the_cloud_without_outliers(script: ModuleType) -> None:
    table = script.runs()["Cloud"]
    every = script.energy(table)
    assert every.test.name == "kruskal-wallis" and every.spread.equal is False
    assert every.test.p < 1e-20 and every.test.effect.word == "large"
    assert every.test.effect.value == pytest.approx(script.PUBLISHED_ETA, abs=0.03)
    kept = script.energy(script.without_outliers(table, (script.PER_IMAGE, script.USAGE)))
    assert sum(g.n for g in kept.groups) == 128
    assert kept.test.statistic == pytest.approx(script.PUBLISHED_H, abs=1)
    assert kept.test.effect.value == pytest.approx(script.PUBLISHED_ETA, abs=0.005)


@needs_data
def test_the_same_pairs_differ_with_and_without_outliers(script: ModuleType) -> None:
    tables = script.runs()
    assert len(tables) == 2
    for environment, table in tables.items():
        pairs = script.significant(script.energy(table))
        trimmed = script.without_outliers(table, (script.PER_IMAGE, script.USAGE))
        assert pairs == script.significant(script.energy(trimmed))
        alike = {pair for pair, differs in pairs.items() if not differs}
        expected = {frozenset(("xception", "nasnet_mobile"))} if environment == "Cloud" else set()
        assert alike == expected
        for pair in script.energy(table).pairs:
            assert pair.effect.word == ("large" if pair.significant else "negligible")


@needs_data
def test_power_follows_utilization_within_a_machine(script: ModuleType) -> None:
    from joulecast.analysis.statistics.correlation import correlate

    for table in script.runs().values():
        overall = correlate(table, script.POWER, script.USAGE).overall
        assert overall.rho == pytest.approx(script.PUBLISHED_RHO, abs=0.01)
        assert overall.p < 1e-20


@needs_data
def test_the_page_has_the_tables_of_the_script(script: ModuleType) -> None:
    text = (ROOT / "docs" / "reproductions" / "reproduction-studies.md").read_text()
    inside = text.split(script.BEGIN)[1].split(script.END)[0]
    printed = script.page().split("\n\n", 1)[1]  # without the day and the versions
    assert inside.split("\n\n", 2)[2].strip() == printed.strip()


def test_without_the_data_the_script_is_skipped(tmp_path: Path) -> None:
    for name in ("reproduction_studies.py", "harness.py"):
        folder = tmp_path / "main" / "benchmarks"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text((ROOT / "benchmarks" / name).read_text())
    done = subprocess.run(
        [sys.executable, str(folder / "reproduction_studies.py")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stdout.startswith("skipped:")
