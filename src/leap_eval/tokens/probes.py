"""Seeded probes: damaged copies of a few people, so that linkage can be tried where truth is known.

They are made in memory where names are, and only their tokens go on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace

from leap_eval.tokens.forms import Person
from leap_eval.tokens.keys import mark
from leap_eval.tokens.nicknames import formal

SHARE = 0.02
MOST = (1, 1, 1, 2, 2, 3)  # slips a copy: mostly one, so that each kind is told apart
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAMES = ("forename", "surname")
FIELDS = (*NAMES, "birth_date", "postcode")


@dataclass(frozen=True, slots=True, repr=False)
class Probe:
    """A damaged copy of the person at `place`; `kind` names the slips, joined by `+`."""

    place: int
    kind: str
    person: Person


def probes(people: Sequence[Person], link_key: bytes) -> list[Probe]:
    """Return one damaged copy of 2 % of the people, chosen and damaged by the link key alone."""
    homes = sorted({p.postcode for p in people if p.postcode})
    made = (_probe(place, person, homes, link_key) for place, person in enumerate(people))
    return [probe for probe in made if probe is not None]


def _probe(place: int, person: Person, homes: list[str], key: bytes) -> Probe | None:
    told = mark(key, "leap-probe", "1", *(str(cell or "") for cell in astuple(person)))
    if int.from_bytes(told[:4], "big") >= SHARE * 2**32:
        return None
    draw = random.Random(int.from_bytes(told[4:], "big"))
    kinds, damaged = [], replace(person, nhs_number=None, upn=None)
    for kind in draw.sample(sorted(SLIPS), len(SLIPS)):
        after = SLIPS[kind](damaged, draw, homes)
        if after not in (None, damaged):
            kinds.append(kind)
            damaged = after or damaged
        if len(kinds) == MOST[told[3] % len(MOST)]:
            break
    return Probe(place, "+".join(sorted(kinds)), damaged) if kinds else None


Slip = Callable[[Person, random.Random, list[str]], Person | None]


def _typo(person: Person, draw: random.Random, homes: list[str]) -> Person | None:
    field = draw.choice(FIELDS)
    text = getattr(person, field) or ""
    places = [i for i, c in enumerate(text) if c.isalnum()]
    if len(places) < 3:
        return None
    at = draw.choice(places[1:])
    other = draw.choice("0123456789" if text[at].isdigit() else LETTERS)
    left_out = draw.random() < 0.5 and field in NAMES
    return replace(person, **{field: text[:at] + ("" if left_out else other) + text[at + 1 :]})


def _exchanged(person: Person, draw: random.Random, homes: list[str]) -> Person | None:
    if not (person.forename and person.surname):
        return None
    return replace(person, forename=person.surname, surname=person.forename)


def _day_month(person: Person, draw: random.Random, homes: list[str]) -> Person | None:
    parts = (person.birth_date or "").split("-")
    if len(parts) != 3 or not "01" <= parts[2] <= "12":
        return None
    return replace(person, birth_date=f"{parts[0]}-{parts[2]}-{parts[1]}")


def _moved(person: Person, draw: random.Random, homes: list[str]) -> Person | None:
    return replace(person, postcode=draw.choice(homes)) if person.postcode else None


def _lost_part(person: Person, draw: random.Random, homes: list[str]) -> Person | None:
    field = draw.choice(NAMES)
    parts = (getattr(person, field) or "").replace("-", " ").split()
    return replace(person, **{field: draw.choice(parts)}) if len(parts) > 1 else None


def _nickname(person: Person, draw: random.Random, homes: list[str]) -> Person | None:
    short = (person.forename or "").casefold()
    whole = formal(short)
    return replace(person, forename=whole) if short and whole != short else None


def _missing(person: Person, draw: random.Random, homes: list[str]) -> Person | None:
    return replace(person, **{draw.choice(FIELDS): None})


SLIPS: dict[str, Slip] = {
    "typo": _typo,
    "exchanged": _exchanged,
    "day_month": _day_month,
    "moved": _moved,
    "lost_part": _lost_part,
    "nickname": _nickname,
    "missing": _missing,
}
