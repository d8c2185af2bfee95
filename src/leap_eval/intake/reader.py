"""A strict reader: a file is read as agreed or refused with place and rule, never guessed."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from leap_eval.agreements.agreement import FileForm
from leap_eval.errors import SubmissionError
from leap_eval.reference.rules import RULES

LONGEST = 20_000
MOST_ENTRIES, MOST_RATIO, MOST_INFLATED = 2_000, 100, 512 * 2**20
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f]")


@dataclass(frozen=True, slots=True, repr=False)
class Grid:
    """A table of text as it came: headers, rows, and each row's number in the spreadsheet."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    remarks: tuple[str, ...] = ()  # text outside cells: comments, titles, properties


class RefusedError(SubmissionError):
    """A whole submission is refused: rule, place."""

    def __init__(self, rule: str, place: str) -> None:
        """Say where, which rule, and the remedy."""
        self.rule, self.place = rule, place
        super().__init__(f"{place}: {RULES[rule].says}; {RULES[rule].remedy}")


def read_csv(data: bytes, form: FileForm, place: str) -> Grid:
    """Read a delimited file by its agreed encoding and delimiter."""
    if data[:2] == b"PK" or data[:4] in (b"\xd0\xcf\x11\xe0", b"PAR1"):
        raise RefusedError("file.format", place)
    text = _decoded(data, form, place)
    if CONTROL.search(text):
        raise RefusedError("file.control", place)
    rows = list(_cells(text, form.delimiter, place))
    if not rows:
        raise RefusedError("file.empty", place)
    return _grid(rows, place)


def _decoded(data: bytes, form: FileForm, place: str) -> str:
    marked = form.encoding == "utf-16" and data[:2] not in (b"\xff\xfe", b"\xfe\xff")
    single = form.encoding in ("cp1252", "iso-8859-1", "iso-8859-15")
    # Bytes that are valid UTF-8 beyond ASCII would be read as other letters without complaint.
    doubted = single and not data.isascii() and _is_utf8(data)
    text = None
    if not marked and not doubted:
        encoding = "utf-8-sig" if form.encoding == "utf-8" else form.encoding
        try:
            text = data.decode(encoding, "strict")
        except UnicodeDecodeError:
            text = None
    if text is None:
        raise RefusedError("file.encoding", place)
    return text


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _cells(text: str, delimiter: str, place: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    newline = r"\r\n|\n" if "\n" in text else r"\r"
    stops = re.escape(delimiter) + r"\r\n"
    cell = re.compile(rf'(?:"((?:[^"]|"")*)"|([^"{stops}]*))({re.escape(delimiter)}|{newline}|\Z)')
    at, line, row, started = 0, 1, [], 1
    while at < len(text):
        found = cell.match(text, at)
        if found is None:
            raise RefusedError("file.quote", f"{place}, row {started}")
        quoted, bare, end = found.groups()
        value = quoted.replace('""', '"') if quoted is not None else bare
        if len(value) > LONGEST:
            raise RefusedError("file.cell", f"{place}, row {started}")
        row.append(value)
        line += value.count("\n")
        at = found.end()
        if end != delimiter:
            if row != [""]:
                yield started, tuple(row)
            row, line = [], line + 1
            started = line
    if row:
        yield started, (*row, "") if text.endswith(delimiter) else tuple(row)


def _grid(
    rows: list[tuple[int, tuple[str, ...]]], place: str, remarks: tuple[str, ...] = ()
) -> Grid:
    headers = tuple(" ".join(h.split()) for h in rows[0][1])
    if any(not h for h in headers):
        raise RefusedError("header.blank", place)
    folded = [h.casefold() for h in headers]
    if len(set(folded)) < len(folded):
        raise RefusedError("header.twice", place)
    for number, row in rows[1:]:
        if len(row) != len(headers):
            raise RefusedError("file.ragged", f"{place}, row {number}")
    return Grid(headers, tuple(r for _, r in rows[1:]), tuple(n for n, _ in rows[1:]), remarks)


def preflight(data: bytes, place: str) -> None:
    """Refuse a workbook that is none, is a bomb, or holds anything that acts."""
    if data[:4] != b"PK\x03\x04" or not zipfile.is_zipfile(io.BytesIO(data)):
        raise RefusedError("file.format", place)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES:
            raise RefusedError("file.bomb", place)
        inflated = 0
        for entry in entries:
            name = entry.filename.lower()
            if any(
                part in name for part in ("vbaproject", "externallink", "embeddings", "activex")
            ):
                raise RefusedError("file.active", place)
            inflated += _inflated(archive, entry, place)
            if inflated > MOST_INFLATED:
                raise RefusedError("file.bomb", place)


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: str) -> int:
    # Counted while inflating, because the directory may lie; small entries may pack well.
    size, most = 0, max(MOST_RATIO * entry.compress_size, 2**20)
    with archive.open(entry) as stream:
        while chunk := stream.read(2**20):
            size += len(chunk)
            if size > most or size > MOST_INFLATED:
                raise RefusedError("file.bomb", place)
            if size == len(chunk) and (b"<!DOCTYPE" in chunk or b"<!ENTITY" in chunk):
                raise RefusedError("file.active", place)
    return size


def read_xlsx(data: bytes, sheets: tuple[str, ...], place: str) -> dict[str, Grid]:
    """Read the agreed visible sheets of a workbook; comments and titles become remarks."""
    found = None
    try:
        preflight(data, place)
        found = _sheets(data, sheets, place)
    except RefusedError:
        raise
    except Exception:  # noqa: BLE001 - whatever a library says of a damaged file may quote a cell
        found = None
    if found is None:
        raise RefusedError("file.damaged", place)
    return found


def _sheets(data: bytes, sheets: tuple[str, ...], place: str) -> dict[str, Grid]:
    from openpyxl import load_workbook

    with warnings.catch_warnings(action="ignore"):
        book = load_workbook(io.BytesIO(data), read_only=False, data_only=False, keep_links=False)
    found: dict[str, Grid] = {}
    properties = (book.properties.creator, book.properties.title, book.properties.lastModifiedBy)
    outside = tuple(str(p) for p in properties if p and p != "openpyxl")
    for sheet in book.worksheets:
        if sheet.title in sheets and sheet.sheet_state == "visible":
            found[sheet.title] = _sheet(sheet, f"{place}, sheet {sheet.title}", outside)
        else:
            outside += (sheet.title,)
    if missing := [s for s in sheets if s not in found]:
        raise RefusedError("file.missing", f"{place}, sheet {missing[0]}")
    return found


def _sheet(sheet: Any, place: str, outside: tuple[str, ...]) -> Grid:
    rows, remarks = [], list(outside)
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        remarks += [cell.comment.text for cell in cells if cell.comment]
        texts = tuple(_text(cell.value) for cell in cells)
        if any(texts):
            rows.append((number, texts))
    if not rows:
        raise RefusedError("file.empty", place)
    return _grid(rows, place, tuple(remarks))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
