"""The wording that reports share."""

from dataclasses import replace
from datetime import UTC

import pytest

from fakes.golden import golden
from fakes.recordings import source, training, without_samples
from joulecast.estimate import Estimate, Provenance
from joulecast.meters.base import Uncertainty
from joulecast.recording.model import Samples, Status
from joulecast.recording.summary import summarize
from joulecast.reports.words import common as words


def test_when_in_a_zone():
    assert words.when(0, UTC) == "1970-01-01 00:00:00 UTC"


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (Status.FINISHED, 0, "finished"),
        (Status.FAILED, 7, "failed (exit code 7)"),
        (Status.FAILED, -11, "failed (signal 11)"),
        (Status.CANCELED, 130, "canceled (exit code 130)"),
        (Status.STOPPED, 143, "stopped at its budget"),
        (Status.INTERRUPTED, None, "interrupted"),
        (Status.RUNNING, None, "still running"),
    ],
)
def test_status(status, code, text):
    recording = training(epochs=1, status=status)
    if recording.footer:
        recording.footer = type(recording.footer)(status, 1.0, code)
    assert words.status_text(summarize(recording)) == text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(12300, 11900, 12700), "11.9 to 12.7 kJ"),
        (Estimate(0.5, 0.4, 0.6, "W"), "400 to 600 mW"),
        (Estimate(-3.0, -4.0, -2.0), "-4.00 to -2.00 J"),
        (Estimate(90, 80, 100, "s"), "80.0 s to 1 min 40 s"),
    ],
)
def test_range(estimate, text):
    assert words.range_text(estimate) == text


def test_uncertainty():
    assert words.uncertainty_text(source("gpu:0")) == "±5 %"
    lopsided = source("cpu:0", uncertainty=Uncertainty(0.2, 0.355, ""))
    assert words.uncertainty_text(lopsided) == "-20 % to +36 %"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.05, "5 %"),
        (0.003, "0.3 %"),
        (0.621, "62 %"),
        (0.996, "99.6 %"),
        (0.9999, "100 %"),
        (0, "0 %"),
        (1, "100 %"),
    ],
)
def test_percent(fraction, text):
    assert words.percent(fraction) == text


def test_domains_in_a_row_are_put_together():
    assert words.domains_text(["gpu:0", "gpu:1", "gpu:2"]) == "gpu:0 to gpu:2"
    assert words.domains_text(["gpu:0", "gpu:2", "gpu:3"]) == "gpu:0, gpu:2, gpu:3"
    assert words.domains_text(["gpu:0"]) == "gpu:0"


def test_the_mix_of_provenances_adds_up():
    summary = summarize(training())
    mix = words.mix_text(summary.total)
    assert [part.split()[-1] for part in mix.split(", ")] == ["measured", "modelled", "assumed"]
    shares = [float(part.split()[0]) for part in mix.split(", ")]
    assert sum(shares) == pytest.approx(100, abs=1.5)
    assert words.mix_text(summarize(training(domains=("gpu:0",))).total) == ""


def test_shares_add_up_to_one():
    summary = summarize(training())
    assert sum(words.share(d, summary) for d in summary.domains) == pytest.approx(1)


def test_mean_power_is_energy_over_time():
    summary = summarize(training())
    power = words.mean_power(summary)
    assert power.value * summary.duration_s == pytest.approx(summary.total.value)
    assert power.provenance is Provenance.MEASURED
    assert power.mix == summary.total.mix
    assert words.mean_power(summarize(without_samples())) is None


def one_reading():
    recording = without_samples()
    for domain, s in training(epochs=0).samples.items():
        columns = (s.t_s, s.value, s.low, s.high, s.held_s)
        recording.samples[domain] = Samples(*(c[:1] for c in columns))
    return recording


@pytest.mark.parametrize(
    ("recording", "notes"),
    [
        (training(), 0),
        (training(epochs=2, status=Status.INTERRUPTED), 1),
        (training(epochs=2, status=Status.RUNNING), 1),
        (training(epochs=0, idle_power_w=None), 2),
    ],
)
def test_each_missing_figure_has_a_note(recording, notes):
    assert len(words.missing(summarize(recording))) == notes


def test_wording_of_missing_figures():
    recordings = [
        without_samples(),
        one_reading(),
        without_samples(sources=[]),
        training(epochs=2, status=Status.INTERRUPTED),
        training(epochs=2, status=Status.RUNNING),
        training(epochs=0, idle_power_w=None),
    ]
    notes = ["\n".join(words.missing(summarize(recording))) for recording in recordings]
    assert all(notes)
    golden("missing_figures", "\n\n".join(notes))


def test_a_silent_meter_is_named():
    recording = training()
    del recording.samples["cpu:0"]
    assert any("cpu:0" in note for note in words.missing(summarize(recording)))


APART = Estimate(397, 217, 736, own_low=389, own_high=406)


def test_both_intervals_of_an_estimate_that_shares_much():
    assert words.range_text(APART) == "389 to 406 J as metered; 217 to 736 J in all"
    assert words.bounds_text(APART) == "217 to 736 J"
    assert words.bounds_text(Estimate(0.8, 0.7, 0.9, "")) == "0.70 to 0.90"
    assert words.lead(APART) == "397 J"
    assert words.are_apart([None, APART]) and not words.are_apart([None, APART.as_metered])


def test_what_all_parts_of_a_run_share_in_one_sentence():
    assert "-45 % to +85 %" in words.shared_text(APART)
    assert words.shared_text(None) == words.shared_text(Estimate(0, 0, 1)) == ""


@pytest.mark.parametrize(
    ("planned", "open_", "text"),
    [
        (None, False, "3 epochs"),
        (6, False, "3 of 6 epochs"),
        (6, True, "2 of 6 epochs"),
        (2, False, "3 epochs"),
    ],
)
def test_complete_epochs_are_counted(planned, open_, text):
    recording = training(epochs=3, status=Status.CANCELED)
    recording.header = replace(recording.header, planned_epochs=planned)
    last = next(s for s in reversed(recording.spans) if s.kind == "epoch")
    last.end_s = None if open_ else last.end_s
    summary = summarize(recording)
    assert words.epoch_count(summary) == text
    assert ("epoch 3 unfinished" in words.epoch_estimate(summary)) is open_
