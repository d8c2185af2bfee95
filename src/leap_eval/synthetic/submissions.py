"""What each partner sends each quarter, in its own words, headers, dates and file form."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from leap_eval.agreements.agreement import Agreement, Table
from leap_eval.synthetic.desk import EXTRA, contact_cells, outcome_cells, person_cells
from leap_eval.synthetic.streams import stream
from leap_eval.synthetic.tables import NHS, PARTNERS, Records
from leap_eval.synthetic.workbook import workbook
from leap_eval.synthetic.world import World

REFUSED = ("southbank_minds", "2021Q2")  # its first sending carries identifiers in the clear


@dataclass(frozen=True, slots=True, repr=False)
class Submission:
    """One sending: it goes through the trust's own side first, unless sent in the clear."""

    partner: str
    period: str
    sequence: int
    shared_on: date
    content: dict[str, bytes]
    rows: int
    clear: bool = False  # a trust's own file, sent by mistake
    verdict: str = "filed"


def submissions(
    world: World, held: Records, agreements: Mapping[str, Agreement]
) -> list[Submission]:
    """Return every submission in order of the day it is shared."""
    made = [s for p in PARTNERS for s in _of_partner(world, held, agreements[p])]
    return sorted(
        made, key=lambda s: (s.shared_on, PARTNERS.index(s.partner), s.period, s.sequence)
    )


def _of_partner(world: World, held: Records, terms: Agreement) -> Iterator[Submission]:
    people = held.people[held.people.partner == terms.partner]
    parts = {
        "contacts": held.contacts[held.contacts.record.isin(people.record)],
        "outcomes": held.outcomes[held.outcomes.record.isin(people.record)],
        "reviews": held.reviews[held.reviews.record.isin(people.record)],
    }
    days = {"contacts": "date_to", "outcomes": "measured_on", "reviews": "day"}
    quarters = {k: _quarter(t[days[k]]) for k, t in parts.items()}
    adults = people[~people.child].record
    rng = stream(world.luck.seed, f"submissions/{terms.partner}", world.luck.borough)
    first = (
        pd.concat(
            [pd.Series(quarters[k].to_numpy(), index=t.record.to_numpy()) for k, t in parts.items()]
        )
        .groupby(level=0)
        .min()
    )
    family = people.set_index("record").family
    of_family = first.groupby(family.reindex(first.index)).min()
    comes = family.loc[adults].map(of_family)
    for q in sorted(set(np.concatenate([s.unique() for s in quarters.values()]))):
        now = {k: t[quarters[k].to_numpy() == q] for k, t in parts.items()}
        present = np.unique(
            np.concatenate(
                [*(t.record.to_numpy() for t in now.values()), comes.index[comes == q].to_numpy()]
            )
        )
        file = people[people.record.isin(present)]
        yield from _sent(world, terms, int(q), file, now, held, rng)


def _quarter(days: pd.Series) -> pd.Series:
    at = pd.to_datetime(days)
    return 4 * at.dt.year + at.dt.quarter - 1


