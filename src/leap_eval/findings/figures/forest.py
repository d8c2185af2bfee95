"""Forest and synergy: differences with both kinds of limits, and pairs of services."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Rectangle

from leap_eval.findings.figures.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    PAPER,
    PURPLE,
    canvas,
    finished,
)  # fmt: skip
from leap_eval.findings.release import Row
from leap_eval.findings.words import JOIN, effect, label, scale
from leap_eval.reference.labels import figures

Estimate = tuple[str, Row, Row]  # what it is called, joint row, pointwise row


def forest(
    told: Sequence[Estimate], unit: str, better: str, prefix: str, title: str, words: str, *,
    demo: bool,
) -> str:  # fmt: skip
    """Draw a point, the pointwise limits thick and the joint band thin, and the grade's letter."""
    rule = figures()["forest"][unit]
    height = 25 * len(told) + 84
    with canvas(720, height) as figure:
        axes = figure.add_axes((0.41, 46 / height, 0.42, 1 - 72 / height))
        axes.axvspan(-rule["small"], rule["small"], color=FAINT, alpha=0.55, lw=0)
        axes.axvline(0, color=INK, lw=1)
        for i, (_, joint, alone) in enumerate(told):
            _mark(axes, i, joint, alone, rule["limits"])
        axes.set_xlim(*rule["limits"])
        axes.set_ylim(len(told) - 0.4, -0.6)
        axes.set_yticks(range(len(told)), [name for name, *_ in told])
        axes.set_xticks(
            rule["ticks"], [f"{t:+g}".replace("-", "−") if t else "0" for t in rule["ticks"]]
        )
        axes.tick_params(length=0)
        axes.set_xlabel(f"difference in {label('unit', unit)}; {better}", fontsize=9)
        for side in ("left",):
            axes.spines[side].set_visible(False)
        axes.text(
            1.02, 1.01, "grade", transform=axes.transAxes, fontsize=8.5, color=GREY, va="bottom"
        )
        axes.text(
            1.17,
            1.01,
            "difference",
            transform=axes.transAxes,
            fontsize=8.5,
            color=GREY,
            va="bottom",
        )
        return finished(figure, prefix, title, words, demo=demo)


def _mark(axes, i, joint, alone, limits) -> None:  # type: ignore[no-untyped-def]
    across = axes.get_yaxis_transform()
    axes.text(1.06, i, joint["grade"], transform=across, ha="center", va="center", weight="bold")
    if not joint["value"]:
        text = "c, withheld" if joint["marker"] == "c" else "not estimated"
        axes.text(0, i, text, ha="center", va="center", fontsize=8.5, color=GREY)
        return
    unit = joint["unit"]
    colour = GREY if joint["grade"] == "D" else BLUE
    for row, width in ((joint, 1.4), (alone, 4.5)):
        if row["low"] and row["high"]:
            ends = [
                min(max(scale(float(row[k]), unit), limits[0]), limits[1]) for k in ("low", "high")
            ]
            axes.plot(ends, [i, i], color=colour, lw=width, solid_capstyle="butt")
    value = scale(float(joint["value"]), unit)
    axes.plot(
        [min(max(value, limits[0]), limits[1])], [i], "o", color=colour, ms=7.5,
        markeredgecolor=PAPER, markeredgewidth=1.2, gid=f"row-{i}",
    )  # fmt: skip
    axes.text(1.17, i, effect(float(joint["value"]), unit), transform=across, va="center")


def synergy(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw services by services, what both together give beyond both alone, in each square."""
    services = sorted({s for r in rows for s in r["contrast"].split(JOIN)})
    n = len(services)
    height = 74 * n + 24
    with canvas(680, height) as figure:
        axes = figure.add_axes((0.29, 0.1, 0.7, 0.88))
        for number, row in enumerate(rows):
            a, b = sorted(services.index(s) for s in row["contrast"].split(JOIN))
            _cell(axes, a, b, number, row)
        axes.set_xlim(0, n - 1)
        axes.set_ylim(n, 1)
        axes.set_xticks(
            [i + 0.5 for i in range(n - 1)], [label("service", s) for s in services[:-1]]
        )
        axes.set_yticks([i + 0.5 for i in range(1, n)], [label("service", s) for s in services[1:]])
        axes.tick_params(length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        return finished(figure, prefix, title, words, demo=demo)


def _cell(axes, a, b, number, row) -> None:  # type: ignore[no-untyped-def]
    empty = not row["value"]
    credible = row["grade"] in "ABC"
    colour = (BLUE if float(row["value"] or 0) > 0 else PURPLE) if credible else PAPER
    axes.add_patch(
        Rectangle(
            (a + 0.03, b + 0.03), 0.94, 0.94, facecolor=colour, edgecolor=GREY, lw=1,
            hatch="////" if empty else None, gid=f"row-{number}",
        )
    )  # fmt: skip
    ink = PAPER if credible else INK
    text = (
        ("c" if row["marker"] == "c" else "x")
        if empty
        else effect(float(row["value"]), row["unit"])
    )
    axes.text(
        a + 0.5, b + 0.42, text, ha="center", va="center", weight="bold", color=ink, fontsize=12
    )
    axes.text(
        a + 0.5,
        b + 0.74,
        f"grade {row['grade']}",
        ha="center",
        va="center",
        color=ink,
        fontsize=8.5,
    )
