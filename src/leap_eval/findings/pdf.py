"""The same nodes on paper: tagged, with the same figures and the same alternative texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from leap_eval.errors import PageError
from leap_eval.findings import document as d
from leap_eval.findings.figures.style import FONTS
from leap_eval.findings.formula import spoken
from leap_eval.findings.formula import typst as mathematics
from leap_eval.findings.release import Release
from leap_eval.findings.words import capital, say

MOST_BYTES = 700_000
MOST_ROWS, MOST_COLUMNS = 24, 4  # a larger table stays on the page, and in its file
BESIDE = 12  # rows of a table that stands under its figure


def render_pdf(
    nodes: tuple[d.Node, ...], release: Release, audience: str, facts: dict[str, str]
) -> bytes:
    """Return the PDF of one audience; PDF/UA refuses a figure without words."""
    import typst

    from leap_eval.findings.exporter import heading, shell, stands, title

    told = {
        "title": title(release, audience),
        "heading": heading(audience),
        "demo": release.demo,
        "stand": stands(release),
        "name": release.manifest["name"],
        "words": {k: say(k) for k in ("pretend", "kicker", "lead")},
        "nodes": _paired([made for node in nodes for made in _node(node)]),
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
        case d.Part(_, nodes) if any(isinstance(n, d.Download) for n in nodes):
            return []  # paper holds no files
        case d.Part(_, nodes):
            return [made for inner in nodes for made in _node(inner)]
        case d.Fold(_, nodes):
            return _fold(nodes)
        case d.Download():
            return []
        case d.Card(grade, words, sentence, notes):
            return [
                {"kind": "card", "grade": grade, "words": words, "text": sentence, "notes": notes}
            ]
        case d.Picture(svg, alt, title, numbers):
            told = {"kind": "figure", "svg": _plain(svg), "alt": alt, "title": title}
            few = [n for n in numbers.nodes if isinstance(n, d.Grid) and len(n.rows) <= BESIDE]
            return [told | {"numbers": [made for grid in few for made in _fold((grid,))]}]
        case d.Grid(caption, header, rows, heads):
            return [
                {
                    "kind": "table",
                    "caption": capital(caption),
                    "header": header,
                    "rows": rows,
                    "heads": heads,
                    "words": any(len(text) > 24 for row in rows for text in row[heads:]),
                }
            ]


def _paired(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Set figures that follow one another side by side; one alone has its table below, in full."""
    told: list[dict[str, Any]] = []
    for kind, group in groupby(made, key=lambda m: m["kind"] == "figure"):
        found = list(group)
        below = found[0]["numbers"] if kind and len(found) == 1 else []
        shown = [f | {"numbers": []} for f in found] if below else found
        told += [{"kind": "figures", "figures": shown}, *below] if kind else found
    return told


def _fold(nodes: Iterable[d.Node]) -> list[dict[str, Any]]:
    """Print what is drawn, and small tables; what is folded beyond that stays on the page."""
    nodes = tuple(nodes)
    if any(isinstance(n, d.Picture) for n in nodes):
        return [made for node in nodes for made in _node(node)]
    kept = [n for n in nodes if isinstance(n, d.Grid) and not _large(n)]
    return [made for node in kept for made in _node(node)]


def _large(grid: d.Grid) -> bool:
    return len(grid.rows) > MOST_ROWS or len(grid.header) > MOST_COLUMNS


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
