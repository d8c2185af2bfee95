"""Cross-fitted multinomial propensities, one penalty for all folds."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from leap_eval.errors import PlanError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]
PENALTIES = tuple(float(v) for v in np.logspace(1, -4, 8))  # per child, strongest first


def propensities(
    x: Floats, arm: Ints, fold: Ints, name: str = "set", own: Bools | None = None
) -> Floats:
    """Return each child's probability of every arm, fitted without its fold: (R, n, arms).

    `x` is (n, p) standardised, `arm` (n,), `fold` (R, n). Rows sum to 1. The penalty
    decides small samples (IHDP .166 to .105), so it is chosen by the log loss of the
    children left out, over all folds of the first repeat; no outcome has a say in it.
    Children outside `own` (those of link draws) are only predicted.
    """
    own = np.ones(len(arm), bool) if own is None else own
    _every_arm_in_training(arm[own], fold[:, own], name)
    path = _Path(x, arm, own)
    best, told = np.inf, np.empty(0)
    for penalty in PENALTIES:
        e = path.crossed(fold[0], penalty)
        # Rounded, so that another processor's last bits cannot choose another penalty.
        loss = round(float(-np.log(np.maximum(e[np.arange(len(arm)), arm][own], 1e-15)).mean()), 6)
        if loss >= best:
            break
        best, told, chosen = loss, e, penalty
    return np.stack([told, *(path.crossed(f, chosen) for f in fold[1:])])


class _Path:
    """Fits along penalties and repeats, each begun where the last one ended."""

    def __init__(self, x: Floats, arm: Ints, own: Bools) -> None:
        self.x, self.arm, self.own, self.width = x, arm, own, int(arm.max()) + 1
        self.models: dict[int, LogisticRegression] = {}

    def crossed(self, fold: Ints, penalty: float) -> Floats:
        e = np.empty((len(self.arm), self.width))
        for k in range(int(fold.max()) + 1):
            train, held = (fold != k) & self.own, fold == k
            model = self.models.setdefault(
                k, LogisticRegression(warm_start=True, max_iter=300, tol=1e-3)
            )
            model.set_params(C=1 / (penalty * train.sum()))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                e[held] = model.fit(self.x[train], self.arm[train]).predict_proba(self.x[held])
        return e


def _every_arm_in_training(arm: Ints, fold: Ints, name: str) -> None:
    for repeat in fold:
        for k in range(int(repeat.max()) + 1):
            if len(np.unique(arm[repeat != k])) <= arm.max():
                raise PlanError(
                    f"{name}, fold {k}: an arm has no child in training; raise plan.arms.minimum"
                )
