"""Parameters and the analysis plan, as evaluators write them in params.yaml."""

from leap_eval.settings.params import Common, Params, load_params

__all__ = ["Common", "Params", "load_params"]
