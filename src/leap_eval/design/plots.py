"""Plots of a design, each from its own tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BEFORE, AFTER, LIMIT = "#b8b8b8", "#1f5f8b", 0.10


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.2, height), layout="constrained")


def love(balance: pd.DataFrame, trial: str) -> Figure:
    """Draw how far any arm lies from all eligible, before and after weighting."""
    own = balance[balance["set"] == f"{trial}.combination"]
    worst = own.assign(before=own["smd_before"].abs(), after=own["smd_after"].abs())
    shown = worst.groupby("covariate")[["before", "after"]].max().sort_values("before")
    figure = _figure(1.2 + 0.22 * len(shown))
    axes = figure.subplots()
    axes.plot(shown["before"], shown.index, "o", color=BEFORE, label="as they came")
    axes.plot(shown["after"], shown.index, "o", color=AFTER, label="weighted")
    axes.axvline(LIMIT, color="#888888", linewidth=0.8, linestyle="--")
    axes.set_xlabel("largest difference of any arm from all eligible children, SD")
    axes.set_title(f"Balance, trial {trial}")
    axes.legend(frameon=False)
    return figure


def effective_sizes(overlap: pd.DataFrame, trial: str) -> Figure:
    """Draw children per arm and how many they are worth once weighted."""
    own = overlap[overlap["set"] == f"{trial}.combination"]
    figure = _figure(1.2 + 0.3 * len(own))
    axes = figure.subplots()
    place = np.arange(len(own))[::-1]
    axes.barh(place, own["n"], color=BEFORE, label="children")
    axes.barh(place, own["ess"], height=0.4, color=AFTER, label="effective")
    axes.set_yticks(place, own["arm"])
    axes.set_title(f"Effective sample sizes, trial {trial}")
    axes.legend(frameon=False)
    return figure


def overlaps(overlap: pd.DataFrame, trial: str) -> Figure:
    """Draw where each arm's propensities lie: 5 %, median and 95 % of all eligible."""
    own = overlap[overlap["set"] == f"{trial}.combination"]
    figure = _figure(1.2 + 0.3 * len(own))
    axes = figure.subplots()
    place = np.arange(len(own))[::-1]
    axes.hlines(place, own["e_low"], own["e_high"], color=AFTER, linewidth=2)
    axes.plot(own["e_mid"], place, "o", color=AFTER)
    axes.set_xscale("log")
    axes.set_yticks(place, own["arm"])
    axes.set_xlabel("probability of the arm, given background")
    axes.set_title(f"Overlap, trial {trial}")
    return figure
