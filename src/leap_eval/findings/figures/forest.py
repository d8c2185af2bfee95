"""Forest and dose: differences with both kinds of limits, and by amount."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from leap_eval.findings.figures.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    PAPER,
    SMALL,
    across,
    canvas,
    finished,
)  # fmt: skip
from leap_eval.findings.release import Row
from leap_eval.findings.words import effect, label, number, say, scale
from leap_eval.reference.labels import figures

LEFT, RIGHT, GRADE, SIZE = 8, 290, 316, 394
ROW, TRACK = 35, 23  # a row's height, and where in it the line lies


def forest(
    parts: Sequence[tuple[str, Sequence[tuple[str, Row, Row]]]], unit: str, better: str,
    prefix: str, title: str, words: str, *, demo: bool,
) -> str:  # fmt: skip
    """Draw, part by part: name, point, pointwise limits thick, joint band thin, grade, number.

    Each line is (name, row of the joint band, row of the pointwise limits). The mark of a
    difference pooled over combinations is hollow.
    """
    rule = figures()["forest"][unit]
    lines = sum(len(told) for _, told in parts)
    height = ROW * lines + 24 * sum(bool(head) for head, _ in parts) + 56
    with canvas(height) as (figure, axes):
        axes.text(GRADE, 8, say("grade"), ha="center", va="center", fontsize=SMALL, color=GREY)
        axes.text(SIZE, 8, say("size"), ha="right", va="center", fontsize=SMALL, color=GREY)
        y, count = 14.0, 0
        for head, told in parts:
            if head:
                axes.text(0, y + 12, head, va="center", fontsize=SMALL, color=GREY, weight="bold")
                y += 24
            for name, joint, alone in told:
                _line(axes, y, count, name, joint, alone, rule)
                y, count = y + ROW, count + 1
        _axis(axes, y + 2, rule, say("axis", unit=label("unit", unit), better=better))
        return finished(figure, prefix, title, words, demo=demo)


def _axis(axes: Axes, y: float, rule: dict[str, Sequence[float]], words: str) -> None:
    axes.plot([LEFT, RIGHT], [y, y], color=GREY, lw=0.8)
    for tick in rule["ticks"]:
        x = across(tick, rule["limits"], LEFT, RIGHT)
        axes.plot([x, x], [y, y + 4], color=GREY, lw=0.8)
        text = f"{tick:+g}".replace("-", "−") if tick else "0"
        axes.text(x, y + 6, text, ha="center", va="top", fontsize=SMALL)
    axes.text((LEFT + RIGHT) / 2, y + 22, words, ha="center", va="top", fontsize=SMALL, color=GREY)


def _line(
    axes: Axes, y: float, count: int, name: str, joint: Row, alone: Row, rule: dict[str, Any]
) -> None:
    limits, level = rule["limits"], y + TRACK
    small = [across(s * rule["small"], limits, LEFT, RIGHT) for s in (-1, 1)]
    zero = across(0, limits, LEFT, RIGHT)
    axes.add_patch(
        Rectangle((small[0], level - 7), small[1] - small[0], 14, color=FAINT, alpha=0.6, lw=0)
    )
    axes.plot([zero, zero], [level - 9, level + 9], color=INK, lw=1)
    axes.text(0, y + 8, name, va="center")
    axes.text(GRADE, level - 4, joint["grade"], ha="center", va="center", weight="bold")
    if not joint["value"]:
        text = say("hidden" if joint["marker"] == "c" else "not_made")
        axes.text(SIZE, level - 4, text, ha="right", va="center", fontsize=SMALL, color=GREY)
        return
    unit, colour = joint["unit"], GREY if joint["grade"] == "D" else BLUE
    for row, width in ((joint, 1.4), (alone, 5)):
        if row["low"] and row["high"]:
            ends = [
                across(scale(float(row[k]), unit), limits, LEFT, RIGHT) for k in ("low", "high")
            ]
            axes.plot(ends, [level, level], color=colour, lw=width, solid_capstyle="butt")
    axes.plot(
        [across(scale(float(joint["value"]), unit), limits, LEFT, RIGHT)], [level], "o", ms=8.5,
        color=colour, mfc=PAPER if joint["family"] == "service" else colour,
        mec=colour if joint["family"] == "service" else PAPER, mew=1.6, gid=f"row-{count}",
    )  # fmt: skip
    text = effect(float(joint["value"]), unit)
    axes.text(SIZE, level - 4, text, ha="right", va="center", weight="bold")


def dose(
    told: Sequence[tuple[str, Row, Row | None]], unit: str, axis: str, prefix: str, title: str,
    words: str, *, demo: bool,
) -> str:  # fmt: skip
    """Draw the difference by declared bin with its joint band, over bars of released counts.

    Each bin is (name, row of the estimate, row of its count of children).
    """
    rule = figures()["forest"][unit]
    top, foot, bars = 14, 154, 60
    counts = [float(n["value"] or 0) if n else 0.0 for _, _, n in told]
    with canvas(foot + bars + 62) as (figure, axes):
        for tick in rule["ticks"]:
            y = across(-tick, [-rule["limits"][1], -rule["limits"][0]], top, foot)
            axes.plot(
                [40, 396], [y, y], color=INK if not tick else FAINT, lw=1 if not tick else 0.8
            )
            text = f"{tick:+g}".replace("-", "−") if tick else "0"
            axes.text(34, y, text, ha="right", va="center", fontsize=SMALL)
        gap = 356 / max(len(told), 3)
        for i, (name, row, n) in enumerate(told):
            x = 40 + gap * (i + 0.5)
            _point(axes, x, i, row, rule, (top, foot))
            tall = (bars - 18) * counts[i] / max([*counts, 1])
            floor = foot + bars
            axes.add_patch(Rectangle((x - 16, floor - tall), 32, tall, color=FAINT, lw=0))
            if n:
                text = number(n["value"], n["measure"]) if n["value"] else n["marker"]
                axes.text(x, floor - tall - 3, text, ha="center", va="bottom", fontsize=SMALL)
            axes.text(x, floor + 6, name, ha="center", va="top")
        axes.text(218, foot + bars + 26, axis, ha="center", va="top", fontsize=SMALL, color=GREY)
        heading = say("size")
        axes.text(0, 4, heading, va="center", fontsize=SMALL, color=GREY)
        return finished(figure, prefix, title, words, demo=demo)


def _point(
    axes: Axes, x: float, i: int, row: Row, rule: dict[str, Any], ends: tuple[float, float]
) -> None:
    if not row["value"]:
        axes.text(x, sum(ends) / 2, row["marker"] or "x", ha="center", va="center")
        return
    limits = [-rule["limits"][1], -rule["limits"][0]]

    def down(text: str) -> float:
        return across(-scale(float(text), row["unit"]), limits, *ends)

    if row["low"] and row["high"]:
        axes.plot([x, x], [down(row["low"]), down(row["high"])], color=BLUE, lw=1.6)
    axes.plot(
        [x], [down(row["value"])], "o", ms=8.5, color=BLUE, mec=PAPER, mew=1.2, gid=f"row-{i}"
    )
    text = effect(float(row["value"]), row["unit"])
    axes.text(x + 8, down(row["value"]), text, va="center", fontsize=SMALL, weight="bold")
