"""Measure the effects engine against known truths and against what one would otherwise pick.

`--worlds N` simulated worlds (`--quarter complete|missing|unrecorded`, `--no-scan`,
`--adversarial`, `--twins N` beside them), `--pretend N` pretend LEAPs (stages 03 to 06 on clean
tables and true links),
`--traps --seeds A:B` (traps.py),
`--ihdp DIR` of ihdp_npci_*.csv, `--acic DIR` of x.csv and zymu_*.csv; `--vs doubleml` puts the
reference beside ours in the same process, one BLAS thread. Progress on stderr, one JSON line last.
Estimators see treatment, covariates and observed outcome only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

os.environ.setdefault("LEAP_STAGE", "benchmark")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import effects_public
import effects_reference
import effects_world
import ibis
import numpy as np
import pandas as pd
import traps
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from leap_eval import cohort, design, effects, exposure
from leap_eval.agreements import load_programme
from leap_eval.effects.additive import pulled
from leap_eval.effects.contrasts import contrasts
from leap_eval.effects.fit import Fit, fit
from leap_eval.effects.grade import SCANNED
from leap_eval.effects.problem import Problem, problem
from leap_eval.effects.surface import recorded_probability
from leap_eval.effects.sweep import standard
from leap_eval.effects.twin import twin
from leap_eval.effects.weights import stacked_weights
from leap_eval.settings import load_plan
from leap_eval.synthetic import draw, planted, tables
from leap_eval.synthetic.potential import truth_table
from leap_eval.tokens import load_keys

ROOT = Path(__file__).parents[1]
AS_AT = date(2025, 3, 31)
REDRAWN = 2_000  # noises of every world


QUARTERS = {"complete": {}, "missing": {"missing": 0.28}, "unrecorded": {"unrecorded": 0.2}}


def world(seed: int, children: int, kind: argparse.Namespace) -> pd.DataFrame:
    """Estimate one simulated world and put the truth beside every estimate."""
    drawn = effects_world.draw(
        seed, children, adversarial=kind.adversarial, **QUARTERS[kind.quarter]
    )
    plan = drawn.plan
    if kind.no_scan:
        plan = plan.model_copy(update={"pairs": plan.pairs.model_copy(update={"scan": False})})
    made = effects_reference.designed(plan, drawn, 3, ("combination", "service", "pair"))
    asked = problem(plan, *effects_reference.question(made, drawn))
    ask = {
        "combination": lambda p: drawn.combination(tuple(p)),
        "service": lambda p: drawn.service(*p),
        "pair_named": lambda p: drawn.synergy(*p),
        "pair_scan": lambda p: drawn.synergy(*p),
    }
    told = fit(asked, contrasts(plan, asked), "points", 2015)
    found = _estimated(told, tuple(ask))
    parts = list(zip(found["family"], (c.split(" + ") for c in found["contrast"]), strict=True))
    twins = twin(asked, told.models, told.listed, 0.95, (seed, kind.twins))
    found = found.assign(
        truth=[ask[f](p) for f, p in parts],
        bound=[np.nan if f == "combination" else drawn.bound(tuple(p)) for f, p in parts],
        twin=[twins[f].joint if twins else np.nan for f, _ in parts],
        world=seed,
    )
    # Fillings of the background depend on the noise: there it cannot be drawn anew.
    return found if kind.quarter == "missing" else _expected(drawn, asked, told, found)


def _expected(
    drawn: effects_world.World, asked: Problem, told: Fit, found: pd.DataFrame
) -> pd.DataFrame:
    """Put beside a world what the same weights and models would tell of its noise drawn anew.

    Given them, an estimate's error is what they leave (held) plus a normal mean of the noise
    whose covariance is known: the luck of a world goes out of its coverage (Rao-Blackwell).
    """
    z, dealt = standard(asked.x), [asked.repeat(r) for r in range(len(asked.folds))]
    weight = np.mean([stacked_weights(d, z, recorded_probability(d, z)) for d in dealt], axis=0)
    rows = {(c.family, c.name): c.row for c in told.listed if c.subgroup == "all"}
    chance, parts = np.random.default_rng(int(found["world"].iloc[0])), []
    for name, own in found.groupby("family", sort=False):
        mean, spread = drawn.noise(
            weight @ np.column_stack([rows[name, c] for c in own["contrast"]])
        )
        left = (own["estimate"] - own["truth"]).to_numpy() - mean
        error = left + chance.multivariate_normal(np.zeros(len(own)), spread, REDRAWN)
        half, truth = (own["crit"] * own["se"]).to_numpy(), own["truth"].to_numpy()
        real, null = np.abs(error + truth) > half, np.abs(truth) < 1e-9
        parts.append(own.assign(
            expected_joint_coverage=(np.abs(error) <= half).all(axis=1).mean(),
            expected_false_alarm=real[:, null].any(axis=1).mean(),
            expected_fdr=(real[:, null].sum(axis=1) / np.maximum(real.sum(axis=1), 1)).mean(),
            expected_power_at_14=(error + 0.14 > half).mean(),
            expected_power_at_20=(error + 0.20 > half).mean(),
        ))  # fmt: skip
    return pd.concat(parts)


def _estimated(told: Fit, families: tuple[str, ...]) -> pd.DataFrame:
    """Return the estimates of some families with their bands, without checks and grades."""
    tables = []
    for name in families:
        kept = (i for i, c in enumerate(told.listed) if c.family == name)
        if not (places := list(kept)):
            continue
        band, area = told.bands(places, 0.95), told.areas(places, 0.95)
        columns = {
            "family": name,
            "contrast": [told.listed[i].name for i in places],
            **{k: getattr(band, k) for k in ("estimate", "se", "crit", "low", "high")},
            "band_low": band.band_low, "band_high": band.band_high,
            "area_low": area.band_low, "area_high": area.band_high,
            "mde80": (band.crit + 0.84) * band.se,
            "p": band.p,
        }  # fmt: skip
        tables.append(pd.DataFrame(columns | pulled(told, places, 0.95)))
    table = pd.concat(tables, ignore_index=True)
    q = effects.false_discovery(table["p"].to_numpy(float), table["family"].tolist())
    return table.assign(q=q)


def leap(seed: int, children: int, twins: int) -> pd.DataFrame:
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
        found.append(effects.run(plan, given, measured, twins=twins).estimates)
    truth = truth_table(drawn).rename(columns={"value": "truth"})
    asked = (
        pd.concat(found)
        .query("subgroup == 'all'")
        .assign(services=lambda t: t["arms"].str.replace(" + ", "+"))
        .assign(estimand=lambda t: t["family"].replace(["pair_named", "pair_scan"], "pair"))
    )
    keys = ["outcome", "trial", "estimand", "services"]
    return asked.merge(truth[[*keys, "truth"]], on=keys).assign(world=seed)


def worlds(one: Callable[..., pd.DataFrame], given: argparse.Namespace) -> dict[str, object]:
    """Return bias, error and coverage by family over simulated worlds."""
    told = []
    start = time.monotonic()
    for number in range(given.seed, given.seed + (given.pretend or given.worlds)):
        if told and time.monotonic() - start > given.within:
            break
        told.append(one(number, given.children))
        print(f"world {number}", file=sys.stderr)
    table = pd.concat(told)
    if given.pretend:  # SDs, risks and points have no common mean
        table["family"] += ", " + table["unit"].astype(str)
    else:
        table["outcome"] = "score"
    error = table["estimate"] - table["truth"]
    table = table.assign(
        error=error,
        wide=error.abs(),
        z=error / table["se"],
        covered=table["truth"].between(table["low"], table["high"]),
        held=table["truth"].between(table["band_low"], table["band_high"]),
        real=(table["band_low"] > 0) | (table["band_high"] < 0),
        area=table["truth"].between(table["area_low"], table["area_high"]),
        null=table["truth"].abs() < 1e-9,
    )
    # What the page calls found: of a scan, what its joint band shows (0140).
    table["found"] = np.where(table["family"] == SCANNED, table["real"], table["q"] <= 0.10)
    table["by_q"] = table["q"] <= 0.10
    families = {name: _family(own) for name, own in table.groupby("family")}
    head = {"mode": "pretend" if given.pretend else "worlds", "n": int(table["world"].nunique())}
    head |= {"share_error": np.sqrt(0.95 * 0.05 / head["n"])}  # Monte-Carlo, of a joint coverage
    return head | {"seed": given.seed, "children": given.children, "families": families}


def _family(own: pd.DataFrame) -> dict[str, float | None]:
    each = ["world", "outcome"]  # a joint band is that of one outcome
    nulls, by_world = own[own["null"]], own.groupby(each)
    told = {
        "bias": own["error"].mean(),
        "mean_error": own["wide"].mean(),
        "se": own["se"].mean(),
        "z_mean": own["z"].mean(),
        "z_sd": own["z"].std(),
        "coverage": own["covered"].mean(),
        "joint_coverage": by_world["held"].all().mean(),
        "joint_coverage_areas": by_world["area"].all().mean(),
        "false_alarm": nulls.groupby(each)["real"].any().mean() if len(nulls) else None,
        "power": own.loc[~own["null"], "real"].mean(),
        "power_at_mde": _realised(own, own["mde80"]),
        "power_at_14": _realised(own, 0.14),
        "power_at_20": _realised(own, 0.20),
        "fdr": by_world.apply(_false_share, include_groups=False).mean(),
        "any_false": by_world.apply(lambda t: bool((t["found"] & t["null"]).any())).mean(),
        "any_false_by_q": by_world.apply(lambda t: bool((t["by_q"] & t["null"]).any())).mean(),
    }
    told |= {c: own[c].mean() for c in own if c.startswith("expected_")}
    if "bound" in own and own["bound"].notna().all():
        told["se_over_bound"] = (own["se"] / own["bound"]).mean()
        told["power_at_14_of_bound"] = norm.sf(own["crit"] - 0.14 / own["bound"]).mean()
    if "twin" in own and own["twin"].notna().any():
        told["twin_coverage"] = own["twin"].mean()
    if "grade" in own and len(nulls):
        told["nulls_graded"] = nulls["grade"].value_counts(normalize=True).to_dict()
    if "pooled" in own and own["pooled"].notna().any():
        told["pooled"] = {
            "mean_error": (own["pooled"] - own["truth"]).abs().mean(),
            "joint_coverage": own.assign(
                held=own["truth"].between(own["pooled_low"], own["pooled_high"])
            ).groupby(each)["held"].all().mean(),
            "power": ((own["pooled_low"] > 0) | (own["pooled_high"] < 0))[~own["null"]].mean(),
        }  # fmt: skip
    return told


def _false_share(own: pd.DataFrame) -> float:
    return float((own["found"] & own["null"]).sum() / max(own["found"].sum(), 1))


def _realised(own: pd.DataFrame, size: pd.Series | float) -> float:
    """The power of the joint band for a truth of this size: each truth is moved to it."""
    moved = own["estimate"] - own["truth"] + size
    return float((moved > own["crit"] * own["se"]).mean())


def public(
    sets: Iterator[effects_public.Set], mode: str, given: argparse.Namespace
) -> dict[str, object]:
    """Return error and coverage of the mean effect over public files, the reference beside."""
    rows, others = [], []
    begun = time.monotonic()
    for one in sets:
        if rows and time.monotonic() - begun > given.within:
            break
        start = time.process_time()
        estimate, se = effects_public.estimated(one)
        unit = 1.0 if mode == "ihdp" else float(one.y.std())
        rows.append(_row(estimate, se, one.truth, unit, time.process_time() - start))
        if given.vs:
            others.append(effects_reference.two_arms(one, unit))
        print(one.name, file=sys.stderr)
    if not rows:
        raise SystemExit(f"{mode}: no file could be read")
    told = {"mode": mode, "n": len(rows), **_summary(pd.DataFrame(rows))}
    if others:
        names = others[0]
        told["reference"] = {k: _summary(pd.DataFrame([o[k] for o in others])) for k in names}
        best = min(v["mean_error"] for v in told["reference"].values())
        plain = told["reference"].get("statsmodels aipw", {}).get("cpu_s", np.nan)
        told["ratio"] = {"error": told["mean_error"] / best, "cpu": told["cpu_s"] / plain}
    return told


def _row(estimate: float, se: float, truth: float, unit: float, cpu: float) -> dict[str, float]:
    error = (estimate - truth) / unit
    return {"error": error, "covered": abs(error) <= 1.959964 * se / unit, "cpu_s": cpu}


def _summary(rows: pd.DataFrame) -> dict[str, float]:
    return {
        "bias": rows["error"].mean(),
        "mean_error": rows["error"].abs().mean(),
        "mean_error_sd": rows["error"].abs().std(ddof=1) / np.sqrt(len(rows)),
        "coverage": rows["covered"].astype(float).mean(),
        "cpu_s": rows["cpu_s"].mean(),
    }


def main() -> None:
    """Parse, measure, print one JSON line."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--ihdp", type=Path)
    ask.add_argument("--acic", type=Path)
    ask.add_argument("--worlds", type=int, default=0)
    ask.add_argument("--pretend", "--leap", type=int, default=0)
    ask.add_argument("--quarter", choices=("complete", "missing", "unrecorded"), default="complete")
    ask.add_argument("--no-scan", action="store_true")
    ask.add_argument("--adversarial", action="store_true")
    ask.add_argument("--traps", action="store_true", help="null and trap worlds: traps.py")
    ask.add_argument("--seeds", default="3000:3003", help="of --traps, A:B")
    ask.add_argument("--within", type=float, default=np.inf, help="begin no world after S seconds")
    ask.add_argument("--twins", type=int, default=0, help="replicates of each result's twin")
    ask.add_argument("--vs", choices=("doubleml",), default="")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--children", type=int, default=15_000)
    given = ask.parse_args()
    if given.traps:
        sys.argv = [sys.argv[0], "--seeds", given.seeds, "--children", str(given.children)]
        traps.main()
        return
    start = time.process_time()
    with threadpool_limits(1):
        if given.ihdp:
            told = public(effects_public.ihdp(given.ihdp), "ihdp", given)
        elif given.acic:
            told = public(effects_public.acic(given.acic), "acic", given)
        elif given.vs:
            told = effects_reference.cost(given.seed, given.children)
        else:
            pretend, kind = partial(leap, twins=given.twins), partial(world, kind=given)
            one = pretend if given.pretend else kind
            told = worlds(one, given)
    process = {
        "cpu_total_s": round(time.process_time() - start, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    told = process | told
    # What could not be measured is null: NaN is no JSON.
    print(json.dumps(json.loads(json.dumps(told), parse_constant=lambda _: None)))


if __name__ == "__main__":
    main()
