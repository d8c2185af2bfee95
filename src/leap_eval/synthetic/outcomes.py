"""Latent development, when it is measured, whether it is recorded, and what is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from leap_eval.synthetic.families import DAYS, START, Children, Families
from leap_eval.synthetic.places import LEAP_AREAS, places
from leap_eval.synthetic.planted import Planted
from leap_eval.synthetic.streams import Floats, Ints, Luck

LAST_DAY = np.datetime64("2025-03-20")
SCORES = {  # mean and spread of the ASQ-3 scores
    "communication": (48, 12.5), "gross_motor": (53, 9), "fine_motor": (50, 9),
    "problem_solving": (49, 10), "personal_social": (49, 10),
}  # fmt: skip
# dimension of development -> the measurement it comes with
MEASURE = {
    **dict.fromkeys(SCORES, "review"), "asqse2": "asqse2", "gld": "gld", "wellcomm": "wellcomm",
    "bmi": "ncmp", "feeding": "feeding", "registered": "registered", "dmft": "dmft",
    "wemwbs": "wemwbs",
}  # fmt: skip
GROWTH = ("gross_motor", "bmi")


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """What each child would score without any service; when; and whether it is recorded."""

    base: dict[str, Floats]
    age: dict[str, Floats]  # months, at the measurement
    day: dict[str, NDArray[Any]]
    recorded: dict[str, NDArray[np.bool_]]


def latent(p: Planted, luck: Luck, fam: Families, kids: Children, starts: Ints) -> Latent:
    """Draw baselines, days of measurement, and which results are recorded."""
    n, f = len(kids.family), kids.family
    common = (
        -0.38 * fam.dep[f] - 0.22 * kids.need - 0.2 * fam.eal[f] + 0.12 * kids.weight_z
        - 0.18 * kids.male + 0.1 * (kids.parity == 0) + 0.5 * kids.u + 0.3 * fam.shared[f]
    )  # fmt: skip
    common = common + 0.20
    base = {}
    for dim in MEASURE:
        noise = 0.55 * luck.normal(f"outcomes/{dim}", n)
        if dim in GROWTH or dim == "dmft":
            base[dim] = -0.30 * fam.dep[f] + 0.95 * luck.normal(f"outcomes/growth/{dim}", n)
        elif dim in ("feeding", "registered", "wemwbs"):
            base[dim] = -0.25 * fam.dep[f] + 0.97 * luck.normal(f"outcomes/own/{dim}", n)
        else:
            base[dim] = (common + noise) / 0.95
    age, day = _days(luck, kids)
    lockdown = {
        m: (d >= np.datetime64("2020-04")) & (d < np.datetime64("2021-04")) for m, d in day.items()
    }
    for dim, measure in MEASURE.items():
        base[dim] = base[dim] - 0.10 * lockdown[measure]
    pull = {m: _pull(p, kids, fam, base, age[m], starts, m) for m in age}
    return Latent(base, age, day, _recorded(luck, kids, age, day, lockdown, pull))


def _days(luck: Luck, kids: Children) -> tuple[dict[str, Floats], dict[str, NDArray[Any]]]:
    n = len(kids.family)
    u = {m: luck.uniform(f"outcomes/day/{m}", n) for m in sorted(set(MEASURE.values()))}
    months = {
        "review": 25.5 + 6 * u["review"], "asqse2": 25.5 + 6 * u["review"],
        "wellcomm": 24 + 24 * u["wellcomm"], "feeding": 1.4 + 0.6 * u["feeding"],
        "registered": 24 + 3 * u["registered"], "dmft": 60 + 4 * u["dmft"],
        "wemwbs": 6 + 30 * u["wemwbs"],
    }  # fmt: skip
    day = {m: kids.birth + np.floor(a * DAYS).astype(int) for m, a in months.items()}
    # A school year runs from September: Reception ends in June, six years on.
    cohort = (kids.born + 4) // 12 + 2014
    summer = (cohort + 6 - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    day["gld"] = summer + 160 + np.floor(14 * u["gld"]).astype(int)
    day["ncmp"] = summer + 30 + np.floor(90 * u["ncmp"]).astype(int)
    age = {m: (d - kids.birth).astype(int) / DAYS for m, d in day.items()}
    return age, day


def _pull(
    p: Planted, kids: Children, fam: Families, base: dict[str, Floats], age: Floats,
    starts: Ints, measure: str,
) -> Floats:  # fmt: skip
    """Return what moves the logit of being recorded, besides its level."""
    pull = -0.25 * places().z[kids.area] - 0.2 * fam.eal[kids.family] - 0.15 * (kids.need >= 1)
    pull = pull + 0.2
    if p.recorded_by_score:
        dims = [d for d, m in MEASURE.items() if m == measure]
        pull = p.recorded_by_score[0] - 1.5 + p.recorded_by_score[1] * base[dims[0]]
    for service, extra in p.served.items():
        pull = pull + extra * (starts[:, list(p.services).index(service)] < age)
    return np.asarray(pull)


def _recorded(
    luck: Luck, kids: Children, age: dict[str, Floats], day: dict[str, NDArray[Any]],
    lockdown: dict[str, NDArray[np.bool_]], pull: dict[str, Floats],
) -> dict[str, NDArray[np.bool_]]:  # fmt: skip
    n = len(kids.family)
    year = {m: d.astype("datetime64[Y]").astype(int) + 1970 for m, d in day.items()}
    share: dict[str, Any] = {
        "review": np.where(lockdown["review"], 0.45, 0.82), "asqse2": 0.70, "wellcomm": 0.55,
        "feeding": 0.88, "registered": 0.80, "wemwbs": 0.75,
        "dmft": 0.15 * np.isin(year["dmft"], (2022, 2024)),
        "gld": 0.94 * np.isin(year["gld"], (2022, 2023, 2024)),
        "ncmp": np.where(year["ncmp"] == 2021, 0.10, 0.93),
    }  # fmt: skip
    found = {}
    for m, chance in sorted(share.items()):
        c = np.clip(np.asarray(chance, dtype=float), 1e-9, 1 - 1e-9)
        logit = np.log(c / (1 - c)) + pull[m]
        here = (kids.arrive <= age[m]) & (age[m] < kids.leave) & (day[m] <= LAST_DAY)
        here &= day[m] >= np.datetime64("2015-04-01")
        found[m] = here & luck.true(f"outcomes/recorded/{m}", 1 / (1 + np.exp(-logit)), n)
    found["asqse2"] &= found["review"]
    # Only schools and nurseries of the LEAP wards and near them use the screen.
    found["wellcomm"] &= kids.area < LEAP_AREAS + 40
    return found


def reported(dim: str, y: Floats) -> Floats:
    """Return what a partner would report of a latent score: rounded to the instrument's scale."""
    if dim in SCORES:
        mean, spread = SCORES[dim]
        return np.asarray(np.clip(5 * np.round(np.round((mean + spread * y) / 5, 6)), 0, 60))
    if dim == "asqse2":
        return np.asarray(np.clip(5 * np.round(np.round(np.exp(3.2 - 0.55 * y) / 5, 6)), 0, 300))
    if dim == "bmi":
        return np.asarray(np.round(100 * ndtr(0.25 - y), 1))
    if dim == "wemwbs":
        return np.asarray(np.clip(np.round(46 + 9 * y), 14, 70))
    if dim == "dmft":
        return np.asarray(np.clip(np.floor(2.2 * (-0.9 - y)) + 1, 0, 20))
    return np.asarray((y > THRESHOLD[dim]).astype(float))


THRESHOLD = {"gld": -0.31, "wellcomm": -0.41, "feeding": 0.08, "registered": -0.1}


def levels(dim: str, y: Floats) -> NDArray[Any]:
    """Return a result that is filed as one of three words."""
    high, low, words = {
        "feeding": (0.08, -0.58, ("totally", "partially", "not")),
        "wellcomm": (-0.41, -1.18, ("green", "amber", "red")),
    }[dim]
    return np.where(y > high, words[0], np.where(y > low, words[1], words[2]))


def month_of(day: NDArray[Any]) -> NDArray[Any]:
    """Return months since 2015-01."""
    return np.asarray((day.astype("datetime64[M]") - START).astype(int))
