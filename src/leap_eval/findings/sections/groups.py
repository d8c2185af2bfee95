"""Groups of children on a page: differences within a group, and a group beside everybody else."""

from __future__ import annotations

from leap_eval.findings.document import Fold, Listing, Node, Picture, Run, para
from leap_eval.findings.figures import forest as drawn
from leap_eval.findings.release import Output, Release, Row
from leap_eval.findings.sections.estimates import GRADED, grid_of, joint, named, spoken
from leap_eval.findings.tables import folded, table
from leap_eval.findings.words import capital, label, say, sentence, services, subgroup


def gaps(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Tell where a service goes with more, or less, in one group than in all others."""
    rows = output.where(family="subgroup_gap", measure="estimate")
    if not any(r["value"] for r in rows):
        return (para(say("gaps_none")),)
    clear = tuple(
        (Run(say("under", first=capital(subgroup(r["subgroup"])), second=sentence(r, ""))),)
        for r in rows
        if r["value"] and r["grade"] in GRADED
    )
    told = (para(say("gaps_some")), Listing(clear)) if clear else (para(say("gaps_unclear")),)
    return *told, folded(table(rows, say("gaps_table")), output)


def equity(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show differences within groups of children, one small figure a service."""
    rows = joint(output, option, ("subgroup",))
    if not any(r["value"] for r in rows):
        return (para(say("equity_none")),)
    what, told = label("outcome", option), []
    for service in dict.fromkeys(r["contrast"] for r in rows):
        mine = [r for r in rows if r["contrast"] == service]
        if any(r["value"] for r in mine):
            told.append(_groups(release, output, option, service, mine, what))
    if len(told) <= 2:
        return tuple(told)
    return *told[:2], Fold(say("equity_more"), tuple(told[2:]))


def _groups(
    release: Release, output: Output, option: str, service: str, rows: list[Row], what: str
) -> Picture:
    lines = [named(output, r, capital(subgroup(r["subgroup"]))) for r in rows]
    title = say("equity", services=services(service), outcome=what)
    words = spoken(say("equity_alt", title=title), rows, "subgroup")
    svg = drawn.forest(
        [("", lines)], rows[0]["unit"], label("better", option), f"equity-{option}-{service}",
        title, words, demo=release.demo,
    )  # fmt: skip
    grid = grid_of(
        output,
        rows,
        say("under", first=say("equity_table", outcome=what), second=services(service)),
        True,
    )
    return Picture(svg, words, title, folded(grid, output))
