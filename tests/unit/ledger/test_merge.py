import math

import numpy as np

from fakes.stored_runs import header, samples
from joulecast.ledger.merge import merged
from joulecast.recording.model import Footer, Gap, Metric, Recording, Span, Status

NAN = Metric(1.0, "loss", math.nan)


def stored() -> Recording:
    """What the ledger had when it failed after two seconds."""
    return Recording(
        header(),
        spans=[Span(1, None, "epoch", "epoch", 0.0), Span(0, None, "phase", "load", 0.0, 0.5)],
        metrics=[NAN],
        gaps=[Gap("gpu:0", 1.0, None, "lost")],
        samples={"gpu:0": samples(2), "cpu:0": samples(2)},
        status=Status.INTERRUPTED,
    )


def test_the_rest_alone_is_put_behind() -> None:
    rest = Recording(
        header(),
        spans=[Span(1, None, "epoch", "epoch", 0.0, 5.0)],
        metrics=[Metric(3.0, "loss", 0.5)],
        gaps=[Gap("gpu:0", 1.0, 2.5, "lost")],
        samples={"gpu:0": samples(3, start=2)},
        footer=Footer(Status.FINISHED, 5.0, 0),
        status=Status.FINISHED,
    )
    whole = merged(stored(), rest)
    np.testing.assert_allclose(whole.samples["gpu:0"].t_s, np.arange(50) / 10)
    assert len(whole.samples["cpu:0"]) == 20
    assert {span.id: span.end_s for span in whole.spans} == {0: 0.5, 1: 5.0}
    assert whole.gaps == [Gap("gpu:0", 1.0, 2.5, "lost")]
    assert [metric.t_s for metric in whole.metrics] == [1.0, 3.0]
    assert whole.status is Status.FINISHED
    assert whole.footer == rest.footer


def test_a_complete_rescue_replaces_the_recording() -> None:
    rescue = stored()
    rescue.samples = {"gpu:0": samples(5), "cpu:0": samples(5)}
    whole = merged(stored(), rescue)
    assert whole.samples["gpu:0"].t_s.tolist() == rescue.samples["gpu:0"].t_s.tolist()
    assert len(whole.metrics) == 1


def test_joining_with_itself_changes_nothing() -> None:
    whole = merged(stored(), stored())
    assert len(whole.samples["gpu:0"]) == 20
    assert len(whole.spans) == 2
    assert len(whole.gaps) == 1
