"""Uncertain links in worlds with known effects: carried through, the best alone, and none in doubt.

`--worlds 20 --seed 500 --children 6000 --share 0.05`: of so many children the result may be
another's (two by two, three exchanges in ten are real). One JSON line last: bias and coverage of
combinations and services, joint (all of a family) and each alone, with and without the draws, and
`moved`: how far links move estimates from those of the same children without a doubt.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("LEAP_STAGE", "benchmark")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import effects_world
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from leap_eval import design, effects
from leap_eval.effects.contrasts import contrasts
from leap_eval.effects.fit import Fit, fit
from leap_eval.effects.links import moves
from leap_eval.effects.problem import answerable, problem

FEWEST = 10
FAMILIES = ("combination", "service")


def fitted(world: effects_world.World, sure: pd.DataFrame) -> dict[str, Fit]:
    """Fit with link draws, by the best links alone, and on the results as they are (`sure`)."""
    plan = world.plan
    made = design.run(plan, world.cohort, world.exposure, 2015)
    given = effects.Given(made.table, made.discovery.to_dict("records"))

    def one(outcome: pd.DataFrame, drawn: bool = False) -> Fit:
        results = made.table[["study_id", "draw"]].merge(outcome, how="left")
        measured = effects.Measured("score", results)
        asked = answerable(problem(plan, given, measured), FEWEST)
        listed = [c for c in contrasts(plan, asked) if c.subgroup == "all" and c.family in FAMILIES]
        moved = moves(plan, given, measured, FEWEST, listed) if drawn else None
        return fit(asked, listed, "points", 2015, moved)

    return {
        "draws": one(world.outcome, drawn=True),
        "best links": one(world.outcome),
        "no doubt": one(sure),
    }


def told(world: effects_world.World, found: Fit) -> dict[str, object]:
    """Return errors and what the bands hold, family by family."""
    row: dict[str, object] = {"share_links": float(found.pooled.share_links.mean())}
    for family in FAMILIES:
        places = [i for i, c in enumerate(found.listed) if c.family == family]
        names = [tuple(found.listed[i].name.split(" + ")) for i in places]
        truth = np.array(
            [world.combination(n) if family == "combination" else world.service(*n) for n in names]
        )
        bands = found.bands(places, 0.95)
        row[family] = {
            "bias": float((bands.estimate - truth).mean()),
            "joint": bool(((bands.band_low <= truth) & (truth <= bands.band_high)).all()),
            "alone": float(((bands.low <= truth) & (truth <= bands.high)).mean()),
            "se": float(bands.se.mean()),
        }
    return row


def main() -> None:
    """Parse, measure, print one JSON line."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--worlds", type=int, default=20)
    ask.add_argument("--seed", type=int, default=500)
    ask.add_argument("--children", type=int, default=6_000)
    ask.add_argument("--share", type=float, default=0.05)
    given = ask.parse_args()
    start, rows = time.process_time(), {"draws": [], "best links": [], "no doubt": []}
    with threadpool_limits(1):
        for seed in range(given.seed, given.seed + given.worlds):
            clean = effects_world.draw(seed, given.children)
            plan = clean.plan.model_copy(
                update={
                    "subgroups": (),
                    "pairs": clean.plan.pairs.model_copy(update={"scan": False}),
                }
            )
            world = effects_world.with_uncertain_links(
                replace(clean, plan=plan), given.share, seed=seed
            )
            for name, found in fitted(world, clean.outcome.assign(draw=0)).items():
                rows[name].append(told(world, found))
            print(seed, rows["draws"][-1], file=sys.stderr, flush=True)
    line: dict[str, object] = {"worlds": given.worlds, "children": given.children}
    for name, own in rows.items():
        line[name] = {"share_links": np.mean([r["share_links"] for r in own])} | {
            f: {k: float(np.mean([r[f][k] for r in own])) for k in ("bias", "joint", "alone", "se")}
            for f in FAMILIES
        }
        for f in FAMILIES:
            pairs = zip(own, rows["no doubt"], strict=True)
            moved = [r[f]["bias"] - sure[f]["bias"] for r, sure in pairs]
            error = float(np.std(moved) / len(moved) ** 0.5)
            line[name][f] |= {"moved": float(np.mean(moved)), "moved_error": error}
    print(json.dumps(line | {"seed": given.seed, "cpu_s": round(time.process_time() - start, 1)}))


if __name__ == "__main__":
    main()
