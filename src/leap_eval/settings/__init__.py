"""Parameters and the analysis plan, as evaluators write them in params.yaml."""

from leap_eval.settings.params import Common, Params, load_params
from leap_eval.settings.plan import (
    Frozen,
    Plan,
    load_frozen,
    load_plan,
    parse_plan,
    plan_hash,
    propensity_floor,
    status_of,
)

__all__ = [
    "Common",
    "Frozen",
    "Params",
    "Plan",
    "load_frozen",
    "load_params",
    "load_plan",
    "parse_plan",
    "plan_hash",
    "propensity_floor",
    "status_of",
]
