"""Plots of one outcome's estimates, each from its own tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BAND, POINT = "#9fc1d8", "#1f5f8b"


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.2, height), layout="constrained")


def forest(estimates: pd.DataFrame, families: list[str]) -> Figure:
    """Draw estimates with joint bands (wide), pointwise limits (narrow) and grades."""
    own = estimates[estimates["family"].isin(families)].dropna(subset=["estimate"])
    figure = _figure(1.2 + 0.3 * len(own))
    axes = figure.subplots()
    place = np.arange(len(own))[::-1]
    axes.hlines(place, own["band_low"], own["band_high"], color=BAND, linewidth=5)
    axes.hlines(place, own["low"], own["high"], color=POINT, linewidth=1.5)
    axes.plot(own["estimate"], place, "o", color=POINT)
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.set_yticks(place, own["contrast"] + " (" + own["grade"] + ")")
    axes.set_xlabel(f"difference, {', '.join(sorted(set(own['unit'])))}")
    return figure


def synergy(estimates: pd.DataFrame) -> Figure:
    """Draw what pairs give beyond both alone; a star where it passes the false discovery rate."""
    own = estimates[estimates["family"].str.startswith("pair")].dropna(subset=["estimate"])
    pairs = own["contrast"].str.split(" + ", regex=False, expand=True).reindex(columns=[0, 1])
    names = sorted(set(pairs[0]) | set(pairs[1]))
    grid = np.full((len(names), len(names)), np.nan)
    rows, columns = pairs[0].map(names.index), pairs[1].map(names.index)
    grid[columns, rows] = own["estimate"]
    figure = _figure(1.5 + 0.5 * len(names))
    axes = figure.subplots()
    most = float(np.nanmax(np.abs(grid))) if len(own) else 1.0
    image = axes.imshow(grid, cmap="RdBu", vmin=-most, vmax=most)
    for x, y, value, q in zip(rows, columns, own["estimate"], own["q"], strict=True):
        axes.text(x, y, f"{value:.2f}{'*' if q <= 0.10 else ''}", ha="center", va="center")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    figure.colorbar(image, label="together less the sum of both alone")
    return figure


def curve(specifications: pd.DataFrame, estimates: pd.DataFrame) -> Figure:
    """Draw how each combination's estimate moves over all specifications."""
    own = specifications[specifications["family"] == "combination"]
    shown = estimates[estimates["family"] == "combination"]
    figure = _figure(1.2 + 0.3 * len(shown))
    axes = figure.subplots()
    place = {name: i for i, name in enumerate(shown["contrast"][::-1])}
    axes.plot(own["estimate"], own["contrast"].map(place), "|", color=BAND, markersize=9)
    axes.plot(shown["estimate"], shown["contrast"].map(place), "o", color=POINT)
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.set_yticks(list(place.values()), list(place))
    axes.set_xlabel("difference under every specification")
    return figure
