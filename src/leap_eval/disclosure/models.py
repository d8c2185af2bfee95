"""Model outputs: when an estimate may leave, and with how many digits."""

from __future__ import annotations

from typing import Any

import pandas as pd

from leap_eval.disclosure.rules import Rules

CONTEXT = ("trial", "unit", "grade", "status", "reason", "wording_key")
KEYS = ("outcome", "family", "contrast", "subgroup")
COLUMNS = (*KEYS, *CONTEXT, "measure", "value", "low", "high", "marker")


def may_leave(row: Any, rules: Rules) -> bool:
    """Tell whether a contrast rests on enough children and leaves enough freedom."""
    least = rules.models
    big = min(row.n_arm, row.n_reference) >= least.min_n and row.min_level >= least.min_level
    return bool(big and row.df_resid >= least.min_df and row.rank < row.patterns)


def digits(value: float | None, se: float | None) -> str:
    """Return a number cut to two significant digits of its standard error."""
    if value is None or se is None or pd.isna(value) or pd.isna(se) or se <= 0:
        return ""
    places = 1 - int(f"{se:e}".partition("e")[2])
    text = f"{round(value, places):.{max(places, 0)}f}"
    return text.lstrip("-") if float(text) == 0 else text


def estimates(tables: dict[str, pd.DataFrame], rules: Rules) -> list[dict[str, str]]:
    """Return the rows of the table of effects: one row per contrast and measure."""
    made: list[dict[str, str]] = []
    for outcome in tables:
        for row in tables[outcome].itertuples(index=False):
            made += _contrast(row, rules)
    return made


def _contrast(row: Any, rules: Rules) -> list[dict[str, str]]:
    head = {key: str(getattr(row, key)) for key in (*KEYS, *CONTEXT)}
    leaves = may_leave(row, rules)
    step = rules.models.round_n
    said = {
        "estimate": (row.estimate, row.band_low, row.band_high),
        "pointwise": (row.estimate, row.low, row.high),
        "mde80": (row.mde80, None, None),
    }
    rows = [{**head, "measure": name, **_three(values, row.se)} for name, values in said.items()]
    # Counts of overlapping arms differ by few children: told to the nearest ten they tell nothing.
    told = {"n_arm": step * round(row.n_arm / step), "q": _three_digits(row.q)}
    told |= {"ess": _whole(row.ess), "evalue": _three_digits(row.evalue)}
    rows += [{**head, "measure": name, **_one(value)} for name, value in told.items()]
    if not leaves:
        return [{**r, "value": "", "low": "", "high": "", "marker": rules.withheld} for r in rows]
    return [r | {"marker": "" if r["value"] else "x"} for r in rows]


def _three(values: tuple[float | None, float | None, float | None], se: float) -> dict[str, str]:
    return dict(zip(("value", "low", "high"), (digits(v, se) for v in values), strict=True))


def _one(value: object) -> dict[str, str]:
    return {"value": str(value), "low": "", "high": ""}


def _whole(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else str(round(value))


def _three_digits(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.3g}"


def checks(tables: dict[str, pd.DataFrame]) -> list[dict[str, str]]:
    """Return the verdicts of the robustness checks, one row per contrast and check."""
    made: list[dict[str, str]] = []
    for outcome in tables:
        table = tables[outcome]
        names = sorted((str(c) for c in table if str(c).startswith("check_")), key=_number)
        for row in table[table["subgroup"] == "all"].to_dict("records"):
            head = {"outcome": row["outcome"], "contrast": f"{row['family']}: {row['contrast']}"}
            rest = {"measure": "verdict", **_one(""), "marker": ""}
            made += [{**head, "check": n, "code": row[n], **rest} for n in names]
    return made


def _number(check: str) -> int:
    return int(check.removeprefix("check_"))
