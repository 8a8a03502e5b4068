"""Nonlinear least squares with a prior, robust to outliers; numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from joulecast.forecasting.physical.roofline import Array

STEP = 1e-4  # of the parameters, for derivatives
ITERATIONS = 30
ENOUGH = 1e-4  # relative fall of the cost below which the search ends


def fit(
    residuals: Callable[[Array], Array],
    prior: Array,
    deviation: Array,
    outlying: float = 2.0,
    iterations: int = ITERATIONS,
    apart: Sequence[Array] = (),
    start: Array | None = None,
) -> Array:
    """Parameters that minimize `residuals**2`, and their own distance from the prior.

    Residuals are in units of their standard deviation, parameters of `prior` in those of
    `deviation`. Residuals beyond `outlying` count by their size, no longer by its square (Huber).
    Each of `apart` has, for every residual, the one parameter of a group that it depends on (-1 for
    none): such parameters are moved together. The search begins at `start`, or at the prior.
    Levenberg-Marquardt with numerical derivatives; Nocedal and Wright, "Numerical Optimization",
    chapter 10.
    """

    def weighed(at: Array) -> tuple[Array, float]:
        size = np.abs(residuals(at))
        weight = np.sqrt(np.where(size <= outlying, 1.0, outlying / np.maximum(size, outlying)))
        cost = np.where(size <= outlying, size**2, 2 * outlying * size - outlying**2).sum()
        return weight, float(cost + (((at - prior) / deviation) ** 2).sum())

    at, damping = (prior if start is None else start).astype(float).copy(), 1e-2
    groups = [(np.unique(owner[owner >= 0]), owner) for owner in apart]
    alone = np.setdiff1d(np.arange(at.size), np.concatenate([[], *(g for g, _ in groups)]))
    weight, cost = weighed(at)
    for _ in range(iterations):
        base = residuals(at)
        slopes = np.zeros((base.size, at.size))
        for i in alone:
            moved = at.copy()
            moved[i] += STEP
            slopes[:, i] = (residuals(moved) - base) / STEP
        for group, owner in groups:
            moved = at.copy()
            moved[group] += STEP
            own = np.flatnonzero(owner >= 0)
            slopes[own, owner[own]] = ((residuals(moved) - base) / STEP)[own]
        slopes *= weight[:, None]
        hessian = slopes.T @ slopes + np.diag(1 / deviation**2)
        downhill = -slopes.T @ (base * weight) - (at - prior) / deviation**2
        before = cost
        while damping < 1e6:
            tried = at + np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), downhill)
            new_weight, new_cost = weighed(tried)
            if np.isfinite(new_cost) and new_cost < cost:
                at, weight, cost, damping = tried, new_weight, new_cost, max(damping / 5, 1e-6)
                break
            damping *= 4
        if before - cost <= ENOUGH * before:
            break
    return at
