"""The evaluator's desk: where the pipeline stands, the start page, exploratory notebooks."""

from leap_eval.desk.state import Run, state

__all__ = ["Run", "state"]
