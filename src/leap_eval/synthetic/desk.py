"""The cells a partner's clerk fills in: what each agreed column holds, before its own wording."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from leap_eval.agreements.agreement import Agreement
from leap_eval.reference.ethnicity import NHS2001
from leap_eval.synthetic.dirt import mistyped
from leap_eval.synthetic.places import places
from leap_eval.synthetic.tables import Records, review_day
from leap_eval.synthetic.world import World

# Columns partners send though nobody agreed to them: they must be dropped, and hold canaries.
EXTRA = {
    ("borough_council", "persons"): {
        "MotherName": "mother_name",
        "Address1": "address",
        "Phone": "phone",
    },
    ("childrens_centres", "persons"): {"Notes": "note"},
    ("leap_community", "persons"): {"email": "email", "photo_ok": "photo"},
    ("story_doorstep", "contacts"): {"Books": "books"},
    ("healthy_table", "persons"): {"Doctor": "doctor"},
}
WORDS = {
    "dfe": dict(
        zip(
            "ABCDEFGHJKLMNPRS",
            [
                "WBRI",
                "WIRI",
                "WOTH",
                "MWBC",
                "MWBA",
                "MWAS",
                "MOTH",
                "AIND",
                "APKN",
                "ABAN",
                "AOTH",
                "BCRB",
                "BAFR",
                "BOTH",
                "CHNE",
                "OOTH",
            ],
            strict=True,
        )
    ),
    "census2021": dict(
        zip(
            "ABCDEFGHJKLMNPRS",
            [
                "English, Welsh, Scottish, Northern Irish or British",
                "Irish",
                "Any other White background",
                "White and Black Caribbean",
                "White and Black African",
                "White and Asian",
                "Any other Mixed or multiple background",
                "Indian",
                "Pakistani",
                "Bangladeshi",
                "Any other Asian background",
                "Caribbean",
                "African",
                "Any other Black background",
                "Chinese",
                "Any other ethnic group",
            ],
            strict=True,
        )
    ),
    "nhs2001_words": {code: words for code, (words, _) in NHS2001.items()},
    "nhs2001": {code: code for code in NHS2001},
}
WORDS["census2011"] = WORDS["census2021"] | {
    "A": "English/Welsh/Scottish/Northern Irish/British",
    "G": "Any other Mixed/Multiple ethnic background",
    "P": "Any other Black/African/Caribbean background",
}  # fmt: skip
ODD = ("3 of 8", "six", "3 or 4", "10+", "-1", "1.5")


def person_cells(
    world: World, terms: Agreement, people: pd.DataFrame, held: Records, last: date, period: str
) -> dict[str, list[Any]]:
    """Return what the people file holds, by what each column is."""
    nhs, kids, i = terms.kind == "nhs_trust", world.children, people["index"].to_numpy()
    child = people.child.to_numpy()
    standard = next(c.codes for c in terms.tables["persons"].columns if c.what == "ethnicity")
    words = WORDS[standard or "nhs2001"]
    births = [_day(b) for b in people.birth]
    if terms.partner == "milk_and_more" and period in ("2018Q1", "2018Q2", "2018Q3"):
        births = [_swapped(b) for b in births]
    yes = "" if terms.consent is None else terms.consent.yes[0]
    due = kids.birth[i] + 7 * (40 - kids.gestation[i])
    cells: dict[str, list[Any]] = {
        "reference": people.reference.tolist(),
        "family_reference": [f"F{f}" for f in people.family],
        "nhs_number": people.nhs.tolist(),
        "upn": people.upn.tolist(),
        "role": people.role.tolist(),
        "forename": people.forename.tolist(),
        "surname": people.surname.tolist(),
        "guardian_forename": people.mother.tolist(),
        "guardian_surname": people.mother_surname.tolist(),
        "birth_date": births,
        "due_date": [d if c else "" for c, d in zip(child, due.astype(object), strict=True)],
        "sex": np.where(people.male == 1, "m", "f").tolist(),
        "postcode": _postcodes(people, last),
        "ethnicity": [
            "" if no else words[c]
            for c, no in zip(people.ethnicity, people.no_ethnicity, strict=True)
        ],
        "language": [
            "" if no else ("other" if e else "english")
            for e, no in zip(people.eal, people.no_language, strict=True)
        ],
        "disability": np.where(child & (kids.disability[i] == 1), "yes", "no").tolist(),
        "multiple_birth": np.where(child & (kids.twin[i] == 2), "yes", "no").tolist(),
        "parity": [str(k) if c else "" for c, k in zip(child, kids.parity[i], strict=True)],
        "need_level": [
            str(k) if c and not no else ""
            for c, k, no in zip(child, kids.need[i], people.no_level, strict=True)
        ],
        "consent": [yes if y else w for y, w in zip(people.yes, people.no_word, strict=True)],
        "consent_date": [date(last.year, last.month - 2, 1)] * len(people),
        "consent_version": ["2"] * len(people),
        **_canaries(people),
    }
    if terms.partner == "thameside_community":
        cells |= _reviewed(world, people, held, last)
        cells["surname"] = [f"{s}  " for s in cells["surname"]]
        cells["postcode"] = [p.lower() for p in cells["postcode"]]
        cells["ethnicity"] = [f"{e}1" if e else "" for e in cells["ethnicity"]]
    return cells if not nhs else {k: v for k, v in cells.items() if not k.startswith("consent")}


def _day(text: str) -> date | str:
    # A day and month in the wrong order may make no date at all: the desk types it nonetheless.
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def _swapped(day: date | str) -> date | str:
    return (
        day.replace(day=day.month, month=day.day)
        if isinstance(day, date) and day.day <= 12
        else day
    )


def _postcodes(people: pd.DataFrame, last: date) -> list[str]:
    month = 12 * (last.year - 2015) + last.month - 1
    known = (people.moved + 6 <= month) & ~people.never_learns
    code = np.where(known, people.postcode, people.old_postcode)
    text = [places().postcode[c] for c in code]
    wrong = [
        mistyped(t, (r % 97) / 97) if w else t
        for t, w, r in zip(text, people.typed_postcode, people.record, strict=True)
    ]
    return ["" if "no_postcode" in d else t for t, d in zip(wrong, people.dirt, strict=True)]


def _reviewed(
    world: World, people: pd.DataFrame, held: Records, last: date
) -> dict[str, list[Any]]:
    kids, i = world.children, people["index"].to_numpy()
    cells: dict[str, list[Any]] = {}
    for month, concern in ((12, kids.concern12), (24, kids.concern24)):
        done = people.record.isin(held.reviews.record[held.reviews.review == month]).to_numpy()
        day = review_day(world, month)[i]
        done = done & (day <= np.datetime64(last)) & people.child.to_numpy()
        cells[f"review_on_{month}"] = [
            d if x else "" for d, x in zip(day.astype(object), done, strict=True)
        ]
        cells[f"concern_{month}"] = [
            ("yes" if c else "no") if x else "" for c, x in zip(concern[i], done, strict=True)
        ]
    return cells


def _canaries(people: pd.DataFrame) -> dict[str, list[Any]]:
    record = people.record.tolist()
    return {
        "mother_name": [
            f"{a} {b}".strip() for a, b in zip(people.mother, people.mother_surname, strict=True)
        ],
        "address": [f"{1 + r % 90} Kestrel Mews" for r in record],
        "phone": [f"020 7946 0{r % 1000:03d}" for r in record],
        "note": [_note(f, r) for f, r in zip(people.forename, record, strict=True)],
        "email": [f"visitor{r}@post.example" for r in record],
        "photo": ["yes" if r % 3 else "no" for r in record],
        "doctor": ["Dr Example" if r % 5 == 0 else "" for r in record],
    }  # fmt: skip


def _note(forename: str, record: int) -> str:
    if record % 50:
        return ""
    return f"Mum of {forename} rang, call back on 020 7946 0{record % 1000:03d}"


def contact_cells(
    world: World,
    terms: Agreement,
    rows: pd.DataFrame,
    people: pd.DataFrame,
    rng: np.random.Generator,
) -> dict[str, list[Any]]:
    """Return what the contacts file holds, by what each column is."""
    of = dict(zip(people.record, people.reference, strict=True))
    u = rng.random(len(rows))
    reference = [of[r] for r in rows.record]
    sessions = [str(k) for k in rows.sessions]
    if terms.partner == "borough_council":
        odd = world.planted.dirt["refused_sessions"]
        sessions = [
            ODD[int(x / odd * len(ODD))] if x < odd else f"{k:>02}" if x < 0.2 else k
            for k, x in zip(sessions, u, strict=True)
        ]
    if terms.partner == "healthy_table":
        reference = ["5E+10" if x < 0.005 else r for r, x in zip(reference, u, strict=True)]
    kinds = {s: t.kind for s, t in world.planted.services.items()}
    days = pd.to_datetime(rows.date_from).dt.date.tolist()
    return {
        "reference": reference, "service": rows.service.tolist(), "date": days, "period_from": days,
        "period_to": pd.to_datetime(rows.date_to).dt.date.tolist(), "sessions": sessions,
        "attended": rows.attended.tolist(),
        "mode": ["home" if kinds[s] == "one_to_one" else "in_person" for s in rows.service],
        "books": [str(1 + int(4 * x)) for x in u],
    }  # fmt: skip


def outcome_cells(
    terms: Agreement, rows: pd.DataFrame, people: pd.DataFrame
) -> dict[str, list[Any]]:
    """Return what the outcomes file holds, by what each column is."""
    of = dict(zip(people.record, people.reference, strict=True))
    value = ["" if v != v else f"{v:g}" for v in rows.value]
    level = [x if isinstance(x, str) else "" for x in rows.level]
    instrument, framework = rows.instrument.tolist(), [i.partition("@")[2] for i in rows.instrument]
    if terms.partner == "borough_council":
        instrument = ["eyfsp:gld"] * len(rows)
    if terms.partner == "childrens_centres":
        value = level
    return {
        "reference": [of[r] for r in rows.record], "instrument": instrument,
        "item": rows["item"].tolist(),
        "framework": framework, "measured_on": pd.to_datetime(rows.measured_on).dt.date.tolist(),
        "value": value, "level": level,
    }  # fmt: skip
