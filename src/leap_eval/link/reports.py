"""The reports of a linkage as small tables of aggregates, for the notebook to show."""

from __future__ import annotations

from typing import Any

import pandas as pd


def overall(quality: dict[str, Any]) -> pd.DataFrame:
    """Return the quality over all partners, one row per measure."""
    counts = ("children", "records", "links", "uncertain", "duplicates", "conflicts")
    rows = [{"measure": name, "value": quality[name]} for name in counts]
    rows += [{"measure": name, **quality[name]} for name in ("precision", "recall")]
    return pd.DataFrame(rows)


def partners(quality: dict[str, Any]) -> pd.DataFrame:
    """Return the quality of each pair of partners."""
    names = ["partner_a", "partner_b", "links", "uncertain", "precision", "recall"]
    return pd.DataFrame(quality["partners"], columns=names)


def groups(bias: dict[str, Any]) -> pd.DataFrame:
    """Return the quality of each group, with a flag where links are missing more often."""
    names = ["dimension", "group", "records", "missing", "linked_elsewhere", "links"]
    names += ["precision", "recall", "recall_low", "recall_high", "flag"]
    return pd.DataFrame(bias["groups"], columns=names)
