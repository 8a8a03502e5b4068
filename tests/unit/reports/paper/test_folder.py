"""The files for a paper, whatever the study is; the command line's tests write them to folders."""

import csv
import io
import re
import warnings
import xml.etree.ElementTree as ET

import pytest

from fakes.recordings import training
from fakes.studies import ALL_FAILED, ONE_RUN, results, study
from joulecast.ledger.study_model import TrialStatus
from joulecast.reports.documents.model import ReportTable
from joulecast.reports.documents.study_tables import paper_tables
from joulecast.reports.paper.folder import paper_files, to_csv
from joulecast.reports.paper.latex import to_latex
from joulecast.study.findings.findings import derive_findings

HOSTILE = (
    "</script><script>x</script>",
    r"\input{/etc/passwd} $a_b$ 50 %",
    "quotes \"'` & 🔥 東京",
    "y" * 300,
)


def hostile():
    plan = study(
        name=HOSTILE[1], factors={HOSTILE[0]: HOSTILE, "it's": (1, 2)}, quality="acc $<b>$"
    )
    failed = {0: (TrialStatus.FAILED, HOSTILE[1])}
    data = results(plan, failed, metric="acc $<b>$")
    return derive_findings(data, load=lambda run: training(epochs=3))


@pytest.mark.parametrize(
    "make_findings",
    [
        hostile,
        lambda: derive_findings(results(study(repetitions=1))),
        lambda: derive_findings(results(ONE_RUN)),
        lambda: derive_findings(results(constant=True)),
        lambda: derive_findings(results(failed=ALL_FAILED)),
        lambda: derive_findings(results(study(quality=None), metric=None)),
    ],
    ids=["hostile", "one repetition", "one run", "constant", "all failed", "no metric"],
)
def test_every_file_is_whole(make_findings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a letter that no font has, a range of no width
        files = paper_files(make_findings())
    assert {"configurations.csv", "configurations.tex"} <= set(files)
    for name, content in files.items():
        if name.endswith(".svg"):
            tags = {e.tag.rpartition("}")[2] for e in ET.fromstring(content).iter()}
            assert "script" not in tags and "text" in tags
        elif name.endswith(".pdf"):
            assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
        elif name.endswith(".csv"):
            rows = list(csv.reader(io.StringIO(content.decode())))
            assert len({len(row) for row in rows}) == 1
            assert not any(re.fullmatch("nan|None|inf", cell) for row in rows for cell in row)
        else:
            text = content.decode()
            assert r"\input" not in text and "None" not in text and "nan" not in text.split()


def test_figures_are_as_wide_as_a_column():
    files = paper_files(derive_findings(results(), load=lambda run: training(epochs=3)))
    for name, points in (("tradeoff", 3.4 * 72), ("curves", 7 * 72)):
        assert ET.fromstring(files[f"{name}.svg"]).get("width") == f"{points:g}pt"


def test_tables_have_the_digits_of_the_findings():
    findings = derive_findings(results())
    tables = {t.name: t for t in paper_tables(findings)}
    assert set(tables) == {"configurations", "tests", "pairs", "front", "interactions"}
    rows = list(csv.DictReader(io.StringIO(to_csv(tables["tests"]))))
    for row, test in zip(rows, findings.tests, strict=True):
        assert float(row["p"]) == test.comparison.test.p
        assert row["word"] == test.comparison.test.effect.word
    pairs = list(csv.DictReader(io.StringIO(to_csv(tables["pairs"]))))
    assert len(pairs) == sum(len(t.comparison.pairs) for t in findings.tests)
    for table in tables.values():
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)


def test_a_long_table_names_the_file_with_all_rows():
    many = study(factors={"architecture": [f"m{i}" for i in range(48)]}, repetitions=2)
    table = next(
        t for t in paper_tables(derive_findings(results(many))) if t.name == "configurations"
    )
    assert len(table.rows) == 48
    assert to_latex(table).count(r"\\") == 1 + 45
    assert "3 more rows" in to_latex(table) and "configurations.csv" in to_latex(table)
    assert len(to_csv(table).splitlines()) == 1 + 48


def test_a_user_s_own_matplotlib_settings_change_nothing():
    import matplotlib as mpl

    findings = derive_findings(results())
    plain = paper_files(findings)
    with mpl.rc_context({"font.size": 30, "text.usetex": True, "axes.grid": False}):
        assert paper_files(findings) == plain
        assert mpl.rcParams["font.size"] == 30  # and are as they were


def test_a_spreadsheet_runs_no_cell():
    runs = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1"]
    cells = [*runs, "\r=1", "-0.5", "+3e-4", "a=1"]
    figures = [-1.5, None, 2, -3, 1e-9, 0, 1, 2, 3]
    table = ReportTable([], [], data={"=head": cells, "figures": figures})
    rows = list(csv.reader(io.StringIO(to_csv(table), newline="")))
    assert [row[0] for row in rows[:6]] == ["'=head", *(f"'{cell}" for cell in runs)]
    assert [row[0] for row in rows[6:]] == ["' =1", "-0.5", "+3e-4", "a=1"]
    assert [row[1] for row in rows[1:4]] == ["-1.5", "", "2"]
