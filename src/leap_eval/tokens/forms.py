"""What tokens are made of: a person's normal forms, and the complete list of token columns.

Tier A may leave a partner: no token of it stands for one field alone. Tier B never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from leap_eval.tokens import normalise
from leap_eval.tokens.nicknames import formal
from leap_eval.tokens.sounds import metaphone, soundex

Tier = Literal["A", "AB"]

IDS = ("nhs", "upn")
PLAIN = ("has_forename", "has_surname", "has_date", "has_postcode")
TOLD = ("multiple", "birth_order")

# column -> (kind, forms). Exchanged names and swapped dates take the kind of what they meet.
_DATED = [(n, d) for n in ("f", "l", "fm", "lm") for d in ("q", "ym", "md", "yd")]
SINGLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "f_l": ("f_l", ("f", "l")),
    "l_f": ("f_l", ("l", "f")),
    "fm_lm": ("fm_lm", ("fm", "lm")),
    "f3_l": ("f3_l", ("f3", "l")),
    "f_l3": ("f_l3", ("f", "l3")),
    **{f"{n}_{d}": (f"{n}_{d}", (n, d)) for n, d in _DATED},
    "f_sw": ("f_q", ("f", "sw")),
    "l_sw": ("l_q", ("l", "sw")),
    "f3_q": ("f3_q", ("f3", "q")),
    "l3_q": ("l3_q", ("l3", "q")),
    "f1_l_q": ("f1_l_q", ("f1", "l", "q")),
    "f1_l_p": ("f1_l_p", ("f1", "l", "p")),
    "lf_q": ("f_q", ("l", "q")),
    "lf_p": ("f_p", ("l", "p")),
    **{f"{n}_p": (f"{n}_p", (n, "p")) for n in ("f", "l", "fm", "lm", "f3", "l3")},
    "f_s": ("f_s", ("f", "s")),
    "l_s": ("l_s", ("l", "s")),
    **{f"{d}_p": (f"{d}_p", (d, "p")) for d in ("q", "ym", "md", "yd")},
    "flp": ("flp", ("f", "l", "p")),
    "flqp": ("flqp", ("f", "l", "q", "p")),
    "g_flp": ("flp", ("gf", "gl", "p")),
}
# column -> (field of the neighbourhood, near form, whole form)
LISTS: dict[str, tuple[str, str, str]] = {
    "fd_l": ("name", "f", "l"),
    "f_ld": ("name", "l", "f"),
    "fd_q": ("name", "f", "q"),
    "ld_q": ("name", "l", "q"),
    "fd_p": ("name", "f", "p"),
    "ld_p": ("name", "l", "p"),
    "f_qd": ("date", "q", "f"),
    "l_qd": ("date", "q", "l"),
    "f_pd": ("postcode", "p", "f"),
    "l_pd": ("postcode", "p", "l"),
}
# Told as they are even where two people of one file bear them: twins, children registered twice
# and families need these, and hardly anybody else shares them. Parts of names, sounds and swapped
# dates are not among them: they only tell how those two are alike, and so which two they are.
TOLD_ANYWAY = frozenset(
    {*IDS, "flp", "g_flp"}
    | {c for c, (_, parts) in SINGLES.items() if "q" in parts and {*parts} <= {*"flqp"}}
    | {c for c, (_, _, whole) in LISTS.items() if whole == "q"}
)
SINGLES_B: dict[str, tuple[str, str]] = {
    "fn": ("name", "f"),
    "ln": ("name", "l"),
    "fn_1": ("name_1", "f1"),
    "fn_3": ("name_3", "f3"),
    "ln_3": ("name_3", "l3"),
    "fn_m": ("name_m", "fm"),
    "ln_m": ("name_m", "lm"),
    "fn_x": ("name_x", "fx"),
    "ln_x": ("name_x", "lx"),
    "fn_nick": ("name_nick", "fk"),
    "dob": ("dob", "q"),
    "dob_sw": ("dob", "sw"),
    "dob_ym": ("dob_ym", "ym"),
    "dob_md": ("dob_md", "md"),
    "dob_yd": ("dob_yd", "yd"),
    "pc": ("pc", "p"),
    "pc_sector": ("pc_sector", "s"),
    "pc_district": ("pc_district", "d"),
    "uprn": ("uprn", "uprn"),
}
LISTS_B = ("fn_parts", "ln_parts")
NEAR_B = {
    "fn_near": ("name", "f"),
    "ln_near": ("name", "l"),
    "fn_near2": ("name2", "f"),
    "ln_near2": ("name2", "l"),
    "dob_near": ("date", "q"),
    "pc_near": ("postcode", "p"),
}


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """The identifiers of one person as typed: in memory only, and never shown."""

    forename: str | None = None
    surname: str | None = None
    birth_date: str | None = None
    postcode: str | None = None
    nhs_number: str | None = None
    upn: str | None = None
    uprn: str | None = None
    guardian_forename: str | None = None
    guardian_surname: str | None = None
    multiple_birth: str | None = None
    birth_order: str | None = None


def kind_of(column: str) -> str:
    """Return the kind of a column's tokens: equal kinds may meet."""
    if column in SINGLES:
        return SINGLES[column][0]
    if column in SINGLES_B:
        return SINGLES_B[column][0]
    return {
        "fn_parts": "name",
        "ln_parts": "name",
        "fn_near": "near_name",
        "ln_near": "near_name",
        "fn_near2": "near_name2",
        "ln_near2": "near_name2",
    }.get(column, column)


@lru_cache(maxsize=100_000)
def _sounds(word: str) -> tuple[str, str]:
    # Other scripts stand for themselves.
    if not word.isascii():
        return word, word
    return metaphone(word) or word, soundex(word)


def forms(person: Person) -> dict[str, str]:
    """Return all normal forms of a person that tokens are made of; missing ones are left out."""
    told: dict[str, str | None] = {}
    first = normalise.name(person.forename, forename=True)
    for letter, name in (("f", first), ("l", normalise.name(person.surname))):
        if name is not None:
            told[f"{letter}1"] = name.initial
        if name is not None and name.whole:
            told |= {letter: name.whole, f"{letter}3": name.whole[:3]}
            told[f"{letter}m"], told[f"{letter}x"] = _sounds(name.whole)
    whole = told.get("f")
    told["fk"] = formal(whole) if whole else None
    told |= normalise.date_forms(person.birth_date)
    if code := normalise.postcode(person.postcode):
        told |= {"p": code, "s": normalise.sector(code), "d": normalise.district(code)}
    told["nhs"], told["upn"] = normalise.nhs_number(person.nhs_number), normalise.upn(person.upn)
    told["uprn"] = normalise.uprn(person.uprn)
    for letter, text in (("gf", person.guardian_forename), ("gl", person.guardian_surname)):
        guardian = normalise.name(text, forename=letter == "gf")
        told[letter] = guardian.whole if guardian else None
    return {form: value for form, value in told.items() if value}


def columns(tier: Tier) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of single and of list token columns of a tier."""
    singles, lists = (*IDS, *SINGLES), tuple(LISTS)
    return (
        (singles, lists) if tier == "A" else ((*singles, *SINGLES_B), (*lists, *LISTS_B, *NEAR_B))
    )
