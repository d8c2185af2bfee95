"""What an analyst would otherwise pick, beside ours in the same process: DoubleML, statsmodels."""

from __future__ import annotations

import sys
import time
import tracemalloc
import warnings

import doubleml as dml
import effects_public
import effects_world
import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LassoCV, LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from statsmodels.treatment.treatment_effects import TreatmentEffect

from leap_eval import design, effects
from leap_eval.effects import bands
from leap_eval.effects.contrasts import contrasts
from leap_eval.effects.problem import problem
from leap_eval.effects.sweep import Parts, standard, swept
from leap_eval.effects.weights import stacked_weights

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
    return float(np.ravel(told.effect)[0]), float(np.ravel(told.sd)[0])


def cost(seed: int, children: int) -> dict[str, object]:
    """CPU and memory of one outcome and its combinations: ours, and DoubleML's APOS beside it.

    The reference once with our learners (ridge on squares and products, with trees) and
    once with cheap ones (ridge alone). Ours on one dealing of the folds, as the reference;
    and whole: discovery, three dealings, twenty fillings of a gappy background, all checks,
    against 20 such fits.
    """
    world = effects_world.draw(seed, children)
    pairs = world.plan.pairs.model_copy(update={"scan": False, "named": ()})
    plan = world.plan.model_copy(update={"pairs": pairs, "subgroups": ()})
    x = world.cohort[[c for c in world.cohort if c.startswith("m12_x_")]].to_numpy(float)
    y = world.outcome.set_index("study_id")["value"].reindex(world.cohort["study_id"]).to_numpy()
    arm = _design(plan, world, 1).table["arm.m12.combination"].to_numpy()
    ours, peak = _measured(lambda: _core(plan, world))
    gappy = effects_world.draw(seed, children, missing=0.28)
    start = time.process_time()
    made = _design(plan, gappy, 3)
    designed = time.process_time() - start
    start = time.process_time()
    effects.run(plan, *_question(made, gappy))
    filled = time.process_time() - start
    ridge = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), RidgeCV(np.logspace(-2, 4, 8))
    )
    both = VotingRegressor([("ridge", ridge), ("trees", HistGradientBoostingRegressor(**TREES))])
    told = {}
    for name, learner in (("ridge", ridge), ("ridge and trees", both)):
        cpu, memory = _measured(lambda learner=learner: _apos(x, y, arm, learner))
        told[name] = {
            "cpu_s": cpu, "peak_mib": memory,
            "cpu_ratio": ours / cpu, "memory_ratio": peak / memory,
            "six_outcomes_twenty_fillings_ratio": (designed + 6 * filled) / (120 * cpu),
        }  # fmt: skip
        print(name, told[name], file=sys.stderr)
    ours_told = {"one_dealing_cpu_s": ours, "one_dealing_peak_mib": peak}
    ours_told |= {"design_cpu_s": designed, "twenty_fillings_cpu_s": filled}
    return {"mode": "cost", "children": children, "seed": seed, **ours_told, "reference": told}


def _design(plan, world, repeats: int):
    sys.modules["leap_eval.design.run"].REPEATS = repeats
    return design.run(plan, world.cohort, world.exposure, 2015)


def _question(made, world) -> tuple[effects.Given, effects.Measured]:
    """Ask for the combinations alone."""
    sets = made.discovery[made.discovery["set"].str.endswith("combination")]
    kept = [c for c in made.table if not c.startswith("arm.") or c.endswith("combination")]
    given = effects.Given(made.table[kept], sets.to_dict("records"))
    told = effects.Measured("score", made.table[["study_id"]].merge(world.outcome, how="left"))
    return given, told


def _core(plan, world) -> None:
    asked = problem(plan, *_question(_design(plan, world, 1), world))
    z = standard(asked.x)
    weight = stacked_weights(asked, z, np.ones(len(asked.y)))
    none = np.zeros((len(asked.y), 0))
    listed = contrasts(plan, asked)
    done = swept(asked, listed, Parts(asked.names, asked.x[None], none, [weight]), 2015)
    bands.of(done.pooled.theta, done.pooled.total)


def _apos(x: np.ndarray, y: np.ndarray, arm: np.ndarray, outcome) -> None:
    treatment = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    data = dml.DoubleMLData(
        pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(y=y, d=arm), "y", "d"
    )
    levels = [int(a) for a in np.unique(arm)]
    model = dml.DoubleMLAPOS(data, outcome, treatment, treatment_levels=levels, n_folds=5)
    model.fit()
    model.bootstrap(n_rep_boot=1000)


def _measured(call) -> tuple[float, float]:
    tracemalloc.start()
    start = time.process_time()
    call()
    cpu = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return cpu, peak
