"""A submission in memory: what the intake takes in, and what a trust's own machine makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Delivery:
    """One submission as it lies in a partner's inbox: a folder PERIOD-SEQUENCE."""

    partner: str
    period: str
    sequence: int
    shared_on: date
    content: dict[str, bytes]
