"""Balance: how alike the groups are before and after weighting."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from leap_eval.findings.figures.style import (
    BLUE,
    FAINT,
    GREY,
    PAPER,
    RUST,
    SMALL,
    across,
    canvas,
    finished,
)  # fmt: skip
from leap_eval.findings.release import Row
from leap_eval.findings.words import label, say
from leap_eval.reference.labels import figures, labels

LEFT, RIGHT = 186, 392
LINES = (0.1, 0.2)
KINDS = (("smd_before", RUST, False), ("smd_after", BLUE, True))


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Gather rows by what is drawn: each named covariate, services used before, gaps."""
    named = labels()["covariate"]
    told: dict[str, list[Row]] = {c: [] for c in named}
    told |= {"services_before": [], "not_recorded": []}
    for row in rows:
        code = row["covariate"]
        kind = "services_before" if code.startswith("used_") else "not_recorded"
        told[code if code in named else kind].append(row)
    return {k: v for k, v in told.items() if v}


def love(rows: Sequence[Row], prefix: str, title: str, words: str, *, demo: bool) -> str:
    """Draw the largest imbalance over all groups of children, before and after weighting."""
    rule, parts = figures()["love"], groups(rows)
    deep = 19 * len(parts) + 24
    with canvas(deep + 38) as (figure, axes):
        for line in LINES:
            x = across(line, rule["limits"], LEFT, RIGHT)
            axes.plot([x, x], [22, deep], color=GREY, lw=0.9, ls=(0, (4, 3)))
        for i, (name, told) in enumerate(parts.items()):
            y = 34 + 19 * i
            text = label("covariate", name) if name in labels()["covariate"] else say(name)
            axes.text(LEFT - 8, y, text, ha="right", va="center", fontsize=SMALL)
            axes.plot([LEFT, RIGHT], [y, y], color=FAINT, lw=0.6)
            _marks(axes, y, i, told, rule["limits"])
        for tick in rule["ticks"]:
            x = across(tick, rule["limits"], LEFT, RIGHT)
            axes.text(x, deep + 4, f"{tick:g}", ha="center", va="top", fontsize=SMALL)
        axes.text(
            396, deep + 20, say("love_axis"), ha="right", va="top", fontsize=SMALL, color=GREY
        )
        for x, (_, colour, full), key in zip((170, 290), KINDS, ("before", "after"), strict=True):
            _dot(axes, x, 9, colour, full)
            axes.text(x + 8, 9, say(key), va="center", fontsize=SMALL)
        return finished(figure, prefix, title, words, demo=demo)


def _marks(axes: Axes, y: float, i: int, rows: Sequence[Row], limits: Sequence[float]) -> None:
    for measure, colour, full in KINDS:
        told = [abs(float(r["value"])) for r in rows if r["measure"] == measure and r["value"]]
        if told:
            _dot(
                axes, across(max(told), limits, LEFT, RIGHT), y, colour, full, f"row-{i}-{measure}"
            )


def _dot(axes: Axes, x: float, y: float, colour: str, full: bool, mark: str = "") -> None:
    axes.plot([x], [y], "o", ms=7, color=colour, mfc=colour if full else PAPER, mew=1.5,
              gid=mark or None)  # fmt: skip
