"""The study's page in a real browser: it draws, it fetches nothing, it runs no guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.recordings import training
from fakes.studies import ALL_FAILED, ONE_RUN, results, study
from joulecast.ledger.study_model import TrialStatus
from joulecast.reports.page.study_page import render_study
from joulecast.study.findings.findings import Findings, derive_findings

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>"
NAMES = (HOSTILE, r"\input{x} $a_b$", "quotes \"'` & 🔥", "y" * 300)


@pytest.fixture
def show(open_page, tmp_path: Path):
    """Writes the page of a study and opens it from the disk."""

    def opened(findings: Findings):
        path = tmp_path / "study.html"
        path.write_text(render_study(findings), encoding="utf-8")
        return open_page(path)

    return opened


def hostile() -> Findings:
    plan = study(
        name=HOSTILE,
        factors={HOSTILE: NAMES, 'it\'s "b"': (1, 2)},
        repetitions=3,
        quality="acc <b>",
    )
    failed = {0: (TrialStatus.FAILED, HOSTILE)}
    data = results(plan, failed, metric="acc <b>")
    return derive_findings(data, load=lambda run: training(epochs=2, name=HOSTILE))


def test_it_draws_every_run_and_fetches_nothing(show):
    findings = derive_findings(results(), load=lambda run: training(epochs=4))
    opened = show(findings)
    page = opened.page
    assert opened.requests == [opened.url]
    assert opened.complaints == []
    assert page.get_attribute("body", "data-drawn") == "7"
    markers = page.locator('[data-figure="tradeoff"] .scatterlayer .points path.point')
    small = 36 + 6  # every run and every median
    assert markers.count() == small
    assert page.locator('[data-figure="box:energy_j"] .scatterlayer .js-line').count() == 4 * 6
    assert page.locator('[data-figure="act:0"] .errorbar').count() == 6
    letters = page.locator('[data-figure="tradeoff"] .textpoint').all_text_contents()
    assert sorted(letters) == sorted(c.label for c in findings.tradeoff.configurations)
    rows = page.locator("#configurations tbody tr")
    assert rows.count() == 6
    first = rows.nth(0).locator("data").nth(0).get_attribute("value")
    assert float(first) == findings.tradeoff.configurations[0].cost.value


def test_a_script_in_a_name_does_not_run(show):
    opened = show(hostile())
    page = opened.page
    assert page.evaluate("window.pwned") is None
    assert page.inner_text("h1") == HOSTILE
    assert page.locator("img").count() == 0
    assert opened.requests == [opened.url]
    assert opened.complaints == []
    legend = page.locator('[data-figure="tradeoff"] .legendtext').all_text_contents()
    assert r"\input{x} $a_b$" in legend  # a dollar is a dollar, not TeX
    point = page.locator('[data-figure="tradeoff"] .textpoint').first
    point.scroll_into_view_if_needed()
    point.hover(force=True)  # hover texts are drawn late
    page.wait_for_timeout(300)
    assert page.evaluate("window.pwned") is None
    assert page.locator("#failures .error").inner_text() == HOSTILE


@pytest.mark.parametrize("width", [360, 390, 1200])
@pytest.mark.parametrize("which", ["hostile", "plain"])
def test_nothing_sticks_out_of_a_phone(show, which, width):
    findings = hostile() if which == "hostile" else derive_findings(results())
    page = show(findings).page
    page.set_viewport_size({"width": width, "height": 740})
    page.wait_for_timeout(600)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    past = page.evaluate(
        """() => [...document.querySelectorAll('.chart')].map(chart => {
            const svg = chart.querySelector('.main-svg').getBoundingClientRect();
            const card = chart.closest('section').getBoundingClientRect();
            return Math.max(svg.bottom - card.bottom, svg.right - card.right); })"""
    )
    assert past and max(past) < 1


def test_dark_and_light_have_their_own_colors(show):
    page = show(derive_findings(results())).page
    colors = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(400)
        colors.append(
            page.evaluate(
                """() => { const l = document.querySelector('[data-figure="tradeoff"]')._fullLayout;
                     return [l.xaxis.gridcolor, l.annotations[0].font.color]; }"""
            )
        )
    assert colors[0][0] != colors[1][0]
    assert colors[0][1] != colors[1][1]


@pytest.mark.parametrize(
    "findings",
    [
        lambda: derive_findings(results(study(repetitions=1))),
        lambda: derive_findings(results(ONE_RUN)),
        lambda: derive_findings(results(constant=True)),
        lambda: derive_findings(results(failed=ALL_FAILED)),
        lambda: derive_findings(results(study(quality=None), metric=None)),
    ],
    ids=["one repetition", "one run", "constant", "all failed", "no metric"],
)
def test_little_data_are_drawn_without_a_complaint(show, findings):
    opened = show(findings())
    assert opened.complaints == []
    assert opened.requests == [opened.url]
    drawn = int(opened.page.get_attribute("body", "data-drawn"))
    assert drawn == opened.page.locator(".chart .main-svg:first-child").count()
