"""Weights of agreement, learnt without labels: Splink on DuckDB over integers."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from splink import DuckDBAPI, Linker, SettingsCreator
from splink.blocking_rule_library import CustomRule
from splink.internals.exceptions import EMTrainingException

from leap_eval.link import levels
from leap_eval.link.candidates import Comparer, candidates
from leap_eval.link.encode import only
from leap_eval.link.settings import Settings
from leap_eval.tokens import columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Model = dict[str, dict[str, list[float]]]  # field -> level -> m, u of one tier
PRIOR = 1e-4  # taken off again: decide puts a prior per pair of partners in its place
LEAST_EXACT = 0.3
LEAST_M = 1e-3
LEAST_SHARE = 1e-5  # a value no rarer than this: a slip of the pen is not a mark of one person
COMPARED = 50_000  # pairs whose tokens lie side by side at one time
FEWEST = 30  # nodes below which nothing can be learnt


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Compared pairs of nodes with their bits and levels, and the two models that weighed them."""

    pairs: pd.DataFrame
    models: dict[str, Model]


def weigh(nodes: pa.Table, rates: dict[str, float], settings: Settings) -> Weighed:
    """Return the bits of every candidate pair; pairs with a tier A side by a model of their own."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    bare = nodes["bare"].to_numpy()
    found, models, chance = [], {}, {}
    if int((~bare).sum()) >= 2:
        full = only(nodes, ~bare)
        models["B"] = train(full, "B", {}, settings)
        chance = {f: {n: mu[1] for n, mu in told.items()} for f, told in models["B"].items()}
        found.append(_predict(full, "B", models["B"], settings))
    if bare.any():
        models["A"] = train(nodes, "A", chance or from_rates(rates), settings)
        found.append(_predict(nodes, "A", models["A"], settings))
    pairs = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    return Weighed(pairs, models)


def _engine() -> Any:
    connection = duckdb.connect()
    connection.sql(
        "SET threads = 2; SET memory_limit = '600MB'; SET preserve_insertion_order = false"
    )
    return connection


def _linker(
    nodes: pa.Table, tier: str, comparisons: list[dict[str, Any]], connection: Any
) -> Linker:
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="node",
        comparisons=list(comparisons),
        probability_two_random_records_match=PRIOR,
        retain_matching_columns=False,
        max_iterations=20,
    )
    api = DuckDBAPI(connection)
    # Splink copies what it is given: it gets the columns it asks for.
    asked = [*_blocks(tier), *levels.used(tier, nodes.column_names)]
    kept = [*dict.fromkeys(["node", "copy", *asked])]
    named = nodes.select(kept).rename_columns([levels.plain(c) for c in kept])
    return Linker(api.register(named), settings, log_level=logging.ERROR)


def _blocks(tier: str) -> list[str]:
    asked = set(re.findall(r"l\.(\w+)", " ".join(levels.BLOCKS[tier])))
    return [c for c in columns("AB")[0] if levels.plain(c) in asked]


def _comparisons(tier: str, told: Model) -> list[dict[str, Any]]:
    made = [levels.comparison(tier, field) for field in told]
    for one in made:
        known = told.get(one["output_column_name"], {})
        for level in one["comparison_levels"]:
            if level["label_for_charts"] in known:
                m, u = known[level["label_for_charts"]]
                level |= {"m_probability": m, "u_probability": u}
    return made


def train(
    nodes: pa.Table, tier: str, chance: dict[str, dict[str, float]], settings: Settings
) -> Model:
    """Return m and u per field and level: u from random pairs or as given, m by EM."""
    fields = levels.fields(nodes.column_names)
    guess = {f: _guess(tier, f, chance.get(f, {})) for f in fields}
    if len(nodes) < FEWEST:
        return guess
    sample = _sample(nodes, settings.train_records)
    connection = _engine()
    linker = _linker(sample, tier, _comparisons(tier, guess), connection)
    if not chance:
        linker.training.estimate_u_using_random_sampling(
            max_pairs=settings.u_pairs, seed=settings.seed, min_count_per_level=None, num_chunks=10
        )
    told = linker.misc.save_model_to_json()
    for block in levels.BLOCKS[tier]:
        condition = f"{block} AND NOT l.copy AND NOT r.copy"
        # A block without pairs, or with none of a level, teaches nothing; the others still do.
        with suppress(EMTrainingException, ValueError):
            linker.training.estimate_parameters_using_expectation_maximisation(
                CustomRule(condition, "duckdb"), estimate_without_term_frequencies=True
            )
        # After a block without pairs Splink leaves out what it should have taught.
        after = linker.misc.save_model_to_json()
        told = after if len(after["comparisons"]) == len(fields) else told
    connection.close()  # its copy of the tokens is not needed any more
    # A level that no random pair reached is rare, but not rarer than the pairs looked at can tell.
    least = 0.5 / min(settings.u_pairs, len(sample) * (len(sample) - 1) / 2)
    learnt = _filled(told, guess, least)
    return learnt if _believable(learnt) else _with_chance(guess, learnt)


def _believable(told: Model) -> bool:
    # Where hardly a pair is one person, EM calls strangers matches: agreement becomes rare.
    return all(told[f]["exact"][0] > LEAST_EXACT for f in levels.FIELDS)


def _with_chance(guess: Model, learnt: Model) -> Model:
    return {f: {n: [m, learnt[f][n][1]] for n, (m, _) in t.items()} for f, t in guess.items()}


def _sample(nodes: pa.Table, most: int) -> pa.Table:
    if len(nodes) <= most:
        return nodes
    step = np.linspace(0, len(nodes) - 1, most).astype(np.int64)
    return nodes.take(pa.array(step))


def _guess(tier: str, field: str, chance: dict[str, float]) -> dict[str, list[float]]:
    names = levels.labels(tier, field)
    m = {n: levels.FIRST_M.get(n, 0.01) for n in names}
    u = {n: max(chance.get(n, 1e-4), 1e-6) for n in names if n != levels.ELSE}
    if "part" not in names:
        u["near"] = u.get("near", 0.0) + chance.get("part", 0.0) if "near" in u else 0.0
        u = {n: v for n, v in u.items() if n in names}
    u[levels.ELSE] = max(1 - sum(u.values()), 1e-3)
    total = sum(m.values())
    return {n: [m[n] / total, u[n]] for n in names}


def _filled(told: dict[str, Any], guess: Model, least: float) -> Model:
    found = {}
    for one in told["comparisons"]:
        field = one["output_column_name"]
        learnt = {le["label_for_charts"]: le for le in one["comparison_levels"]}
        found[field] = {
            name: [_share(learnt[name], "m", m, LEAST_M), _share(learnt[name], "u", u, least)]
            for name, (m, u) in guess[field].items()
        }
    return found


def _share(level: dict[str, Any], which: str, instead: float, least: float) -> float:
    value = level.get(f"{which}_probability")
    # A level nobody reached keeps a small share: a weight of minus infinity would be a hard rule.
    if not isinstance(value, float) or not np.isfinite(value):
        return max(min(instead, 1e-3), least)
    return max(value, least)


def _predict(nodes: pa.Table, tier: str, told: Model, settings: Settings) -> pd.DataFrame:
    left, right = candidates(nodes, tier)
    comparer, rare = Comparer(nodes, tier), {f: _rarity(nodes, tier, f, told[f]) for f in told}
    node, found = nodes["node"].to_numpy(), []
    for start in range(0, max(len(left), 1), COMPARED):
        a, b = left[start : start + COMPARED], right[start : start + COMPARED]
        level = comparer.levels(a, b)
        bits = np.zeros(len(level))
        for field, model in told.items():
            names = levels.labels(tier, field)
            weight = [np.log2(model[n][0] / model[n][1]) for n in names]
            number = level[field].to_numpy()
            bits += np.array([*weight, 0.0])[number]  # -1, missing, is the last
            bits += np.where(number == len(names) - 1, rare[field][a], 0.0)
        made = level.assign(node_l=node[a], node_r=node[b], bits=bits)
        found.append(made[bits >= settings.least_bits])
    return pd.concat(found, ignore_index=True).assign(tier=tier)


def _rarity(nodes: pa.Table, tier: str, field: str, model: dict[str, list[float]]) -> Floats:
    """Return for each node the bits that its value of a field adds when it agrees exactly."""
    column = levels.frequent(tier, field)
    if column is None:
        return np.zeros(len(nodes))
    values, known = nodes[column].fill_null(0).to_numpy(), nodes[column].is_valid().to_numpy()
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    share = np.maximum(count[place] / max(known.sum(), 1), LEAST_SHARE)
    added: Floats = np.where(known, np.log2(model["exact"][1] / share), 0.0)
    return added


def from_rates(rates: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return chance agreement per level from the rates that partners without tier B send."""
    if not rates:
        return {}

    def near(whole: str, instead: float) -> float:
        return rates.get(f"{whole}d") or instead

    def name(whole: str) -> dict[str, float]:
        r = rates[whole]
        sound, three = max(rates[f"{whole}m"] - r, r / 5), max(rates[f"{whole}3"] - r, r / 5)
        return {
            "exact": r,
            "near": near(whole, r),
            "metaphone": sound,
            "first_3": three,
            "initial": r,
            # Strangers whose names changed places: as rare as two who share both names.
            "exchanged": rates["f"] * rates["l"],
        }

    parts = rates["ym"] + rates["md"] + rates["yd"]
    date = {
        "exact": rates["q"],
        "near": near("q", 10 * rates["q"]),
        "swapped": rates["q"],
        "part": parts,
    }
    place = {"exact": rates["p"], "near": near("p", 3 * rates["p"]), "sector": rates["s"]}
    sex = {"exact": 0.5}
    return {
        "forename": name("f"),
        "surname": name("l"),
        "date": date,
        "postcode": place,
        "sex": sex,
    }
