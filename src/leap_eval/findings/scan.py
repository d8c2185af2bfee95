"""An independent reader of a finished page: it knows the release, and nothing of the exporter.

It parses the page anew and holds every byte against `sources`. A breach names its place and
the rule, never the text found.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import html5lib

from leap_eval.findings.sources import (
    DRAWN,
    DRAWN_ATTRIBUTES,
    HTML,
    MATH,
    MATHS,
    PLAIN,
    PLAIN_ATTRIBUTES,
    SVG,
    WORD,
    Sources,
    text_of,
)  # fmt: skip

NUMBER_RULE = "a number without a released cell"
MOST_BYTES, MOST_WORDS = 700_000, 4_000
XMLNS = "{http://www.w3.org/2000/xmlns/}xmlns"
SPOKEN = ("aria-label", "alttext", "download")
TAG = re.compile(r'<!DOCTYPE html>|</?[A-Za-z]\w*(?: [A-Za-z-]+="[^"<>]*")*>')
INLINE = {"strong", "em", "a", "span", "math", "p", "li"}
SECTION = re.compile(r'<section data-output="[a-z0-9-]+">.*?</section>', re.DOTALL)
POLICY = re.compile(
    r"default-src 'none'; style-src 'sha256-([A-Za-z0-9+/=]{44})'; img-src data:; "
    r"base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class Breach:
    """Where a page breaks which rule."""

    place: str
    rule: str


@dataclass(frozen=True, slots=True, eq=False)
class _Page:
    text: str
    tree: Any
    known: Sources
    again: Collection[str]
    errors: int


def scan(
    page: str, release: Mapping[str, bytes], notebook: Mapping[str, Any], facts: Mapping[str, str],
    audience: str, again: Collection[str],
) -> tuple[Breach, ...]:  # fmt: skip
    """Return every breach of a finished page.

    `again` holds the SHA-256 of each section as it comes out when drawn anew from the release.
    """
    parser = html5lib.HTMLParser(strict=False)
    tree = parser.parse(page)
    known = Sources(release, notebook, facts, audience)
    asked = _Page(page, tree, known, again, len(parser.errors))
    told = (breach for rule in RULES.values() for breach in rule(asked))
    return tuple(dict.fromkeys(told))


def _bytes(page: _Page) -> Iterator[Breach]:
    text = page.text
    if len(text.encode()) > MOST_BYTES:
        yield Breach("the page", f"larger than {MOST_BYTES // 1000} kB")
    if unicodedata.normalize("NFC", text) != text:
        yield Breach("the page", "not in normal form C")
    kinds = {c: unicodedata.category(c) for c in set(text) - {"\n"}}
    if set(kinds.values()) & {"Cc", "Cf", "Co", "Cn", "Cs"}:
        yield Breach("the page", "holds a control, zero-width or private character")
    if set(kinds.values()) & {"No", "Nl"} or any(c.isdigit() and c > "9" for c in kinds):
        yield Breach("the page", "holds a number in other than plain digits")
    if "<!--" in text or "<?" in text:
        yield Breach("the page", "holds a comment or processing instruction")
    if re.search(r"\s{2}|[ \t\r\f\v\u00a0\u2000-\u200a]\n|[^\S \n]", text):
        yield Breach("the page", "holds blanks that say nothing to a reader")


def _form(page: _Page) -> Iterator[Breach]:
    """Markup is written in one way only, so that how it is written says nothing."""
    bare = re.sub(r"<style>.*?</style>", "<style></style>", page.text, flags=re.DOTALL)
    frame = SECTION.sub("<section>", bare)
    if page.errors or re.search("[<>]", TAG.sub("", frame)):
        yield Breach("the page", "a tag that is not well formed")
    if re.search(r"<(?:p|li|a|h[1-4])[^<>]*>\s|\s</(?:p|li|a|h[1-4]|span)>|[^>]\n|\n[^<]", frame):
        yield Breach("the page", "blanks at the edge of a text")
    gaps: dict[tuple[str, str], set[str]] = {}
    for before, gap, after in re.findall(r"<(/?\w+)[^<>]*>(\s*)(?=<(/?\w+))", frame):
        if not {before.strip("/"), after.strip("/")} <= INLINE:
            gaps.setdefault((before, after), set()).add(gap)
    if any(len(kinds) > 1 or " " in kinds for kinds in gaps.values()):
        yield Breach("the page", "blanks between its parts that come and go")


def _markup(page: _Page) -> Iterator[Breach]:
    for element in page.tree.iter():
        tag = _bare(element)
        if tag not in PLAIN | DRAWN | MATHS:
            yield Breach("the page", "an element that is not on the list")
        allowed = DRAWN_ATTRIBUTES if tag in DRAWN else PLAIN_ATTRIBUTES
        for name in element.attrib:
            if name not in allowed and (tag, name) != (SVG + "svg", XMLNS):
                yield Breach("an element", "an attribute that is not on the list")


def _shell(page: _Page) -> Iterator[Breach]:
    """Outside its sections a page has the attributes and words of the template, and no others."""
    template = text_of("leap_eval.findings", "page.html.j2")
    heads = {_slug(h) for h in _headings(page.tree, "h[234]")}
    above, below = page.known.shell
    if _around(page.tree) != [*above, *_headings(page.tree, "h2"), *below]:
        yield Breach("the shell", "other words than the template and the headings")
    for element in _outside(page.tree):
        tag = _bare(element)
        for name, value in element.attrib.items():
            linked = name in ("id", "href") and value.removeprefix("#") in heads
            ours = f'{name}="{value}"' in template or (name, value) == ("class", "figures")
            named = name == "data-output" and tag in ("span", "section")
            # What a reader hears is checked as words, the policy by its own rule.
            heard = name in ("content", "aria-label") or tag in MATHS
            if not (linked or ours or named or heard):
                yield Breach("the shell", "an attribute that the template does not hold")


def _policy(page: _Page) -> Iterator[Breach]:
    metas = [e for e in page.tree.iter() if _bare(e) == "meta"]
    ruled = [e for e in metas if e.get("http-equiv")]
    styles = [e.text or "" for e in page.tree.iter() if _bare(e) == "style"]
    told = POLICY.fullmatch(ruled[0].get("content", "")) if len(ruled) == 1 else None
    if told is None or len(styles) != 1 or len(metas) != 4:
        yield Breach("head", "no content policy, or more than one, or more than one style")
        return
    if base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode() != told[1]:
        yield Breach("head", "the policy does not fit the style")
    if styles[0] != text_of("leap_eval.findings", "page.css"):
        yield Breach("head", "not the style of this version")
    for other in metas:
        if other not in ruled and other.get("content", "no-referrer") not in (
            "no-referrer", "width=device-width, initial-scale=1"
        ):  # fmt: skip
            yield Breach("head", "says something to a machine")


def _stamp(page: _Page) -> Iterator[Breach]:
    stamp = page.known.says["pretend"]
    title = next((e.text or "" for e in page.tree.iter() if _bare(e) == "title"), "")
    banner = any(e.get("class") == "stamp" and e.text == stamp for e in page.tree.iter())
    drawn = [e for e in page.tree.iter() if _bare(e) == SVG + "svg"]
    figures = [stamp in "".join(e.itertext()) for e in drawn]
    demo = page.known.manifest["state"] == "demo"
    if {title.startswith(stamp), banner, *figures} != {demo}:
        yield Breach("title, banner, figures", "pretend data must be stamped, real data must not")


def _addresses(page: _Page) -> Iterator[Breach]:
    allowed = {hashlib.sha256(raw).hexdigest() for raw in page.known.raw.values()}
    for element in page.tree.iter():
        address = element.get("href")
        if address is None or address.startswith("#"):
            continue
        told = re.fullmatch(r"data:(text/csv|application/gzip);base64,([A-Za-z0-9+/=]+)", address)
        data = _decoded(told[1], told[2]) if told else b""
        if told is None:
            yield Breach("a link", "leads out of the page")
        elif (
            element.get("download") != "dictionary.csv"
            and hashlib.sha256(data).hexdigest() not in allowed
        ):
            yield Breach("a download", "not the bytes of a released table")


def _decoded(kind: str, text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
        again = base64.b64encode(raw).decode() == text
        data = gzip.decompress(raw) if kind.endswith("gzip") else raw
    except (ValueError, OSError, EOFError):
        return b""
    return data if again else b""


def _numbers(page: _Page) -> Iterator[Breach]:
    for text, output, _ in _texts(page.tree):
        if not page.known.counted(text, output):
            yield Breach(output or "the shell", NUMBER_RULE)


def _words(page: _Page) -> Iterator[Breach]:
    for text, output, place in _texts(page.tree):
        if place.startswith(MATH) or place == "alttext":
            if set(WORD.findall(text)) - page.known.formulas:
                yield Breach("a formula", "a word or symbol from no formula of ours")
        elif not (page.known.said(text) or (not output and text in page.known.prose)):
            yield Breach(output or "the shell", "words from no source")


def _prose(page: _Page) -> Iterator[Breach]:
    """Outside sections, the main part is the committed notebook's text, in its order."""
    main = next((e for e in page.tree.iter() if _bare(e) == "main"), None)
    ours = {page.known.says[k] for k in ("left_over", "left_lead", "no_table")}
    found = [] if main is None else [t for t in _plain(main) if t not in ours]
    if found != page.known.prose:
        yield Breach("the prose", "not the text of the committed notebook")
    if sum(len(WORD.findall(t)) for t in found) > MOST_WORDS:
        yield Breach("the prose", f"more than {MOST_WORDS} words")


