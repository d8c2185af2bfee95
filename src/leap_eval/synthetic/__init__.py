"""The pretend LEAP: a drawn borough in which every link, effect and piece of dirt is known."""

from leap_eval.synthetic.planted import Planted, planted
from leap_eval.synthetic.portrait import portrait, rendered
from leap_eval.synthetic.potential import Contrast, contrast, truth_table
from leap_eval.synthetic.submissions import Submission, submissions
from leap_eval.synthetic.tables import Records, Tables, records, tables
from leap_eval.synthetic.world import World, draw

__all__ = [
    "Contrast",
    "Planted",
    "Records",
    "Submission",
    "Tables",
    "World",
    "contrast",
    "draw",
    "planted",
    "portrait",
    "records",
    "rendered",
    "submissions",
    "tables",
    "truth_table",
]
