"""Stage 02 in one call: from keyed tokens to who is whom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leap_eval.errors import LinkError
from leap_eval.link import levels
from leap_eval.link.assess import Findings, assess
from leap_eval.link.decide import JOINED, Decision, cluster, decide
from leap_eval.link.edges import TIERS, record_edges
from leap_eval.link.encode import Encoded, Linkage, encode, only
from leap_eval.link.family import families, study_ids
from leap_eval.link.model import Weighed, weigh
from leap_eval.link.probes import Tried
from leap_eval.link.refine import TOGETHER, Learnt
from leap_eval.link.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

ROLES = ("child", "adult")
LEAST_BITS = 0.5  # a pair of levels that adds less is not told
KNOWN = ("has_f", "has_l", "has_q", "has_p")
IDS = ["nhs", "upn", "g_flp", "flp"]
EDGE = ["a", "b", "bits", "probability", "tier", "accepted", *levels.FIELDS]
TOLD = [*dict.fromkeys([*EDGE, *JOINED, "same_id", "conflict"])]
KEPT = ["profile", "child", "multiple", "birth_order"]


@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """What stage 02 hands on: three tables by contract, and three reports of aggregates."""

    links: pd.DataFrame
    edges: pd.DataFrame
    draws: pd.DataFrame
    model: dict[str, Any]
    quality: dict[str, Any]
    bias: dict[str, Any]


def link(
    persons: Any, linkage: Linkage, settings: Any, key: bytes, probes: Linkage | None = None
) -> Linked:
    """Say for every record of every partner which person it is.

    `persons`: all records of stage 01; `linkage`: tokens at rest by (partner, period);
    `settings`: the link section of params.yaml; `key`: the project key; `probes`: damaged
    copies by (partner, period), which never enter the links.
    """
    told = settings if isinstance(settings, Settings) else Settings(**dict(settings))
    people = _people(persons)
    encoded = encode(people, linkage)
    nodes = _by_record(encoded)
    people["missing"] = _missing(nodes, len(people))
    partner, names = pd.factorize(people["partner"], sort=True)
    made = {role: _role(role, encoded, partner.astype(np.int64), told) for role in ROLES}
    people = _decided(people, made, partner, key)
    people["family_id"], wide = families(people, nodes, key)
    edges = pd.concat([d.edges[TOLD] for d, _ in made.values()], ignore_index=True)
    links = _links(people, edges, wide, told)
    model = _model(made, encoded, told)
    found = assess(
        Findings(people, links, _sided(made["child"][0].edges, partner), list(names), model),
        Tried(encoded, linkage, probes or {}),
        # Bits as they were weighed: a decision learns on from there.
        lambda edges: decide(
            edges.assign(bits=edges["weighed"]),
            partner.astype(np.int64),
            made["child"][1].models,
            told,
        ),
        told,
    )
    return Linked(
        links.assign(link_weight=found.weight),
        _edges(edges, people["record_key"].to_numpy(object), told),
        _draws(edges, people, partner.astype(np.int64), key, told),
        model,
        found.quality,
        found.bias,
    )


def _people(persons: Any) -> pd.DataFrame:
    frame: pd.DataFrame = persons.to_pandas() if hasattr(persons, "to_pandas") else persons
    frame = frame.sort_values(["partner", "record_key"]).reset_index(drop=True)
    if frame["record_key"].duplicated().any():
        raise LinkError("persons: a record_key stands twice; run `dvc repro ingest` again")
    return frame


def _plain(nodes: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = nodes.select(KEPT).to_pandas()
    return frame.assign(**{c: nodes[c].fill_null(0).to_numpy() for c in IDS})


def _by_record(encoded: Encoded) -> pd.DataFrame:
    """Return what families need of each record's nodes, and which fields are known."""
    if not len(encoded.nodes):
        return pd.DataFrame(
            {c: np.zeros(0, np.int64) for c in ("record", *IDS)}
            | {c: np.zeros(0, bool) for c in ("child", *KNOWN)}
        )
    told = _plain(encoded.nodes).assign(**{c: encoded.nodes[c].to_numpy() for c in KNOWN})
    nodes = encoded.members["node"].to_numpy()
    return told.take(nodes).assign(record=encoded.members["record"].to_numpy())


