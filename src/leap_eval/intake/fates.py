"""Every row gets exactly one fate, and the fates add up to what was received."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from leap_eval.agreements.agreement import Agreement
from leap_eval.errors import StateError
from leap_eval.intake import deidentify
from leap_eval.intake.deidentify import Row, Terms
from leap_eval.intake.values import Typed
from leap_eval.tokens import Person

FATES = ("filed", "duplicate", "refused", "choice", "past_retention")


@dataclass(slots=True, repr=False)
class Sorted:
    """One table with its fates: what may be filed, how many rows met each fate, and the faults."""

    rows: list[Row] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FATES, 0))
    faults: list[tuple[int, str]] = field(default_factory=list)  # row number, rule
    received: int = 0

    def keep(self, row: Row) -> None:
        """File a row."""
        self.rows.append(row)
        self.counts["filed"] += 1

    def refuse(self, number: int, rule: str) -> None:
        """Refuse a row by a rule."""
        self.faults.append((number, rule))
        self.counts["refused"] += 1

    def balanced(self) -> None:
        """Assert the conservation law: received = the sum of all fates."""
        if self.received != sum(self.counts.values()):
            raise StateError("intake: rows do not add up; nothing is filed; report this")


def consented(agreement: Agreement, told: Typed, shared_on: date) -> dict[str, str | None]:
    """Return, by reference, the rule that a person's consent breaks, or None where they opted in.

    A later `no` wins; only an agreed word counts as yes.
    """
    if agreement.consent is None:
        return {}
    yes = {word.casefold() for word in agreement.consent.yes}
    words, references = told.columns["consent"], told.columns["reference"]
    days = told.columns.get("consent_date") or [None] * len(told)
    found: dict[str, tuple[date, str | None]] = {}
    for reference, word, day in zip(references, words, days, strict=True):
        opted = word is not None and word.strip().casefold() in yes and day is not None
        on = day or date.min
        if reference is not None and (reference not in found or on >= found[reference][0]):
            found[reference] = (on, None if opted else "consent.absent")
    return {reference: rule for reference, (_, rule) in found.items()}


def persons(told: Typed, terms: Terms) -> tuple[Sorted, list[Person], dict[str, str]]:
    """Return the person rows that may be filed, their identifiers, and each reference's fate."""
    done, people = Sorted(received=len(told)), list[Person]()
    fate: dict[str, str] = {}
    asked = consented(terms.agreement, told, terms.shared_on)
    seen: set[Any] = set()
    for i, reference in enumerate(told.columns["reference"]):
        if rule := told.broken[i]:
            done.refuse(told.numbers[i], rule)
            fate.setdefault(reference, "refused")
            continue
        if asked.get(reference):
            done.counts["choice"] += 1
            done.faults.append((told.numbers[i], "consent.absent"))
            fate[reference] = "choice"
            continue
        row, one = deidentify.person(told, i, terms), deidentify.identifiers(told, i)
        same = (reference, tuple(row.values()), one)
        fate[reference] = "filed"
        if same in seen:
            done.counts["duplicate"] += 1
            continue
        seen.add(same)
        family = told.columns.get("family_reference")
        linked = {"reference": reference, "family_reference": family[i] if family else None}
        done.keep({**row, **linked, "row": told.numbers[i], "birth": row["birth_month"]})
        people.append(one)
    return done, people, fate


def dependents(
    told: Typed, make: Any, terms: Terms, people: dict[str, date | None], fate: dict[str, str]
) -> Sorted:
    """Return the contacts or outcomes that may be filed: they follow their person."""
    done = Sorted(received=len(told))
    seen: set[Any] = set()
    for i, reference in enumerate(told.columns["reference"]):
        if rule := told.broken[i]:
            done.refuse(told.numbers[i], rule)
        elif fate.get(reference) == "choice":
            done.counts["choice"] += 1
        elif fate.get(reference) != "filed":
            done.refuse(told.numbers[i], "reference.unknown")
        else:
            _dependent(
                done, make(told, i), reference, told.numbers[i], people[reference], terms, seen
            )
    return done


def _dependent(
    done: Sorted,
    row: Row | str,
    reference: str,
    number: int,
    birth: date | None,
    terms: Terms,
    seen: set[Any],
) -> None:
    if isinstance(row, str):
        done.refuse(number, row)
        return
    same = (reference, *row.values())
    if same in seen:
        done.counts["duplicate"] += 1
        return
    seen.add(same)
    day = row.get("date_from") or row["measured_on"]
    row["age_months"] = deidentify.months_between(birth, day)
    if "service" in row:
        row["in_scope"] = deidentify.in_scope(row, birth, terms.programme)
    else:
        row["in_window"] = deidentify.in_window(row, birth)
    done.keep({**row, "reference": reference, "row": number})
