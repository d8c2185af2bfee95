"""Two public sets with known truths: IHDP (Hill 2011) and ACIC 2016 (Dorie et al.), two arms each.

Estimators get treatment, covariates and the observed outcome only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leap_eval import design
from leap_eval.design.background import terms
from leap_eval.effects import bands
from leap_eval.effects.contrasts import contrasts
from leap_eval.effects.problem import Arms, Problem
from leap_eval.effects.sweep import Parts, standard, swept
from leap_eval.effects.weights import stacked_weights
from leap_eval.settings import parse_plan, propensity_floor

IHDP_COLUMNS = 30


@dataclass(frozen=True)
class Set:
    """One file: what an estimator may see, and the true mean effect."""

    name: str
    treated: np.ndarray
    y: np.ndarray
    x: np.ndarray
    truth: float


def ihdp(folder: Path) -> Iterator[Set]:
    """Read ihdp_npci_N.csv: treatment, y, y_cf, mu0, mu1, x1..x25, header row or not."""
    for path in _files(folder, "ihdp_npci_*.csv"):
        try:
            raw = pd.read_csv(path, header=None, low_memory=False)
            v = raw.iloc[int(isinstance(raw.iloc[0, 0], str)) :].to_numpy(float)
            if v.shape[1] != IHDP_COLUMNS or np.isnan(v).any():
                raise ValueError("another form")
        except ValueError:
            print(f"{path.name}: not in the form of its set; left out", file=sys.stderr)
            continue
        yield Set(path.stem, v[:, 0] > 0, v[:, 1], v[:, 5:], float((v[:, 4] - v[:, 3]).mean()))


def acic(folder: Path) -> Iterator[Set]:
    """Read x.csv and zymu_N.csv: z, y0, y1, mu0, mu1; letters become indicators."""
    files, (shared,) = _files(folder, "zymu_*.csv"), _files(folder, "x.csv")
    x = pd.get_dummies(pd.read_csv(shared), drop_first=True).to_numpy(float)
    for path in files:
        try:
            t = pd.read_csv(path)[["z", "y0", "y1", "mu0", "mu1"]].astype(float)
            if len(t) != len(x) or t.isna().any(axis=None):
                raise ValueError("another form")
        except (ValueError, KeyError):
            print(f"{path.name}: not in the form of its set; left out", file=sys.stderr)
            continue
        z = t["z"].to_numpy() > 0
        y = np.where(z, t["y1"], t["y0"])
        yield Set(path.stem, z, y, x, float((t["mu1"] - t["mu0"]).mean()))


def _files(folder: Path, shape: str) -> list[Path]:
    files = sorted(folder.glob(shape), key=lambda p: (len(p.name), p.name))
    if not files:
        raise SystemExit(f"{folder.name}: holds no {shape}")  # exit code 1
    return files


def asked(given: Set, seed: int, repeats: int = 3) -> Problem:
    """Put a set into the arrays of stage 06, propensities as stage 05 makes them."""
    n, t = len(given.y), given.treated
    folds = design.folds(np.arange(n).astype(str), seed, repeats=repeats).astype(np.int64)
    names = tuple(f"x{i}" for i in range(given.x.shape[1]))
    e = design.propensities(
        terms(list(names), given.x, np.ones(n, bool)), t.astype(int), folds, given.name
    )
    inside = np.column_stack([~t, t])
    floors = np.array([propensity_floor(s) for s in inside.mean(axis=0)])
    e = np.maximum(e, floors)
    arms = Arms(
        "p.service:treated", ((), ("treated",)), inside, e[0], (e[0] <= floors).mean(axis=0), e,
        np.ones(n, bool), ("none", "treated"),
    )  # fmt: skip
    zeros = np.zeros(n, np.int64)
    return Problem(
        "p", names, given.x, given.y, ("treated",), t[:, None], np.arange(n), folds[0], zeros,
        (arms,), pd.DataFrame(index=range(n)), folds, zeros, np.ones(n), zeros,
    )  # fmt: skip


def estimated(given: Set, seed: int = 2015) -> tuple[float, float]:
    """Estimate the mean effect with the engine of stage 06: estimate and standard error."""
    question = asked(given, seed)
    z = standard(question.x)
    everyone = np.ones(len(given.y))
    weight = [stacked_weights(question.repeat(r), z, everyone) for r in range(len(question.folds))]
    listed = contrasts(PLAN, question)
    none, still = np.zeros((len(given.y), 0)), np.zeros((0, len(listed)))
    parts = Parts(question.names, question.x[None], none, weight, still)
    done = swept(question, listed, parts, seed)
    told = bands.of(done.pooled.theta, done.pooled.total)
    return float(told.estimate[0]), float(told.se[0])


PLAN = parse_plan(
    {
        "question": "does the treatment go with the outcome",
        "months": {"grace": 1, "grace_sensitivity": [1], "dose": 1},
        "trials": {"p": {"time_zero": 1, "in_play": ["treated"]}},
        "covariates": {"x": {"from": "imd_decile", "dated": "fixed", "block": "x"}},
        "outcomes": {
            "y": {"instrument": "y", "item": "y", "trial": "p", "age": [3, 4], "better": "higher",
                  "scale": "points", "fdr_share": 1.0, "small": 0.1}
        },
    }
)  # fmt: skip
