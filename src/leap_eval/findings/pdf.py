"""The same nodes on paper: tagged, with the same figures and the same alternative texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from leap_eval.errors import PageError
from leap_eval.findings import document as d
from leap_eval.findings.figures.style import FONTS
from leap_eval.findings.formula import spoken
from leap_eval.findings.formula import typst as mathematics
from leap_eval.findings.release import Release
from leap_eval.findings.words import day

MOST_BYTES = 700_000
MOST_ROWS = 60  # a longer table stays on the page, and in its file


def render_pdf(
    nodes: tuple[d.Node, ...], release: Release, audience: str, facts: dict[str, str]
) -> bytes:
    """Return the PDF of one audience; PDF/UA refuses a figure without words."""
    import typst

    from leap_eval.findings.exporter import heading, shell, title

    told = {
        "title": title(release, audience),
        "heading": heading(audience),
        "demo": release.demo,
        "as_at": day(release.manifest["as_at"]),
        "name": release.manifest["name"],
        "contact": facts["contact"],
        "nodes": [made for node in nodes for made in _node(node)],
    }
    options: Any = {
        "sys_inputs": {"told": json.dumps(told, ensure_ascii=False)},
        "pdf_standards": "ua-1",
        "ignore_system_fonts": True,
        "font_paths": [str(FONTS)],
    }
    made: bytes = typst.compile(shell("page.typ").encode(), **options)
    if len(made) > MOST_BYTES:
        raise PageError(f"findings {audience}: the PDF has {len(made) // 1000} kB; show less")
    return made


def _node(node: d.Node) -> list[dict[str, Any]]:
    match node:
        case d.Heading(level, text):
            return [{"kind": "heading", "level": level, "text": text}]
        case d.Para(runs, kind):
            return [{"kind": "para", "note": kind == "note", "runs": _runs(runs)}]
        case d.Listing(items):
            return [{"kind": "list", "items": [_runs(i) for i in items]}]
        case d.Part(_, nodes):
            return [made for inner in nodes for made in _node(inner)]
        case d.Fold(summary, nodes):
            return _fold(summary, nodes)
        case d.Download():
            return []
        case d.Card(grade, words, sentence, note):
            return [
                {"kind": "card", "grade": grade, "words": words, "text": sentence, "note": note}
            ]
        case d.Picture(svg, alt, title):
            return [{"kind": "figure", "svg": _plain(svg), "alt": alt, "title": title}]
        case d.Grid(caption, header, rows, heads):
            return [
                {
                    "kind": "table",
                    "caption": caption,
                    "header": header,
                    "rows": rows,
                    "heads": heads,
                }
            ]


def _fold(summary: str, nodes: Iterable[d.Node]) -> list[dict[str, Any]]:
    kept = [n for n in nodes if not (isinstance(n, d.Grid) and _large(n))]
    if len(kept) < 2 and not any(isinstance(n, d.Grid | d.Picture | d.Card) for n in kept):
        return []
    made = [made for node in kept for made in _node(node)]
    return [{"kind": "label", "text": summary}, *made]


def _large(grid: d.Grid) -> bool:
    return len(grid.rows) > MOST_ROWS or len(grid.header) > 8


def _plain(svg: str) -> str:
    # Classes serve the dark screen; paper takes the attributes.
    return re.sub(r' (?:class|data-row|role|aria-labelledby)="[^"]*"', "", svg)


def _runs(runs: Iterable[d.Run]) -> list[dict[str, str]]:
    return [
        {"kind": "math", "text": mathematics(r.text), "alt": spoken(r.text)}
        if r.kind == "math"
        else {"kind": r.kind, "text": r.text}
        for r in runs
    ]
