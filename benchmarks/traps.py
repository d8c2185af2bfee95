"""Worlds in which nothing has an effect: what naive analyses claim, what ours says, what it flags.

`--scenarios null traps.mnar --seeds 3000:3020 --children 8000`: progress by world on stderr, one
JSON line last. Naive analyses get what an analyst of the extract would have: every contact, every
result. Ours gets background dated at or before time zero, starts within grace, results.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from itertools import product
from pathlib import Path

os.environ.setdefault("LEAP_STAGE", "benchmark")

import numpy as np
import pandas as pd
import statsmodels.api as sm
from threadpoolctl import threadpool_limits

from leap_eval import design, effects
from leap_eval.effects.recorded import companions
from leap_eval.errors import PlanError
from leap_eval.settings import Frozen, Plan, load_params, parse_plan, plan_hash
from leap_eval.settings.plan import BANNED
from leap_eval.synthetic import draw, planted
from leap_eval.synthetic.events import END
from leap_eval.synthetic.families import FOREVER, START
from leap_eval.synthetic.outcomes import MEASURE
from leap_eval.synthetic.places import places
from leap_eval.synthetic.potential import score
from leap_eval.synthetic.uptake import NEVER
from leap_eval.synthetic.world import World

ROOT = Path(__file__).parents[1]
OUTCOME, DIM = "asq3_communication", "communication"
ALSO = {"wellcomm_green": "wellcomm", "eyfsp_gld": "gld", "bmi_centile": "bmi"}
# The check that should flag each trap, any one of them; for immortal the naive form's months.
FLAG = {
    "traps.immortal": (12,), "traps.collider": (12,), "traps.leavers": (3, 12),
    "traps.mnar": (12,), "traps.hole": (2,), "traps.hidden": (5, 6),
}  # fmt: skip
NAIVE = ("ever_never", "count_of_services", "contacts_among_completers")


def plan_of(raw: dict[str, object]) -> Plan:
    """Return the committed plan for one outcome, without the scan of pairs and subgroups."""
    rule = {**raw["outcomes"][OUTCOME], "fdr_share": 1.0}
    arms = {**raw["arms"], "named": []}
    # The later trial is asked nothing here: it carries what was known by the time of the result.
    trials = {**raw["trials"], "m24": {**raw["trials"]["m24"], "in_play": ["sharing_real"]}}
    return parse_plan(
        {**raw, "outcomes": {OUTCOME: rule}, "subgroups": [], "arms": arms, "trials": trials,
         "pairs": {"named": [], "scan": False}}
    )  # fmt: skip


def frames(world: World, plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay a drawn world out as stages 03 and 04 would: clean records, true links."""
    kids, fam = world.children, world.families
    n, f = len(kids.family), kids.family
    at = places()
    born = (START + kids.born).astype("datetime64[D]")
    left = (START + (kids.born + np.minimum(kids.leave, 500).astype(int))).astype("datetime64[D]")
    codes = fam.ethnicity[f]
    groups = {"mixed": "DEFG", "asian": "HJKLR", "black": "MNP", "other_group": "S"}
    value = {
        "deprivation": at.decile[kids.area], "need_level": kids.need, "concern_12": kids.concern12,
        "concern_24": kids.concern24, "eal": fam.eal[f], "male": kids.male,
        "birthweight": kids.weight, "gestation": kids.gestation, "parity": kids.parity,
        "disability": kids.disability, **{k: np.isin(codes, list(v)) for k, v in groups.items()},
    }  # fmt: skip
    cohort = pd.DataFrame(
        {
            "study_id": [f"s{i:06d}" for i in range(n)], "family_id": [f"f{i:06d}" for i in f],
            "draw": 0, "present": True, "birth_month": pd.to_datetime(born).date,
            "ward": np.array(at.ward)[kids.area],
            "left_month": [d.date() if x < FOREVER and d <= pd.Timestamp(END) else None
                           for d, x in zip(pd.to_datetime(left), kids.leave, strict=True)],
            "link_weight": 1.0,
        }
    )  # fmt: skip
    exposure = pd.DataFrame({"study_id": cohort["study_id"], "draw": 0})
    for place, service in enumerate(world.services):
        start = world.starts[:, place].astype(float)
        start[start == NEVER] = np.nan
        exposure[f"start_{service}"] = pd.Series(start).astype("Int64")
    for name, trial in plan.trials.items():
        zero = trial.time_zero
        here = (kids.arrive <= zero) & (zero < kids.leave)
        starts = world.starts[:, [world.services.index(s) for s in sorted(trial.in_play)]]
        cohort[f"{name}_eligible"] = here
        cohort[f"{name}_time_zero"] = (
            pd.to_datetime(cohort["birth_month"]) + pd.DateOffset(months=zero)
        ).dt.date
        for x, v in value.items():
            late = x == "concern_24" and zero < 24
            cohort[f"{name}_x_{x}"] = np.nan if late else v.astype(float)
        cohort[f"{name}_nc_birthweight_g"] = kids.weight.astype(float)
        cohort[f"{name}_nc_gestation_weeks"] = kids.gestation.astype(float)
        exposure[f"{name}_new_user"] = (starts >= zero).all(axis=1)
        for grace in plan.months.graces:
            began = (starts >= zero) & (starts < zero + grace)
            exposure[f"{name}_g{grace}_combination"] = [
                " + ".join(np.array(sorted(trial.in_play))[row]) or "none" for row in began
            ]
            exposure[f"{name}_g{grace}_breadth"] = began.sum(axis=1)
        dose = world.doses.by(world.starts, zero + plan.months.dose) - world.doses.by(
            world.starts, float(zero)
        )
        for service in sorted(trial.in_play):
            first, last = (12 * (y - 2015) + 3 for y in world.planted.services[service].open)
            month = kids.born + zero
            open_ = (month >= first) & (month + plan.months.grace <= last)
            exposure[f"{name}_offered_{service}"] = open_
            exposure[f"{name}_dose_{service}"] = dose[:, world.services.index(service)]
        for place, service in enumerate(world.services):
            if service not in trial.in_play:
                exposure[f"{name}_used_{service}"] = world.starts[:, place] < zero
    return cohort, exposure


