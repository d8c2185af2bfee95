"""Markdown of the notebook as paragraphs: an allow-list, and no number but by reference."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import mistune

from leap_eval.errors import PageError
from leap_eval.findings.blocks import Prose
from leap_eval.findings.document import Heading, Listing, Node, Para, Run
from leap_eval.findings.release import Release
from leap_eval.findings.words import shown

REFERENCE = re.compile(r"\{\{([a-z0-9_-]+)\.([a-z0-9_-]+)(?:\[([^\]\n{}]*)\])?\}\}")
PUNCTUATION = set(" \n.,;:!?'\"’‘“”()[]-–—/…&%+*_#$\\^{}=")
SCRIPTS = ("LATIN ", "GREEK ")
LONGEST = 30
_PARSE = mistune.create_markdown(renderer="ast", plugins=["math"], escape=True)


def nodes(prose: Prose, release: Release, facts: dict[str, str]) -> tuple[Node, ...]:
    """Return the nodes of one markdown cell, or refuse the cell with its place and rule."""
    place = f"notebooks/08_findings.ipynb, cell {prose.cell}"
    _characters(REFERENCE.sub("number", prose.text), place)
    return tuple(
        node for token in _parsed(prose.text) for node in _node(token, place, release, facts)
    )


def _parsed(text: str) -> list[dict[str, Any]]:
    told = _PARSE(text)
    return told if isinstance(told, list) else []


def _characters(text: str, place: str) -> None:
    for one in text:
        if unicodedata.category(one).startswith("N"):
            raise PageError(
                f"{place}: a digit in prose; write {{{{output.measure[key=code]}}}} for a number"
            )
        letter = one.isalpha() and unicodedata.name(one, "").startswith(SCRIPTS)
        if not letter and one not in PUNCTUATION:
            raise PageError(f"{place}: a character that prose may not hold; use plain letters")
    plain = text.replace("…", "")
    if unicodedata.normalize("NFKC", plain) != plain:
        raise PageError(f"{place}: a look-alike character; use plain letters")
    if re.search(r"[ \t]+$|[^\n ] {2,}|\t", text, re.MULTILINE):
        raise PageError(f"{place}: doubled or trailing blanks; keep one blank between words")
    if any(len(word) > LONGEST for word in re.split(r"[^\w]+", text)):
        raise PageError(f"{place}: a word of more than {LONGEST} letters; use a shorter one")


def _node(token: dict[str, Any], place: str, release: Release, facts: dict[str, str]) -> list[Node]:
    kind = token["type"]
    if kind == "blank_line":
        return []
    if kind == "heading" and token["attrs"]["level"] in (2, 3, 4):
        text = "".join(r.text for r in _runs(token["children"], place, release, facts))
        return [Heading(token["attrs"]["level"], text)]
    if kind in ("paragraph", "block_text"):
        return [Para(_runs(token["children"], place, release, facts))]
    if kind == "block_math":
        return [Para((Run(token["raw"].strip(), "math"),), "formula")]
    if kind == "list":
        items = tuple(
            tuple(
                run
                for part in item["children"]
                for run in _runs(part["children"], place, release, facts)
            )
            for item in token["children"]
        )
        return [Listing(items)]
    raise PageError(
        f"{place}: {kind.replace('_', ' ')} may not stand on a page; keep to headings, paragraphs, "
        "lists, emphasis, formulae"
    )


def _runs(
    tokens: list[dict[str, Any]],
    place: str,
    release: Release,
    facts: dict[str, str],
    kind: str = "text",
) -> tuple[Run, ...]:
    told: list[Run] = []
    for token in tokens:
        name = token["type"]
        if name == "text":
            told += _text(token["raw"], place, release, facts, kind)
        elif name in ("strong", "emphasis"):
            inner = "strong" if name == "strong" else "em"
            told += _runs(token["children"], place, release, facts, inner)
        elif name == "inline_math":
            told.append(Run(token["raw"], "math"))
        elif name == "softbreak":
            told.append(Run(" "))
        elif name == "link" and str(token["attrs"]["url"]).startswith("#"):
            text = "".join(r.text for r in _runs(token["children"], place, release, facts))
            told.append(Run(text, "link", token["attrs"]["url"]))
        else:
            raise PageError(
                f"{place}: {name.replace('_', ' ')} may not stand on a page; use words, or a link "
                "to a part of this page"
            )
    return tuple(told)


def _text(raw: str, place: str, release: Release, facts: dict[str, str], kind: str) -> list[Run]:
    told, at = [], 0
    for found in REFERENCE.finditer(raw):
        told.append(Run(raw[at : found.start()], kind))
        told.append(_referred(found, place, release, facts))
        at = found.end()
    told.append(Run(raw[at:], kind))
    return [r for r in told if r.text]


def _referred(found: re.Match[str], place: str, release: Release, facts: dict[str, str]) -> Run:
    name, measure, keys = found.groups()
    if name == "programme" and measure in facts:
        return Run(facts[measure], "number", "manifest")
    if name == "withheld" and measure in release.outputs:
        return Run(f"{release.outputs[measure].withheld:,}", "number", measure)
    wanted = dict(p.split("=", 1) for p in (keys or "").split(",") if "=" in p)
    rows = release.outputs[name].where(measure=measure, **wanted) if name in release.outputs else ()
    if len(rows) != 1:
        raise PageError(
            f"{place}: a reference names {'no' if not rows else 'more than one'} released cell; "
            "name the table, the measure and every key"
        )
    text = shown(rows[0])
    return Run("withheld" if text == "c" else text, "number", name)
