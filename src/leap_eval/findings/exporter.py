"""The page of one audience, built again from the release; the notebook only says in which order."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from leap_eval.errors import PageError
from leap_eval.findings import prose
from leap_eval.findings import sections as blocks_to
from leap_eval.findings.blocks import Block, every_block, read_blocks
from leap_eval.findings.document import Heading, Node, Part, para
from leap_eval.findings.release import Release
from leap_eval.findings.screen import html, section, slug
from leap_eval.findings.sections.about import title as titled
from leap_eval.findings.tables import folded, table
from leap_eval.findings.words import day, label, say
from leap_eval.pipeline.stages import exploratory

AUDIENCES = ("leap", "partners", "funder")
MOST_BYTES = 700_000


@cache
def shell(name: str) -> str:
    """Return one of the files that lie beside this module."""
    return files("leap_eval.findings").joinpath(name).read_text(encoding="utf-8")


def story(
    notebook: dict[str, Any], release: Release, audience: str, facts: dict[str, str]
) -> tuple[Node, ...]:
    """Return all that stands on the page in the notebook's order, then the tables left over."""
    if audience not in AUDIENCES:
        raise PageError(f"findings: the audience must be one of {', '.join(AUDIENCES)}")
    if exploratory(notebook):
        raise PageError("this notebook is exploratory; pages come from notebooks/08_findings.ipynb")
    told: list[Node] = []
    shown: set[str] = set()
    for block in read_blocks(notebook, release, audience):
        if isinstance(block, Block):
            shown.add(block.output)
            told += blocks_to.nodes(block, release, audience, facts)
        elif block.cell > 1:  # the first cell is the notebook's own title
            told += prose.nodes(block, release, facts)
    return (*told, *_left(release, audience, shown))


def flat(nodes: Iterable[Node]) -> Iterator[Node]:
    """Return nodes, those inside parts too."""
    for node in nodes:
        yield from flat(node.nodes) if isinstance(node, Part) else (node,)


def _left(release: Release, audience: str, shown: set[str]) -> list[Node]:
    left = [release.outputs[n] for n in release.ids(audience) if n not in shown]
    made: list[Node] = [
        Part(o.id, (folded(table(o.rows, titled(o.id)), o),)) for o in left if o.rows
    ]
    if not made:
        return []
    return [Heading(2, say("left_over")), para(say("left_lead")), *made]


def sections(nodes: Iterable[Node]) -> frozenset[str]:
    """Return the SHA-256 of each section of a page."""
    return frozenset(
        hashlib.sha256(section(n).encode()).hexdigest() for n in nodes if isinstance(n, Part)
    )


def every_section(release: Release, audience: str, facts: dict[str, str]) -> frozenset[str]:
    """Return the SHA-256 of each section that any block could make of this release."""
    made: list[Node] = _left(release, audience, set())
    for block in every_block(release, audience):
        made += blocks_to.nodes(block, release, audience, facts)
    return sections(made)


def page(notebook: dict[str, Any], release: Release, audience: str, facts: dict[str, str]) -> str:
    """Return the HTML page of one audience."""
    return as_html(story(notebook, release, audience, facts), release, audience, facts)


def as_html(nodes: tuple[Node, ...], release: Release, audience: str, facts: dict[str, str]) -> str:
    """Return nodes inside the page's shell."""
    style = shell("page.css")
    text = Environment(autoescape=False, undefined=StrictUndefined).from_string(
        shell("page.html.j2")
    )
    made = text.render(
        title=title(release, audience),
        heading=heading(audience),
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        demo=release.demo,
        stand=stands(release),
        say=say,
        contents=[
            (slug(n.text), n.text) for n in flat(nodes) if isinstance(n, Heading) and n.level == 2
        ],
        body=html(nodes),
        quiet=say("quiet", contact=facts["contact"]),
    )
    if len(made.encode()) > MOST_BYTES:
        raise PageError(
            f"findings {audience}: the page has {len(made.encode()) // 1000} kB and may have "
            f"{MOST_BYTES // 1000}; show fewer blocks"
        )
    return made


def heading(audience: str) -> str:
    """Return the page's one title."""
    return say("heading", readers=label("audience", audience))


def stands(release: Release) -> str:
    """Say what day the findings stand for, and in which release."""
    m = release.manifest
    return say("stand", day=day(m["as_at"]), name=m["name"])


def title(release: Release, audience: str) -> str:
    """Return the document's title, stamped while the data are pretend."""
    told = {"heading": heading(audience), "name": release.manifest["name"]}
    if release.demo:
        return say("title_pretend", pretend=say("pretend"), **told)
    return say("title", **told)