def results(world: World, dim: str) -> np.ndarray:
    """Return the recorded scores of one outcome, NaN where none is recorded."""
    told = score(world, dim, world.starts).astype(float)
    return np.where(world.latent.recorded[MEASURE[dim]], told, np.nan)


def ours(world: World, plan: Plan, frozen: tuple[Frozen, ...], twins: int) -> effects.Effects:
    """Take a world through design and effects."""
    cohort, exposure = frames(world, plan)
    made = design.run(plan, cohort, exposure, 2015)
    given = effects.Given(made.table, made.discovery.to_dict("records"))
    able = pd.to_datetime(cohort["birth_month"]) + pd.DateOffset(months=33) <= pd.Timestamp(END)
    ids = cohort[["study_id"]]

    def measured(name: str, dim: str) -> effects.Measured:
        told = ids.assign(
            value=results(world, dim), months=np.floor(world.latent.age[MEASURE[dim]])
        )
        return effects.Measured(name, told[able.to_numpy()])

    told = companions(measured(OUTCOME, DIM), {n: measured(n, d) for n, d in ALSO.items()})
    return effects.run(plan, given, told, frozen, twins=twins)


def naive(world: World) -> dict[str, tuple[float, float]]:
    """Return estimate (SD) and t of what is usually done with such an extract."""
    y = results(world, DIM)
    y = (y - np.nanmean(y)) / np.nanstd(y)
    asked = [world.services.index(s) for s in ("speech_therapy", "making_it_real", "chattertime")]
    used = world.starts != NEVER
    amount = world.doses.by(world.starts, 999.0)[:, asked].sum(axis=1)
    stayed = world.children.leave >= 48
    sets = {
        "ever_never": (used[:, asked[:2]].any(axis=1), ~np.isnan(y)),
        "count_of_services": (used.sum(axis=1), ~np.isnan(y)),
        "contacts_among_completers": (amount, ~np.isnan(y) & (amount > 0) & stayed),
    }
    told = {}
    for name, (x, who) in sets.items():
        fitted = sm.OLS(y[who], sm.add_constant(x[who].astype(float))).fit(cov_type="HC1")
        told[name] = (float(fitted.params[1]), float(fitted.tvalues[1]))
    return told


def months_apart(world: World) -> float:
    """Return how many months longer the ever-users of the naive form are in the area."""
    kids = world.children
    stay = np.minimum(kids.leave, 48) - np.maximum(kids.arrive, 0)
    some = (world.starts[:, [world.services.index(s) for s in ("making_it_real", "chattertime")]]
            != NEVER).any(axis=1)  # fmt: skip
    return float(stay[some].mean() - stay[~some].mean())


def refused(raw: dict[str, object], kind: str) -> bool:
    """Tell whether a plan that asks the naive form is refused."""
    trial = {**raw["trials"]["m12"], "exposure": kind}
    try:
        parse_plan({**raw, "trials": {**raw["trials"], "m12": trial}})
    except PlanError:
        return True
    return False


