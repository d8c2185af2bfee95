"""Typed rows to filed rows: keyed references, coarsened content, names only as tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.intake.values import Typed
from leap_eval.reference.geography import Area, invented, lookup
from leap_eval.reference.instruments import INSTRUMENTS
from leap_eval.tokens import Person, postcode
from leap_eval.tokens.normalise import sector

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides how a row is filed."""

    agreement: Agreement
    programme: Programme
    shared_on: date


def month(day: date | None) -> date | None:
    """Return the first of the month: days of birth are never filed."""
    return day.replace(day=1) if day else None


def months_between(birth: date | None, day: date) -> int | None:
    """Return age in months as a difference of months; completed months would give the day away."""
    return None if birth is None else 12 * (day.year - birth.year) + day.month - birth.month


def person(told: Typed, i: int, terms: Terms) -> Row:
    """Return the content of one person row, without any identifier."""
    get = _getter(told, i)
    code, group = get("ethnicity") or (None, "not_known")
    area = area_of(get("postcode"), terms.programme)
    by_standard = terms.agreement.tables["persons"].column("ethnicity")
    degrade = terms.programme.degrade
    return {
        "role": get("role"),
        "birth_month": _degraded(get("birth_date"), degrade.birth),
        "due_month": month(get("due_date")),
        "sex": get("sex"),
        "ethnicity": code if degrade.ethnicity == "code" else None,
        "ethnicity_standard": by_standard.codes if by_standard and code else None,
        "ethnicity_group5": group,
        "home_language": get("language") or "not_known",
        "disability": get("disability") or "not_known",
        "area_kind": area.kind if area else None,
        "area": area.area if area else None,
        "ward": area.ward if area else None,
        "imd_decile": area.imd_decile if area else None,
        "need_level": get("need_level"),
        "review_on_12": get("review_on_12"),
        "review_on_24": get("review_on_24"),
        "concern_12": _yes(get("concern_12")),
        "concern_24": _yes(get("concern_24")),
        "birthweight_g": None,
        "gestation_weeks": None,
        "parity": get("parity"),
    }


def _getter(told: Typed, i: int) -> Any:
    def get(what: str) -> Any:
        column = told.columns.get(what)
        return column[i] if column is not None else None

    return get


def _yes(word: str | None) -> bool | None:
    return None if word is None else word == "yes"


def _degraded(day: date | None, to: str) -> date | None:
    if day is None or to == "month":
        return month(day)
    return day.replace(month=(day.month - 1) // 3 * 3 + 1 if to == "quarter" else 1, day=1)


@lru_cache(maxsize=50_000)
def _area(code: str, postcodes: str | None, deprivation: str | None) -> Area | None:
    if postcodes is None or deprivation is None:
        return Area("sector", sector(code), None, None)
    return lookup(postcodes, deprivation).get(code)


def area_of(text: str | None, programme: Programme) -> Area | None:
    """Return the area of a postcode by the operator's lookup, or its sector where there is none."""
    code = postcode(text)
    if code is None:
        return None
    found = _area(code, programme.geography.lookup, programme.geography.deprivation)
    if found is None or programme.degrade.area == "lsoa" or found.kind == "sector":
        return found
    return Area("ward", found.ward or "not_known", found.ward, found.imd_decile)


def real_postcode(text: str | None) -> bool:
    """Tell whether a postcode of a whole shape could exist: none may come near public keys."""
    code = postcode(text)
    return code is not None and 5 <= len(code) <= 7 and code[-3].isdigit() and not invented(code)


def identifiers(told: Typed, i: int) -> Person:
    """Return what tokens are made of: it lives in memory only."""
    get = _getter(told, i)
    birth = get("birth_date")
    return Person(
        forename=get("forename"),
        surname=get("surname"),
        birth_date=birth.isoformat() if birth else None,
        postcode=get("postcode"),
        nhs_number=get("nhs_number"),
        upn=get("upn"),
        uprn=get("uprn"),
        guardian_forename=get("guardian_forename"),
        guardian_surname=get("guardian_surname"),
        multiple_birth=get("multiple_birth"),
        birth_order=get("birth_order"),
    )


def contact(told: Typed, i: int) -> Row | str:
    """Return the content of one contact row, or the rule it breaks."""
    get = _getter(told, i)
    first = get("date") or get("period_from")
    last = get("date") or get("period_to") or first
    if last < first:
        return "date.span"
    single = get("date") is not None
    return {
        "service": get("service"),
        "date_from": first,
        "date_to": last,
        "sessions": get("sessions") if get("sessions") is not None else 1,
        "attended": get("attended") or "attended",
        "minutes": get("minutes"),
        "mode": get("mode") or (None if single else "in_person"),
    }


def outcome(told: Typed, i: int) -> Row | str:
    """Return the content of one outcome row, or the rule it breaks."""
    get = _getter(told, i)
    instrument, _, item = (get("instrument") or "").partition(":")
    item = get("item") or item
    if get("framework"):
        instrument = f"{instrument}@{get('framework')}"
    known = INSTRUMENTS.get(instrument, {}).get(item)
    if known is None:
        return "instrument.unknown"
    value, level = get("value"), get("level")
    if isinstance(value, str):
        value, level = (float(value), None) if value.replace(".", "").isdigit() else (None, value)
    if known.levels:
        return (
            _outcome(instrument, item, get, None, level)
            if level in known.levels
            else "code.unknown"
        )
    if value is None:
        return "required.missing"
    inside = (known.low or 0) <= value <= (known.high or 0)
    return _outcome(instrument, item, get, value, None) if inside else "number.range"


def _outcome(instrument: str, item: str, get: Any, value: float | None, level: str | None) -> Row:
    return {
        "instrument": instrument,
        "item": item,
        "measured_on": get("measured_on"),
        "value": value,
        "level": level,
    }


def in_scope(row: Row, birth: date | None, programme: Programme) -> bool:
    """Tell whether a contact lies in the years of the programme and the ages it serves."""
    age = months_between(birth, row["date_from"])
    inside = programme.starts <= row["date_from"] <= programme.ends
    return inside and (age is None or -10 <= age <= 60 or age > 180)


def in_window(row: Row, birth: date | None) -> bool:
    """Tell whether an outcome was measured at an age its instrument is meant for."""
    age = months_between(birth, row["measured_on"])
    low, high = INSTRUMENTS[row["instrument"]][row["item"]].ages
    return age is None or low <= age <= high