def _plain(element: Any) -> Iterator[str]:
    for text, child in ((element.text, None), *((c.tail, c) for c in element)):
        if child is not None and not (
            _bare(child) in ("section", "span") or _bare(child).startswith(MATH)
        ):
            yield from _plain(child)
        if text and text.strip():
            yield " ".join(text.split())


def _again(page: _Page) -> Iterator[Breach]:
    """Each section, drawn anew from the released tables, has the same bytes; none stands twice."""
    found = [hashlib.sha256(s.encode()).hexdigest() for s in SECTION.findall(page.text)]
    if len(found) != sum(_bare(e) == "section" for e in page.tree.iter()):
        yield Breach("a section", "holds another section")
    if set(found) - set(page.again):
        yield Breach("a section", "not what the released table gives when it is drawn again")
    if len(found) != len(set(found)):
        yield Breach("a section", "stands twice")


def _complete(page: _Page) -> Iterator[Breach]:
    seen = {e.get("data-output") for e in page.tree.iter() if e.get("data-output")}
    if missing := set(page.known.raw) - seen:
        yield Breach("the page", f"{len(missing)} table(s) of this audience are missing")
    if seen - set(page.known.raw) - {"manifest"}:
        yield Breach("the page", "names a table that is not for this audience")


RULES: dict[str, Callable[[_Page], Iterator[Breach]]] = {
    "bytes": _bytes, "form": _form, "markup": _markup, "shell": _shell, "policy": _policy,
    "stamp": _stamp, "addresses": _addresses, "numbers": _numbers, "words": _words,
    "prose": _prose, "again": _again, "complete": _complete,
}  # fmt: skip


