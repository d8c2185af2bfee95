"""The reports of a linkage as small tables of aggregates, for the notebook to show."""

from __future__ import annotations

from typing import Any

import pandas as pd


def overall(quality: dict[str, Any]) -> pd.DataFrame:
    """Return the counts of a linkage, one row per measure."""
    names = ("records", "children", "families", "links", "uncertain", "duplicates", "conflicts")
    rows = [{"measure": name, "value": quality[name]} for name in names]
    rows.append({"measure": "implausible per 1,000", "value": quality["implausible_per_1000"]})
    return pd.DataFrame(rows)


def methods(quality: dict[str, Any]) -> pd.DataFrame:
    """Return what each way of telling precision and recall says, side by side, and warnings."""
    names = ["measure", "value", "low", "high", "method"]
    rows = sorted(quality["methods"], key=lambda m: (m["measure"], m["method"]))
    rows = rows + [{"measure": "warning", "method": text} for text in quality["warnings"]]
    return pd.DataFrame(rows, columns=names)


def rules(model: dict[str, Any]) -> pd.DataFrame:
    """Return how many blocking rules and pairs there are, by tier and by role."""
    told = [
        {"what": f"blocking rules, tier {t}", "count": len(r)} for t, r in model["rules"].items()
    ]
    told += [{"what": f"pairs weighed, {r}", "count": n} for r, n in model["pairs"].items()]
    return pd.DataFrame(told)


def partners(quality: dict[str, Any]) -> pd.DataFrame:
    """Return the quality of each pair of partners."""
    names = ["partner_a", "partner_b", "links", "uncertain", "precision", "recall"]
    return pd.DataFrame(quality["partners"], columns=names)


def known(quality: dict[str, Any]) -> pd.DataFrame:
    """Return each partner's records, children, and how many of these others know too."""
    return pd.DataFrame(quality["known"])


def flagged(bias: dict[str, Any]) -> pd.DataFrame:
    """Return the groups whose links are missing more, or less, often than the largest's."""
    names = ["dimension", "group", "records", "missing", "links", "recall", "gap", "gap_low"]
    told = [g for g in bias["groups"] if g["flag"] == "gap"]
    return pd.DataFrame(told, columns=[*names, "gap_high"])


def sheet(guild: list[dict[str, str]]) -> pd.DataFrame:
    """Return the report of linked data in the GUILD and RECORD form."""
    return pd.DataFrame(guild, columns=["form", "step", "asks", "answer"])
