"""What an analyst would otherwise pick, beside ours in the same process: DoubleML, statsmodels."""

from __future__ import annotations

import time
import tracemalloc
import warnings

import doubleml as dml
import effects_public
import effects_world
import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LassoCV, LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from statsmodels.treatment.treatment_effects import TreatmentEffect

from leap_eval import design, effects

TREES = {"max_iter": 200, "learning_rate": 0.05, "max_leaf_nodes": 8, "random_state": 1}


def two_arms(one: effects_public.Set, unit: float) -> dict[str, dict[str, float]]:
    """Estimate one public file by DoubleML's IRM (boosting, lasso) and statsmodels' AIPW."""
    lasso = make_pipeline(StandardScaler(), LassoCV(cv=5, max_iter=20_000))
    logit = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            penalty="l1", solver="liblinear", scoring="neg_log_loss", max_iter=2000, cv=5
        ),
    )
    trees = HistGradientBoostingRegressor(**TREES), HistGradientBoostingClassifier(**TREES)
    told = {
        "doubleml irm boosting": _timed(_irm, one, unit, *trees),
        "doubleml irm lasso": _timed(_irm, one, unit, lasso, logit),
        "statsmodels aipw": _timed(_aipw, one, unit),
    }
    return {k: v for k, v in told.items() if v}


def _timed(estimator, one: effects_public.Set, unit: float, *learners) -> dict[str, float]:
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimate, se = estimator(one, *learners)
        except (ValueError, np.linalg.LinAlgError):
            return {}
    error = (estimate - one.truth) / unit
    covered = abs(error) <= 1.959964 * se / unit
    return {"error": error, "covered": covered, "cpu_s": time.process_time() - start}


def _irm(one: effects_public.Set, outcome, treatment) -> tuple[float, float]:
    np.random.seed(2015)
    data = dml.DoubleMLData.from_arrays(one.x, one.y, one.treated.astype(float))
    model = dml.DoubleMLIRM(data, outcome, treatment, n_folds=5)
    model.fit()
    return float(model.coef[0]), float(model.se[0])


def _aipw(one: effects_public.Set) -> tuple[float, float]:
    x = sm.add_constant((one.x - one.x.mean(axis=0)) / np.maximum(one.x.std(axis=0), 1e-9))
    treated = one.treated.astype(int)
    choice = sm.Logit(treated, x).fit(disp=0, maxiter=200)
    told = TreatmentEffect(sm.OLS(one.y, x), treated, results_select=choice).aipw()
    return float(told.effect), float(np.atleast_1d(told.bse)[0])


def cost(seed: int, children: int, fits: int) -> dict[str, object]:
    """CPU and memory of one outcome and its combinations: ours, and DoubleML's APOS beside it.

    The reference gets the learners it is usually given (ridge on squares and products,
    logit), cheaper than ours, which add trees.
    """
    world = effects_world.draw(seed, children, missing=0.28 if fits else 0.0)
    pairs = world.plan.pairs.model_copy(update={"scan": False, "named": ()})
    plan = world.plan.model_copy(update={"pairs": pairs, "subgroups": ()})
    ours, peak, told = _measured(lambda: _ours(plan, world))
    arm = told.table["arm.m12.combination"].to_numpy()
    x = world.cohort[[c for c in world.cohort if c.startswith("m12_x_")]]
    x = x.fillna(x.mean()).to_numpy(float)
    y = told.table[["study_id"]].merge(world.outcome, how="left")["value"].to_numpy(float)
    theirs, their_peak, _ = _measured(lambda: _apos(x, y, arm))
    return {
        "mode": "cost", "children": children, "seed": seed, "fillings": 20 if fits else 1,
        "cpu_s": ours, "peak_mib": peak, "reference": {"cpu_s": theirs, "peak_mib": their_peak},
        "ratio": {"cpu": ours / (theirs * (fits or 1)), "memory": peak / their_peak},
    }  # fmt: skip


def _ours(plan, world):
    made = design.run(plan, world.cohort, world.exposure, 2015)
    sets = made.discovery[made.discovery["set"].str.endswith("combination")]
    kept = [c for c in made.table if not c.startswith("arm.") or c.endswith("combination")]
    given = effects.Given(made.table[kept], sets.to_dict("records"))
    told = effects.Measured("score", made.table[["study_id"]].merge(world.outcome, how="left"))
    effects.run(plan, given, told)
    return made


def _apos(x: np.ndarray, y: np.ndarray, arm: np.ndarray) -> None:
    outcome = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), RidgeCV(np.logspace(-2, 4, 8))
    )
    treatment = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    data = dml.DoubleMLData(
        pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(y=y, d=arm), "y", "d"
    )
    levels = [int(a) for a in np.unique(arm)]
    model = dml.DoubleMLAPOS(data, outcome, treatment, treatment_levels=levels, n_folds=5)
    model.fit()
    model.bootstrap(n_rep_boot=1000)


def _measured(call) -> tuple[float, float, object]:
    start = time.process_time()
    told = call()
    cpu = time.process_time() - start
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return cpu, peak, told