def _bare(element: Any) -> str:
    return str(element.tag).removeprefix(HTML)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z]+", "-", text.lower()).strip("-")


def _headings(tree: Any, levels: str) -> list[str]:
    return ["".join(e.itertext()) for e in tree.iter() if re.fullmatch(levels, _bare(e))]


def _around(element: Any) -> list[str]:
    """Return every visible text of a page but that of its main part."""
    if _bare(element) in ("main", "style"):
        return []
    told = [element.text, *(t for child in element for t in (*_around(child), child.tail))]
    return [" ".join(t.split()) for t in told if t and t.strip()]


def _outside(element: Any) -> Iterator[Any]:
    yield element
    for child in element:
        if _bare(element) != "section":
            yield from _outside(child)


def _texts(element: Any, output: str = "") -> Iterator[tuple[str, str, str]]:
    """Return every visible or spoken string with the output it stands in and its place."""
    tag, output = _bare(element), element.get("data-output") or output
    if tag == "style":
        return
    if element.text and element.text.strip():
        yield " ".join(element.text.split()), output, tag
    for name in SPOKEN:
        if told := element.get(name):
            # A download is named after its table.
            yield told, "manifest" if name == "download" else output, name
    for child in element:
        yield from _texts(child, output)
        if child.tail and child.tail.strip():
            yield " ".join(child.tail.split()), output, tag
