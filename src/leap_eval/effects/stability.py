"""Whether one period or one ward carries an answer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leap_eval.effects.aipw import Floats
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.problem import Problem

CLOSING = pd.Timestamp("2020-03-01")
FEWEST = 30  # children of an arm with a result


def shifts(asked: Problem, listed: list[Contrast], phi: Floats) -> dict[str, Floats]:
    """Return estimates (C,) before and from March 2020, and with each ward left out.

    From the influences alone: nothing is fitted again. NaN where an arm has too few.
    """
    zero = pd.to_datetime(asked.table[f"{asked.trial}_time_zero"])
    early = (zero < CLOSING).to_numpy(bool)
    parts = {"before March 2020": early, "from March 2020": ~early}
    if "ward" in asked.table:
        ward = asked.table["ward"].fillna("").astype(str).to_numpy()
        parts |= {f"without {w}": ward != w for w in np.unique(ward) if w}
    return {name: _within(asked, listed, phi, part) for name, part in parts.items()}


def _within(asked: Problem, listed: list[Contrast], phi: Floats, part: np.ndarray) -> Floats:
    told = np.full(len(listed), np.nan)
    counts = np.hstack([s.inside & asked.recorded[:, None] for s in asked.sets])
    for i, c in enumerate(listed):
        where = part if c.where is None else part & c.where
        if c.against is None and counts[where][:, c.arms].sum(axis=0).min(initial=FEWEST) >= FEWEST:
            told[i] = float((phi[where] @ c.row).mean())
    return told
