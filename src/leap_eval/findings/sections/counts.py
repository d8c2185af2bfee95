"""Counts on a page: who is counted, reach, combinations, quality of the data."""

from __future__ import annotations

from collections.abc import Sequence

from leap_eval.findings.document import Node, Picture, para
from leap_eval.findings.figures import matrix
from leap_eval.findings.figures import reach as drawn
from leap_eval.findings.figures import upset as sets
from leap_eval.findings.release import Output, Release
from leap_eval.findings.tables import crossed, folded, table
from leap_eval.findings.words import alt, label, say, shown, step, why_withheld

WHOLE = ("all", "total")


def flow(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show who is counted: first everybody, then each birthday with those left out and why."""
    rows = output.where(measure="children")
    whole = [r for k in drawn.WHOLE for r in rows if r["step"] == k]
    title = say("flow")
    told = []
    for trial in ("m12", "m24"):
        mine = [r for r in rows if r["step"].startswith(trial)]
        mine.sort(key=lambda r: (not r["step"].endswith("_eligible"), r["step"]))
        if len(shown_rows := (*whole, *mine)) > 2:
            names = [step(r["step"]) for r in shown_rows]
            head = say("of_trial", title=title, trial=label("trial", trial))
            words = say("flow_alt", title=head, first=names[0], n=shown(shown_rows[0]),
                        second=names[2], m=shown(shown_rows[2]))  # fmt: skip
            svg = drawn.flow(shown_rows, names, f"flow-{trial}", head, words, demo=release.demo)
            grid = table(
                shown_rows, say("of_trial", title=say("flow_table"), trial=label("trial", trial))
            )
            told.append(Picture(svg, words, head, folded(grid, output)))
    return tuple(told)


def reach_map(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show the wards as squares."""
    rows = [r for r in output.rows if r["measure"] == "children" and r["ward"] not in WHOLE]
    title = say("reach_map")
    words = alt(say("reach_map_alt", title=title), rows, "ward")
    svg = drawn.squares(rows, output.id, title, words, demo=release.demo)
    return (Picture(svg, words, title, folded(table(rows, say("ward_table")), output)),)


def reach(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show each service's children; by ward in the table."""
    rows = [r for r in output.rows if r["measure"] == "children" and r.get("used") != "not_used"]
    whole = [r for r in rows if r["ward"] in WHOLE and r["service"] not in WHOLE]
    data = folded(crossed(rows, "service", "ward", say("reach_table")), output)
    if not whole:
        return (data,)
    whole.sort(key=lambda r: (-float(r["value"] or 0), r["service"]))
    title = say("reach")
    words = alt(title, whole, "service")
    names = [label("service", r["service"]) for r in whole]
    svg = drawn.bars(whole, names, output.id, title, words, demo=release.demo)
    return (Picture(svg, words, title, data),)


def reach_groups(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show whom each service reaches, as squares with their numbers."""
    key = next(k for k in output.rows[0] if k in ("ethnicity_group5", "imd_third"))
    told = [r for r in output.rows if r["service"] not in WHOLE and r[key] not in WHOLE]
    shares = [r for r in told if r["measure"] == "share"]
    if not shares:
        grid = crossed(told, "service", key, say("groups_count", dimension=label("dimension", key)))
        return grid, para(why_withheld(output), "note")
    title = say("groups", dimension=label("dimension", key))
    words = alt(title, shares, "service")
    services = sorted({r["service"] for r in shares}, key=lambda s: label("service", s))
    order = list(label_order(key))
    groups = sorted({r[key] for r in shares}, key=lambda g: (order.index(g), g))
    svg = matrix.strip(
        shares, [(s, label("service", s)) for s in services],
        [(g, label(key, g)) for g in groups], ("service", key), output.id, title, words,
        demo=release.demo,
    )  # fmt: skip
    return (Picture(svg, words, title, folded(crossed(shares, "service", key, title), output)),)


def sums(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show means or totals beside the counts they stand for: crossed where there are services."""
    if "service" not in output.rows[0]:
        return (folded(table(output.rows, say(output.id), ["recorded"]), output),)
    key = next(k for k in output.rows[0] if k in ("ethnicity_group5", "imd_third"))
    rows = output.where(measure="total")
    return (folded(crossed(rows, "service", key, say(output.id)), output),)


def label_order(kind: str) -> Sequence[str]:
    """Return the codes of a list in its own order."""
    from leap_eval.reference.labels import labels

    return tuple(labels()[kind])


def upset(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show the combinations that families used."""
    rows = output.where(measure="children")
    columns = sets.columns(rows)
    trial = label("trial", output.id.removeprefix("combinations-"))
    title = say("upset", trial=trial)
    words = alt(title, columns, "combination")
    svg = sets.upset(columns, output.id, title, words, demo=release.demo)
    data = folded(table(rows, say("upset_table", trial=trial)), output)
    none = [r for r in rows if r["combination"] == "none"]
    rest = tuple(para(say("upset_rest", n=shown(r)), "note") for r in none)
    return Picture(svg, words, title, data), *rest


def quality(release: Release, output: Output, option: str, audience: str) -> tuple[Node, ...]:
    """Show how complete the data are, and how well records were matched."""
    if output.id != "data-quality":
        grid = table(output.rows, say(output.id))
        if len(output.rows) <= 12:
            return grid, para(why_withheld(output), "note")
        return (folded(grid, output),)
    measures = [m for m in ("completeness", "no_consent_share") if output.where(measure=m)]
    shares = [r for r in output.rows if r["measure"] in measures]
    title = say("quality")
    words = alt(title, output.where(measure="completeness"), "partner")
    partners = list(dict.fromkeys(r["partner"] for r in output.rows))
    svg = matrix.strip(
        shares, [(p, label("partner", p)) for p in partners],
        [(m, label("measure", m)) for m in measures], ("partner", "measure"), output.id, title,
        words, demo=release.demo,
    )  # fmt: skip
    grid = table(output.rows, say("quality_table"))
    return (Picture(svg, words, title, folded(grid, output)),)
