"""XGBoost and LightGBM, whose rounds count as epochs."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from ground_truth import truth

ROUNDS = 30
x, y = np.random.rand(200, 4), np.random.rand(200)


def xgboost_rounds(resumed: bool) -> None:
    """`[0]\\ttrain-rmse:0.3`, from the number of rounds that the model has."""
    import xgboost

    class Times(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        """Takes the time of the rounds."""

        def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            """A round begins."""
            truth.begin(epoch + 1)
            return False

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            """It ends."""
            truth.step(0.2)
            truth.end()
            return False

    data = xgboost.DMatrix(x, y)
    earlier = xgboost.train({"max_depth": 2}, data, 10) if resumed else None
    truth.plan(ROUNDS, 1, 10 if resumed else 0)
    xgboost.train(
        *({"max_depth": 2}, data, ROUNDS - (10 if resumed else 0)),
        evals=[(data, "train"), (data, "valid")],
        callbacks=[Times()],
        xgb_model=earlier,
    )


def lightgbm_rounds() -> None:
    """`[1]\\ttraining's l2: 0.3`."""
    import lightgbm

    def times(env: Any) -> None:
        truth.begin(env.iteration + 1)
        truth.step(0.2)
        truth.end()

    truth.plan(ROUNDS, 1)
    data = lightgbm.Dataset(x, y)
    log = lightgbm.log_evaluation(1)
    lightgbm.train({"verbose": -1}, data, ROUNDS, valid_sets=[data], callbacks=[times, log])


if __name__ == "__main__":
    if sys.argv[1].startswith("xgboost"):
        xgboost_rounds("resumed" in sys.argv[1])
    else:
        lightgbm_rounds()
