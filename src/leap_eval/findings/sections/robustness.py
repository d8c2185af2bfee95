"""Were the groups comparable, and how could a difference mislead?"""

from __future__ import annotations

from leap_eval.findings.document import Fold, Node, Picture, para
from leap_eval.findings.figures import love as drawn
from leap_eval.findings.release import Output, Release
from leap_eval.findings.tables import crossed, folded, table
from leap_eval.findings.words import label, say


def love(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show how alike the groups were."""
    told: list[Node] = []
    for trial in dict.fromkeys(r["trial"] for r in output.rows):
        rows = output.where(trial=trial)
        name = label("trial", trial)
        title = say("love", trial=name)
        words = say("love_alt", title=title)
        svg = drawn.love(rows, f"love-{trial}", title, words, demo=release.demo)
        grid = table(rows, say("love_table", trial=name), ("trial",))
        told.append(Picture(svg, words, title, folded(grid, output)))
    return tuple(told)


def checks(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show the checks and what came out: in full, in words, or in a sentence."""
    if audience == "funder":
        return (para(say("checks_short")),)
    told = tuple(
        crossed(output.where(outcome=o), "contrast", "check",
                say("checks_table", outcome=label("outcome", o)))
        for o in dict.fromkeys(r["outcome"] for r in output.rows)
    )  # fmt: skip
    return para(say("checks_words")), Fold(say("checks"), told)
