"""Measure the effects engine: `--worlds N` simulated worlds, `--leap N` pretend LEAPs (stages 03
to 06 on clean tables and true links), or `--ihdp DIR` of ihdp_npci_*.csv.

Progress by world on stderr, one JSON line last. Estimators see treatment, covariates and
observed outcome only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from datetime import date
from pathlib import Path

os.environ.setdefault("LEAP_STAGE", "benchmark")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import effects_world
import ibis
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from leap_eval import cohort, design, effects, exposure
from leap_eval.agreements import load_programme
from leap_eval.design.background import terms
from leap_eval.effects.bands import banded
from leap_eval.effects.problem import Arms, Problem
from leap_eval.effects.surface import background, boosted_surfaces, ridge_surfaces
from leap_eval.settings import load_plan, propensity_floor
from leap_eval.synthetic import draw, planted, tables
from leap_eval.synthetic.potential import truth_table
from leap_eval.tokens import load_keys

ROOT = Path(__file__).parents[1]
AS_AT = date(2025, 3, 31)


def world(seed: int, children: int) -> pd.DataFrame:
    """Estimate one simulated world and put the truth beside every estimate."""
    drawn = effects_world.draw(seed, children)
    made = design.run(drawn.plan, drawn.cohort, drawn.exposure, 2015)
    given = effects.Given(made.table, made.discovery.to_dict("records"))
    told = effects.Measured("score", made.table[["study_id"]].merge(drawn.outcome, how="left"))
    found = effects.run(drawn.plan, given, told).estimates.query("subgroup == 'all'")
    parts = [c.split(" + ") for c in found["contrast"]]
    ask = {
        "combination": lambda p: drawn.combination(tuple(p)),
        "service": lambda p: drawn.service(*p),
    }
    truth = [
        ask.get(f, lambda p: drawn.synergy(*p))(p)
        for f, p in zip(found["family"], parts, strict=True)
    ]
    return found.assign(truth=truth, world=seed)


def leap(seed: int, children: int) -> pd.DataFrame:
    """Take one pretend LEAP through stages 03 to 06 and put the truth beside every estimate."""
    drawn, plan = draw(planted("demo"), seed, children), load_plan(ROOT)
    made = tables(drawn, load_keys(None, "demo"))
    persons, contacts, outcomes, links = (
        ibis.memtable(t) for t in (made.persons, made.contacts, made.outcomes, made.links)
    )
    services = load_programme(ROOT).services
    studied = ibis.memtable(cohort.cohort(persons, contacts, links, plan, AS_AT).to_pyarrow())
    told = exposure.attended(contacts, links, studied, services)
    wide = exposure.exposure(told, studied, services, plan).to_pandas()
    designed = design.run(plan, cohort=studied.to_pandas(), exposure=wide, seed=2015)
    given = effects.Given(designed.table, designed.discovery.to_dict("records"))
    found = []
    for outcome in plan.outcomes:
        measured = effects.first_results(outcomes, links, given, plan, (outcome, AS_AT))
        found.append(effects.run(plan, given, measured).estimates.query("subgroup == 'all'"))
    truth = truth_table(drawn).rename(columns={"estimand": "family", "value": "truth"})
    asked = pd.concat(found).assign(services=lambda t: t["arms"].str.replace(" + ", "+"))
    keys = ["outcome", "trial", "family", "services"]
    return asked.merge(truth[[*keys, "truth"]], on=keys).assign(world=seed)


def worlds(one: object, count: int, seed: int, children: int) -> dict[str, object]:
    """Return bias, error and coverage by family over simulated worlds."""
    told = []
    for number in range(seed, seed + count):
        told.append(one(number, children))
        print(f"world {number}", file=sys.stderr)
    table = pd.concat(told)
    error = table["estimate"] - table["truth"]
    table = table.assign(
        error=error,
        wide=error.abs(),
        covered=table["truth"].between(table["low"], table["high"]),
        held=table["truth"].between(table["band_low"], table["band_high"]),
        real=(table["band_low"] > 0) | (table["band_high"] < 0),
        null=table["truth"].abs() < 1e-9,
    )
    families = {}
    for name, own in table.groupby("family"):
        nulls = own[own["null"]]
        families[name] = {
            "bias": own["error"].mean(),
            "mean_error": own["wide"].mean(),
            "coverage": own["covered"].mean(),
            "joint_coverage": own.groupby("world")["held"].all().mean(),
            "false_alarm": nulls.groupby("world")["real"].any().mean() if len(nulls) else None,
            "power": own.loc[~own["null"], "real"].mean(),
        }
    return {"mode": "worlds", "n": count, "seed": seed, "children": children, "families": families}


def ihdp(folder: Path) -> dict[str, object]:
    """Return error and coverage of the mean effect over the IHDP files of a folder."""
    files = sorted(folder.glob("ihdp_npci_*.csv"))
    if not files:
        raise SystemExit(f"{folder.name}: holds no ihdp_npci_*.csv")
    rows = [_ihdp_file(path) for path in files]
    error, covered = np.array(rows).T
    return {
        "mode": "ihdp",
        "n": len(files),
        "bias": error.mean(),
        "mean_error": np.abs(error).mean(),
        "coverage": covered.mean(),
    }


def _ihdp_file(path: Path) -> tuple[float, bool]:
    raw = pd.read_csv(path, header=None)
    if isinstance(raw.iloc[0, 0], str):
        raw = raw.iloc[1:].astype(float)
    values = raw.to_numpy(float)
    treated, y, mu0, mu1, x = (
        values[:, 0] > 0,
        values[:, 1],
        values[:, 3],
        values[:, 4],
        values[:, 5:],
    )
    everyone = np.ones(len(y), bool)
    fold = design.folds(np.arange(len(y)).astype(str), 2015)[0]
    names = [f"x{i}" for i in range(x.shape[1])]
    e = design.propensities(terms(names, x, everyone), treated.astype(int), fold)
    inside = np.column_stack([~treated, treated])
    floors = np.array([propensity_floor(s) for s in inside.mean(axis=0)])
    arms = Arms(
        "ihdp.service:treated", ((), ("treated",)), inside, np.maximum(e, floors), floors, True
    )
    empty = pd.DataFrame(index=range(len(y)))
    asked = Problem(
        "ihdp", tuple(names), x, y, ("treated",), treated[:, None], np.arange(len(y)),
        fold.astype(np.int64), np.zeros(len(y), np.int64), (arms,), empty,
    )  # fmt: skip
    line, _ = ridge_surfaces(asked, background(asked.names, x, asked))
    surface = (line + boosted_surfaces(asked, x, 2015)) / 2
    weight = effects.arm_weights(inside, arms.e, everyone, np.ones(len(y)))
    means = effects.arm_means(y, surface, weight)
    told = banded(means.phi @ np.array([[-1.0], [1.0]]), asked.family)
    truth = float((mu1 - mu0).mean())
    return float(told.estimate[0]) - truth, bool(told.low[0] <= truth <= told.high[0])


def main() -> None:
    """Parse, measure, print one JSON line."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--ihdp", type=Path)
    ask.add_argument("--worlds", type=int, default=0)
    ask.add_argument("--leap", type=int, default=0)
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--children", type=int, default=15_000)
    given = ask.parse_args()
    start = time.process_time()
    with threadpool_limits(1):
        one, count = (leap, given.leap) if given.leap else (world, given.worlds)
        told = ihdp(given.ihdp) if given.ihdp else worlds(one, count, given.seed, given.children)
    told |= {
        "cpu_s": round(time.process_time() - start, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