def _missing(nodes: pd.DataFrame, records: int) -> Ints:
    told = np.zeros((records, len(KNOWN)), bool)
    for place, column in enumerate(KNOWN):
        np.logical_or.at(told[:, place], nodes["record"].to_numpy(), nodes[column].to_numpy(bool))
    missing: Ints = (len(KNOWN) - told.sum(axis=1)).astype(np.int64)
    return missing


def _role(
    role: str, encoded: Encoded, partner: Ints, settings: Settings
) -> tuple[Decision, Weighed]:
    # Children and adults are apart: no pair crosses, and each learns weights of its own.
    mine = encoded.nodes
    if len(mine):
        mine = only(mine, mine["child"].to_numpy() == (role == "child"))
        number = pa.array(np.arange(len(mine)))
        mine = mine.set_column(mine.column_names.index("node"), "node", number)
    weighed = weigh(mine, encoded.rates, settings) if len(mine) else Weighed(pd.DataFrame(), {})
    if not len(weighed.pairs):
        same = np.arange(len(partner))
        return Decision(_no_edges(), same, same, same, Learnt(weighed.models)), weighed
    plain = _plain(mine)
    edges = record_edges(weighed.pairs, plain, encoded.members, partner, settings.within)
    edges = edges.assign(weighed=edges["bits"])
    return decide(edges, partner, weighed.models, settings), weighed


def _no_edges() -> pd.DataFrame:
    ints = ["a", "b", *levels.FIELDS]
    told: dict[str, Any] = {c: np.zeros(0, np.int64) for c in ints} | {
        "tier": pd.Categorical([], TIERS)
    }
    told |= {c: np.zeros(0) for c in ("bits", "weighed", "score", "probability")}
    flags = ["accepted", "same_id", "other_id", "same_partner", "barred", "conflict"]
    flags += ["else_forename", "twin"]
    return pd.DataFrame(told | {c: np.zeros(0, bool) for c in flags})


def _decided(
    people: pd.DataFrame, made: dict[str, tuple[Decision, Weighed]], partner: Any, key: bytes
) -> pd.DataFrame:
    child = (people["role"] == "child").to_numpy()
    ids = {"study_id": "person", "study_id_strict": "strict", "study_id_loose": "loose"}
    for name, which in ids.items():
        both = [getattr(made[role][0], which) for role in ROLES]
        people[name] = study_ids(np.where(child, both[0], both[1]), people["record_key"], key)
    return people


def _sided(edges: pd.DataFrame, partner: Any) -> pd.DataFrame:
    small = partner.astype(np.int16)  # there may be millions
    return edges.assign(s=small[edges["a"]], t=small[edges["b"]])


def _links(
    people: pd.DataFrame, edges: pd.DataFrame, wide: pd.Series, settings: Settings
) -> pd.DataFrame:
    size, rows = len(people), people.index.to_numpy()
    inside, other = np.zeros(size), np.zeros(size)
    by_id, clash = np.zeros(size, bool), np.zeros(size, bool)
    for side in ("a", "b"):
        at, p, yes = edges[side].to_numpy(), edges["probability"].to_numpy(), edges["accepted"]
        np.maximum.at(inside, at[yes], p[yes])
        np.maximum.at(other, at[~yes], p[~yes])
        by_id[at[yes & edges["same_id"]]] = True
        clash[at[edges["conflict"]]] = True
    linked = people.groupby("study_id")["record_key"].transform("size").to_numpy() > 1
    p = np.where(linked, inside, 1 - other)
    band = np.where(linked, np.where(p >= settings.sure, "sure", "uncertain"), "single")
    missing = people["missing"].to_numpy()
    method = np.where(missing == len(KNOWN), "none", np.where(by_id, "id", "tokens"))
    flags = {"no_tokens": missing == len(KNOWN), "id_conflict": clash}
    flags |= {"too_few_fields": missing == len(KNOWN) - 1, "family_key_too_wide": wide.to_numpy()}
    told = [",".join(name for name in sorted(flags) if flags[name][row]) for row in rows]
    ids = ["partner", "record_key", "role", "study_id", "family_id", "study_id_strict"]
    return people[[*ids, "study_id_loose"]].assign(
        probability=np.round(np.clip(p, 0, 1), 4),
        band=band,
        method=method,
        link_weight=1.0,  # `assess` puts the repair by group in its place
        flags=told,
    )


