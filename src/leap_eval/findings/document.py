"""What a page is made of, before it becomes HTML or paper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text: text, strong, em, math or link; a number names the output it is from."""

    text: str
    kind: str = "text"
    target: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 2 to 4."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Para:
    """A paragraph; `kind` may be note or stamp."""

    runs: tuple[Run, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of short texts."""

    items: tuple[tuple[Run, ...], ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A graded finding: letter and words of the grade, the sentence, what else must be said."""

    grade: str
    words: str
    sentence: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with the words for those who cannot see it, and the numbers it was drawn from."""

    svg: str
    alt: str
    title: str
    numbers: Fold


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the first `heads` cells of each row are headers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heads: int = 1


@dataclass(frozen=True, slots=True)
class Download:
    """A file inside the page."""

    name: str
    address: str
    words: str


@dataclass(frozen=True, slots=True)
class Fold:
    """Details behind a summary; on paper only where `printed`."""

    summary: str
    nodes: tuple[Node, ...]
    printed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Nodes whose every number is a cell of one released output."""

    output: str
    nodes: tuple[Node, ...]


Node = Heading | Para | Listing | Card | Picture | Grid | Download | Fold | Part


def para(text: str, kind: str = "") -> Para:
    """Return a paragraph of plain text."""
    return Para((Run(text),), kind)
