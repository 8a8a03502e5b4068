"""Two recordings of one run made one: what a ledger had stored when it failed, and the rescue."""

from __future__ import annotations

import numpy as np

from ..recording.model import Recording, Samples
from .rows import part_of


def joined(earlier: Recording, later: Recording) -> Recording:
    """All that either holds; where both speak of the same, `later` counts.

    The samples of `earlier` count up to the first that `later` has of the domain.
    """
    samples = dict(earlier.samples)
    for domain, new in later.samples.items():
        old = samples.get(domain, Samples.empty())
        if len(new):
            old = part_of(old, 0, int(np.searchsorted(old.t_s, new.t_s[0])))
        samples[domain] = Samples.concat([old, new])
    spans = {span.id: span for span in [*earlier.spans, *later.spans]}
    gaps = {(g.domain, g.start_s, g.reason): g for g in [*earlier.gaps, *later.gaps]}
    # By their text: a loss that is not-a-number does not equal itself.
    metrics = {repr(metric): metric for metric in [*earlier.metrics, *later.metrics]}
    return Recording(
        header=later.header,
        spans=list(spans.values()),
        metrics=sorted(metrics.values(), key=lambda metric: metric.t_s),
        gaps=list(gaps.values()),
        samples=samples,
        footer=later.footer or earlier.footer,
        status=later.status if later.footer or not earlier.footer else earlier.status,
    )
