"""Stage 06 as one call: from a design and one outcome's results to graded estimates."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from leap_eval.effects.contrasts import contrasts
from leap_eval.effects.fit import fit
from leap_eval.effects.problem import Given, Measured, Problem, problem
from leap_eval.effects.report import Effects, barred, report
from leap_eval.settings import Frozen, Plan

FEWEST_RESULTS = 200


def run(
    plan: Plan,
    given: Given,
    measured: Measured,
    frozen: tuple[Frozen, ...] = (),
    seed: int = 2015,
    twins: int = 100,
) -> Effects:
    """Estimate and grade every contrast of one outcome; exploratory unless the plan is frozen.

    One thread throughout, so that the bytes do not depend on how many there are. With no
    `twins`, check 10 is not run and nothing is graded A.
    """
    with threadpool_limits(1):
        asked = problem(plan, given, measured)
        listed = contrasts(plan, asked)
        if trouble := _trouble(asked):
            return barred(plan, measured.outcome, frozen, listed, trouble)
        scale = plan.outcomes[measured.outcome].scale
        return report(
            plan, measured.outcome, frozen, fit(plan, asked, listed, scale, seed), (seed, twins)
        )


def _trouble(asked: Problem) -> str:
    if not asked.sets:
        return "no combination, service or pair was large enough"
    if asked.recorded.sum() < FEWEST_RESULTS:
        return f"fewer than {FEWEST_RESULTS} results"
    if np.nanstd(asked.y) == 0:
        return "every result is the same"
    alone = any((s.inside & asked.recorded[:, None]).sum(axis=0).min() < 2 for s in asked.sets)
    return "an arm has no result" if alone else ""
