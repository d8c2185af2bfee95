"""Figures of a linkage: weights, bands, sizes; never a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MAIN, LIGHT, WARM = "#1f5f8b", "#b8b8b8", "#c46a1b"


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.2, height), layout="constrained")


def weights(model: dict[str, Any], role: str) -> Figure:
    """Draw the bits of every level of a role's models, tier A and tier B side by side."""
    levels = [level for level in model["levels"] if level["role"] == role]
    tiers = sorted({level["tier"] for level in levels})
    figure = _figure(1.0 + 0.17 * max(len(levels), 8))
    for place, tier in enumerate(tiers or ["B"]):
        own = [level for level in levels if level["tier"] == tier]
        axes = figure.add_subplot(1, max(len(tiers), 1), place + 1)
        colours = [MAIN if level["bits"] > 0 else WARM for level in own]
        names = [f"{level['field']} {level['level']}" for level in own]
        axes.barh(names, [level["bits"] for level in own], color=colours)
        axes.set_xlabel("bits")
        axes.set_title(f"tier {tier}, {role}")
    return figure


def bands(edges: pd.DataFrame) -> Figure:
    """Draw how many compared pairs have which probability, accepted and not."""
    figure = _figure(3.2)
    axes = figure.subplots()
    bins = np.linspace(0, 1, 21)
    for accepted, colour, label in ((True, MAIN, "linked"), (False, LIGHT, "not linked")):
        p = edges.loc[edges["accepted"] == accepted, "probability"]
        axes.hist(p, bins=list(bins), color=colour, label=label, alpha=0.8)
    axes.set_yscale("symlog")
    axes.set_xlabel("probability that the two records are one person")
    axes.set_ylabel("pairs")
    axes.legend(frameon=False)
    return figure


def sizes(quality: dict[str, Any]) -> Figure:
    """Draw how many records the children have."""
    figure = _figure(3.0)
    axes = figure.subplots()
    told = quality["cluster_sizes"]
    axes.bar([t["records"] for t in told], [t["children"] for t in told], color=MAIN)
    axes.set_xlabel("records of one child")
    axes.set_ylabel("children")
    return figure
