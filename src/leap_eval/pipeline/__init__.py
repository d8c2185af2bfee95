"""One parameterised notebook, one stage, the same bytes."""

from leap_eval.pipeline.progress import track

__all__ = ["track"]
