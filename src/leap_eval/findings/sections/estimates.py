"""Estimates on a page: graded findings, forests, pairs, groups, amounts."""

from __future__ import annotations

from collections.abc import Sequence

from leap_eval.findings.document import Card, Fold, Grid, Heading, Listing, Node, Picture, Run, para
from leap_eval.findings.figures import forest as drawn
from leap_eval.findings.figures import matrix
from leap_eval.findings.release import Output, Release, Row
from leap_eval.findings.tables import folded, table
from leap_eval.findings.words import (
    amount,
    capital,
    contrast,
    effect,
    label,
    listed,
    say,
    sentence,
    services,
    shown,
    subgroup,
)
from leap_eval.reference.labels import labels

TOLD = ("combination", "service", "pairnamed", "pair_scan", "dose", "breadth")
FAMILIES = {"funder": TOLD[:3]}
GRADED = ("A", "B", "C", "N")
LEAST_POINTS = 2
HEADS = {"combination": "exactly", "service": "any_use", "pairnamed": "pairs",
         "pair_scan": "pairs"}  # fmt: skip
KEYS = ("outcome", "family", "contrast", "subgroup")


def told_families(audience: str) -> tuple[str, ...]:
    """Return the families of comparisons that an audience reads; its tables hold all."""
    return FAMILIES.get(audience, TOLD)


def joint(output: Output, outcome: str, families: Sequence[str]) -> list[Row]:
    """Return the estimates of an outcome in the order of the plan."""
    rows = [r for r in output.where(measure="estimate", outcome=outcome) if r["family"] in families]
    return sorted(rows, key=lambda r: families.index(r["family"]))


def beside(output: Output, row: Row, measure: str) -> Row | None:
    """Return another measure of the same contrast."""
    found = output.where(measure=measure, **{k: row[k] for k in KEYS})
    return found[0] if found else None


