"""Which records are the same child: weights learnt without labels, links with their doubt."""

from leap_eval.link import plots, reports
from leap_eval.link.guild import guild
from leap_eval.link.run import Linked, link
from leap_eval.link.settings import Settings

__all__ = ["Linked", "Settings", "guild", "link", "plots", "reports"]
