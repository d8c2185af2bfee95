"""The programme's cubes as the gate reads them: which tables count the same children."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from leap_eval.disclosure.declare import Cube, Nodes
from leap_eval.errors import DisclosureError

COUNTS = ("children", "families", "partners", "used")
HAS = "recorded_"  # whether a child has a result: yes or no
SUMS = ("sum_", "top1_", "top2_")  # of a measure, beside the counts


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Cubes, and the views a table may show of them: for each dimension, nodes of finest codes."""

    cubes: Mapping[str, Cube]
    views: Mapping[str, tuple[str, Nodes]]


def counted(frames: Mapping[str, pd.DataFrame]) -> Counted:
    """Return the cubes of `frames`, with flow and combinations as tables of the same children."""
    cubes: dict[str, Cube] = {}
    views: dict[str, tuple[str, Nodes]] = {}
    for name in sorted(set(frames) - {"flow", "combinations"}):
        table = frames[name]
        dimensions = tuple(str(c) for c in table if c not in COUNTS and not str(c).startswith(SUMS))
        member = "service" if "used" in table else ""
        cubes[name] = Cube(table, dimensions, member)
        # Who has no result is counted, so that no difference tells of few, and never shown.
        codes = {
            d: tuple(c for c in sorted(table[d].unique()) if (d[: len(HAS)], c) != (HAS, "no"))
            for d in dimensions
        }
        views[name] = (name, {d: {c: (c,) for c in codes[d]} for d in dimensions})
        if member:
            apart = {d: nodes for d, nodes in views[name][1].items() if d != member}
            views[f"{name}-whole"] = (name, apart)
    if "flow" in frames:
        _flow(frames["flow"], frames.get("combinations"), cubes, views)
    return Counted(cubes, views)


def _flow(
    flow: pd.DataFrame, combinations: pd.DataFrame | None, cubes: dict[str, Cube],
    views: dict[str, tuple[str, Nodes]],
) -> None:  # fmt: skip
    """Split the flow into records, and one cube a trial: its combinations and who is not in it."""
    trials = sorted({str(s).partition("_")[0] for s in flow["step"] if str(s).endswith("eligible")})
    beside = flow[~flow["step"].str.partition("_")[0].isin(trials)]
    records = beside[beside["step"] != "linked_children"]
    cubes["records"] = Cube(records, ("step",), "", "records")
    views["flow-records"] = ("records", {"step": {c: (c,) for c in records["step"]}})
    for number, trial in enumerate(trials):
        steps = flow[flow["step"].str.startswith(f"{trial}_")]
        eligible = f"{trial}_eligible"
        inner = _combined(combinations, trial, steps, eligible)
        rest = steps[steps["step"] != eligible].rename(columns={"step": trial})
        table = pd.concat([inner.rename(columns={"step": trial}), rest], ignore_index=True)
        told = tuple(inner["step"])
        cubes[trial] = Cube(table, (trial,))
        nodes = {s: told if s == eligible else (s,) for s in steps["step"]}
        # The same whole stands behind every trial: told once.
        whole: dict[str, tuple[str, ...]] = {} if number else {"linked_children": ()}
        views[f"flow-{trial}"] = (trial, {trial: {**whole, **nodes}})
        if combinations is not None:
            named = [c for c in told if c != f"{trial}_not_new"]
            views[f"combinations-{trial}"] = (trial, {trial: {c: (c,) for c in named}})


def _combined(
    combinations: pd.DataFrame | None, trial: str, steps: pd.DataFrame, eligible: str
) -> pd.DataFrame:
    """Return the eligible by combination; who had used a service before stands in none."""
    whole = steps[steps["step"] == eligible]
    if combinations is None:
        return whole
    mine = combinations[combinations["trial"] == trial].drop(columns="trial")
    rest = int(whole["children"].sum()) - int(mine["children"].sum())
    if rest < 0:
        raise DisclosureError(
            f"results/cubes: combinations of {trial} are more than {eligible}; rerun stage 04"
        )
    told = mine.rename(columns={"combination": "step"})
    others = {"step": f"{trial}_not_new", "children": rest, "families": rest}
    return pd.concat([told, pd.DataFrame([others])], ignore_index=True) if rest else told


def eligible(combinations: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Return how many children could be in each exact combination's arm, by trial and arm."""
    columns = combinations[["trial", "combination", "children"]].itertuples(index=False)
    return {(str(t), str(c)): int(n) for t, c, n in columns}
