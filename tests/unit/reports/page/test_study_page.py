"""The page of a study as text; `tests/integration/test_study_report_browser.py` opens it."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from fakes.recordings import training
from fakes.studies import ALL_FAILED, ONE_RUN, THREE_FACTORS, results, study
from joulecast.ledger.study_model import TrialStatus
from joulecast.reports.page import study_scales
from joulecast.reports.page.study_page import render_study
from joulecast.reports.page.study_styles import jitter
from joulecast.study.findings.findings import derive_findings
from joulecast.study.findings.grouping import box
from joulecast.study.findings.measures import measure

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=alert(1)>"
NAMES = (HOSTILE, r"\input{x} $a_b$", "quotes \"'` & 🔥", "y" * 300)


def hostile_study():
    plan = study(
        name=HOSTILE,
        factors={HOSTILE: NAMES, 'it\'s "b"': (1, 2)},
        repetitions=3,
        quality="acc <b>",
    )
    failed = {0: (TrialStatus.FAILED, HOSTILE)}
    return derive_findings(
        results(plan, failed, metric="acc <b>"), load=lambda run: training(epochs=2, name=HOSTILE)
    )


class Tags(HTMLParser):
    """Counts elements, and keeps what they would fetch."""

    def __init__(self):
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")]


def parsed(text):
    tags = Tags()
    tags.feed(re.sub(r"<script>.*?</script>", "<script></script>", text, flags=re.DOTALL))
    return tags


def figures(text):
    """The figures in a page, as its script gets them."""
    figures = re.search(r'id="figures">(.*?)</script>', text, re.DOTALL)
    return json.loads(figures[1])


def body(text):
    return re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


def test_it_has_a_chart_for_each_question():
    drawn = figures(render_study(derive_findings(results(), load=lambda run: training(epochs=4))))
    assert set(drawn) == {
        "tradeoff", "box:energy_j", "box:accuracy", "act:0", "act:1", "utilization", "curves"
    }  # fmt: skip


def test_markup_in_names_stays_text():
    text = render_study(hostile_study())
    clean = parsed(render_study(derive_findings(results(), load=lambda run: training(epochs=2))))
    page = parsed(text)
    assert "img" not in page.tags
    assert page.tags.count("script") == clean.tags.count("script")
    assert page.fetched == []
    assert "<script>window.pwned" not in text
    flat = json.dumps(figures(text))
    assert not re.search(r"<(script|img)", flat)


def test_control_characters_are_replaced():
    hidden = "a\x1b[31mb\x9bc"
    plan = study(name=hidden, factors={hidden: (hidden, "plain")}, repetitions=3)
    failed = {0: (TrialStatus.FAILED, f"x\ny {hidden}")}
    text = body(render_study(derive_findings(results(plan, failed))))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert "x\ny a\ufffd[31mb\ufffdc" in text


def test_the_tables_hold_the_figures():
    findings = derive_findings(results())
    text = render_study(findings)
    assert findings.configurations
    for group in findings.configurations:
        assert f'<data value="{group.medians["energy_j"].value}">' in text
    assert f'<data id="total" value="{findings.energy.value}">' in text


@pytest.mark.parametrize(
    "make_findings",
    [
        lambda: derive_findings(results(study(repetitions=1))),
        lambda: derive_findings(results(ONE_RUN)),
        lambda: derive_findings(results(constant=True)),
        lambda: derive_findings(results(failed=ALL_FAILED)),
        lambda: derive_findings(results(study(quality=None), metric=None)),
        lambda: derive_findings(results(study(quality="loss", maximize=False), metric="loss")),
        lambda: derive_findings(results(THREE_FACTORS)),
    ],
    ids=["one repetition", "one run", "constant", "all failed", "no metric", "loss", "three"],
)
def test_little_data_make_a_whole_page(make_findings):
    text = render_study(make_findings())
    assert text.rstrip().endswith("</html>")
    assert not re.search(r"\bNaN\b|\bNone\b|\binf\b", body(text))
    for figure in figures(text).values():
        assert figure["data"]


def test_many_trials_and_configurations_stay_small():
    plan = study(factors={"architecture": [f"m{i}" for i in range(10)], "batch": (8, 64)})
    few, many = derive_findings(results(plan)), derive_findings(results(study(
        factors={"architecture": [f"m{i}" for i in range(100)], "batch": (8, 64)}, repetitions=30
    )))  # fmt: skip
    drawn = figures(render_study(many))
    points = sum(len(t["x"]) for t in drawn["tradeoff"]["data"])
    assert points < 5000
    ratio = len(render_study(many)) - len(render_study(few))
    assert ratio < 700_000  # fifty times as many trials
    assert "140 more" in body(render_study(many))  # rows of the table


def test_without_jinja2_it_names_the_extra():
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from joulecast.reports.page.study_page import render_study\n"
        "try: render_study(None)\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingExtraError ")
    assert 'pip install "joulecast[report]"' in done.stdout


# --- scales --------------------------------------------------------------------------------------


def test_energies_far_apart_get_a_logarithm():
    near = study_scales.amount_scale(measure("energy_j"), np.array([1e3, 7e3]))
    far = study_scales.amount_scale(measure("energy_j"), np.array([1e3, 9e3, np.nan]))
    assert near.kind is study_scales.ScaleKind.LINEAR and far.kind is study_scales.ScaleKind.LOG
    assert far.title == "energy (kJ)" and [t for _, t in far.ticks] == ["1", "2", "5", "10"]
    assert far.at(2000) == 2.0


def test_accuracies_near_one_have_a_logarithmic_axis():
    values = np.array([0.2, 0.95, 0.99, 0.995])
    scale = study_scales.quality_scale(measure("accuracy"), values, [0.95, 0.995], True)
    assert scale.kind is study_scales.ScaleKind.NEAR_ONE
    assert scale.at(0.99) == pytest.approx(0.01)
    assert scale.first > scale.last  # better is up
    assert {text for _, text in scale.ticks} >= {"0.95", "0.99"}


@pytest.mark.parametrize("values", [[0.5, 1.0], [1.0, 1.0], [3.0, 900.0], [-1.0, 0.99]])
def test_other_scores_have_a_linear_axis(values):
    scale = study_scales.quality_scale(measure("score"), np.array(values), values, True)
    assert scale.kind is study_scales.ScaleKind.LINEAR
    assert scale.first < min(values) and scale.last > max(values)


def test_runs_beyond_the_axis_are_counted_and_medians_never_are():
    rng = np.random.default_rng(0)
    values = np.append(0.9 + 0.02 * rng.random(200), [-40.0, 0.91])
    scale = study_scales.quality_scale(measure("score"), values, [0.9, 0.92], True)
    assert scale.outside(values) == 1
    assert scale.outside(np.array([0.9, 0.92])) == 0


def test_a_box_is_tukey_s():
    # The upper whisker reaches 4 + 1.5 * (4 - 2) = 7 at most.
    for largest, whisker in ((6.9, 6.9), (7.1, 4.0)):
        five = box(np.array([1.0, 2.0, 3.0, 4.0, largest]))
        assert (five.quartile_1, five.median, five.quartile_3) == (2.0, 3.0, 4.0)
        assert (five.low, five.high) == (1.0, whisker)


def test_jitter_is_even_and_the_same_each_time():
    places = jitter(1000, 0.5)
    assert np.abs(places).max() <= 0.25
    assert np.all(np.histogram(places, 10)[0] > 80)
    assert np.array_equal(places, jitter(1000, 0.5))
