"""All that can be said of a linkage without labels: quality, bias and its repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leap_eval.link import levels
from leap_eval.link.bias import bias
from leap_eval.link.capture import Model
from leap_eval.link.caught import caught
from leap_eval.link.holdout import held_out, recalibrated
from leap_eval.link.probes import Tried, probed
from leap_eval.link.quality import precision, quality, warnings
from leap_eval.link.rivals import chance
from leap_eval.link.through import with_through

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leap_eval.link.decide import Decision
    from leap_eval.link.settings import Settings

# What is asked of candidate pairs once they are decided: of millions, each column counts.
ASKED = ["a", "b", "s", "t", "tier", "score", "probability", "accepted", "barred", "same_id"]
ASKED += ["same_partner", "conflict", "else_forename", "months_apart", *levels.FIELDS]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was decided: people, their links, the children's candidate pairs, and the model."""

    people: pd.DataFrame
    links: pd.DataFrame
    edges: pd.DataFrame
    partners: list[str]
    model: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """Two reports of aggregates, and for each record the weight that repairs missed links."""

    quality: dict[str, Any]
    bias: dict[str, Any]
    weight: NDArray[np.float64]


def assess(
    found: Findings,
    tried: Tried,
    decide: Callable[[pd.DataFrame], Decision],
    settings: Settings,
) -> Assessed:
    """Return what linkage found and missed, for whom, and how that is mended.

    `decide` says again who is whom, for the hold-out of NHS numbers.
    """
    rows = found.model["levels"]
    children = found.people["role"] == "child"
    edges = found.edges.assign(
        months_apart=_months_apart(found.people, found.edges), probability=chance(found.edges)
    )
    told, labelled = held_out(edges, tried.encoded, found.people, decide)
    prior = _prior(edges)
    copies = probed(found.people, tried, rows, prior)
    model = Model(rows, caught(edges, tried.encoded, settings.seed))
    partner = pd.factorize(found.people["partner"], sort=True)[0]
    edges = with_through(edges[ASKED], found.links, partner.astype(np.int64))
    report = quality(edges, found.links, found.partners, model, [*told, copies["recall"]])
    report |= {"prior": round(prior, 3)}
    report |= {"probes": {k: copies[k] for k in ("probes", "kinds")}}
    missing = found.people.loc[children, "missing"]
    report |= {"missing_share": round(float((missing > 0).mean()), 4)}
    report |= {"no_tokens": int((missing > 3).sum())}
    report |= _bent(edges, labelled, report)
    judged = bias(found.people, edges, model, settings.seed, settings.gap_flag)
    return Assessed(report, judged.report, judged.weight)


def _months_apart(people: pd.DataFrame, edges: pd.DataFrame) -> NDArray[np.int16]:
    born = pd.to_datetime(people.reindex(columns=["birth_month"])["birth_month"], errors="coerce")
    month = (12 * born.dt.year + born.dt.month).to_numpy(float)
    apart = np.abs(month[edges["a"].to_numpy()] - month[edges["b"].to_numpy()])
    told: NDArray[np.int16] = np.minimum(np.nan_to_num(apart), 9999).astype(np.int16)
    return told


def _prior(edges: pd.DataFrame) -> float:
    usual = edges[~edges["same_partner"] & ~edges["barred"] & ~edges["same_id"] & ~edges["twin"]]
    return float((usual["score"] - usual["bits"]).median()) if len(usual) else 0.0


def _bent(edges: pd.DataFrame, labelled: pd.DataFrame, report: dict[str, Any]) -> dict[str, Any]:
    # Where enough truth was held out it corrects the probabilities; else they stand.
    links = edges[edges["accepted"] & ~edges["same_partner"]]
    bent = recalibrated(links, labelled)
    if bent is links:
        return {}
    made = precision(bent, 1, "mean probability, recalibrated on the hold-out")
    methods = [*report["methods"], {"measure": "precision", **made}]
    return {"precision": made, "methods": methods, "warnings": warnings(methods)}
