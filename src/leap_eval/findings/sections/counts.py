"""Counts on a page: who is counted, reach, combinations, quality of the data."""

from __future__ import annotations

from collections.abc import Sequence

from leap_eval.findings.document import Fold, Grid, Node, Picture, para
from leap_eval.findings.figures import love as strips
from leap_eval.findings.figures import reach as drawn
from leap_eval.findings.figures import upset as sets
from leap_eval.findings.release import Output, Row
from leap_eval.findings.tables import crossed, table
from leap_eval.findings.words import alt, label, why_withheld

WHOLE = ("all", "total")


def folded(grid: Grid, output: Output) -> Fold:
    """Put the table a figure was drawn from behind its summary."""
    return Fold(f"The numbers: {grid.caption}", (grid, para(why_withheld(output), "note")))


def flow(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show who is counted."""
    rows = [r for r in output.rows if r["measure"] == "children"]
    title = "From records to children studied"
    words = alt(title, rows, "step")
    svg = drawn.bars(rows, drawn.flow_names(rows), "flow", title, words, demo=demo)
    return Picture(svg, words, title), folded(table(rows, "records and children by step"), output)


def reach_map(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show the wards as squares."""
    rows = [r for r in output.rows if r["measure"] == "children" and r["ward"] not in WHOLE]
    title = "Children known to the programme, by ward"
    words = alt(title + ", each ward a square in its place, north at the top", rows, "ward")
    svg = drawn.squares(rows, "reach-ward", title, words, demo=demo)
    return Picture(svg, words, title), folded(table(rows, "children by ward"), output)


def reach(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show each service's children; by ward in the table."""
    rows = [r for r in output.rows if r["measure"] == "children" and r.get("used") != "not_used"]
    whole = [r for r in rows if r["ward"] in WHOLE and r["service"] not in WHOLE]
    told: list[Node] = []
    if whole:
        whole.sort(key=lambda r: (-float(r["value"] or 0), r["service"]))
        title = "Children who used each service"
        words = alt(title, whole, "service")
        names = [label("service", r["service"]) for r in whole]
        told = [Picture(drawn.bars(whole, names, "reach", title, words, demo=demo), words, title)]
    grid = crossed(rows, "service", "ward", "children who used each service, by ward")
    return (*told, folded(grid, output))


def reach_groups(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show whom each service reaches, as a table."""
    key = next(k for k in output.rows[0] if k in ("ethnicity_group5", "imd_third"))
    shares = output.where(measure="share") or output.where(measure="children")
    what = "share of children who used each service"
    if shares[0]["measure"] == "children":
        what = "children who used each service"
    grid = crossed(shares, "service", key, f"{what}, by {label('dimension', key)}")
    return grid, para(why_withheld(output), "note")


def upset(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show the combinations that families used."""
    rows = [r for r in output.rows if r["measure"] == "children"]
    columns = sets.columns(rows)
    trial = label("trial", output.id.removeprefix("combinations-"))
    title = f"Combinations of services started in the half year after the {trial}"
    words = alt(title, columns, "combination")
    svg = sets.upset(columns, output.id, title, words, demo=demo)
    grid = table(rows, f"children by combination, from the {trial}")
    return Picture(svg, words, title), folded(grid, output)


def quality(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show how complete the data are, and how well records were matched."""
    captions = {
        "data-quality": "what each partner sent",
        "linkage-quality": "how well records of the same child were matched",
        "linkage-bias": "matching by group of children",
    }
    grid = table(output.rows, captions.get(output.id, "quality"))
    if output.id != "data-quality":
        return grid, para(why_withheld(output), "note")
    title = "How complete each partner’s data are"
    words = alt(title, _complete(output.rows), "partner")
    svg = strips.strip(output.rows, "data-quality", title, words, demo=demo)
    return Picture(svg, words, title), folded(grid, output)


def _complete(rows: Sequence[Row]) -> list[Row]:
    return [r for r in rows if r["measure"] == "completeness"]
