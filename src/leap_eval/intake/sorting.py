"""From a partner's own files to rows by fate: the same at a trust and at the intake."""

from __future__ import annotations

from typing import Any

from leap_eval.agreements.agreement import Agreement, file_pattern
from leap_eval.agreements.programme import Programme
from leap_eval.intake import deidentify, fates
from leap_eval.intake.deidentify import Terms
from leap_eval.intake.fates import Sorted
from leap_eval.intake.reader import Grid, RefusedError, read_csv, read_xlsx
from leap_eval.intake.values import Typed, typed
from leap_eval.store.delivery import Delivery


def grids(delivery: Delivery, agreement: Agreement) -> dict[str, tuple[Grid, str]]:
    """Return each agreed table as text, with its place; a file nobody agreed refuses all."""
    form = agreement.submission.file
    if form.format == "xlsx":
        ((name, data),) = delivery.content.items() if len(delivery.content) == 1 else [("", b"")]
        sheets = {t.source: stem for stem, t in agreement.tables.items()}
        found = read_xlsx(data, tuple(sheets), "the workbook")
        return {stem: (found[sheet], f"sheet {sheet}") for sheet, stem in sheets.items()}
    told: dict[str, tuple[Grid, str]] = {}
    for name, data in sorted(delivery.content.items()):
        stem = next(
            (s for s, t in agreement.tables.items() if file_pattern(t.source).fullmatch(name)), None
        )
        if stem is None:
            raise RefusedError("file.unclaimed", "a file")
        told[stem] = (read_csv(data, form, f"{stem} file"), stem)
    if "persons" not in told:
        raise RefusedError("file.missing", "persons")
    return told


def sort_rows(
    delivery: Delivery, terms: Terms
) -> tuple[dict[str, Sorted], list[Any], dict[str, Typed]]:
    """Return each table's rows by fate, the filed persons' identifiers, and the typed tables."""
    form = terms.agreement.submission.file
    read = {
        stem: typed(grid, terms.agreement.tables[stem], form, terms.shared_on, place)  # type: ignore[index]
        for stem, (grid, place) in grids(delivery, terms.agreement).items()
    }
    _no_real_data(read["persons"], terms.programme)
    done: dict[str, Sorted] = {}
    done["persons"], people, fate = fates.persons(read["persons"], terms)
    births = {row["reference"]: row["birth"] for row in done["persons"].rows}
    for stem, make in (("contacts", deidentify.contact), ("outcomes", deidentify.outcome)):
        if stem in read:
            done[stem] = fates.dependents(read[stem], make, terms, births, fate)
    for table in done.values():
        table.balanced()
    _not_systematic(done, terms.agreement)
    return done, people, read


def _no_real_data(persons: Typed, programme: Programme) -> None:
    codes = set(persons.columns.get("postcode") or ())
    if programme.state == "demo" and any(deidentify.real_postcode(code) for code in codes):
        raise RefusedError("leak.demo", "persons")


def _not_systematic(done: dict[str, Sorted], agreement: Agreement) -> None:
    for stem, table in done.items():
        most = max(agreement.submission.limits.refused * table.received, 5)
        if table.counts["refused"] > most:
            rules = [rule for _, rule in table.faults if rule != "consent.absent"]
            worst = max(sorted(set(rules)), key=rules.count)
            raise RefusedError("share.systematic", f"{stem}, mostly {worst}")
