"""Regressions compared by cross-validated search, as in arXiv 2307.05520.

Linear, ridge, kernel ridge (rbf) and support vector regression (rbf), on standardised features:
five folds, 100 random settings of each, drawn from the distributions of the authors' code
(GAISSA-UPC/dl-training-energy-estimation). The one with the least cross-validated root mean square
error is fitted on all rows. The authors standardise before they split; here each fold is
standardised by what it is fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import MissingExtraError

ITERATIONS = 100
FOLDS = 5
MOST_SEARCHED = 500
"""Rows that the search looks at, drawn at random from more: its time grows with their cube."""
MOST_FITTED = 4000
"""Rows that the one found is fitted on."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted regression. `rmse` has the cross-validated error of each kind compared."""

    columns: tuple[str, ...]
    kind: str
    rmse: Mapping[str, float]
    estimator: Any  # a pipeline of scikit-learn

    def predict(self, facts: object) -> float | None:
        """For an object that has the columns as attributes; None where it lacks one."""
        values = [getattr(facts, column) for column in self.columns]
        if any(value is None for value in values):
            return None
        return float(self.estimator.predict(np.array([values], dtype=float))[0])

    def again(self, rows: Sequence[Sequence[float]], targets: Sequence[float]) -> Regression:
        """The same with the settings found, fitted on other rows of the same columns."""
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
        from sklearn.model_selection import KFold, RandomizedSearchCV
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError("learning from runs", "analysis") from None

    x, y = _drawn(rows, targets, MOST_SEARCHED, seed)
    folds = KFold(min(FOLDS, len(y)), shuffle=True, random_state=seed)
    rmse: dict[str, float] = {}
    best: dict[str, Any] = {}
    for kind, (pipeline, settings) in _kinds().items():
        trials = RandomizedSearchCV(
            pipeline,
            settings,
            n_iter=iterations if settings else 1,
            cv=folds,
            scoring="neg_root_mean_squared_error",
            random_state=seed,
            refit=False,
        )
        with threadpool_limits(1):  # the matrices are small: threads would only wait for another
            found = trials.fit(x, y)
        rmse[kind] = -float(found.best_score_)
        best[kind] = pipeline.set_params(**found.best_params_)
    kind = min(rmse, key=lambda name: rmse[name])
    return Regression(columns, kind, rmse, _fitted(best[kind], rows, targets, seed))


def _kinds() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Each regression, and what its settings are drawn from."""
    from scipy.stats import expon
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import LinearRegression, Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    def scaled(model: Any) -> Any:
        return Pipeline([("scale", StandardScaler()), ("model", model)])

    kernel = {"model__alpha": expon(scale=0.01), "model__gamma": expon(scale=0.01)}
    vectors = {"model__C": expon(scale=300), "model__epsilon": expon(scale=1)}
    return {
        "linear": (scaled(LinearRegression()), {}),
        "ridge": (scaled(Ridge()), {"model__alpha": expon(scale=0.1)}),
        "kernel ridge": (scaled(KernelRidge(kernel="rbf")), kernel),
        "svr": (scaled(SVR(kernel="rbf")), vectors | {"model__gamma": expon(scale=0.01)}),
    }


def _fitted(
    estimator: Any, rows: Sequence[Sequence[float]], targets: Sequence[float], seed: int
) -> Any:
    return estimator.fit(*_drawn(rows, targets, MOST_FITTED, seed))


def _drawn(
    rows: Sequence[Sequence[float]], targets: Sequence[float], most: int, seed: int
) -> tuple[Any, Any]:
    """All rows, or `most` of them drawn at random."""
    x, y = np.array(rows, dtype=float), np.array(targets, dtype=float)
    if len(y) > most:
        drawn = np.sort(np.random.default_rng(seed).choice(len(y), most, replace=False))
        x, y = x[drawn], y[drawn]
    return x, y
