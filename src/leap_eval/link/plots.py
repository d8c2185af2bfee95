"""Figures of a linkage: weights, bands, sizes, groups; never a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Report = dict[str, Any]

MAIN, LIGHT, WARM, GREY = "#1f5f8b", "#b8c4cc", "#c46a1b", "#59636e"
# An invented pair: Zoe and Zoë O'Brien-Okafor, one of them with another postcode.
INVENTED = {"forename": "near", "surname": "exact", "date": "exact", "postcode": "else"}
INVENTED |= {"sex": "exact"}
LEAST_SHOWN = 0.9


def _figure(height: float) -> Figure:
    # Through pyplot, or a notebook shows words instead of the drawing.
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(7.2, height), layout="constrained")
    plt.close(figure)
    return figure


def _plain(axes: Any) -> Any:
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _levels(model: Report, role: str, tier: str) -> list[Report]:
    return [m for m in model["levels"] if (m["role"], m["tier"]) == (role, tier)]


def _tiers(model: Report, role: str) -> list[str]:
    return sorted({m["tier"] for m in model["levels"] if m["role"] == role})


def waterfall(model: Report, quality: Report, role: str = "child") -> Figure:
    """Draw how an invented pair of records climbs, field by field, to its score."""
    tiers = _tiers(model, role)
    told = {(m["field"], m["level"]): m["bits"] for m in _levels(model, role, tiers[-1])}
    steps = [("two strangers", quality["prior"])]
    steps += [(f"{f}: {n}", told[f, n]) for f, n in INVENTED.items() if (f, n) in told]
    ends = np.cumsum([bits for _, bits in steps])
    figure = _figure(3.0)
    axes = _plain(figure.subplots())
    place = np.arange(len(steps) + 1)[::-1]
    colours = [MAIN if bits > 0 else WARM for _, bits in steps]
    axes.barh(place[:-1], [b for _, b in steps], left=[0, *ends[:-1]], color=colours, height=0.6)
    axes.barh(place[-1], ends[-1], color=GREY, height=0.6)
    for y, (_, bits), end in zip(place, steps, ends, strict=False):
        side = 1 if bits > 0 else -1
        axes.text(
            end + 0.4 * side, y, f"{bits:+.1f}", va="center", ha=("right", "", "left")[1 + side]
        )
    share = 1 / (1 + 2.0 ** -ends[-1])
    axes.text(ends[-1] + 0.4, place[-1], f"{ends[-1]:+.1f}, p = {share:.4f}", va="center")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(place, [*(name for name, _ in steps), "score"])
    axes.set_xlim(min(0, ends.min()) - 4, ends.max() + 8)
    axes.set_xlabel("bits; a link needs more than 0")
    axes.set_title("An invented pair: a letter amiss, and moved house")
    return figure


def weights(model: Report, role: str) -> Figure:
    """Draw m, u and the bits of every level of a role's models, tier by tier."""
    tiers = _tiers(model, role)
    most = max((len(_levels(model, role, t)) for t in tiers), default=8)
    figure = _figure(1.0 + 0.19 * most)
    grid = figure.subplots(1, max(len(tiers), 1), squeeze=False)
    for tier, axes in zip(tiers, grid[0], strict=False):
        own = _levels(model, role, tier)
        place = np.arange(len(own))
        _plain(axes).hlines(place, *([m[k] for m in own] for k in "um"), color=LIGHT, linewidth=2)
        axes.plot([m["u"] for m in own], place, "o", color=WARM, markersize=4, label="u: strangers")
        axes.plot([m["m"] for m in own], place, "o", color=MAIN, markersize=4, label="m: one child")
        axes.set_yticks(place, [f"{m['field']} {m['level']}" for m in own], fontsize=7)
        axes.set_xscale("log")
        axes.set_xlabel("share of pairs on this level")
        axes.set_title(f"tier {tier}, {role}")
    grid[0][0].legend(frameon=False, fontsize=7, loc="upper left")
    return figure


def scores(quality: Report) -> Figure:
    """Draw how many pairs scored what, linked or not, and where links become sure."""
    figure = _figure(3.2)
    axes = _plain(figure.subplots())
    for accepted, colour, label in ((False, LIGHT, "not linked"), (True, MAIN, "linked")):
        own = [s for s in quality["scores"] if s["accepted"] == accepted]
        axes.bar(
            [s["score"] + 1 for s in own], [s["pairs"] for s in own], width=1.9, color=colour,
            label=label, alpha=0.85,
        )  # fmt: skip
    axes.axvspan(
        np.log2(0.05 / 0.95), np.log2(0.95 / 0.05), color=WARM, alpha=0.15, label="uncertain"
    )
    axes.set_yscale("log")
    axes.set_xlabel("score in bits: weight of agreement plus prior (ids add 40)")
    axes.set_ylabel("pairs")
    axes.legend(frameon=False)
    return figure


def sizes(quality: Report) -> Figure:
    """Draw how many records the children have, and how many children the families."""
    figure = _figure(2.8)
    pair = figure.subplots(1, 2)
    told = (("cluster_sizes", "records", "children"), ("family_sizes", "children", "families"))
    for axes, (name, each, what) in zip(pair, told, strict=True):
        own = [t for t in quality[name] if t[each] <= 15]
        _plain(axes).bar([t[each] for t in own], [t[what] for t in own], color=MAIN)
        axes.set_xticks([t[each] for t in own])
        axes.set_xlabel(f"{each} of one {'child' if each == 'records' else 'family'}")
        axes.set_ylabel(what)
    return figure


