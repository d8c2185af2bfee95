"""From a person's identifiers to keyed tokens, in transit and at rest.

Tier A may leave a partner: no token of it stands for one field alone. Tier B never does.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import jellyfish
import pyarrow as pa

from leap_eval.tokens import near as neighbours
from leap_eval.tokens import normalise
from leap_eval.tokens.keys import SEPARATOR, mark
from leap_eval.tokens.nicknames import formal
from leap_eval.tokens.text import from_text, list_from_text, list_to_text, to_text

Tier = Literal["A", "AB"]
Place = Literal["transit", "rest"]
Value = bytes | tuple[bytes, ...] | None

REMEMBERED = 20_000  # people, at some 25 KB each
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


def _kind(column: str) -> str:
    if column in SINGLES:
        return SINGLES[column][0]
    if column in SINGLES_B:
        return SINGLES_B[column][0]
    return {
        "fn_parts": "name",
        "ln_parts": "name",
        "fn_near": "near_name",
        "ln_near": "near_name",
    }.get(column, column)


def token(key: bytes, kind: str, *values: str) -> bytes:
    """Return the 16 bytes that stand for `values` under the link key."""
    return mark(key, "leap-token", "1", kind, *values)


def rest(key: bytes, kind: str, raw: bytes) -> bytes:
    """Return the 16 bytes kept at rest for a token in transit, under the store key."""
    told = SEPARATOR.join(("leap-store", "1", kind, "")).encode() + raw
    return hmac.digest(key, told, "sha256")[:16]


@lru_cache(maxsize=100_000)
def _sounds(word: str) -> tuple[str, str]:
    # Other scripts stand for themselves.
    if not word.isascii():
        return word, word
    return jellyfish.metaphone(word) or word, jellyfish.soundex(word) or word


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
    if date := normalise.birth_date(person.birth_date):
        told |= {"q": date, "ym": date[:6], "md": date[4:], "yd": date[:4] + date[6:]}
        told["sw"] = normalise.swapped(date)
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


def schema(tier: Tier, place: Place) -> pa.Schema:
    """Return the Arrow schema of a token table."""
    singles, lists = columns(tier)
    element = pa.binary(16) if place == "transit" else pa.binary(8)
    return pa.schema(
        [(c, pa.binary(16)) for c in singles]
        + [(c, pa.list_(element)) for c in lists]
        + [(c, pa.bool_()) for c in PLAIN]
        + [(c, pa.string()) for c in TOLD]
    )


def _padded(
    key: bytes, kind: str, marks: Iterable[bytes], value: str, size: int
) -> tuple[bytes, ...]:
    # Padding hides how long a name is; the same value always pads alike and meets itself only.
    made = set(marks)
    made |= {token(key, f"{kind}-pad", value, str(i)) for i in range(size - len(made))}
    return tuple(sorted(made))


def _row(person: Person, key: bytes, tier: Tier) -> tuple[Any, ...]:
    told = forms(person)
    row: dict[str, Value] = {c: token(key, c, told[c]) if c in told else None for c in IDS}
    for column, (kind, parts) in SINGLES.items():
        known = all(p in told for p in parts)
        row[column] = token(key, kind, *(told[p] for p in parts)) if known else None
    for column, (field, close, whole) in LISTS.items():
        row[column] = _list(key, column, field, told.get(close), told.get(whole))
    if tier == "AB":
        row |= {
            c: token(key, kind, told[f]) if f in told else None
            for c, (kind, f) in SINGLES_B.items()
        }
        row["fn_parts"] = _parts(key, normalise.name(person.forename, forename=True))
        row["ln_parts"] = _parts(key, normalise.name(person.surname))
        row |= {c: _list(key, _kind(c), field, told.get(f), "") for c, (field, f) in NEAR_B.items()}
    singles, lists = columns(tier)
    plain = ["f" in told or "f1" in told, "l" in told, "q" in told, "p" in told]
    return (
        *(row[c] for c in (*singles, *lists)),
        *plain,
        person.multiple_birth,
        person.birth_order,
    )


def _list(
    key: bytes, kind: str, field: str, close: str | None, whole: str | None
) -> tuple[bytes, ...] | None:
    if close is None or whole is None:
        return None
    marks = (token(key, kind, element, whole) for element in neighbours.of(field, close))
    return _padded(key, kind, marks, f"{close}{SEPARATOR}{whole}", neighbours.SIZES[field])


def _parts(key: bytes, name: normalise.Name | None) -> tuple[bytes, ...] | None:
    return (
        tuple(sorted({token(key, "name", part) for part in name.parts}))
        if name and name.parts
        else None
    )


# A partner sends the same child every quarter: known people cost a look-up.
_known_row = lru_cache(maxsize=REMEMBERED)(_row)


def _table(rows: Sequence[tuple[Any, ...]], tier: Tier, place: Place) -> pa.Table:
    wanted = schema(tier, place)
    cells = zip(*rows, strict=True) if rows else ([] for _ in wanted)
    return pa.table(
        [pa.array(list(c), f.type) for c, f in zip(cells, wanted, strict=True)], schema=wanted
    )


def tokenise(people: Sequence[Person], link_key: bytes, tier: Tier) -> pa.Table:
    """Return one row of tokens in transit per person, in the order given."""
    return _table([_known_row(p, link_key, tier) for p in people], tier, "transit")


def at_rest(table: pa.Table, store_key: bytes) -> pa.Table:
    """Return the table as it is kept: every token keyed again, list elements cut to 8 bytes."""
    tier: Tier = "AB" if "dob" in table.column_names else "A"
    singles, lists = columns(tier)
    told = table.select([*singles, *lists]).to_pydict()
    kept: dict[str, pa.Array] = {}
    for column in singles:
        kind = _kind(column)
        marks = {raw: rest(store_key, kind, raw) for raw in set(told[column]) - {None}}
        kept[column] = pa.array([marks.get(raw) for raw in told[column]], pa.binary(16))
    for column in lists:
        kept[column] = _lists_at_rest(told[column], _kind(column), store_key)
    for column in (*PLAIN, *TOLD):
        kept[column] = table.column(column)
    return pa.table([kept[f.name] for f in schema(tier, "rest")], schema=schema(tier, "rest"))


def _lists_at_rest(lists: list[list[bytes] | None], kind: str, key: bytes) -> pa.Array:
    kept = [_cut(key, kind, b"".join(e)) if e is not None else None for e in lists]
    split = [[e[i : i + 8] for i in range(0, len(e), 8)] if e is not None else None for e in kept]
    return pa.array(split, pa.list_(pa.binary(8)))


@lru_cache(maxsize=14 * REMEMBERED)
def _cut(key: bytes, kind: str, elements: bytes) -> bytes:
    return b"".join(sorted(rest(key, kind, raw)[:8] for raw in _split(elements)))


def to_canonical(table: pa.Table) -> list[dict[str, str]]:
    """Return the token table as the text cells of a trust's canonical file; empty = missing."""
    tier: Tier = "AB" if "dob" in table.column_names else "A"
    singles, lists = columns(tier)
    cells: dict[str, list[str]] = {}
    for column in (*singles, *lists):
        cells[column] = [_as_text(raw) for raw in table.column(column).to_pylist()]
    for column in (*PLAIN, *TOLD):
        cells[column] = [
            "" if v is None else str(v).lower() for v in table.column(column).to_pylist()
        ]
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _as_text(raw: bytes | list[bytes] | None) -> str:
    if raw is None:
        return ""
    return to_text("tk1", raw) if isinstance(raw, bytes) else list_to_text(b"".join(raw))