def _sent(
    world: World, terms: Agreement, q: int, people: pd.DataFrame, now: dict[str, pd.DataFrame],
    held: Records, rng: np.random.Generator,
) -> Iterator[Submission]:  # fmt: skip
    period, last = (
        f"{q // 4}Q{q % 4 + 1}",
        pd.Period(year=q // 4, quarter=q % 4 + 1, freq="Q").end_time.date(),
    )
    u = rng.random(4)
    wait = int(10 + 17 * u[0]) + (
        91 * (1 + int(u[1] * 34) % 2) if u[1] < world.planted.dirt["late"] else 0
    )
    shared = min(date.fromordinal(last.toordinal() + wait), date(2025, 3, 31))
    tables = {
        "persons": person_cells(world, terms, people, held, last, period),
        "contacts": contact_cells(world, terms, now["contacts"], people, rng),
        "outcomes": outcome_cells(terms, now["outcomes"], people),
    }
    one = _packed(terms, period, 1, shared, tables)
    if (terms.partner, period) == REFUSED:
        yield replace(one, clear=True, verdict="refused")
        yield replace(one, sequence=2, shared_on=date.fromordinal(shared.toordinal() + 5))
    elif u[2] < 0.045:
        less = {
            k: {c: v[: max(1, len(v) - 2)] for c, v in t.items()} if k == "contacts" else t
            for k, t in tables.items()
        }
        yield replace(_packed(terms, period, 1, shared, less), verdict="replaced")
        yield replace(
            one,
            sequence=2,
            shared_on=min(date.fromordinal(shared.toordinal() + 30), date(2025, 3, 31)),
        )
    else:
        yield one
        if u[2] > 0.975 and terms.partner not in NHS:
            yield replace(
                one,
                sequence=2,
                shared_on=min(date.fromordinal(shared.toordinal() + 9), date(2025, 3, 31)),
                verdict="identical",
            )


def _packed(
    terms: Agreement,
    period: str,
    sequence: int,
    shared: date,
    tables: dict[str, dict[str, list[Any]]],
) -> Submission:
    form = terms.submission.file
    agreed: dict[str, Table] = {str(stem): table for stem, table in terms.tables.items()}
    grids = {s: _grid(terms, s, agreed[s], cells) for s, cells in tables.items() if s in agreed}
    rows = sum(len(g) - 1 for g in grids.values())
    if form.format == "xlsx":
        data = workbook({agreed[s].source: g for s, g in grids.items()})
        content = {f"{terms.partner}_{period}.xlsx": data}
    else:
        content = {
            agreed[s].source.replace("{period}", period): _text(g, terms)
            for s, g in grids.items()
            if len(g) > 1 or s == "persons"
        }
    return Submission(terms.partner, period, sequence, shared, content, rows)


def _grid(
    terms: Agreement, stem: str, table: Table, cells: dict[str, list[Any]]
) -> list[list[Any]]:
    size = len(cells["reference"])
    named = {c.column: _worded(terms, c, cells.get(c.what, [""] * size)) for c in table.columns}
    named |= {
        name: cells.get(what, [""] * size)
        for name, what in EXTRA.get((terms.partner, stem), {}).items()
    }
    return [list(named), *map(list, zip(*named.values(), strict=True))]


def _worded(terms: Agreement, column: Any, cells: list[Any]) -> list[Any]:
    """Return the cells in the partner's own words: values inverted, dates in its format."""
    word = {code: text for text, code in reversed(column.values.items())}
    form = column.format if terms.submission.file.format == "csv" else None
    known = {c: _said(c, word, form) for c in dict.fromkeys(cells)}
    return [known[c] for c in cells]


def _said(cell: Any, word: dict[str, str], form: str | None) -> Any:
    if isinstance(cell, date):
        return cell.strftime(form).upper() if form else cell
    return word.get(cell, cell)


def _text(grid: list[list[Any]], terms: Agreement) -> bytes:
    form = terms.submission.file
    out = io.StringIO()
    quoting: Literal[0, 1] = (
        csv.QUOTE_ALL if terms.partner == "borough_council" else csv.QUOTE_MINIMAL
    )
    end = "\n" if terms.partner == "leap_community" else "\r\n"
    csv.writer(out, delimiter=form.delimiter, quoting=quoting, lineterminator=end).writerows(grid)
    text = out.getvalue()
    if form.encoding == "utf-16":
        return b"\xff\xfe" + text.encode("utf-16-le")
    return (
        _plainer(text).encode("cp1252") if form.encoding == "cp1252" else text.encode(form.encoding)
    )


def _plainer(text: str) -> str:
    """Return text an old system can hold: letters outside cp1252 lose their marks."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        odd = {c for c in text if not c.encode("cp1252", "ignore")}
        table = {
            ord(c): unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode() for c in odd
        }
        return text.translate(table)
    return text
