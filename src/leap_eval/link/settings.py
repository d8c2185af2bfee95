"""What may be turned in stage 02; params.yaml, section link."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes of training, and where the decision draws its lines."""

    u_pairs: float = 1e6
    train_records: int = 40_000
    seed: int = 2015
    within: str = "soft"  # strict | soft | free: may two records of one partner be one person?
    sure: float = 0.95
    unsure: float = 0.05
    loose: float = -3.0  # least score of study_id_loose
    draws: int = 20
    gap_flag: float = 0.02
    least_bits: float = 0.0  # pairs below are not kept: any prior makes them a non-link
