"""What is to leave, declared before anything is solved: closed lists, budgets, a reason each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from leap_eval.disclosure import models
from leap_eval.disclosure.declare import Measure
from leap_eval.disclosure.models import Eligible, Verdict
from leap_eval.disclosure.rules import Rules
from leap_eval.errors import DisclosureError
from leap_eval.reference.labels import figures
from leap_eval.reference.vocabulary import codes, vocabulary

Rows = Sequence[Mapping[str, str]]
TAIL = ("measure", "value", "low", "high", "marker")
EVERYBODY = ("leap", "partners", "funder")
ID = re.compile(r"[a-z0-9-]{1,40}")
WORDS = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
PROSE = re.compile(r"[A-Za-z0-9 ,.;:()'’%-]*")
WHY_CHARACTERS = 160
# At most four significant digits: nothing a page says needs more, and more can carry rows.
NUMBER = re.compile(r"-?\d{1,7}(?:\.\d{1,8})?(?:e[+-]\d\d)?")
MOST_DIGITS = 4
BETWEEN = re.compile(r"[ :+,.-]+")
CODE_CHARACTERS = 160
MEASURES = frozenset(
    [
        "estimate",
        "pointwise",
        "mde80",
        "n_arm",
        "q",
        "ess",
        "evalue",
        "twin_coverage",
        "share_links",
        "share_missing",
        "verdict",
        "smd_before",
        "smd_after",
        "floored_share",
        "contacts",
        "completeness",
        "no_consent_share",
        "records",
        "links",
        "uncertain",
        "precision",
        "recall",
        "linked_elsewhere",
        "children",
    ]
)


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared output: what it is, for whom, and why it is needed."""

    id: str
    kind: str  # table | model | quality
    dimensions: tuple[str, ...]
    title: str
    why: str
    audiences: tuple[str, ...]
    views: tuple[str, ...] = ()  # of a table: the views of cubes it shows
    margins: tuple[str, ...] = ()
    shares: bool = False
    measure: Measure | None = None
    rows: tuple[Mapping[str, str], ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: a kind of the closed list, drawn from one released table."""

    id: str
    table: str
    kind: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """All that is to leave under one name; each call returns a new proposal."""

    name: str
    rules: Rules
    facts: Mapping[str, Any] = field(default_factory=dict)
    audiences: tuple[str, ...] = EVERYBODY
    outputs: tuple[Declared, ...] = ()
    figures: tuple[Figure, ...] = ()

    def table(
        self, name: str, *, cube: str | Sequence[str], rows: Sequence[str],
        columns: Sequence[str] = (), margins: Sequence[str] | bool = (), **words: Any,
    ) -> Proposal:  # fmt: skip
        """Declare a table of counts: a view of a cube (or several), and which margins it shows."""
        return self._table(name, cube, (*rows, *columns), margins, words)

    def ratio(
        self, name: str, *, cube: str | Sequence[str], rows: Sequence[str],
        columns: Sequence[str] = (), margins: Sequence[str] | bool = (), **words: Any,
    ) -> Proposal:  # fmt: skip
        """Declare counts and, beside them, their share of the row's total, where both are shown."""
        return self._table(name, cube, (*rows, *columns), margins, words, shares=True)

    def mean(
        self, name: str, *, cube: str, rows: Sequence[str], of: str,
        each: tuple[float, float] | None = None, margins: Sequence[str] | bool = (), **words: Any,
    ) -> Proposal:  # fmt: skip
        """Declare counts and, beside them, the mean of a measure; `each` is its range."""
        if each is None or not 0 <= each[0] < each[1] < float("inf"):
            raise DisclosureError(
                f"{name}: a mean needs `each`, the lowest and highest its instrument allows; "
                "see reference/instruments.py"
            )
        return self._table(name, cube, tuple(rows), margins, words, measure=(of, True, *each))

    def total(
        self, name: str, *, cube: str, rows: Sequence[str], of: str,
        each: tuple[float, float] = (0.0, float("inf")), margins: Sequence[str] | bool = (),
        **words: Any,
    ) -> Proposal:  # fmt: skip
        """Declare counts and, beside them, the sum of a measure; `each` is what a child can add."""
        if not 0 <= each[0] < each[1]:
            raise DisclosureError(
                f"{name}: `each` must be what a child adds at least, 0 or more, and at most"
            )
        return self._table(name, cube, tuple(rows), margins, words, measure=(of, False, *each))

    def estimates(
        self, name: str, tables: Mapping[str, pd.DataFrame], eligible: Eligible | None = None,
        **words: Any,
    ) -> Proposal:  # fmt: skip
        """Declare a table of effects: cut, rounded and judged estimate by estimate."""
        rows, verdicts = models.estimates(tables, self.rules, eligible)
        return self._rows(name, "model", rows, words, tuple(verdicts))

    def quality(self, name: str, rows: Rows, **words: Any) -> Proposal:
        """Declare quality figures, checks or balance: codes and short numbers only."""
        return self._rows(name, "quality", rows, words)

    def figure(self, name: str, *, table: str, kind: str, **options: Any) -> Proposal:
        """Declare a figure of a declared table; limits, order and colours are not for choosing."""
        if options:
            raise DisclosureError(
                f"{name}: a figure has a kind and a table; {sorted(options)[0]} comes from the "
                "code list, never from a proposal"
            )
        if kind not in figures()["kinds"]:
            raise DisclosureError(f"{name}: kind must be one of {', '.join(figures()['kinds'])}")
        if table not in {o.id for o in self.outputs}:
            raise DisclosureError(f"{name}: is drawn from no declared table; declare it first")
        self._named(name, {f.id for f in self.figures})
        return replace(self, figures=(*self.figures, Figure(name, table, kind)))

    def _table(
        self, name: str, cube: str | Sequence[str], dimensions: tuple[str, ...],
        margins: Sequence[str] | bool, words: Mapping[str, Any], shares: bool = False,
        measure: tuple[str, bool, float, float] | None = None,
    ) -> Proposal:  # fmt: skip
        views = (cube,) if isinstance(cube, str) else tuple(cube)
        both = dimensions if margins is True else tuple(margins or ())
        if not set(both) <= set(dimensions):
            raise DisclosureError(f"{name}: margins must be among {', '.join(dimensions)}")
        title, why, audiences = self._words(name, words)
        told = Measure(*measure) if measure else None
        return self._with(
            Declared(name, "table", dimensions, title, why, audiences, views, both, shares, told)
        )

    def _rows(
        self, name: str, kind: str, rows: Rows, words: Mapping[str, Any],
        verdicts: tuple[Verdict, ...] = (),
    ) -> Proposal:  # fmt: skip
        title, why, audiences = self._words(name, words)
        dimensions = tuple(c for c in (rows[0] if rows else {}) if c not in TAIL)
        _short(name, rows, dimensions)
        made = tuple(rows)
        return self._with(
            Declared(name, kind, dimensions, title, why, audiences, rows=made, verdicts=verdicts)
        )

    def _words(self, name: str, words: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
        if surplus := sorted(set(words) - {"title", "why", "audiences"}):
            raise DisclosureError(
                f"{name}: {surplus[0]} is not for choosing; an output has title, why and audiences"
            )
        title, why = str(words.get("title", name.replace("-", " "))), str(words.get("why", ""))
        if not why.strip():
            raise DisclosureError(f"{name}: `why` is empty; say what the findings need it for")
        if "title" in words:
            _plain(name, "title", title, self.rules.budget.title_characters)
        _plain(name, "why", why, WHY_CHARACTERS)
        audiences = tuple(words.get("audiences", self.audiences))
        if not audiences or not set(audiences) <= set(self.audiences):
            raise DisclosureError(f"{name}: audiences must be among {', '.join(self.audiences)}")
        return title, why, audiences

    def _with(self, output: Declared) -> Proposal:
        self._named(output.id, {o.id for o in self.outputs})
        if len(self.outputs) >= self.rules.budget.outputs:
            raise DisclosureError(
                f"{output.id}: is one more than budget.outputs allows; leave another out"
            )
        return replace(self, outputs=(*self.outputs, output))

    def _named(self, name: str, taken: set[str]) -> None:
        if not ID.fullmatch(name) or not _coded(name):
            raise DisclosureError(
                "an output's id is made of known words and codes, a-z, 0-9 and -; rename it"
            )
        if name in taken:
            raise DisclosureError(f"{name}: is declared twice; keep one")


def _plain(name: str, what: str, text: str, most: int) -> None:
    """Refuse words that nobody put into the closed vocabulary: a page has no room for riddles."""
    if len(text) > most:
        raise DisclosureError(f"{name}: {what} has more than {most} characters; shorten it")
    if not PROSE.fullmatch(text) or re.search(r"\d{5}|\d[A-Za-z]|[A-Za-z]\d", text):
        raise DisclosureError(f"{name}: {what} must be plain English words and short numbers")
    known = vocabulary()
    words = enumerate(WORDS.findall(text), start=1)
    if odd := [str(n) for n, w in words if not (known >= _parts(w) and _cased(w))]:
        raise DisclosureError(
            f"{name}: {what}, word {', '.join(odd)}: not in the vocabulary; use another word, or "
            "add it to reference/vocabulary.txt, where a colleague sees it"
        )


def _parts(word: str) -> set[str]:
    return {p.removesuffix("'s").removesuffix("’s") for p in word.lower().split("-")}


def _cased(word: str) -> bool:
    # Capitals inside words would be a bit each.
    return word[1:].islower() or len(word) == 1 or (word.isupper() and len(word) <= 5)


def _short(name: str, rows: Rows, dimensions: tuple[str, ...]) -> None:
    """Refuse rows that could carry more than codes and short numbers."""
    for number, row in enumerate(rows, start=1):
        at = f"{name}, row {number}"
        if set(row) != {*dimensions, *TAIL}:
            raise DisclosureError(f"{at}: must have the columns of the first row")
        if not all(_coded(row[d]) for d in dimensions):
            raise DisclosureError(f"{at}: holds something that is no code; use the code list")
        if row["measure"] not in MEASURES:
            raise DisclosureError(f"{at}: its measure is none of the gate's")
        if not all(_number(row[c]) for c in ("value", "low", "high")):
            raise DisclosureError(f"{at}: numbers have at most {MOST_DIGITS} significant digits")


def _coded(text: str) -> bool:
    """Tell whether a text is made of codes with a label, known words and numbers below 100."""
    known, words = codes(), vocabulary()
    told = [t for t in BETWEEN.split(text) if t and t not in known]
    plain = [p for t in told for p in t.split("_")]
    return len(text) <= CODE_CHARACTERS and all(
        p in words or p in known or (p.isdecimal() and len(p) <= 3) for p in plain
    )


def _number(text: str) -> bool:
    if not text:
        return True
    digits = text.partition("e")[0].replace(".", "").lstrip("-0")
    whole = "." not in text
    return (
        bool(NUMBER.fullmatch(text)) and len(digits.rstrip("0") if whole else digits) <= MOST_DIGITS
    )
