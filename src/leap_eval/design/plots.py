"""Plots of a design, each from its own tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BEFORE, AFTER, RUST, LIMIT = "#b8b8b8", "#1f5f8b", "#a8481a", 0.10
FLOOR = 0.01


def _figure(height: float) -> Figure:
    # Through pyplot, or a notebook shows words instead of the drawing.
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(7.2, height), layout="constrained")
    plt.close(figure)
    return figure


def _arms(axes: Any, names: pd.Series[str]) -> Any:
    place = np.arange(len(names))[::-1]
    axes.set_yticks(place, names.str.replace("_", " "))
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return place


def love(balance: pd.DataFrame, trial: str) -> Figure:
    """Draw how far every arm lies from all eligible in every covariate, before and after."""
    own = balance[(balance["set"] == f"{trial}.combination") & (balance["arm"] != "rest")]
    wide = own.assign(before=own["smd_before"].abs(), after=own["smd_after"].abs())
    shown = wide.groupby("covariate")[["before", "after"]].max().sort_values("before")
    place = {name: i for i, name in enumerate(shown.index)}
    figure = _figure(1.3 + 0.2 * len(shown))
    axes = figure.subplots()
    at = wide["covariate"].map(place)
    axes.plot(wide["before"], at + 0.15, "o", color=BEFORE, markersize=3, label="as they came")
    axes.plot(wide["after"], at - 0.15, "o", color=AFTER, markersize=3, label="weighted")
    axes.axvline(LIMIT, color=RUST, linewidth=0.9, linestyle="--")
    axes.set_yticks(range(len(shown)), shown.index.str.replace("_", " "), fontsize=8)
    axes.set_ylim(-0.8, len(shown) - 0.2)
    axes.set_xlim(left=0)
    axes.set_xlabel("distance of each arm from all eligible children, SD")
    axes.set_title(f"Balance, trial {trial}: a dot per arm", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return figure


def effective_sizes(overlap: pd.DataFrame, trial: str) -> Figure:
    """Draw children per arm and how many they are worth once weighted; below 100 is too few."""
    own = overlap[(overlap["set"] == f"{trial}.combination") & ~overlap["arm"].isin(["rest"])]
    figure = _figure(1.2 + 0.34 * len(own))
    axes = figure.subplots()
    place = _arms(axes, own["arm"])
    axes.barh(place, own["n"], color=BEFORE, label="children")
    axes.barh(place, own["ess"], height=0.4, color=AFTER, label="worth once weighted")
    for y, n, ess in zip(place, own["n"], own["ess"], strict=True):
        axes.annotate(f"{ess:,.0f} of {n:,}", (n, y), (4, 0), textcoords="offset points",
                      va="center", fontsize=8)  # fmt: skip
    axes.axvline(100, color=RUST, linewidth=0.9, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlim(30, 2.2 * float(own["n"].max()))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(f"Effective sample sizes, trial {trial}", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def overlaps(overlap: pd.DataFrame, trial: str) -> Figure:
    """Draw where each arm's propensities lie, and the floor below which they are cut."""
    own = overlap[(overlap["set"] == f"{trial}.combination") & ~overlap["arm"].isin(["rest"])]
    figure = _figure(1.2 + 0.34 * len(own))
    axes = figure.subplots()
    place = _arms(axes, own["arm"])
    floors = np.clip(0.1 * own["n"] / own["n"].sum(), 0.002, FLOOR)
    axes.hlines(place, own["e_low"], own["e_high"], color=AFTER, linewidth=3)
    axes.plot(own["e_mid"], place, "o", color=AFTER)
    axes.plot(floors, place, "|", color=RUST, markersize=12, label="floor")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("probability of the arm given background: 5 %, median, 95 % of all eligible")
    axes.set_title(f"Overlap, trial {trial}", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8)
    return figure


def detectable(table: pd.DataFrame, trial: str) -> Figure:
    """Draw the smallest difference that would be found four times in five, arm by arm."""
    own = table[table["trial"] == trial].sort_values(["set", "mde80"])
    figure = _figure(1.2 + 0.26 * len(own))
    axes = figure.subplots()
    # Of a dose the service is in the set's name, of all others in the arm's.
    kind = own["set"].str.split(".").str[1].str.replace(r"^(?!dose)(\w+):.*", r"\1", regex=True)
    place = _arms(axes, kind.str.replace(":", " ") + ": " + own["arm"])
    axes.hlines(place, 0, own["mde80"], color=BEFORE, linewidth=1)
    axes.plot(own["mde80"], place, "o", color=AFTER)
    axes.set_xlim(left=0)
    axes.set_xlabel("smallest difference found with power .80, SD, every child recorded")
    axes.set_title(f"What could be found, trial {trial}", fontsize=10, loc="left")
    return figure
