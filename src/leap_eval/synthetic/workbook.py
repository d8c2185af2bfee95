"""A workbook without a clock: the same cells give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from xml.sax.saxutils import escape

EPOCH = date(1899, 12, 30).toordinal()
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACK = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
Cell = str | date | None
PLAIN = 'fontId="0" fillId="0" borderId="0"'
STYLES = (  # 0 text, 1 a date
    f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders>'
    f'<cellStyleXfs count="1"><xf numFmtId="0" {PLAIN}/></cellStyleXfs>'
    f'<cellXfs count="2"><xf numFmtId="0" {PLAIN} xfId="0"/>'
    f'<xf numFmtId="14" {PLAIN} xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> bytes:
    """Return an .xlsx of these sheets; dates become date cells, all else text."""
    parts = {
        "[Content_Types].xml": _types(len(sheets)),
        "_rels/.rels": f'<Relationships xmlns="{PACK}/relationships"><Relationship Id="rId1" '
        f'Type="{REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": _book(list(sheets)),
        "xl/_rels/workbook.xml.rels": _links(len(sheets)),
        "xl/styles.xml": STYLES,
        **{
            f"xl/worksheets/sheet{i}.xml": _sheet(rows) for i, rows in enumerate(sheets.values(), 1)
        },
    }
    out = io.BytesIO()
    # Stored, not deflated: another zlib would give other bytes.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), (HEAD + text).encode())
    return out.getvalue()


def _types(n: int) -> str:
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{KIND}.worksheet+xml"/>'
        for i in range(1, n + 1)
    )
    return (
        f'<Types xmlns="{PACK}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{KIND}.styles+xml"/>{sheets}</Types>'
    )


def _book(names: list[str]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(n)}" sheetId="{i}" r:id="rId{i}"/>' for i, n in enumerate(names, 1)
    )
    return f'<workbook xmlns="{MAIN}" xmlns:r="{REL}"><sheets>{sheets}</sheets></workbook>'


def _links(n: int) -> str:
    sheets = "".join(
        f'<Relationship Id="rId{i}" Type="{REL}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, n + 1)
    )
    styles = f'<Relationship Id="rId{n + 1}" Type="{REL}/styles" Target="styles.xml"/>'
    return f'<Relationships xmlns="{PACK}/relationships">{sheets}{styles}</Relationships>'


def _sheet(rows: Sequence[Sequence[Cell]]) -> str:
    body = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, date):
        return f'<c s="1"><v>{value.toordinal() - EPOCH}</v></c>'
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
