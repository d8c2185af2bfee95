"""Estimates on a page: graded findings, forests, pairs, groups, balance and checks."""

from __future__ import annotations

from collections.abc import Sequence

from leap_eval.findings.document import Card, Fold, Heading, Node, Picture, para
from leap_eval.findings.figures import forest as drawn
from leap_eval.findings.figures import love as balanced
from leap_eval.findings.release import Output, Row
from leap_eval.findings.sections.counts import folded
from leap_eval.findings.tables import table
from leap_eval.findings.words import effect, label, sentence, services, shown, subgroup

TOLD = ("combination", "service", "pair_named", "pair_scan")
FAMILIES = {"funder": TOLD[:3]}
GRADED = ("A", "B", "C", "N")


def _joint(output: Output, outcome: str, families: Sequence[str]) -> list[Row]:
    rows = [r for r in output.where(measure="estimate") if r["family"] in families]
    rows = [r for r in rows if outcome in ("", r["outcome"])]
    return sorted(rows, key=lambda r: families.index(r["family"]))


def _beside(output: Output, row: Row, measure: str) -> Row | None:
    keys = ("outcome", "family", "contrast", "subgroup")
    found = output.where(measure=measure, **{k: row[k] for k in keys})
    return found[0] if found else None


def headlines(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Tell each planned finding, in the order of the plan, never of size."""
    families = FAMILIES.get(audience, TOLD)
    outcomes = list(dict.fromkeys(r["outcome"] for r in output.rows))
    told: list[Node] = []
    for outcome in outcomes:
        rows = _joint(output, outcome, families)
        told.append(Heading(3, _capital(label("outcome", outcome))))
        graded = [r for r in rows if r["grade"] in GRADED and r["value"]]
        first = [r for r in graded if r["status"] == "prespecified" and r["grade"] != "C"]
        told += [_card(output, r) for r in first] or [
            para("We cannot tell yet: no difference is clear enough to name.")
        ]
        rest = tuple(_card(output, r) for r in graded if r not in first)
        told += [Fold("Weaker signs, and what was looked at beyond the plan", rest)] if rest else []
        untold = tuple(para(sentence(r, "")) for r in rows if r not in graded)
        told += [Fold("Where we cannot tell", untold)] if untold else []
    return tuple(told)


def _card(output: Output, row: Row) -> Card:
    n, least = _beside(output, row, "n_arm"), _beside(output, row, "mde80")
    told = sentence(row, shown(n) if n else "x")
    note = f"{_capital(label('family', row['family']))}; {label('status', row['status'])}."
    if row["family"] == "combination":
        note = f"Exactly these services of those compared; {label('status', row['status'])}."
    if least and least["value"]:
        unit = label("unit", row["unit"])
        note += f" We could have seen a difference of {shown(least)} {unit} or more."
    return Card(row["grade"], label("grade", row["grade"]), told, note)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def forest(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show every difference on one outcome."""
    rows = _joint(output, option, FAMILIES.get(audience, TOLD))
    if not rows:
        return (para("Not in this release: too few children."),)
    what = label("outcome", option)
    told = [(_short(r), r, _beside(output, r, "pointwise") or r) for r in rows]
    title = f"Differences: {what}"
    words = _alt(title, rows)
    better = label("better", option)
    svg = drawn.forest(told, rows[0]["unit"], better, f"forest-{option}", title, words, demo=demo)
    shown_rows = [r for r in output.rows if r["outcome"] == option and r["family"] in TOLD]
    kept = [r for r in shown_rows if r["measure"] in ("estimate", "n_arm", "mde80")]
    kept = [r for r in kept if r["family"] in FAMILIES.get(audience, TOLD)]
    grid = table(kept, f"differences on {what}", ("outcome", "subgroup"))
    return Picture(svg, words, title), folded(grid, output)


def _short(row: Row) -> str:
    name = services(row["contrast"]).replace("Speech and Language Therapy", "Speech Therapy")
    head = {"combination": "only ", "service": "", "pair_named": "pair: ", "pair_scan": "pair: "}
    text = head.get(row["family"], "") + name
    if len(text) <= 42:
        return text
    cut = text.rfind(" ", 0, 42)
    return f"{text[:cut]}\n{text[cut + 1 :]}"


def _alt(title: str, rows: Sequence[Row]) -> str:
    told = [r for r in rows if r["value"]]
    if not told:
        return f"{title}. No difference could be estimated."
    ordered = sorted(told, key=lambda r: float(r["value"]))
    ends = [
        f"{services(r['contrast'])} {effect(float(r['value']), r['unit'])} grade {r['grade']}"
        for r in (ordered[0], ordered[-1])
    ]
    unit = label("unit", rows[0]["unit"])
    return f"{title}, in {unit}, with limits and grades. Least: {ends[0]}. Most: {ends[1]}."[:300]


def synergy(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show what pairs give beyond both alone."""
    rows = _joint(output, option, ("pair_named", "pair_scan"))
    if not rows:
        return (para("No pair of services was used by enough children to compare."),)
    title = f"More or less than both alone: {label('outcome', option)}"
    words = _alt(title, rows)
    svg = drawn.synergy(rows, f"synergy-{option}", title, words, demo=demo)
    return (Picture(svg, words, title),)


def equity(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show differences within groups of children."""
    rows = _joint(output, option, ("subgroup",))
    if not rows:
        return (para("No group held enough children for a comparison of its own."),)
    told: list[Node] = []
    for service in dict.fromkeys(r["contrast"] for r in rows):
        mine = [r for r in rows if r["contrast"] == service]
        lines = [
            (_capital(subgroup(r["subgroup"])), r, _beside(output, r, "pointwise") or r)
            for r in mine
        ]
        title = f"{services(service)} by group: {label('outcome', option)}"
        words = _alt(title, mine)
        svg = drawn.forest(
            lines, mine[0]["unit"], label("better", option), f"equity-{option}-{service}", title,
            words, demo=demo,
        )  # fmt: skip
        told.append(Picture(svg, words, title))
    return (
        (*told[:2], Fold("Other services by group", tuple(told[2:]))) if told[2:] else tuple(told)
    )


def love(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show how alike the groups were."""
    told: list[Node] = []
    for trial in dict.fromkeys(r["trial"] for r in output.rows):
        rows = output.where(trial=trial)
        title = f"How alike the groups are, from the {label('trial', trial)}"
        words = (
            f"{title}. For each thing known of a child, the largest difference over all groups, "
            "before weighting and after. After weighting the differences should lie left of the "
            "first dashed line."
        )
        told.append(
            Picture(balanced.love(rows, f"love-{trial}", title, words, demo=demo), words, title)
        )
    grid = table(output.rows, "differences between groups before and after weighting")
    return (*told, folded(grid, output)) if audience == "leap" else tuple(told)


def checks(output: Output, option: str, audience: str, demo: bool) -> tuple[Node, ...]:
    """Show the checks and what came out."""
    return (folded(table(output.rows, "what each check came to"), output),)
