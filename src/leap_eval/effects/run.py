"""Stage 06 as one call: from a design and one outcome's results to graded estimates."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from leap_eval.effects.contrasts import contrasts
from leap_eval.effects.fit import fit
from leap_eval.effects.links import moves
from leap_eval.effects.problem import Given, Measured, Problem, answerable, problem
from leap_eval.effects.report import Effects, barred, report
from leap_eval.settings import Frozen, Plan

FEWEST_RESULTS, FEWEST_IN_ARM = 200, 10
TOO_FEW = f"fewer than {FEWEST_IN_ARM} results in an arm"


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
        able = answerable(asked, FEWEST_IN_ARM)
        if not able.sets:
            return barred(plan, measured.outcome, frozen, listed, TOO_FEW)
        told = contrasts(plan, able)
        scale = plan.outcomes[measured.outcome].scale
        moved = moves(plan, given, measured, FEWEST_IN_ARM, told)
        fitted = fit(able, told, scale, seed, moved)
        found = report(plan, measured.outcome, frozen, fitted, (seed, twins))
        names = {(c.family, c.name) for c in told}
        rest = [c for c in listed if c.subgroup == "all" and (c.family, c.name) not in names]
        return found.beside(barred(plan, measured.outcome, frozen, rest, TOO_FEW))


def _trouble(asked: Problem) -> str:
    if not asked.sets:
        return "no combination, service or pair was large enough"
    if asked.recorded.sum() < FEWEST_RESULTS:
        return f"fewer than {FEWEST_RESULTS} results"
    return "every result is the same" if np.nanstd(asked.y) == 0 else ""
