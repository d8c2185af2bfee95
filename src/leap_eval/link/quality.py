"""How many links are wrong or missing, told without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leap_eval.link import levels
from leap_eval.link.capture import DRAWS, Captured, Model, captured, counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEED = 2015  # of the draws for intervals
FEWEST = 300  # links below which recall is not told
DOUBT = 2.0  # standard deviation, in bits, of what all weights together may be off
APART = 0.015  # two ways to tell recall that differ by more are a warning
SCORES = range(-6, 31, 2)
LINKED = ["probability", "sex", "else_forename", "months_apart"]
Measure = dict[str, Any]


def told(value: float, draws: Floats, method: str) -> Measure:
    """Return a measure with its 95 % interval, four decimals."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"value": _4(value), "low": _4(low), "high": _4(high), "method": method}


def untold(why: str) -> Measure:
    """Return a measure that cannot be told, and why."""
    return {"value": None, "low": None, "high": None, "method": why}


def recall(made: Captured | None, others: list[Measure]) -> Measure:
    """Return the share of true pairs between partners that were linked, with a 95 % interval.

    The interval holds the luck of these pairs, and how far apart `others`, that tell recall in
    ways of their own, put it: no way sees the pairs that it cannot see.
    """
    if made is None:
        return untold("too few links")
    value, random = made.found / made.total, np.random.default_rng(SEED)
    apart = _between([(value, float(made.recall.std())), *map(_spread, _told(others, "recall"))])
    draws = made.recall + apart * random.standard_normal(len(made.recall))
    return told(value, np.minimum(draws, 1.0), "multi-list log-linear")


def _told(side: list[Measure], name: str) -> list[Measure]:
    return [m for m in side if m["measure"] == name and m["value"] is not None]


def _spread(one: Measure) -> tuple[float, float]:
    return one["value"], (one["high"] - one["low"]) / (2 * 1.96)


def _between(ways: list[tuple[float, float]]) -> float:
    """Return the standard deviation between ways beyond their own errors (DerSimonian, Laird)."""
    if len(ways) < 2:
        return 0.0
    value, error = np.array(ways).T
    weight = 1 / np.maximum(error, 1e-5) ** 2
    centre = (weight * value).sum() / weight.sum()
    excess = (weight * (value - centre) ** 2).sum() - (len(ways) - 1)
    room = weight.sum() - (weight**2).sum() / weight.sum()
    return float(np.sqrt(max(excess / room, 0.0)))


def precision(links: pd.DataFrame, seed: int, method: str = "mean probability") -> Measure:
    """Return the share of links that are right: the mean probability, with a 95 % interval.

    The interval holds the luck of these links, and that all weights may be too high or too low.
    """
    p = links["probability"].to_numpy()
    if not len(p):
        return untold("no links")
    random = np.random.default_rng(seed)
    odds = np.exp2(DOUBT * random.standard_normal(DRAWS))
    value, count = np.unique(p, return_counts=True)  # of millions of links few differ
    wrong = [float((count * (1 - value) / (1 - value + value * o)).sum()) for o in odds]
    draws = 1 - random.poisson(wrong) / len(p)
    return told(float(p.mean()), np.maximum(draws, 0), method)


def _4(value: float) -> float:
    return round(float(value), 4)


def quality(
    edges: pd.DataFrame,
    links: pd.DataFrame,
    partner: list[str],
    model: Model,
    trials: list[Measure],
) -> dict[str, Any]:
    """Return the quality of the children's links, over all and per pair of partners.

    `edges`: candidate pairs of children with `s`, `t`, the numbers of their partners;
    `trials`: what the hold-out and the probes tell (see `holdout` and `probes`).
    """
    across = edges[~edges["same_partner"]]
    accepted = across.loc[across["accepted"], LINKED]
    told_of = counted(across)
    children = links[links["role"] == "child"]
    every = captured(told_of, model, SEED) if len(accepted) >= FEWEST else None
    measures = {"precision": precision(accepted, SEED), "recall": recall(every, trials)}
    side = [{"measure": name, **one} for name, one in measures.items()] + trials
    return {
        "links": len(accepted),
        "children": int(children["study_id"].nunique()),
        "families": int(children["family_id"].nunique()),
        "records": len(children),
        "uncertain": int((children["band"] == "uncertain").sum()),
        **measures,
        "methods": side,
        "warnings": warnings(side),
        "duplicates": int((edges["accepted"] & edges["same_partner"]).sum()),
        "conflicts": int(edges["conflict"].sum()),
        "implausible_per_1000": implausible(accepted),
        "thresholds": thresholds(across, every),
        "scores": scores(across.loc[~across["through"], ["score", "accepted"]]),
        "bands": _counted(children["band"], "band", "records"),
        "partners": _pairs(told_of.assign(s=across["s"], t=across["t"]), partner, model, every),
        "known": _known(children),
        "cluster_sizes": _sizes(children, "study_id", "records", "children"),
        "family_sizes": _sizes(
            children.drop_duplicates("study_id"), "family_id", "children", "families"
        ),
    }


