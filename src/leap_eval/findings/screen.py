"""The nodes of a page as HTML: every text escaped, every number inside the name of its output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from itertools import groupby

from leap_eval.findings import document as d
from leap_eval.findings.formula import mathml
from leap_eval.findings.words import capital, say

TAGS = {"strong": "strong", "em": "em"}
TEXT = ' class="t"'
SIDE_BY_SIDE = {d.Card: "cards", d.Picture: "figures"}


def html(nodes: Iterable[d.Node]) -> str:
    """Return the HTML of nodes; cards that follow one another stand side by side, so do figures."""
    told: list[str] = []
    for kind, group in groupby(nodes, key=_beside):
        inner = "\n".join(_node(n) for n in group)
        told.append(f'<div class="{kind}">{inner}</div>' if kind else inner)
    return "\n".join(told)


def _beside(node: d.Node) -> str:
    if isinstance(node, d.Part):
        pictures = sum(isinstance(n, d.Picture) for n in node.nodes)
        return "figures" if pictures == 1 and not isinstance(node.nodes[-1], d.Fold) else ""
    return SIDE_BY_SIDE.get(type(node), "")


def section(part: d.Part) -> str:
    """Return one part, every number of which is a cell of its output."""
    return f'<section data-output="{escape(part.output)}">{html(part.nodes)}</section>'


def slug(text: str) -> str:
    """Return the `id` of a heading."""
    return re.sub(r"[^a-z]+", "-", text.lower()).strip("-")


def _node(node: d.Node) -> str:
    match node:
        case d.Heading(level, text):
            return f'<h{level} id="{slug(text)}">{escape(text)}</h{level}>'
        case d.Para(runs, kind):
            mark = f' class="{kind}"' if kind else ""
            return f"<p{mark}>{_runs(runs)}</p>"
        case d.Listing(items):
            return "<ul>" + "".join(f"<li>{_runs(i)}</li>" for i in items) + "</ul>"
        case d.Part():
            return section(node)
        case d.Fold(summary, nodes):
            return f"<details><summary>{escape(summary)}</summary>{html(nodes)}</details>"
        case d.Download(name, address, words):
            return (
                f'<p class="file"><a download="{escape(name)}" href="{address}">'
                f"{escape(words)}</a></p>"
            )
        case d.Card():
            return _card(node)
        case d.Picture(svg, _, title, numbers):
            return f"<figure><figcaption>{escape(title)}</figcaption>{svg}{_node(numbers)}</figure>"
        case d.Grid():
            return _grid(node)


def _card(card: d.Card) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in card.notes)
    return (
        f'<div class="card g{card.grade.lower()}"><p class="grade"><span class="letter">'
        f'{card.grade}</span> {escape(card.words)}</p><p class="told">{escape(card.sentence)}</p>'
        f'<ul class="note">{notes}</ul></div>'
    )


def _runs(runs: Iterable[d.Run]) -> str:
    told = []
    for run in runs:
        text = escape(run.text)
        if run.kind in TAGS:
            text = f"<{TAGS[run.kind]}>{text}</{TAGS[run.kind]}>"
        elif run.kind == "number":
            text = f'<span data-output="{escape(run.target)}">{text}</span>'
        elif run.kind == "link":
            text = f'<a href="{escape(run.target)}">{text}</a>'
        elif run.kind == "math":
            text = mathml(run.text)
        told.append(text)
    return "".join(told)


def _grid(grid: d.Grid) -> str:
    words = {i for row in grid.rows for i, text in enumerate(row) if len(text) > 24}
    head = "".join(
        f'<th scope="col"{TEXT if i in words else ""}>{escape(h)}</th>'
        for i, h in enumerate(grid.header)
    )
    body = "".join(f"<tr>{_line(row, grid.heads, words)}</tr>" for row in grid.rows)
    name = escape(capital(grid.caption))
    spoken = escape(say("table_name", caption=capital(grid.caption)))
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{spoken}"><table>'
        f"<caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _line(row: tuple[str, ...], heads: int, words: set[int]) -> str:
    told = []
    for place, text in enumerate(row):
        if place < heads:
            told.append(f'<th scope="row">{escape(text)}</th>')
        elif text == "c":
            told.append('<td class="c">c</td>')
        else:
            # Words are read from the left, numbers compared at the right.
            told.append(f"<td{TEXT if place in words else ''}>{escape(text)}</td>")
    return "".join(told)