def headlines(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Tell each planned finding, in the order of the plan, never of size."""
    told: list[Node] = []
    open_: list[str] = []
    empty: list[str] = []
    untold: list[Row] = []
    for outcome in dict.fromkeys(r["outcome"] for r in output.rows):
        rows = joint(output, outcome, told_families(audience))
        name = capital(label("outcome", outcome))
        graded = [r for r in rows if r["grade"] in GRADED and r["value"]]
        first = [r for r in graded if r["status"] == "prespecified" and r["grade"] != "C"]
        rest = tuple(_card(release, output, r) for r in graded if r not in first)
        if first:
            told += [Heading(3, name), *(_card(release, output, r) for r in first)]
        elif any(r["value"] for r in rows):
            open_.append(name)
        else:
            empty.append(name)
        if rest:
            told.append(Fold(say("further", outcome=label("outcome", outcome)), rest))
        untold += [r for r in rows if r not in graded]
    if open_ and not told:
        told.append(para(say("cannot_all"), "big"))
    for key, names in (("cannot", open_), ("no_result", empty)):
        if names:
            told += [para(say(key)), Listing(tuple((Run(name),) for name in names))]
    if untold:
        told.append(Fold(say("untold"), _untold(untold)))
    return tuple(told)


def _untold(rows: Sequence[Row]) -> tuple[Node, ...]:
    """List the comparisons without a conclusion by the reason why there is none."""
    by_reason: dict[str, list[tuple[Run, ...]]] = {}
    for row in rows:
        reason = row["reason"] if row["reason"] in labels()["why"] else "rest"
        by_reason.setdefault(label("why", reason), []).append((Run(sentence(row, "")),))
    return tuple(
        node
        for why, items in by_reason.items()
        for node in (para(say("untold_why", why=why)), Listing(tuple(items)))
    )


def _card(release: Release, output: Output, row: Row) -> Card:
    n, least = beside(output, row, "n_arm"), beside(output, row, "mde80")
    size = shown(n) if n else "x"
    notes = [
        say("standing", family=capital(label("family", row["family"])),
            status=label("status", row["status"]))
    ]  # fmt: skip
    if "{n}" not in sentence(row, "{n}") and n and n["value"]:
        notes.append(say("who", n=size))
    if least and least["value"]:
        notes.append(say("could_see", n=shown(least), unit=label("unit", row["unit"])))
    notes += _checked(release, row)
    return Card(row["grade"], label("grade", row["grade"]), sentence(row, size), tuple(notes))


def _checked(release: Release, row: Row) -> list[str]:
    if "checks" not in release.outputs:
        return []
    name = f"{row['family']}: {row['contrast']}"
    rows = release.outputs["checks"].where(outcome=row["outcome"], contrast=name)
    told = {
        key: [label("check", r["check"]) for r in rows if r["code"] in codes]
        for key, codes in (("warned", ("warn", "fail")), ("unrun", ("not_run",)))
    }
    made = [say(key, names=listed(names)) for key, names in told.items() if names]
    return made if made or not rows else [say("all_pass")]


def forest(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show every difference on one outcome."""
    rows = [r for r in joint(output, option, told_families(audience)) if r["family"] in HEADS]
    if not any(r["value"] for r in rows):
        return ()
    parts = [
        (say(head), [named(output, r, services(r["contrast"])) for r in mine])
        for head in dict.fromkeys(HEADS.values())
        if (mine := [r for r in rows if HEADS[r["family"]] == head])
    ]
    title = capital(label("outcome", option))
    words = spoken(say("forest_alt", outcome=label("outcome", option), unit=unit_of(rows)), rows)
    data = folded(
        grid_of(output, rows, say("forest_table", outcome=label("outcome", option))), output
    )
    svg = drawn.forest(
        parts, rows[0]["unit"], label("better", option), f"forest-{option}", title, words,
        demo=release.demo,
    )  # fmt: skip
    return (Picture(svg, words, title, data),)


def named(output: Output, row: Row, name: str) -> tuple[str, Row, Row]:
    """Return a line of a forest: its name, the joint limits and those of the comparison alone."""
    return name, row, beside(output, row, "pointwise") or row


def unit_of(rows: Sequence[Row]) -> str:
    """Return the unit of these differences in words."""
    return label("unit", rows[0]["unit"])


def grid_of(output: Output, rows: Sequence[Row], caption: str, by_group: bool = False) -> Grid:
    """Return the table of these differences, with children and the smallest visible difference."""
    wanted = {tuple(r[k] for k in KEYS) for r in rows}
    kept = [
        r for r in output.rows
        if tuple(r[k] for k in KEYS) in wanted and r["measure"] in ("estimate", "n_arm", "mde80")
    ]  # fmt: skip
    return table(kept, caption, ("outcome",) if by_group else ("outcome", "subgroup"))


def spoken(what: str, rows: Sequence[Row], key: str = "contrast") -> str:
    """Return the words for those who cannot see a figure: what it shows, and its two ends."""
    told = sorted((r for r in rows if r["value"]), key=lambda r: float(r["value"]))
    if not told:
        return say("nothing_shown", what=what.rstrip("."))
    least, most = told[0], told[-1]
    ends = say(
        "forest_ends", first=_end(least, key), n=effect(float(least["value"]), least["unit"]),
        g=least["grade"], second=_end(most, key), m=effect(float(most["value"]), most["unit"]),
        h=most["grade"],
    )  # fmt: skip
    return f"{what} {ends}"


def _end(row: Row, key: str) -> str:
    if key == "subgroup":
        return subgroup(row["subgroup"])
    return contrast(row["contrast"])


def synergy(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show what pairs give beyond both alone."""
    rows = joint(output, option, ("pairnamed", "pair_scan"))
    if not any(r["value"] for r in rows):
        return (para(say("synergy_none", outcome=capital(label("outcome", option)))),)
    what = label("outcome", option)
    title = say("synergy", outcome=what)
    words = spoken(say("synergy_alt", outcome=what, unit=unit_of(rows)), rows)
    svg = matrix.synergy(rows, f"synergy-{option}", title, words, demo=release.demo)
    grid = grid_of(output, rows, say("synergy_table", outcome=what))
    return (Picture(svg, words, title, folded(grid, output)),)


def dose(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show differences by how much of a service children had."""
    rows = joint(output, option, ("dose",))
    if not any(r["value"] for r in rows):
        return (para(say("dose_none")),)
    by_service: dict[str, list[Row]] = {}
    for row in rows:
        by_service.setdefault(amount(row["contrast"])[0], []).append(row)
    return tuple(
        node
        for service, mine in by_service.items()
        if any(r["value"] for r in mine)
        for node in _amounts(release, output, option, "dose", service, mine)
    )


def breadth(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show differences by how many services children started."""
    rows = joint(output, option, ("breadth",))
    if not any(r["value"] for r in rows):
        return (para(say("breadth_none")),)
    return _amounts(release, output, option, "breadth", "", rows)


def _amounts(
    release: Release, output: Output, option: str, kind: str, service: str, rows: list[Row]
) -> tuple[Node, ...]:
    """Draw the differences by amount; of a single amount say it, for one point is no curve."""
    what = label("outcome", option)
    slots = {"outcome": what} | ({"services": services(service)} if service else {})
    title = say(kind, **slots)
    words = spoken(say(f"{kind}_alt", unit=unit_of(rows), **slots), rows)
    told = [
        (amount(r["contrast"])[1], r, beside(output, r, "n_arm"))
        for r in rows
        if not r["contrast"].endswith(":trend")
    ]
    caption = say(f"{kind}_table", outcome=what)
    if service:
        caption = say("under", first=caption, second=services(service))
    data = folded(grid_of(output, rows, caption), output)
    if sum(bool(r["value"]) for _, r, _ in told) < LEAST_POINTS:
        cards = (_card(release, output, r) for _, r, _ in told if r["value"])
        return Heading(3, title), *cards, data
    svg = drawn.dose(
        told, rows[0]["unit"], say(f"{kind}_axis"), f"{kind}-{option}-{service}".strip("-"), title,
        words, demo=release.demo,
    )  # fmt: skip
    return (Picture(svg, words, title, data),)
