"""The nodes of a page as HTML: every text escaped, every number inside the name of its output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from leap_eval.findings import document as d
from leap_eval.findings.formula import mathml

TAGS = {"strong": "strong", "em": "em"}


def html(nodes: Iterable[d.Node]) -> str:
    """Return the HTML of nodes."""
    told, cards = [], []
    for node in (*nodes, None):
        if isinstance(node, d.Card):
            cards.append(_card(node))
            continue
        if cards:
            told.append(f'<div class="cards">{"".join(cards)}</div>')
            cards = []
        told += [_node(node)] if node else []
    return "\n".join(told)


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
        case d.Part(output, nodes):
            return f'<div data-output="{escape(output)}">{html(nodes)}</div>'
        case d.Fold(summary, nodes):
            return f"<details><summary>{escape(summary)}</summary>{html(nodes)}</details>"
        case d.Download(name, address, words):
            return (
                f'<p class="file"><a download="{escape(name)}" href="{address}">'
                f"{escape(words)}</a></p>"
            )
        case d.Card():
            return _card(node)
        case d.Picture(svg, _, title):
            return (
                f'<figure><figcaption>{escape(title)}</figcaption><div class="wide" role="region" '
                f'tabindex="0" aria-label="{escape(title)}, figure">{svg}</div></figure>'
            )
        case d.Grid():
            return _grid(node)


def _card(card: d.Card) -> str:
    return (
        f'<div class="card g{card.grade.lower()}"><p class="grade"><span class="letter">'
        f"{card.grade}</span> {escape(card.words)}</p><p>{escape(card.sentence)}</p>"
        f'<p class="note">{escape(card.note)}</p></div>'
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
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in grid.header)
    body = "".join(f"<tr>{_line(row, grid.heads)}</tr>" for row in grid.rows)
    name = escape(grid.caption[:1].upper() + grid.caption[1:])
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{name}, table"><table>'
        f"<caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _line(row: tuple[str, ...], heads: int) -> str:
    told = []
    for place, text in enumerate(row):
        if place < heads:
            told.append(f'<th scope="row">{escape(text)}</th>')
        elif text == "c":
            told.append('<td class="c">c</td>')
        else:
            told.append(f"<td>{escape(text)}</td>")
    return "".join(told)
