"""The HTML report in a real browser: it draws, it is true, it fetches nothing, it runs no guest."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from fakes.gauges import gauge_source, with_gauges
from fakes.recordings import training, without_samples
from joulecast.analysis.power.behavior import power_behavior
from joulecast.recording.model import Gap, Metric, Recording, Span
from joulecast.recording.summary import summarize
from joulecast.reports.page.run import render_html

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>"


@pytest.fixture
def show(open_page, tmp_path: Path):
    """Writes the report of a recording and opens it from the disk."""

    def opened(recording: Recording):
        path = tmp_path / "report.html"
        summary = summarize(recording)
        page = render_html(summary, power=power_behavior(summary), zone=UTC)
        path.write_text(page, encoding="utf-8")
        return open_page(path)

    return opened


def number(page, selector: str) -> float:
    return float(page.get_attribute(selector, "value"))


def drawn(page, name: str) -> list[dict]:
    """The traces plotly has drawn in one chart."""
    return page.evaluate(
        """name => document.querySelector(`[data-figure="${name}"]`)._fullData
              .map(t => ({type: t.type, name: t.name, n: t.x.length, stacked: !!t.stackgroup}))""",
        name,
    )


def test_it_draws_what_was_measured_and_fetches_nothing(show):
    recording = training(epochs=6, gaps=(Gap("gpu:0", 20, 31, "GPU is lost"),))
    opened, summary = show(recording), summarize(recording)
    page = opened.page
    assert opened.requests == [opened.url]
    assert opened.complaints == []
    assert page.get_attribute("body", "data-drawn") == "5"  # power, domains, epochs, two metrics
    power = [t for t in drawn(page, "power") if t["stacked"]]
    assert [t["name"] for t in power] == [d.source.domain for d in summary.domains]
    assert min(t["n"] for t in power) > 50
    assert len(drawn(page, "domains")) == len(summary.domains)
    bars = page.locator('[data-figure="epochs"] .barlayer .point path')
    assert bars.count() == len(summary.epochs) * len(summary.domains)
    assert page.locator('[data-figure="domains"] .errorbar').count() == len(summary.domains)
    assert page.locator('[data-figure="metric:accuracy"] .points path').count() == 6
    assert "gpu:0" in page.inner_text('[data-figure="power"]')


def test_on_a_narrow_page_only_tables_scroll_and_no_buttons_cover_the_legend(show):
    page = show(training(epochs=6)).page
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.querySelectorAll('.power .scroll > :not(table)').length") == 0
    assert page.evaluate("document.querySelectorAll('.power .scroll > table').length") > 0
    assert page.evaluate("document.querySelector('.power').scrollWidth") <= 390
    assert not page.is_visible(".modebar-container")


def test_gauges_are_drawn_below_power_and_listed_in_a_table(show):
    recording = with_gauges(training())
    recording.header.gauges.append(gauge_source("gpu:1/temperature_c", reason=HOSTILE))
    opened = show(recording)
    page = opened.page
    assert opened.complaints == []
    lines = drawn(page, "gauges")
    assert [t["name"] for t in lines] == ["gpu:0", "cpu", "gpu:0", "gpu:0", "host memory"]
    assert min(t["n"] for t in lines) > 50
    panels = page.locator('[data-figure="gauges"] .ytitle, [data-figure="gauges"] .y2title')
    assert panels.count() == 2
    assert "temperature (°C)" in page.inner_text('[data-figure="gauges"]')
    section = page.locator("section", has_text="Utilization, temperature and memory")
    rows = section.locator("tbody tr")
    assert rows.count() == len(summarize(recording).gauges) == 6
    assert "unknown" in rows.last.inner_text()
    assert page.evaluate("window.pwned") is None


def test_its_figures_are_the_summary_s(show):
    page, summary = show(training()).page, summarize(training())
    assert number(page, "#total") == summary.total.value
    assert page.inner_text("#total") == str(summary.total).partition(" (")[0]
    assert number(page, "#above-idle") == summary.above_idle.value
    assert number(page, "#duration") == summary.duration_s
    rows = page.locator("section", has_text="Energy by domain").locator("tbody tr")
    for i, d in enumerate(summary.domains):
        assert float(rows.nth(i).locator("data").get_attribute("value")) == d.energy.value
        assert str(d.energy.provenance) in rows.nth(i).inner_text()
    widths = page.evaluate(
        """() => document.querySelector('[data-figure="domains"]')._fullData.map(t => t.x[0])"""
    )
    assert [w * 1000 for w in widths] == pytest.approx([d.energy.value for d in summary.domains])


def test_a_script_in_a_name_does_not_run(show):
    recording = training(
        epochs=2,
        name=HOSTILE,
        tags={HOSTILE: HOSTILE},
        command=["python", HOSTILE],
        warnings=[HOSTILE],
    )
    for span in recording.spans:
        span.name = HOSTILE
    recording.metrics = [Metric(m.t_s, HOSTILE, m.value, m.span) for m in recording.metrics]
    opened = show(recording)
    assert opened.page.evaluate("window.pwned") is None
    assert opened.page.inner_text("h1") == HOSTILE
    assert opened.page.locator("img").count() == 0
    assert opened.requests == [opened.url]
    assert opened.complaints == []
    opened.page.hover('[data-figure="power"] .nsewdrag')  # hover texts are drawn late
    assert opened.page.evaluate("window.pwned") is None


def test_the_policy_stops_a_script_that_got_in(show):
    opened = show(training(epochs=1))
    opened.page.evaluate(
        """() => { const s = document.createElement('script');
                   s.textContent = 'window.pwned = 1'; document.body.append(s); }"""
    )
    assert opened.page.evaluate("window.pwned") is None


def test_domains_can_be_drawn_side_by_side(show):
    page = show(training(epochs=3)).page
    page.click("text=side by side")
    page.wait_for_function(
        """() => document.querySelector('[data-figure="power"]')._fullData
                  .every(t => !t.stackgroup)"""
    )
    assert page.get_attribute('[data-draw="lines"]', "aria-pressed") == "true"


def test_dark_and_light_have_their_own_colors(show):
    page = show(training(epochs=1)).page
    colors = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)
        colors.append(
            page.evaluate(
                """() => [getComputedStyle(document.body).backgroundColor,
                     document.querySelector('[data-figure="power"]')._fullLayout.xaxis.gridcolor]"""
            )
        )
    assert colors[0][0] != colors[1][0]
    assert colors[0][1] != colors[1][1]


def test_a_phone_needs_no_sideways_scrolling(show):
    page = show(training(epochs=3, name="x" * 200)).page
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


BOXES = """() => [...document.querySelectorAll('.chart')].map(chart => {
    const box = chart.getBoundingClientRect();
    const svg = chart.querySelector('.main-svg').getBoundingClientRect();
    const card = chart.closest('section').getBoundingClientRect();
    return {name: chart.dataset.figure, height: box.height, width: box.width,
            svg_height: svg.height, svg_width: svg.width,
            past_card: Math.max(svg.bottom - card.bottom, svg.right - card.right)};
})"""


@pytest.mark.parametrize("widths", [(1200, 800), (1200, 390), (390, 1200), (1200, 390, 1200)])
def test_charts_keep_their_height_when_the_window_changes(show, widths):
    page = show(training(epochs=3)).page
    page.set_viewport_size({"width": widths[0], "height": 900})
    page.reload()
    page.wait_for_selector("body[data-drawn]", state="attached")
    before = page.evaluate(BOXES)
    for width in widths[1:]:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(  # plotly follows a little later
            """() => [...document.querySelectorAll('.chart')].every(chart =>
                 Math.abs(chart._fullLayout.width - chart.clientWidth) < 2)"""
        )
    after = page.evaluate(BOXES)
    assert min(b["height"] for b in before) > 100
    assert [b["height"] for b in after] == [b["height"] for b in before]
    for box in after:
        assert box["svg_height"] == pytest.approx(box["height"], abs=1)
        assert box["svg_width"] == pytest.approx(box["width"], abs=1)
        assert box["past_card"] < 0


def test_a_phone_breaks_no_word_of_a_first_column(show):
    recording = training(epochs=3)
    recording.spans.append(Span(900, None, "phase", "load digits and labels", 0.1, 0.2))
    recording.spans.append(Span(901, None, "phase", "x" * 200, 0.2, 0.3))  # but this one
    page = show(recording).page
    page.set_viewport_size({"width": 390, "height": 844})
    broken = page.evaluate(
        """() => {
          const broken = [], walk = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) {
            const node = walk.currentNode;
            if (!node.parentElement.closest('tbody th')) continue;
            for (const word of node.data.matchAll(/\\S+/g)) {
              const range = document.createRange();
              range.setStart(node, word.index);
              range.setEnd(node, word.index + word[0].length);
              const lines = new Set([...range.getClientRects()].map(r => Math.round(r.top)));
              if (lines.size > 1) broken.push(word[0]);
            }
          }
          return broken; }"""
    )
    assert broken == ["x" * 200]
    widest = "Math.max(...[...document.querySelectorAll('tbody th')].map(e => e.offsetWidth))"
    assert page.evaluate(widest) < 390 / 2  # it stays in view: the rest must fit next to it


def printing(page) -> None:
    """The page as it is laid out on A4 with margins of 1 cm."""
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_selector(".main-svg[viewBox]", state="attached")


def test_charts_fill_the_paper(show):
    page = show(training(epochs=3)).page
    on_screen = page.evaluate(BOXES)
    printing(page)
    for box in page.evaluate(BOXES):
        assert box["width"] > (300 if box["name"].startswith("metric:") else 660)
        assert box["svg_width"] == pytest.approx(box["width"], abs=1)
        assert box["svg_height"] == pytest.approx(box["height"], abs=1)
        assert box["past_card"] < 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 718  # else all is shrunk
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1200, "height": 900})
    page.wait_for_selector(".main-svg[viewBox]", state="detached")
    page.wait_for_function("() => document.querySelector('.chart')._fullLayout.width > 1000")
    assert page.evaluate(BOXES) == on_screen


def test_it_prints_dark_on_white(show):
    page = show(training(epochs=3)).page
    page.emulate_media(color_scheme="dark")
    page.evaluate(
        """() => addEventListener('beforeprint', () => {
             const layout = document.querySelector('[data-figure="power"]')._fullLayout;
             window.printed = [layout.width, layout.xaxis.gridcolor]; })"""
    )
    assert page.pdf().startswith(b"%PDF")
    width, grid = page.evaluate("window.printed")
    assert width == 700  # about an A4 page's
    assert grid == "#e8ebef"  # the light one


def test_an_empty_run_has_a_page_too(show):
    opened = show(without_samples(sources=[], environment={}))
    assert opened.complaints == []
    assert "meter" in opened.page.inner_text("main")
    assert opened.page.locator(".chart").count() == 0
