"""Stage 06: which services and combinations go with a better outcome, and how sure we are."""

from leap_eval.effects.aipw import ArmMeans, arm_means, arm_weights
from leap_eval.effects.bands import Bands, benjamini_hochberg, false_discovery, joint
from leap_eval.effects.grade import Evidence, Grade, grade
from leap_eval.effects.hidden import EValue, evalue
from leap_eval.effects.problem import Given, Measured, first_results
from leap_eval.effects.recorded import companions, opened
from leap_eval.effects.report import Effects
from leap_eval.effects.run import run
from leap_eval.effects.scored import scored
from leap_eval.effects.sheets import facts, sheet

__all__ = [
    "ArmMeans",
    "Bands",
    "EValue",
    "Effects",
    "Evidence",
    "Given",
    "Grade",
    "Measured",
    "arm_means",
    "arm_weights",
    "benjamini_hochberg",
    "companions",
    "evalue",
    "facts",
    "false_discovery",
    "first_results",
    "grade",
    "joint",
    "opened",
    "run",
    "scored",
    "sheet",
]
