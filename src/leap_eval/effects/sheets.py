"""Reporting sheets filled from a run: what is computed is said, what is a person's is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from leap_eval.agreements.programme import Programme
from leap_eval.effects.report import Effects
from leap_eval.reference.sheets import items
from leap_eval.settings import Plan, plan_hash

GRADES = ("A", "B", "C", "N", "D")


def facts(plan: Plan, effects: Effects, programme: Programme) -> dict[str, str]:
    """Return what the sheets say of one outcome, by slot."""
    rule = plan.outcomes[effects.outcome]
    trial = plan.trials[rule.trial]
    told = {
        "question": plan.question,
        "plan_hash": plan_hash(plan)[:12],
        "time_zero": trial.time_zero,
        "in_play": ", ".join(trial.in_play),
        "grace": plan.months.grace,
        "outcome": effects.outcome,
        "age_low": rule.age[0],
        "age_high": rule.age[1],
        "covariates": len(plan.covariates) + len(plan.adjust_also),
        "partners": len({s.partner for s in programme.services}),
        "notice": programme.notice.version,
        "starts": programme.starts,
        "ends": programme.ends,
        **_counted(effects),
    }
    return {name: str(value) for name, value in told.items()}


def _counted(effects: Effects) -> dict[str, Any]:
    table, tables = effects.estimates, effects.tables
    headline = table[table["subgroup"] == "all"]
    shown = headline.dropna(subset=["estimate"])
    grades = {g.lower(): int((headline["grade"] == g).sum()) for g in GRADES}
    status = table["status"].iloc[0] if len(table) else "exploratory"
    told: dict[str, Any] = {"contrasts": len(headline), "status": status, **grades, **effects.sizes}
    told |= {"smallest": "no", "largest": "no", "imbalance": "not known", "uneven": "not known"}
    told |= {"specifications": 0, "coverage": "not known", "strongest": "not known"}
    if not len(shown) or "checks" not in tables:
        return told
    checks = tables["checks"].query("subgroup == 'all'").set_index("check")["value"]
    strongest = tables["benchmarks"].drop_duplicates(["family", "contrast", "subgroup"])
    return told | {
        "smallest": int(shown["n_arm"].min()),
        "largest": int(shown["n_arm"].max()),
        "imbalance": f"{checks.loc[[1]].max():.2f}",
        "uneven": f"{100 * checks.loc[[12]].abs().max():.0f}",
        "specifications": tables["specifications"]["spec"].nunique(),
        "coverage": f"{tables['twin']['joint'].mean():.2f}" if len(tables["twin"]) else "not run",
        "strongest": strongest["block"].mode().iloc[0],
    }


def sheet(standard: str, told: Mapping[str, str]) -> pd.DataFrame:
    """Return every item of a standard: filled from the run, or open and whose it is."""
    rows = [
        {
            "item": i.item,
            "section": i.section,
            "asks": i.asks,
            "state": "open" if i.filled_by == "person" else "filled",
            "filled_by": i.filled_by,
            "where": i.where.format_map(told),
            "says": i.says.format_map(told) if i.says else "OPEN: a person writes this",
        }
        for i in items(standard)
    ]
    return pd.DataFrame(rows)
