"""The rule of early stopping, applied to the metrics of a training after each epoch."""

import math
from collections.abc import Mapping

from ...forecasting.early_stopping.rule import EarlyStopping


class EarlyStop:
    """Called with the metrics of each epoch; returns whether that was the last one.

    As Keras' callback: the training ends after `patience` epochs in a row that are not better than
    the best by more than `min_delta`. An epoch without the metric is not counted; not-a-number is
    no improvement.
    """

    def __init__(self, rule: EarlyStopping) -> None:
        self._rule = rule
        self._best, self._wait = math.inf, 0

    def __call__(self, metrics: Mapping[str, float | None]) -> bool:
        """Whether the training ends after an epoch with these metrics."""
        value = metrics.get(self._rule.metric)
        if value is None:
            return False
        cost = -value if self._rule.rising else value
        if cost < self._best - self._rule.min_delta:
            self._best, self._wait = cost, 0
            return False
        self._wait += 1
        return self._wait >= self._rule.patience
