"""Whose links are missing: the quality of linkage group by group, and weights that repair it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leap_eval.link.capture import Captured, Model, captured, counted
from leap_eval.link.quality import FEWEST, precision, told, untold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

THIRDS = ("most", "middle", "least")
ASKED = ["ethnicity_group5", "imd_decile", "sex", "home_language", "birth_month"]
ASKED += ["ward", "partner", "missing"]
MOST_WEIGHT = 3.0
ROUNDS = 50
UNKNOWN = "not_known"


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """The report by group, and for each record the weight that repairs missed links."""

    report: dict[str, Any]
    weight: Floats


def dimensions(people: pd.DataFrame) -> pd.DataFrame:
    """Return the groups of each record: who and where the child is, at which partner, with gaps."""
    people = people.reindex(columns=ASKED)
    decile = people["imd_decile"].astype(float).to_numpy()
    born = pd.to_datetime(people["birth_month"], errors="coerce").dt.year
    return pd.DataFrame(
        {
            "ethnicity_group5": people["ethnicity_group5"],
            "imd_third": np.select([decile <= 3, decile <= 7, decile <= 10], THIRDS, UNKNOWN),
            "sex": people["sex"],
            "home_language": people["home_language"],
            "birth_year": born.astype("Int64").astype(object),
            "area": people["ward"],
            "partner": people["partner"],
            "missing_fields": people["missing"].clip(upper=2),
        },
        index=people.index,
    ).map(lambda cell: UNKNOWN if pd.isna(cell) else str(cell))


def bias(people: pd.DataFrame, edges: pd.DataFrame, model: Model, seed: int, gap: float) -> Bias:
    """Tell for each group of children how many true links were found, and weigh what was found.

    A pair counts for a group when either record is of it. A group is flagged when its recall
    is `gap` or more off that of the largest, and the interval of the difference leaves out none.
    """
    children = people[people["role"] == "child"]
    across = counted(edges[~edges["same_partner"]])
    groups = dimensions(children).reindex(people.index)
    every = captured(across, model, seed) if len(across) else None
    made = [
        one
        for dimension in groups.columns
        for one in _dimension(groups[dimension], people, across, model, gap, every)
    ]
    report = {"groups": [{k: v for k, v in one.items() if k != "captured"} for one in made]}
    return Bias(report, _weights(groups, across, made, every))


def _dimension(
    group: pd.Series,
    people: pd.DataFrame,
    across: pd.DataFrame,
    model: Model,
    gap: float,
    every: Captured | None,
) -> list[dict[str, Any]]:
    code, names = pd.factorize(group, sort=True)
    a, b = (code[across[side].to_numpy()] for side in ("a", "b"))
    made = []
    for place, name in enumerate(names):
        some = across[(a == place) | (b == place)]
        one = _group(people, code == place, some)
        many = one["links"] >= FEWEST
        found = captured(some, model, 1 + place, every) if many else None
        made.append({"dimension": group.name, "group": name, **one, "captured": found})
    return _compared(made, gap)


def _group(people: pd.DataFrame, inside: NDArray[Any], some: pd.DataFrame) -> dict[str, Any]:
    links, rows = some[some["accepted"]], np.flatnonzero(inside)
    linked = np.union1d(links["a"].to_numpy(), links["b"].to_numpy())
    return {
        "records": len(rows),
        "missing": round(float((people["missing"].to_numpy()[rows] > 0).mean()), 4),
        "linked_elsewhere": round(float(np.isin(rows, linked).mean()), 4),
        "links": len(links),
        "precision": precision(links, 1)["value"],
    }


def _compared(made: list[dict[str, Any]], gap: float) -> list[dict[str, Any]]:
    largest = max(made, key=lambda g: g["records"])["captured"]
    for one in made:
        own = one["captured"]
        value = own and own.found / own.total
        measure = told(value, own.recall, "multi-list log-linear") if own else untold("too few")
        one |= {f"recall{k}": measure[n] for k, n in _NAMES.items()}
        known = own is not None and largest is not None
        against = largest.found / largest.total if known else None
        less = told(against - value, largest.recall - own.recall, "") if known else untold("")
        if own is largest:
            less |= {"value": 0.0, "low": 0.0, "high": 0.0} if known else {}
        one |= {f"gap{k}": less[n] for k, n in _NAMES.items()}
        one["ratio"] = round(value / against, 4) if known else None
        one["flag"] = _flag(less, gap) if known else "too_few"
    return made


_NAMES = {"": "value", "_low": "low", "_high": "high"}


def _flag(less: dict[str, Any], gap: float) -> str:
    apart = abs(less["value"]) >= gap and (less["low"] > 0 or less["high"] < 0)
    return "gap" if apart else ""


def _weights(
    groups: pd.DataFrame, across: pd.DataFrame, made: list[dict[str, Any]], every: Captured | None
) -> Floats:
    """Return 1 / P(found | groups, missing fields) for linked records, 1 for the others.

    Raked: in each group of each dimension with a flag what was found, weighted, adds up to what
    is there. Where no group is flagged chance tells them apart: they are weighed like all.
    """
    links = across[across["accepted"]]
    each = np.zeros(len(groups))
    for side in ("a", "b"):
        np.add.at(each, links[side].to_numpy(), 1.0)
    weight = np.ones(len(groups))
    if every is None or not every.total:
        return weight
    weight[each > 0] = every.total / every.found
    flagged = {g["dimension"] for g in made if g["flag"] == "gap"}
    margins = [
        (rows, float(each[rows].sum() * g["captured"].total / g["captured"].found))
        for g in made
        if g["dimension"] in flagged and g["captured"] is not None
        for rows in [np.flatnonzero((groups[g["dimension"]] == g["group"]).to_numpy())]
    ]
    for _ in range(ROUNDS):
        for rows, total in margins:
            weight[rows] *= total / float((each * weight)[rows].sum())
    weight[each == 0] = 1.0
    clipped: Floats = np.round(np.clip(weight, 1.0, MOST_WEIGHT), 4).astype(np.float64)
    return clipped