def warnings(side: list[Measure]) -> list[str]:
    """Return where two ways to tell one measure are further apart than chance should put them."""
    found = []
    for name in ("precision", "recall"):
        if known := _told(side, name):
            low, high = (f(known, key=lambda m: m["value"]) for f in (min, max))
            if high["value"] - low["value"] > APART:
                found.append(
                    f"{name}: {low['method']} lies below {high['method']} by more than 1.5 points"
                )
    return found


def implausible(links: pd.DataFrame) -> float | None:
    """Return the links per 1,000 whose sex differs, or birth months too with another forename."""
    if not len(links):
        return None
    sex = links["sex"].to_numpy() == levels.labels("B", "sex").index(levels.ELSE)
    other = links["else_forename"].to_numpy(bool) & links["months_apart"].gt(1).to_numpy(bool)
    return round(1000 * float((sex | other).mean()), 2)


def thresholds(edges: pd.DataFrame, every: Captured | None) -> list[dict[str, float]]:
    """Return precision and recall had the line been drawn at another score."""
    if every is None:
        return []
    open_, total = (~edges["barred"] & ~edges["through"]).to_numpy(bool), every.total
    score, p = (edges[c].to_numpy()[open_] for c in ("score", "probability"))
    made = ((line, p[score > line]) for line in SCORES)  # one at a time: there may be millions
    return [
        {
            "score": float(line),
            "links": len(kept),
            "precision": _4(kept.mean()),
            "recall": _4(min(kept.sum() / total, 1.0)),
        }
        for line, kept in made
        if len(kept)
    ]


def scores(edges: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how many pairs scored what, linked and not, in steps of two bits."""
    step = np.clip(np.floor(edges["score"].to_numpy(float) / 2) * 2, -20, 60)
    made = pd.DataFrame({"score": step, "accepted": edges["accepted"].to_numpy(bool)})
    counts = made.value_counts().sort_index().rename("pairs").reset_index()
    return [
        {"score": float(s), "accepted": bool(a), "pairs": int(n)}
        for s, a, n in zip(*(counts[c] for c in ("score", "accepted", "pairs")), strict=True)
    ]


def _counted(values: pd.Series, name: str, what: str) -> list[dict[str, Any]]:
    counts = values.value_counts().sort_index()
    return [{name: k, what: int(n)} for k, n in counts.items()]


def _sizes(rows: pd.DataFrame, by: str, each: str, what: str) -> list[dict[str, int]]:
    sizes = rows.groupby(by).size().value_counts().sort_index()
    pairs = zip(sizes.index.tolist(), sizes.tolist(), strict=True)
    return [{each: int(k), what: int(n)} for k, n in pairs]


def _known(children: pd.DataFrame) -> list[dict[str, Any]]:
    """Return per partner its records, its children, and how many of these another partner knows."""
    partners = children.groupby("study_id")["partner"].transform("nunique")
    rows = children.assign(elsewhere=partners > 1).groupby("partner")
    return [
        {
            "partner": str(name),
            "records": len(held),
            "children": int(held["study_id"].nunique()),
            "known_elsewhere": int(held.loc[held["elsewhere"], "study_id"].nunique()),
        }
        for name, held in rows
    ]


def _pairs(
    across: pd.DataFrame, partner: list[str], model: Model, every: Captured | None
) -> list[dict[str, Any]]:
    """Return for each two partners with a link between them what was found and what was missed."""
    made = []
    for _, some in across.groupby(["s", "t"]):
        s, t = (int(some[side].iloc[0]) for side in ("s", "t"))
        links = some[some["accepted"]]
        if not len(links):
            continue
        many = every is not None and len(links) >= FEWEST
        own = captured(some, model, SEED, every, draws=0) if many else None
        made.append(
            {
                "partner_a": partner[s],
                "partner_b": partner[t],
                "links": len(links),
                "uncertain": int((links["probability"] < 0.95).sum()),
                "precision": _4(links["probability"].mean()),
                "recall": _4(own.found / own.total) if own else None,
            }
        )
    return made
