"""Merges two recordings of one run: what a ledger stored until it failed, and what followed."""

import numpy as np

from ..recording.model import Recording, Samples
from .rows import part_of


def merged(earlier: Recording, later: Recording) -> Recording:
    """All that is in either; where both have the same span or gap, that of `later` is used.

    The samples of `earlier` are used up to the first that `later` has of the domain.
    """
    samples = dict(earlier.samples)
    for domain, new in later.samples.items():
        old = samples.get(domain, Samples.empty())
        if len(new):
            old = part_of(old, 0, int(np.searchsorted(old.t_s, new.t_s[0])))
        samples[domain] = Samples.concat([old, new])
    spans = {span.id: span for span in [*earlier.spans, *later.spans]}
    gaps = {(g.domain, g.start_s, g.reason): g for g in [*earlier.gaps, *later.gaps]}
    # Compared as text, because not-a-number does not equal itself.
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
