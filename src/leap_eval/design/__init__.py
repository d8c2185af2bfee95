"""Stage 05: are the groups comparable? Never sees an outcome."""

from leap_eval.design.balance import balance, detectable, overlap
from leap_eval.design.discover import Arm, ArmSet, arm_sets
from leap_eval.design.folds import folds
from leap_eval.design.propensity import propensities
from leap_eval.design.run import Design, run

__all__ = [
    "Arm",
    "ArmSet",
    "Design",
    "arm_sets",
    "balance",
    "detectable",
    "folds",
    "overlap",
    "propensities",
    "run",
]
