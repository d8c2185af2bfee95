"""Plots of one outcome's estimates, each from its own tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leap_eval.effects.hidden import strength

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BAND, POINT, GREY, RUST = "#9fc1d8", "#1f5f8b", "#888888", "#a8481a"
COLOURS = {"pass": "#cfe3d4", "warn": "#f6dfa4", "fail": "#e6a88f", "not_run": "#eeeeee"}
LETTERS = {"pass": "", "warn": "w", "fail": "F", "not_run": "–"}
CHECKS = (
    "balance", "overlap", "other estimators", "specifications", "negative controls",
    "hidden confounder", "period, wards", "placebo", "tipping point", "twin",
    "links, gaps", "recorded evenly",
)  # fmt: skip


def _figure(height: float, width: float = 7.2) -> Figure:
    # Through pyplot, or a notebook shows words instead of the drawing.
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure


def _plain(axes: Any, height: float = 0.0) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    if height:
        axes.set_ylim(-0.7, height - 0.3)


def _nothing(words: str) -> Figure:
    figure = _figure(0.6)
    figure.text(0.02, 0.4, words)
    return figure


def forest(estimates: pd.DataFrame, families: list[str]) -> Figure:
    """Draw estimates with joint bands (thick), pointwise limits (thin) and grades."""
    own = estimates[estimates["family"].isin(families)].dropna(subset=["estimate"])
    if own.empty:
        return _nothing(f"no arm large enough: {', '.join(families)}")
    figure = _figure(1.2 + 0.34 * len(own))
    axes = figure.subplots()
    place = np.arange(len(own))[::-1]
    axes.hlines(place, own["band_low"], own["band_high"], color=BAND, linewidth=7)
    axes.hlines(place, own["low"], own["high"], color=POINT, linewidth=1.6)
    axes.plot(own["estimate"], place, "o", color=POINT, markersize=5)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(place, own["contrast"].str.replace("_", " ").str.replace(":", ": "))
    right = axes.get_xlim()[1]
    for y, grade, n in zip(place, own["grade"], own["n_arm"], strict=True):
        axes.annotate(
            f"{grade}   n {n:,}", (right, y), (6, 0), textcoords="offset points",
            va="center", fontsize=9, color="#333333", annotation_clip=False,
        )  # fmt: skip
    units = ["SD" if u == "sd" else u for u in sorted(set(own["unit"]))]
    axes.set_xlabel(f"difference, {', '.join(units)}")
    _plain(axes, len(own))
    return figure


def synergy(estimates: pd.DataFrame) -> Figure:
    """Draw what pairs give beyond both alone; a star where the joint band leaves out 0."""
    own = estimates[estimates["family"].str.startswith("pair")].dropna(subset=["estimate"])
    if own.empty:
        return _nothing("no pair of services had four arms large enough")
    pairs = own["contrast"].str.split(" + ", regex=False, expand=True).reindex(columns=[0, 1])
    names = sorted(set(pairs[0]) | set(pairs[1]))
    grid = np.full((len(names), len(names)), np.nan)
    rows, columns = pairs[0].map(names.index), pairs[1].map(names.index)
    grid[columns, rows] = own["estimate"]
    figure = _figure(1.5 + 0.55 * len(names))
    axes = figure.subplots()
    most = float(np.nanmax(np.abs(grid)))
    image = axes.imshow(grid, cmap="RdBu", vmin=-most, vmax=most)
    stars = np.where((own["band_low"] > 0) | (own["band_high"] < 0), "*", "")
    for x, y, value, star in zip(rows, columns, own["estimate"], stars, strict=True):
        axes.text(x, y, f"{value:+.2f}{star}", ha="center", va="center")
    words = [n.replace("_", " ") for n in names]
    axes.set_xticks(range(len(names)), words, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), words)
    figure.colorbar(image, label="together, less the sum of both alone")
    return figure


def check_grid(estimates: pd.DataFrame) -> Figure:
    """Draw every check of every headline contrast: pass, warn (w), fail (F), not run (–)."""
    own = estimates[estimates["subgroup"] == "all"].dropna(subset=["estimate"])
    if own.empty:
        return _nothing("nothing could be estimated, so nothing was checked")
    figure = _figure(1.9 + 0.28 * len(own), 8.6)
    axes = figure.subplots()
    for y, row in enumerate(own[[f"check_{n}" for n in range(1, 13)]].to_numpy()[::-1]):
        for x, told in enumerate(row):
            axes.add_patch(_square(x, y, COLOURS[told]))
            axes.text(x, y, LETTERS[told], ha="center", va="center", fontsize=9)
    for y, grade in enumerate(own["grade"][::-1]):
        axes.text(12.1, y, grade, ha="center", va="center", fontweight="bold")
    words = own["family"].str.replace("_", " ") + ": " + own["contrast"].str.replace("_", " ")
    axes.set_yticks(range(len(own)), words[::-1], fontsize=8)
    axes.set_xticks(
        range(13), [*(f"{n} {w}" for n, w in enumerate(CHECKS, 1)), "grade"],
        rotation=40, ha="right", fontsize=8,
    )  # fmt: skip
    axes.set_xlim(-0.5, 12.6)
    axes.set_ylim(-0.5, len(own) - 0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _square(x: float, y: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor=colour, edgecolor="none")


def curve(specifications: pd.DataFrame, estimates: pd.DataFrame) -> Figure:
    """Draw the specification curve of each combination: all estimates in order, the headline."""
    own = specifications[specifications["family"] == "combination"]
    shown = estimates[estimates["family"] == "combination"].dropna(subset=["estimate"])
    if own.empty or shown.empty:
        return _nothing("no combination had an arm large enough")
    figure = _figure(1.2 + 0.55 * len(shown))
    axes = figure.subplots()
    for y, (name, estimate, low, high) in enumerate(
        zip(*(shown[c][::-1] for c in ("contrast", "estimate", "band_low", "band_high")),
            strict=True)
    ):  # fmt: skip
        told = np.sort(own.loc[own["contrast"] == name, "estimate"])
        axes.hlines(y, low, high, color=BAND, linewidth=14, alpha=0.45)
        axes.plot(told, y + np.linspace(-0.32, 0.32, len(told)), ".", color=POINT, markersize=4)
        axes.plot([estimate, estimate], [y - 0.4, y + 0.4], color=RUST, linewidth=1.6)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(shown)), shown["contrast"][::-1].str.replace("_", " "))
    axes.set_xlabel(f"difference under each of {own['spec'].nunique()} specifications")
    axes.set_title("dots: specifications in order; line: the headline; shade: its joint band",
                   fontsize=9, loc="left")  # fmt: skip
    _plain(axes, len(shown))
    return figure


def contour(benchmarks: pd.DataFrame, estimates: pd.DataFrame) -> Figure:
    """Draw what a hidden confounder would leave of the clearest result; points: observed blocks."""
    shown = estimates[estimates["subgroup"] == "all"].dropna(subset=["estimate"])
    if benchmarks.empty or shown.empty:
        return _nothing("nothing could be estimated")
    first = shown.iloc[int(np.argmax(shown["estimate"].abs() / shown["se"]))]
    own = benchmarks[
        (benchmarks["contrast"] == first["contrast"]) & (benchmarks["family"] == first["family"])
    ]
    edge = 1.3 * max(0.01, own[["cf_y", "cf_d"]].max().max(), float(first["rv"]))
    d, y = np.meshgrid(np.linspace(0, edge, 80), np.linspace(0, edge, 80))
    left = abs(first["estimate"]) - np.sqrt(y * d / (1 - d)) * own["most"].iloc[0]
    figure = _figure(4.4)
    axes = figure.subplots()
    levels = np.linspace(0, abs(first["estimate"]), 6)[1:-1]
    drawn = axes.contour(d, y, left, levels=levels, colors=GREY, linewidths=0.7)
    axes.clabel(drawn, fontsize=7)
    axes.contour(d, y, left, levels=[0], colors=RUST, linewidths=2)
    axes.plot(own["cf_d"], own["cf_y"], "o", color=POINT)
    strong = np.array([strength(*pair) for pair in own[["cf_y", "cf_d"]].to_numpy()])
    far = own[strong > 0.003]
    for block, a, b in zip(far["block"], far["cf_d"], far["cf_y"], strict=True):
        axes.annotate(block, (a, b), (5, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel("share of the weights' variation a hidden confounder explains")
    axes.set_ylabel("share of the outcome's variation")
    axes.set_title(
        f"{first['contrast'].replace('_', ' ')}: size left of {abs(first['estimate']):.2f}; "
        "red: nothing left", fontsize=9, loc="left",
    )  # fmt: skip
    _plain(axes)
    return figure


def tipping(estimates: pd.DataFrame) -> Figure:
    """Draw by how much the unrecorded must differ before a band first holds 0."""
    own = estimates[(estimates["subgroup"] == "all") & (estimates["tipping"] > 0)]
    if own.empty:
        return _nothing("every joint band holds 0: there is no claim to tip")
    figure = _figure(1.2 + 0.34 * len(own))
    axes = figure.subplots()
    place = np.arange(len(own))[::-1]
    axes.axvspan(0, 0.1, color=COLOURS["fail"], alpha=0.5, linewidth=0)
    axes.axvspan(0.1, 0.2, color=COLOURS["warn"], alpha=0.5, linewidth=0)
    axes.hlines(place, 0, own["tipping"], color=POINT, linewidth=2)
    axes.plot(own["tipping"], place, "o", color=POINT)
    axes.set_yticks(place, own["contrast"].str.replace("_", " ") + " (" + own["family"] + ")")
    axes.set_xlabel("SD by which the arm's unrecorded children would have to differ")
    _plain(axes, len(own))
    return figure


def equity(estimates: pd.DataFrame) -> Figure:
    """Draw each service within each group, and below it, less elsewhere: who gains more?"""
    kinds = {"subgroup": "within the group", "subgroup_gap": "within it less elsewhere"}
    parts = [estimates[estimates["family"] == k].dropna(subset=["estimate"]) for k in kinds]
    if parts[0].empty:
        return _nothing("no group had an arm of 50 children")
    services = sorted(set(parts[0]["contrast"]))
    heights = [part["subgroup"].nunique() for part in parts if len(part)]
    figure = _figure(1.5 + 0.6 * len(heights) + 0.27 * sum(heights), 2.2 + 1.9 * len(services))
    panels = figure.subplots(
        len(heights), len(services), sharex=True, sharey="row", squeeze=False,
        height_ratios=heights,
    )  # fmt: skip
    for row, part, words in zip(panels, parts, kinds.values(), strict=False):
        _groups(row, part, services)
        row[0].set_ylabel(words)
    for axes, service in zip(panels[0], services, strict=True):
        axes.set_title(service.replace("_", " "), fontsize=9)
    return figure


def _groups(panels: Any, own: pd.DataFrame, services: list[str]) -> None:
    groups = sorted(set(own["subgroup"]))
    for axes, service in zip(panels, services, strict=True):
        part = own[own["contrast"] == service]
        place = [len(groups) - 1 - groups.index(g) for g in part["subgroup"]]
        axes.hlines(place, part["band_low"], part["band_high"], color=BAND, linewidth=5)
        axes.hlines(place, part["low"], part["high"], color=POINT, linewidth=1.2)
        axes.plot(part["estimate"], place, "o", color=POINT, markersize=4)
        axes.axvline(0, color=GREY, linewidth=0.8)
        _plain(axes, len(groups))
    words = [_group_words(g) for g in groups[::-1]]
    panels[0].set_yticks(range(len(groups)), words, fontsize=8)


def _group_words(group: str) -> str:
    name, _, code = group.partition(":")
    plain = {"imd_third": "deprivation", "ethnicity_group5": "ethnicity"}.get(name, name)
    return f"{plain}: {code}".replace("_", " ")


def controls(table: pd.DataFrame) -> Figure:
    """Draw the negative controls: each should hold 0 within its joint band."""
    if table.empty:
        return _nothing("no negative control could be run")
    own = table.drop_duplicates(["control", "contrast"]).reset_index(drop=True)
    figure = _figure(1.2 + 0.24 * len(own))
    axes = figure.subplots()
    place = np.arange(len(own))[::-1]
    off = (own["band_low"] > 0) | (own["band_high"] < 0)
    axes.hlines(place, own["band_low"], own["band_high"], color=BAND, linewidth=5)
    axes.scatter(own["estimate"], place, c=np.where(off, RUST, POINT), s=18, zorder=3)
    axes.axvline(0, color=GREY, linewidth=0.8)
    words = own["control"].str.replace("_", " ") + ", " + own["contrast"].str.replace("_", " ")
    axes.set_yticks(place, words, fontsize=8)
    axes.set_xlabel("difference in what no service can have moved, SD")
    _plain(axes, len(own))
    return figure


def twin(table: pd.DataFrame) -> Figure:
    """Draw how often the bands held the truth in twins of these data."""
    if table.empty:
        return _nothing("the twin was not run")
    figure = _figure(1.1 + 0.34 * len(table))
    axes = figure.subplots()
    place = np.arange(len(table))[::-1]
    axes.axvspan(0.90, 0.99, color=COLOURS["pass"], linewidth=0)
    axes.plot(table["joint"], place, "o", color=POINT, label="joint band")
    axes.plot(table["pointwise"], place, "|", color=RUST, markersize=12, label="each limit alone")
    axes.axvline(0.95, color=GREY, linewidth=0.8)
    axes.set_yticks(place, table["family"].str.replace("_", " "))
    axes.set_xlim(0.7, 1.01)
    axes.set_xlabel(f"share of {int(table['replicates'].max())} twins in which they held the truth")
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    _plain(axes, len(table))
    return figure