def _edges(edges: pd.DataFrame, keys: NDArray[Any], settings: Settings) -> pd.DataFrame:
    kept = edges.loc[edges["probability"] >= 0.01, EDGE]
    a, b = keys[kept["a"]], keys[kept["b"]]
    p = kept["probability"].to_numpy()
    bands = np.array(["unlikely", "uncertain", "sure"], object)
    return pd.DataFrame(
        {
            "record_key_a": np.minimum(a, b),
            "record_key_b": np.maximum(a, b),
            "bits": np.round(kept["bits"].to_numpy(float), 3),
            "probability": p,
            "tier": kept["tier"].to_numpy(object),
            "accepted": kept["accepted"].to_numpy(bool),
            "band": bands[(p >= settings.unsure) * 1 + (p >= settings.sure)],
            **{f"level_{f}": kept[f].to_numpy(np.int64) for f in levels.FIELDS},
        }
    )


def _draws(
    edges: pd.DataFrame, people: pd.DataFrame, partner: Ints, key: bytes, settings: Settings
) -> pd.DataFrame:
    p = edges["probability"]
    unsure = (p >= settings.unsure) & (p < settings.sure) & ~edges["barred"]
    touched = people["study_id"].isin(
        people["study_id"].to_numpy()[np.unique(edges.loc[unsure, ["a", "b"]].to_numpy())]
    )
    inside = touched.to_numpy()
    some = edges[inside[edges["a"]] & inside[edges["b"]]]
    open_ = unsure.reindex(some.index).to_numpy()
    rows = np.flatnonzero(inside)
    place = np.full(len(people), -1)
    place[rows] = np.arange(len(rows))
    some = some.assign(a=place[some["a"]], b=place[some["b"]])
    random = np.random.default_rng(settings.seed)
    keys, made = people["record_key"].iloc[rows].reset_index(drop=True), []
    for number in range(1, settings.draws + 1):
        score = some["score"].to_numpy().copy()
        drawn = random.random(len(some)) < some["probability"].to_numpy()
        score[open_] = np.where(drawn[open_], np.abs(score[open_]) + 1e-6, -60.0)
        person = cluster(some.assign(score=score), partner[rows], settings.within == "free")
        ids = study_ids(person, keys, key)
        made.append(pd.DataFrame({"draw": number, "record_key": keys, "study_id": ids}))
    return pd.concat(made, ignore_index=True)


def _model(
    made: dict[str, tuple[Decision, Weighed]], encoded: Encoded, settings: Settings
) -> dict[str, Any]:
    rows = [
        {"role": role, "tier": tier, "field": field, "level": name}
        | {"m": _short(m), "u": _short(u), "bits": round(float(np.log2(m / u)), 3)}
        for role, (decision, _) in made.items()
        for tier, model in sorted(decision.learnt.models.items())
        for field, told in model.items()
        for name, (m, u) in told.items()
    ]
    together = [
        {"role": role, "tier": tier} | _crossed(tier, one, two) | {"bits": round(float(bits), 3)}
        for role, (decision, _) in made.items()
        for tier, table in sorted(decision.learnt.together.items())
        for (one, two), bits in np.ndenumerate(table)
        if abs(bits) >= LEAST_BITS
    ]
    counts = {role: len(w.pairs) for role, (_, w) in made.items()}
    rules = {tier: [c for c, _ in levels.rules(tier)] for tier in levels.LEVELS}
    return {
        "levels": rows,
        "together": together,
        "pairs": counts,
        "rules": rules,
        "strangers": encoded.strangers,
        "crowded": encoded.crowded,
        "settings": asdict(settings),
    }


def _crossed(tier: str, *levels_: int) -> dict[str, str]:
    return {f: levels.labels(tier, f)[n] for f, n in zip(TOGETHER, levels_, strict=True)}


def _short(value: float) -> float:
    return float(f"{value:.4g}")