def from_canonical(rows: Sequence[dict[str, str]]) -> pa.Table:
    """Return the token table of a trust's canonical rows; a damaged token raises."""
    singles, lists = columns("A")
    made = []
    for row in rows:
        marks: list[Any] = [from_text(row[c]) if row[c] else None for c in singles]
        marks += [_split(list_from_text(row[c])) if row[c] else None for c in lists]
        made.append((*marks, *(row[c] == "true" for c in PLAIN), *(row[c] or None for c in TOLD)))
    return _table(made, "A", "transit")


def _split(raw: bytes) -> tuple[bytes, ...]:
    return tuple(raw[i : i + 16] for i in range(0, len(raw), 16))


def rates(
    people: Sequence[Person], seed: int, pairs: int = 200_000, fewest: int = 1000
) -> dict[str, float]:
    """Return, per field level, the share of pairs of different people that agree by chance.

    Three digits, and only from 1,000 people: fewer would tell of single ones.
    """
    if len(people) < fewest:
        return {}
    told = [forms(p) for p in dict.fromkeys(people)]
    draw = random.Random(seed)
    drawn = [
        (told[draw.randrange(len(told))], told[draw.randrange(len(told))]) for _ in range(pairs)
    ]
    levels = ("f", "f3", "fm", "l", "l3", "lm", "q", "ym", "md", "yd", "p", "s")
    found = {}
    for level in levels:
        both = [(a[level], b[level]) for a, b in drawn if a is not b and level in a and level in b]
        share = sum(x == y for x, y in both) / len(both) if both else 0.0
        found[level] = float(f"{share:.3g}")
    return found
