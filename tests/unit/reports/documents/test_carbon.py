from dataclasses import replace

import pytest

from fakes.golden import golden
from fakes.recordings import ENVIRONMENT, training, without_samples
from joulecast.analysis.carbon.carbon import CarbonReport, LiveAnswer, carbon
from joulecast.analysis.carbon.cost import parse_tariff
from joulecast.analysis.carbon.footprint import Site, add
from joulecast.analysis.carbon.intensity import IntensityPeriod, IntensitySeries
from joulecast.analysis.carbon.run_carbon import carbon_of_run
from joulecast.recording.summary import summarize
from joulecast.reports.documents.carbon import carbon_document
from joulecast.reports.terminal.render import to_text

SITE = Site.of("DE", year=2021, pue=1.3)
H100 = ENVIRONMENT | {"gpus": [{"index": 0, "name": "NVIDIA H100 80GB HBM3"}]}


def marginal_run():
    summary = summarize(training())
    start = summary.recording.header.started_at
    periods = (
        IntensityPeriod(start - 60, start + 40, 100.0, True),
        IntensityPeriod(start + 40, start + 70, 300.0),
    )
    series = IntensitySeries("CAISO_NORTH", periods, "WattTime", "MOER", marginal=True)
    return carbon_of_run(summary, SITE, series=series)


def report_of(*runs):
    # The start is left out because its text depends on the time zone of the reader.
    runs = [replace(run, started_at=None) for run in runs]
    return CarbonReport(LiveAnswer("uk", "GB"), runs, add(runs))


def several():
    return report_of(
        carbon_of_run(summarize(training(name="a[bold]b\x1b[31m")), SITE),
        carbon_of_run(summarize(without_samples(name="silent")), SITE),
        *carbon("1kWh", carbon_intensity=20.0).runs,
    )


def test_wording():
    tariff = parse_tariff("0.30EUR/kWh")
    full = carbon_of_run(summarize(training(environment=H100)), SITE, tariff=tariff)
    unknown = carbon_of_run(summarize(without_samples()), SITE)
    reports = [report_of(full), report_of(unknown), report_of(marginal_run()), several()]
    assert all(repr(report) == to_text(carbon_document(report)) for report in reports)
    golden("carbon", "\n\n\n".join(map(repr, reports)))


@pytest.mark.parametrize("width", [60, 100, 200])
def test_table_of_runs_fits_the_terminal(width):
    text = to_text(carbon_document(several()), width)
    assert "\x1b" not in text
    assert "a[bold]b" in text and "silent" in text
    assert max(map(len, text.splitlines())) <= width