def world(scenario: str, seed: int, asked: tuple[int, int], raw: dict[str, object]) -> dict:
    """Return what naive analyses, ours and the checks say of one world."""
    children, twins = asked
    plan = plan_of(raw)
    frozen = (Frozen(sha256=plan_hash(plan), on="2026-01-05", before_outcomes=True, why="laid"),)
    drawn = draw(planted(scenario), seed, children)
    found = ours(drawn, plan, frozen, twins)
    told = found.estimates
    away = (told["band_low"] > 0) | (told["band_high"] < 0)
    named = {n: bool((told[f"check_{n}"] == "fail").any()) for n in (2, 3, 5, 12)}
    # Check 6 speaks only where something is claimed; a claim that a block like those seen undoes.
    named[6] = bool((told.loc[away, "check_6"] != "pass").any())
    return {
        "scenario": scenario, "seed": seed,
        "joint": {f: bool(away[told["family"] == f].any()) for f in sorted(set(told["family"]))},
        "pointwise": float(((told["low"] > 0) | (told["high"] < 0)).mean()),
        "ab": int(told["grade"].isin(["A", "B"]).sum()), "contrasts": len(told),
        "naive": naive(drawn), "flags": named, "months": months_apart(drawn),
        "coverage": told.groupby("family")["twin_coverage"].first().to_dict(),
        "evenness": found.tables["evenness"][["recorded", "months"]].abs().max().to_dict(),
        "estimates": told.set_index(["family", "contrast"])["estimate"].round(4).tolist(),
    }  # fmt: skip


def summed(scenario: str, rows: list[dict], raw: dict[str, object]) -> dict[str, object]:
    """Return the shares of one scenario's worlds."""
    share = {n: np.mean([abs(r["naive"][n][1]) > 1.96 for r in rows]) for n in NAIVE}
    mean = {n: np.mean([r["naive"][n][0] for r in rows]) for n in NAIVE}
    families = sorted({f for r in rows for f in r["joint"]})
    joint = {f: np.mean([r["joint"].get(f, False) for r in rows]) for f in families}
    flags = {str(n): np.mean([r["flags"][n] for r in rows]) for n in rows[0]["flags"]}
    wanted = FLAG.get(scenario, ())
    caught = [any(r["flags"][n] for n in wanted) for r in rows]
    if scenario == "traps.immortal":
        stopped = all(refused(raw, kind) for kind in BANNED)
        caught = [stopped and r["months"] > 1 for r in rows]
    coverage = [c for r in rows for c in r["coverage"].values() if c == c]
    told: dict[str, object] = {
        "worlds": len(rows),
        "naive_rejects": share, "naive_mean_sd": mean,
        "ours_joint_rejects": joint,
        "ours_pointwise_rejects": np.mean([r["pointwise"] for r in rows]),
        "graded_a_or_b": sum(r["ab"] for r in rows) / max(1, sum(r["contrasts"] for r in rows)),
        "checks_that_fail": flags, "months_apart": np.mean([r["months"] for r in rows]),
        "twin_coverage": np.mean(coverage) if coverage else None,
    }  # fmt: skip
    return told | ({"flagged_by_its_check": np.mean(caught)} if wanted else {})


def picture(lines: list[dict], path: Path) -> None:
    """Draw what each analysis claims where the truth is 0: a mark per world."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "leap-eval"
    names = list(dict.fromkeys(r["scenario"] for r in lines))
    figure = Figure(figsize=(7.2, 0.9 + 0.5 * len(names)), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names[::-1]):
        own = [r for r in lines if r["scenario"] == name]
        naive_ = [r["naive"]["ever_never"][0] for r in own]
        axes.plot(naive_, [place + 0.15] * len(own), "x", color="#a8481a")
        found = [e for r in own for e in r["estimates"]]
        axes.plot(found, [place - 0.15] * len(found), "o", color="#1f5f8b", alpha=0.5, markersize=4)
    axes.axvline(0, color="#888888", linewidth=0.9)
    axes.set_yticks(range(len(names)), [n.removeprefix("traps.") for n in names[::-1]])
    axes.set_xlabel("claimed difference, SD; the truth is 0 everywhere")
    axes.set_title("× ever against never    ● ours, one per service or combination", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {})


def main() -> None:
    """Parse, measure, print one JSON line."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--scenarios", nargs="+", default=["null", *FLAG])
    ask.add_argument("--seeds", default="3000:3003")
    ask.add_argument("--children", type=int, default=15_000)
    ask.add_argument("--twins", type=int, default=0)
    ask.add_argument("--out", type=Path, help="keep a line per world here")
    ask.add_argument("--figure", type=Path, help="draw the worlds kept in --out, and stop")
    given = ask.parse_args()
    if given.figure:
        picture([json.loads(x) for x in given.out.read_text().splitlines()], given.figure)
        return
    first, last = map(int, given.seeds.split(":"))
    raw = load_params(ROOT).plan
    start = time.process_time()
    with threadpool_limits(1):
        rows: dict[str, list[dict]] = {name: [] for name in given.scenarios}
        for seed, scenario in product(range(first, last), given.scenarios):
            rows[scenario].append(world(scenario, seed, (given.children, given.twins), raw))
            print(f"{scenario} {seed}", file=sys.stderr)
            if given.out:
                with given.out.open("a") as kept:
                    kept.write(json.dumps(rows[scenario][-1], default=float) + "\n")
    told = {name: summed(name, own, raw) for name, own in rows.items()}
    line = {"seeds": given.seeds, "children": given.children, "scenarios": told}
    print(json.dumps(line | {"cpu_s": round(time.process_time() - start, 1)}, default=float))


if __name__ == "__main__":
    main()