def overlap(quality: Report) -> Figure:
    """Draw how many links lie between any two partners."""
    names = [row["partner"] for row in quality["known"]]
    at = {name: i for i, name in enumerate(names)}
    counts = np.full((len(names), len(names)), np.nan)
    for row in quality["partners"]:
        i, j = at[row["partner_a"]], at[row["partner_b"]]
        counts[max(i, j), min(i, j)] = row["links"]
    figure = _figure(4.4)
    axes = figure.subplots()
    axes.imshow(np.log10(counts + 1), cmap="Blues", vmin=0)
    half = np.nanmax(np.log10(counts + 1), initial=1) * 0.6
    for (i, j), n in np.ndenumerate(counts):
        if np.isfinite(n):
            dark = np.log10(n + 1) > half
            axes.text(j, i, f"{n:,.0f}", ha="center", va="center", fontsize=7,
                      color="white" if dark else "black")  # fmt: skip
    words = [name.replace("_", " ") for name in names]
    axes.set_xticks(range(len(names)), words, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), words, fontsize=8)
    axes.set_xlim(-0.5, max(len(names) - 1.5, 0.5))
    axes.set_ylim(max(len(names) - 0.5, 1.5), 0.5)
    axes.spines[:].set_visible(False)
    axes.set_title("Links between partners")
    return figure


def thresholds(quality: Report) -> Figure:
    """Draw precision and recall had the line been drawn at another score."""
    own = quality["thresholds"]
    figure = _figure(3.0)
    axes = _plain(figure.subplots())
    for name, colour in (("precision", MAIN), ("recall", WARM)):
        axes.plot([t["score"] for t in own], [t[name] for t in own], "o-", color=colour, label=name)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_xlabel("least score of a link, bits (the line drawn: 0)")
    axes.set_ylabel("estimated share")
    axes.legend(frameon=False)
    return figure


def forest(bias: Report) -> Figure:
    """Draw each group's recall with its interval; a flagged one in another colour."""
    own = [g for g in bias["groups"] if g["recall"] is not None]
    figure = _figure(1.0 + 0.155 * max(len(own), 6))
    axes = _plain(figure.subplots())
    place = np.arange(len(own))[::-1]
    colours = [WARM if g["flag"] == "gap" else MAIN for g in own]
    low, high, value = (
        np.maximum([g[f"recall{k}"] for g in own], LEAST_SHOWN) for k in ("_low", "_high", "")
    )
    axes.hlines(place, low, high, color=colours)
    axes.scatter(value, place, color=colours, s=14, zorder=3)
    for x, y, g, colour in zip(high, place, own, colours, strict=True):
        if g["recall"] < LEAST_SHOWN:
            axes.annotate(f"{g['recall']:.2f}, off the scale", (x, y), (6, 0), va="center",
                          textcoords="offset points", fontsize=7, color=colour)  # fmt: skip
    axes.set_yticks(
        place, [f"{g['dimension']}: {g['group']}".replace("_", " ") for g in own], fontsize=7
    )
    axes.set_xlabel("estimated recall, 95 % interval; a gap of 2 points from the largest: in brown")
    axes.set_ylim(-1, len(own))
    return figure


def flow(quality: Report) -> Figure:
    """Draw the way from records, by partner, to children and families."""
    bands = {row["band"]: row["records"] for row in quality["bands"]}
    columns = [
        ("records sent", [(r["partner"], r["records"]) for r in quality["known"]]),
        ("as linked", [(b, bands.get(b, 0)) for b in ("sure", "uncertain", "single")]),
        ("children", [("children", quality["children"])]),
        ("families", [("families", quality["families"])]),
    ]
    figure = _figure(4.2)
    axes = figure.subplots()
    shades, least = (MAIN, "#4f86ab", "#82aac5", LIGHT), 0.045 * quality["records"]
    for x, (title, parts) in enumerate(columns):
        base, last = 0.0, -least
        for i, (name, n) in enumerate(p for p in parts if p[1]):
            axes.bar(1.8 * x, n, bottom=base, width=0.5, color=shades[i % 4], edgecolor="white")
            last = max(base + n / 2, last + least)  # small parts' words stand above one another
            beside = f"{name.replace('_', ' ')} {n:,}"
            axes.text(1.8 * x + 0.3, last, beside, va="center", fontsize=7)
            base += n
        axes.text(1.8 * x, -least / 2, title, ha="center", va="top", weight="bold", fontsize=9)
    axes.set_xlim(-0.5, 6.6)
    axes.axis("off")
    axes.set_title("From records to children")
    return figure


def probes(quality: Report) -> Figure:
    """Draw how many damaged copies would be found again, slip by slip."""
    own = sorted(quality["probes"]["kinds"], key=lambda k: k["found"])
    figure = _figure(1.0 + 0.28 * max(len(own), 2))
    axes = _plain(figure.subplots())
    axes.barh(
        [f"{k['kind'].replace('_', ' ')} ({k['probes']})" for k in own],
        [k["found"] for k in own], color=MAIN,
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_xlabel("share found again (probes tried)")
    return figure
