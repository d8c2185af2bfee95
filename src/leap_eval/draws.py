"""Every set of links that may be true: the best whole, of the others the children they touch."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import ibis
from ibis import _

from leap_eval.contracts import settled

if TYPE_CHECKING:
    import ibis.expr.types as ir

BEST, STRICT, LOOSE = 0, -1, -2
MARK = "@"
RECORD = ("draw", "record_key", "role", "study_id", "family_id", "link_weight")


def drawn(links: ir.Table, draws: ir.Table) -> ir.Table:
    """Return who each record is: in the best links (draw 0), and in every other set it touches.

    Draws 1..D decide every uncertain link anew; -1 keeps only sure links, -2 adds doubtful
    ones. Of these, only the records of children who differ from the best links stand here,
    with their families' adults. In another draw than 0 a child and a family bear the draw in
    their names (`marked`), so that a step that knows nothing of draws keeps them apart. A
    child whom a draw dissolves stands with its best records and `present` false.
    """
    best = settled(links.select("record_key", "role", "study_id", "family_id", "link_weight"))
    moved = settled(_moved(best, links, draws))
    touched = settled(_touched(best, moved))
    # An anti-join by (draw, record): who did not move is, in that draw, who they were.
    mine = _stayed(best.filter(_.role == "child"), touched, "study_id", moved)
    theirs = moved.filter(_.role == "child")
    children = settled(mine.union(theirs.select(*RECORD)))
    gone = touched.anti_join(children, ["draw", "study_id"])
    gone = best.filter(_.role == "child").join(gone, "study_id").select(*RECORD)
    families = children.select("draw", "family_id").distinct()
    adults = _stayed(best.filter(_.role == "adult"), families, "family_id", moved)
    joined = moved.filter(_.role == "adult").semi_join(families, ["draw", "family_id"])
    parts = [
        best.mutate(draw=ibis.literal(BEST).cast("int64"), present=True),
        *(marked(t.mutate(present=True)) for t in (children, adults, joined.select(*RECORD))),
        marked(gone.mutate(present=False)),
    ]
    told = [p.select(*RECORD, "present") for p in parts]
    return settled(reduce(lambda a, b: a.union(b), told))


def _moved(best: ir.Table, links: ir.Table, draws: ir.Table) -> ir.Table:
    """Return the records that are somebody else in a draw, and whose family they then join."""
    sides = ((STRICT, "study_id_strict"), (LOOSE, "study_id_loose"))
    other = draws.select("draw", "record_key", "study_id")
    for number, column in sides:
        draw = ibis.literal(number).cast("int64")
        other = other.union(links.select(draw=draw, record_key="record_key", study_id=column))
    before = best.rename(old="study_id", own="family_id")
    both = other.join(before, "record_key").filter(_.study_id != _.old)
    homes = best.group_by("study_id").agg(family_id=_.family_id.min())
    both = both.left_join(homes, "study_id").drop("study_id_right")
    return both.mutate(family_id=ibis.coalesce(both.family_id, both.own))


def _touched(best: ir.Table, moved: ir.Table) -> ir.Table:
    """Return (draw, study_id) of children who gain or lose a record, or an adult's contacts."""
    child = moved.filter(_.role == "child")
    adult = moved.filter((_.role == "adult") & ~_.family_id.identical_to(_.own))
    homes = [adult.select("draw", family_id=adult[c]) for c in ("family_id", "own")]
    homes = homes[0].union(homes[1]).filter(_.family_id.notnull()).distinct()
    theirs = best.filter(_.role == "child").join(homes, "family_id")
    sides = [child.select("draw", study_id=child[c]) for c in ("study_id", "old")]
    return reduce(lambda a, b: a.union(b), [*sides, theirs.select("draw", "study_id")]).distinct()


def _stayed(best: ir.Table, whom: ir.Table, by: str, moved: ir.Table) -> ir.Table:
    inside = best.join(whom, by).select(*RECORD)
    return inside.anti_join(moved, ["draw", "record_key"])


def marked(table: ir.Table) -> ir.Table:
    """Put the draw into the names of children and families, unless it is draw 0."""
    names = [c for c in ("study_id", "family_id") if c in table.columns]
    last = ibis.ifelse(table.draw == BEST, "", ibis.literal(MARK) + table.draw.cast("string"))
    return table.mutate(**{c: table[c] + last for c in names})


def unmarked(table: ir.Table) -> ir.Table:
    """Take the draw out of the names again, into a column of its own."""
    parts = table.study_id.split(MARK)
    draw = ibis.ifelse(parts.length() > 1, parts[1], "0").cast("int64")
    names = [c for c in ("study_id", "family_id") if c in table.columns]
    return table.mutate(draw=draw, **{c: table[c].split(MARK)[0] for c in names})
