"""Cross-fitted multinomial propensities, the penalty chosen inside the training families."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from leap_eval.errors import PlanError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
PENALTIES = tuple(float(v) for v in np.logspace(1, -4, 8))  # per child, strongest first


def propensities(x: Floats, arm: Ints, fold: Ints, name: str = "set") -> Floats:
    """Return each child's probability of every arm, fitted without its fold: (n, arms).

    `x` is (n, p) standardised, `arm` and `fold` (n,). Rows sum to 1. The penalty
    decides small samples (IHDP .166 to .105), so it is chosen by held-out log loss
    among the training families, never by those it predicts.
    """
    arms = int(arm.max()) + 1
    e = np.empty((len(arm), arms))
    for k in range(int(fold.max()) + 1):
        train, held = fold != k, fold == k
        inner = np.unique(fold[train])[0]
        if len(np.unique(arm[train & (fold != inner)])) < arms:
            raise PlanError(
                f"{name}, fold {k}: an arm has no child in training; raise plan.arms.minimum"
            )
        penalty = _penalty(x[train], arm[train], fold[train] == inner)
        model = _fit(x[train], arm[train], penalty, None)
        e[held] = _predicted(model, x[held])
    return e


def _penalty(x: Floats, arm: Ints, check: npt.NDArray[np.bool_]) -> float:
    """Choose by one inner fold, `check`, of the training families."""
    train = ~check
    best, chosen = np.inf, PENALTIES[0]
    model = None
    for penalty in PENALTIES:
        model = _fit(x[train], arm[train], penalty, model)
        told = log_loss(arm[check], _predicted(model, x[check]), labels=model.classes_)
        # Rounded, so that another processor's last bits cannot choose another penalty.
        if round(told, 6) >= best:
            break
        best, chosen = round(told, 6), penalty
    return chosen


def _fit(
    x: Floats, arm: Ints, penalty: float, start: LogisticRegression | None
) -> LogisticRegression:
    model = start or LogisticRegression(warm_start=True, max_iter=300, tol=1e-3)
    model.set_params(C=1 / (penalty * len(arm)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, arm)


def _predicted(model: LogisticRegression, x: Floats) -> Floats:
    shares: Floats = model.predict_proba(x)
    return shares
