"""From agreed text to typed values: each cell is a value, missing, or breaks a named rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from leap_eval.agreements.agreement import Column, FileForm, Table
from leap_eval.contracts import ATTENDED, LANGUAGES, MODES, ROLES, SEXES, YES_NO
from leap_eval.intake.reader import Grid, RefusedError
from leap_eval.reference.ethnicity import ethnicity

DATES = {
    "birth_date", "due_date", "consent_date", "date", "period_from", "period_to", "measured_on",
    "review_on_12", "review_on_24",
}  # fmt: skip
WHOLE = {"sessions", "minutes", "parity", "need_level"}
# Closed lists: a word that no agreed value maps to one of them is never filed.
LISTS = {
    "role": ROLES, "sex": SEXES, "language": LANGUAGES, "disability": YES_NO,
    "attended": ATTENDED, "mode": MODES, "concern_12": ("yes", "no"), "concern_24": ("yes", "no"),
}  # fmt: skip
NO_DATE = {date(1899, 12, 30), date(1900, 1, 1), date(1970, 1, 1)}
FORMULA = re.compile(r"^[=+\-@\t\r]")


class Broken(str):
    """The rule a cell breaks; it stands where the value would."""


@dataclass(frozen=True, slots=True, repr=False)
class Typed:
    """One agreed table, typed: what a column is -> its values, row for row; and each row's rule."""

    columns: dict[str, list[Any]]
    numbers: tuple[int, ...]
    broken: list[str | None]  # the rule that refuses the row
    blanked: dict[str, int]  # rule -> cells that became missing
    dropped: tuple[str, ...]  # headers not agreed

    def __len__(self) -> int:
        return len(self.numbers)


def typed(grid: Grid, table: Table, form: FileForm, shared_on: date, place: str) -> Typed:
    """Read every agreed column of a grid; columns not agreed are never looked at."""
    where = {header.casefold(): i for i, header in enumerate(grid.headers)}
    columns: dict[str, list[Any]] = {}
    broken: list[str | None] = [None] * len(grid.rows)
    blanked: dict[str, int] = {}
    taken: set[int] = set()
    for column in table.columns:
        names = [n.casefold() for n in (column.column, *column.also)]
        at = next((where[n] for n in names if n in where), None)
        if at is None:
            if column.required:
                raise RefusedError("header.missing", f"{place}, {column.column}")
            columns[column.what] = [None] * len(grid.rows)
            continue
        taken.add(at)
        cells = [row[at] for row in grid.rows]
        columns[column.what] = _column(cells, column, form, shared_on, broken, blanked)
    dropped = tuple(h for i, h in enumerate(grid.headers) if i not in taken)
    return Typed(columns, grid.numbers, broken, blanked, dropped)


def _column(
    cells: Sequence[str],
    column: Column,
    form: FileForm,
    shared_on: date,
    broken: list[str | None],
    blanked: dict[str, int],
) -> list[Any]:
    read = _reader(column, form, shared_on)
    known = {cell: _cell(cell, column, read) for cell in set(cells)}
    values = [known[cell] for cell in cells]
    for i, value in enumerate(values):
        if isinstance(value, Broken):
            values[i] = None
            if column.required or column.what in ("sessions",):
                broken[i] = broken[i] or str(value)
            else:
                blanked[str(value)] = blanked.get(str(value), 0) + 1
        elif value is None and column.required and column.what != "consent":
            rule = "reference.missing" if column.what == "reference" else "required.missing"
            broken[i] = broken[i] or rule
    return values


def _cell(cell: str, column: Column, read: Callable[[str], Any]) -> Any:
    text = cell.strip()
    if text in column.missing or not text:
        return None
    numeric = column.what in WHOLE or column.what == "value"
    # A mark on its own, such as a dash for "did not come", is an agreed word and no formula.
    if FORMULA.match(text) and not numeric and text not in column.values:
        return Broken("formula.start")
    return read(text)


def _reader(column: Column, form: FileForm, shared_on: date) -> Callable[[str], Any]:
    what = column.what
    if what in ("reference", "family_reference"):
        return lambda text: _reference(text, column.width)
    if what in DATES:
        style = "%Y-%m-%d" if form.format == "xlsx" else (column.format or "%Y-%m-%d")
        return lambda text: _date(text, style, column, shared_on)
    if what in WHOLE:
        return lambda text: _whole(column.values.get(text, text))
    if what == "value":
        return lambda text: _value(text, column)
    if what == "ethnicity":
        return lambda text: _ethnicity(text, column.codes or "nhs2001")
    if column.values or what in LISTS:
        folded = {code: code for code in LISTS.get(what, ())}
        folded |= {_folded(k): v for k, v in column.values.items()}
        return lambda text: folded.get(_folded(text), Broken("code.unknown"))
    return lambda text: text


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _reference(text: str, width: int | None) -> Any:
    if re.fullmatch(r"\d+(?:[.,]\d+)?[eE]\+?\d+", text) or re.fullmatch(r"\d+\.\d+", text):
        return Broken("reference.damaged")
    return text.zfill(width) if width and text.isdigit() else text


def _date(text: str, style: str, column: Column, shared_on: date) -> Any:
    found = None
    # A workbook's date cell arrives as ISO text, a typed one as agreed.
    for form in dict.fromkeys((style, column.format or style)):
        try:
            found = datetime.strptime(text, form).date()
            break
        except ValueError:
            continue
    if found is None:
        return Broken("date.format")
    if found in NO_DATE and column.what == "birth_date":
        return None
    if found > shared_on and column.what != "due_date":
        return Broken("date.future")
    return _coarse(found, column.precision)


def _coarse(day: date, precision: str) -> date:
    if precision == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if precision == "week" else day


def _whole(text: str) -> Any:
    return int(text) if re.fullmatch(r"\d{1,6}", text) else Broken("number.format")


def _value(text: str, column: Column) -> Any:
    if text in column.values:
        return column.values[text]
    plain = text.replace(",", ".") if column.decimal == "," else text
    return float(plain) if re.fullmatch(r"-?\d{1,6}(\.\d+)?", plain) else Broken("number.format")


def _ethnicity(text: str, standard: str) -> Any:
    found = ethnicity(text, standard)
    return Broken("code.unknown") if found is None else found
