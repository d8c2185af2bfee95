"""What an analyst would otherwise pick, beside ours in the same process: DoubleML, statsmodels."""

from __future__ import annotations

import resource
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
from leap_eval.design.discover import arm_sets
from leap_eval.effects import bands
from leap_eval.effects.contrasts import contrasts
from leap_eval.effects.fit import fit
from leap_eval.effects.problem import problem
from leap_eval.effects.sweep import Parts, standard, swept
from leap_eval.effects.trees import LEAF, LEAVES, RATE, ROUNDS
from leap_eval.effects.weights import stacked_weights

OURS = {
    "max_iter": ROUNDS, "learning_rate": RATE, "max_leaf_nodes": LEAVES, "min_samples_leaf": LEAF,
    "max_bins": 64, "early_stopping": False, "random_state": 1,
}  # fmt: skip
MANY = 40  # columns from which statsmodels' standard errors take minutes: its estimate alone
TREES = {"max_iter": 200, "learning_rate": 0.05, "max_leaf_nodes": 8, "random_state": 1}


def two_arms(one: effects_public.Set, unit: float) -> dict[str, dict[str, float]]:
    """Estimate one public file by DoubleML's IRM (boosting, lasso) and statsmodels' AIPW."""
    lasso = make_pipeline(StandardScaler(), LassoCV(cv=5, max_iter=20_000))
    logit = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            penalty="l1", solver="liblinear", scoring="neg_log_loss", Cs=np.logspace(-3, 0, 7),
            max_iter=500, tol=1e-3, cv=5,
        ),
    )  # fmt: skip
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
    covered = np.nan if np.isnan(se) else abs(error) <= 1.959964 * se / unit
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
    model = TreatmentEffect(sm.OLS(one.y, x), treated, results_select=choice)
    if x.shape[1] > MANY:
        return float(np.ravel(model.aipw(return_results=False)[0])[0]), np.nan
    told = model.aipw()
    return float(np.ravel(told.effect)[0]), float(np.ravel(told.sd)[0])


def cost(seed: int, children: int) -> dict[str, object]:
    """CPU and memory of one outcome and its combinations: ours, and DoubleML's APOS beside it.

    The same learners (ridge with squares and products, ridge without, boosted trees of the
    same rounds, a logit) on the same five folds. Ours on one dealing, as the reference; and
    six outcomes with twenty fillings of a gappy background on three dealings, without the
    checks that the reference has none of, against 120 such fits.
    """
    world = effects_world.draw(seed, children)
    pairs = world.plan.pairs.model_copy(update={"scan": False, "named": ()})
    plan = world.plan.model_copy(update={"pairs": pairs, "subgroups": ()})
    made = designed(plan, world, 1)
    cpu, peak = _measured(lambda: _core(plan, world))
    gappy = effects_world.draw(seed, children, missing=0.28)
    start = time.process_time()
    dealt = designed(plan, gappy, 3)
    before = time.process_time()
    asked = problem(plan, *question(dealt, gappy))
    fit(asked, contrasts(plan, asked), "points", 2015)
    six = (before - start) + 6 * (time.process_time() - before)
    six_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    asked = problem(plan, *question(made, world))
    arm = made.table["arm.m12.combination"].to_numpy(int)
    theirs, theirs_peak = _measured(lambda: _apos(asked, arm))
    return {
        "mode": "cost", "children": children, "seed": seed, "arms": int(arm.max()) + 1,
        "cpu_s": cpu, "peak_mib": peak, "six_outcomes_twenty_fillings_cpu_s": six,
        "six_outcomes_twenty_fillings_resident_mib": six_peak,
        "reference": {"doubleml apos": {"cpu_s": theirs, "peak_mib": theirs_peak}},
        "ratio": {
            "cpu": cpu / theirs, "memory": peak / theirs_peak,
            "six_outcomes_twenty_fillings_cpu": six / (120 * theirs),
        },
    }  # fmt: skip


def designed(plan, world, repeats: int, kinds: tuple[str, ...] = ("combination",)):
    """Run stage 05 for some kinds of arms only, on so many dealings of the folds."""
    run = sys.modules["leap_eval.design.run"]
    kept = run.REPEATS, run.arm_sets, run.amount_sets

    def some(starts, asked):
        sets, told = arm_sets(starts, asked)
        return [s for s in sets if s.name.partition(".")[2].partition(":")[0] in kinds], told

    run.REPEATS, run.arm_sets = repeats, some
    run.amount_sets = lambda *_: ([], pd.DataFrame())
    try:
        return design.run(plan, world.cohort, world.exposure, 2015)
    finally:
        run.REPEATS, run.arm_sets, run.amount_sets = kept


def question(made, world) -> tuple[effects.Given, effects.Measured]:
    """Ask stage 06 about the arms that were designed."""
    given = effects.Given(made.table, made.discovery.to_dict("records"))
    told = effects.Measured("score", made.table[["study_id"]].merge(world.outcome, how="left"))
    return given, told


def _core(plan, world) -> None:
    asked = problem(plan, *question(designed(plan, world, 1), world))
    z = standard(asked.x)
    weight = stacked_weights(asked, z, np.ones(len(asked.y)))
    listed = contrasts(plan, asked)
    none, still = np.zeros((len(asked.y), 0)), np.zeros((0, len(listed)))
    done = swept(asked, listed, Parts(asked.names, asked.x[None], none, [weight], still), 2015)
    bands.of(done.pooled.theta, done.pooled.total)


def _apos(asked, arm: np.ndarray) -> None:
    def ridge(*curves):
        return make_pipeline(StandardScaler(), *curves, RidgeCV(np.logspace(-2, 4, 13)))

    outcome = VotingRegressor(
        [
            ("curved", ridge(PolynomialFeatures(2, include_bias=False), StandardScaler())),
            ("straight", ridge()),
            ("trees", HistGradientBoostingRegressor(**OURS)),
        ]
    )
    treatment = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    x = pd.DataFrame(asked.x, columns=[f"x{i}" for i in range(asked.x.shape[1])])
    data = dml.DoubleMLData(x.assign(y=asked.y, d=arm), "y", "d")
    model = dml.DoubleMLAPOS(
        data, outcome, treatment, treatment_levels=[int(a) for a in np.unique(arm)], n_folds=5,
        draw_sample_splitting=False,
    )  # fmt: skip
    rows = np.arange(len(arm))
    model.set_sample_splitting([[(rows[asked.fold != k], rows[asked.fold == k]) for k in range(5)]])
    model.fit()
    model.bootstrap(n_rep_boot=1000)


def _measured(call) -> tuple[float, float]:
    """Return CPU seconds, and from a second run the peak of what was allocated, in MiB."""
    start = time.process_time()
    call()
    cpu = time.process_time() - start
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return cpu, peak
