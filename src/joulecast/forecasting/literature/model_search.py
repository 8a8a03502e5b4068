"""Regressions compared by cross-validated search, as in arXiv 2307.05520.

Linear, ridge, kernel ridge (rbf) and support vector regression (rbf), on standardized features:
five folds, 100 random settings of each, drawn from the distributions of the authors' code
(GAISSA-UPC/dl-training-energy-estimation). The one with the smallest cross-validated root mean
square error is fitted on all rows. The authors standardize before they split; here each fold is
standardized by the rows it is fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import MissingExtraError

ITERATIONS = 100
FOLDS = 5
# Rows that the search uses, drawn at random from more: its time grows with their cube.
MAX_SEARCHED = 500
# Rows that the best regression is fitted on.
MAX_FITTED = 4000


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted regression. `rmse` has the cross-validated error of each kind compared."""

    columns: tuple[str, ...]
    kind: str
    rmse: Mapping[str, float]
    # A pipeline of scikit-learn.
    estimator: Any

    def predict(self, facts: object) -> float | None:
        """The prediction for an object with the columns as attributes; None where one is None."""
        values = [getattr(facts, column) for column in self.columns]
        if any(value is None for value in values):
            return None
        return float(self.estimator.predict(np.array([values], dtype=float))[0])

    def again(self, rows: Sequence[Sequence[float]], targets: Sequence[float]) -> Regression:
        """The same regression with its settings, fitted on other rows of the same columns."""
        from sklearn.base import clone

        return replace(self, estimator=_fitted(clone(self.estimator), rows, targets, 0))


def search(
    rows: Sequence[Sequence[float]],
    targets: Sequence[float],
    columns: tuple[str, ...],
    *,
    iterations: int = ITERATIONS,
    seed: int = 0,
) -> Regression:
    """The best regression of the targets, shape (n,), on the rows, shape (n, columns).

    Raises:
        MissingExtraError: scikit-learn or scipy is not installed.
    """
    try:
        from sklearn import config_context
        from sklearn.model_selection import KFold, ParameterSampler
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError("learning from runs", "analysis") from None

    x, y = _drawn(rows, targets, MAX_SEARCHED, seed)
    parts = KFold(min(FOLDS, len(y)), shuffle=True, random_state=seed).split(x)
    folds = [_scaled(x[train], y[train], x[test], y[test]) for train, test in parts]
    rmse: dict[str, float] = {}
    best: dict[str, Any] = {}
    # The matrices are small: threads would wait for each other, and checks cost more than fits.
    with threadpool_limits(1), config_context(assume_finite=True, skip_parameter_validation=True):
        for kind, (model, drawn) in _kinds().items():
            trials = ParameterSampler(drawn, iterations if drawn else 1, random_state=seed)
            scored = [(_rmse(model, settings, folds), settings) for settings in trials]
            rmse[kind], settings = min(scored, key=lambda trial: trial[0])
            best[kind] = model.set_params(**settings)
    kind = min(rmse, key=lambda name: rmse[name])
    return Regression(columns, kind, rmse, _fitted(_pipeline(best[kind]), rows, targets, seed))


def _scaled(train: Any, y_train: Any, test: Any, y_test: Any) -> tuple[Any, Any, Any, Any]:
    """A fold, standardized by its training rows."""
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(train)
    return scale.transform(train), y_train, scale.transform(test), y_test


def _rmse(model: Any, settings: Mapping[str, Any], folds: Sequence[tuple[Any, ...]]) -> float:
    """Root mean square error of a model with these settings, mean over the folds."""
    from sklearn.base import clone

    errors = []
    for x_train, y_train, x_test, y_test in folds:
        predicted = clone(model).set_params(**settings).fit(x_train, y_train).predict(x_test)
        errors.append(float(np.sqrt(np.mean((predicted - y_test) ** 2))))
    return float(np.mean(errors))


def _pipeline(model: Any) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("scale", StandardScaler()), ("model", model)])


def _kinds() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Each regression, and the distributions of its settings."""
    from scipy.stats import expon
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import LinearRegression, Ridge
    from sklearn.svm import SVR

    kernel = {"alpha": expon(scale=0.01), "gamma": expon(scale=0.01)}
    vectors = {"C": expon(scale=300), "epsilon": expon(scale=1), "gamma": expon(scale=0.01)}
    return {
        "linear": (LinearRegression(), {}),
        "ridge": (Ridge(), {"alpha": expon(scale=0.1)}),
        "kernel ridge": (KernelRidge(kernel="rbf"), kernel),
        "svr": (SVR(kernel="rbf"), vectors),
    }


def _fitted(
    estimator: Any, rows: Sequence[Sequence[float]], targets: Sequence[float], seed: int
) -> Any:
    return estimator.fit(*_drawn(rows, targets, MAX_FITTED, seed))


def _drawn(
    rows: Sequence[Sequence[float]], targets: Sequence[float], limit: int, seed: int
) -> tuple[Any, Any]:
    """All rows, or `limit` of them drawn at random."""
    x, y = np.array(rows, dtype=float), np.array(targets, dtype=float)
    if len(y) > limit:
        drawn = np.sort(np.random.default_rng(seed).choice(len(y), limit, replace=False))
        x, y = x[drawn], y[drawn]
    return x, y
