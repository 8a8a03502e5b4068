"""The HTML page as text; `tests/integration/test_report_browser.py` opens it."""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC
from html.parser import HTMLParser

import pytest
from markupsafe import escape

from fakes.recordings import source, training, without_samples
from joulecast.estimate import Estimate
from joulecast.meters.base import Uncertainty
from joulecast.recording.model import Metric, Status
from joulecast.recording.summary import summarize
from joulecast.reports.page import page_parts
from joulecast.reports.page.page_parts import json_in_html
from joulecast.reports.page.run import render_html
from joulecast.reports.words.common import missing

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=alert(1)>"


# plotly-basic.min.js of plotly.js-basic-dist-min 4.1.1 on npm.
PLOTLY_SHA256 = "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba"


def page(recording):
    return render_html(summarize(recording), zone=UTC)


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


def test_the_page_fetches_nothing_and_forbids_it_by_its_policy():
    text = page(training())
    assert parsed(text).fetched == []
    assert "@import" not in text.partition("</style>")[0]
    assert "url(" not in text.partition("</style>")[0]
    assert "default-src &#39;none&#39;" in text


def test_plotly_is_inlined_once_with_its_license():
    text = page(training())
    assert text.count("* plotly.js (basic - minified) v4.1.1\n") == 1
    assert "Licensed under the MIT license" in text
    assert 1_000_000 < len(text) < 1_500_000
    plotly = page_parts.scripts({"power": {}})["plotly"]
    assert hashlib.sha256(plotly.encode()).hexdigest() == PLOTLY_SHA256
    assert len(page(without_samples())) < 50_000  # and not at all where nothing is drawn


def test_markup_in_names_stays_text():
    hostile = source(
        "gpu:0", device=HOSTILE, source=HOSTILE, uncertainty=Uncertainty(0, 0, HOSTILE)
    )
    recording = training(
        epochs=2,
        name=HOSTILE,
        tags={HOSTILE: HOSTILE},
        command=["python", HOSTILE],
        group=HOSTILE,
        warnings=[HOSTILE],
        environment={"notes": [HOSTILE]},
    )
    recording.header.sources[0] = hostile
    for span in recording.spans:
        span.name = HOSTILE
    recording.metrics = [Metric(m.t_s, HOSTILE, m.value, m.span) for m in recording.metrics]
    text = page(recording)
    clean = parsed(page(training(epochs=2)))
    parsed_page = parsed(text)
    assert "img" not in parsed_page.tags
    assert parsed_page.tags.count("script") == clean.tags.count("script")
    assert "<script>window.pwned" not in text


HIDDEN = "a\x1b[31mb\x9dc\x00d\u202ee\u2066f"
SHOWN = "a\ufffd[31mb\ufffdc\ufffdd\ufffde\ufffdf"


def test_control_characters_are_replaced():
    recording = training(
        epochs=2, name=HIDDEN, tags={HIDDEN: HIDDEN}, command=["python", HIDDEN], warnings=[HIDDEN]
    )
    recording.metrics = [Metric(m.t_s, HIDDEN, m.value, m.span) for m in recording.metrics]
    text = re.sub(r"<script>.*?</script>", "", page(recording), flags=re.DOTALL)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert text.count(SHOWN) >= 5
    figures = re.search(r'id="figures">(.*?)</script>', text, re.DOTALL)
    assert f"metric:{SHOWN}" in json.loads(figures[1])  # as the page's script looks it up
    assert not re.search(r"\\u00[01789]", figures[1])


def test_a_backslash_is_no_control_character():
    texts = {"paths": [r"C:\u001b", "x\\", "tab\tline\n", "\b\f"]}
    readable = {"paths": [r"C:\u001b", "x\\", "tab\tline\n", "\ufffd\ufffd"]}
    assert json.loads(json_in_html(texts)) == readable


def test_figures_are_those_of_the_summary():
    recording = training()
    summary = summarize(recording)
    text = render_html(summary, zone=UTC)
    assert f'<data id="total" value="{summary.total.value}">' in text
    for e in [*(d.energy for d in summary.domains), *(x.energy for x in summary.epochs)]:
        assert f'<data value="{e.value}">{str(e).partition(" (")[0]}</data>' in text


@pytest.mark.parametrize(
    ("above_j", "cell"),
    [
        (-2.84e-6, "≈ 0 J"),
        (0.0, "≈ 0 J"),
        (4.9, "≈ 0 J"),
        (-4.9, "≈ 0 J"),
        (5.1, "5.10 J"),
        (-5.1, "-5.10 J"),
        (None, "unknown"),
    ],
)
def test_above_idle_within_the_bounds_of_the_energy_is_shown_as_zero(above_j, cell):
    recording = training(epochs=2, domains=("dram:0",))
    summary = summarize(recording)
    above = None if above_j is None else Estimate(above_j, above_j - 9, above_j + 9)
    domain = replace(summary.domains[0], energy=Estimate(1000, 900, 1100), above_idle=above)
    text = render_html(replace(summary, domains=[domain]), zone=UTC)
    row = re.search(r'<th scope="row">dram:0</th>.*?</tr>', text, flags=re.DOTALL)
    assert re.findall(r'<td class="n">([^<]*)</td>', row[0])[0] == cell


@pytest.mark.parametrize(
    "recording",
    [
        without_samples(),
        without_samples(sources=[], environment={}),
        training(epochs=2, status=Status.INTERRUPTED),
        training(epochs=2, status=Status.RUNNING),
        training(epochs=0, idle_power_w=None),
    ],
)
def test_missing_figures_have_notes(recording):
    text, notes = page(recording), missing(summarize(recording))
    assert notes and all(str(escape(note)) in text for note in notes)
    assert "NaN" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_a_long_run_makes_no_longer_page():
    short = page(training(epochs=20, domains=("gpu:0",), epoch_s=30))
    long = page(training(epochs=20, domains=("gpu:0",), epoch_s=1200, hz=5))
    assert len(long) < len(short) + 200_000


def test_without_jinja2_it_names_the_extra():
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from joulecast.reports.page.run import render_html\n"
        "try: render_html(None)\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingExtraError")
    assert '"joulecast[report]"' in done.stdout
