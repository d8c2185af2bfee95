"""From a person's normal forms to keyed tokens, in transit and at rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, compress, pairwise
from typing import TYPE_CHECKING, Any, Literal

from leap_eval.tokens import near as neighbours
from leap_eval.tokens import normalise
from leap_eval.tokens.forms import (
    IDS,
    LISTS,
    NEAR_B,
    PLAIN,
    SINGLES,
    SINGLES_B,
    TOLD,
    TOLD_ANYWAY,
    Person,
    Tier,
    columns,
    forms,
    kind_of,
)
from leap_eval.tokens.keys import SEPARATOR, keyed, keyed_all
from leap_eval.tokens.text import from_text, list_from_text, list_to_text, to_text

if TYPE_CHECKING:
    import pyarrow as pa

Place = Literal["transit", "rest"]
Row = tuple[Any, ...]  # single tokens, lists laid end to end, flags and words; in schema's order

_TRANSIT, _REST = (SEPARATOR.join((f"leap-{p}", "1", "{}", "")) for p in ("token", "store"))
WIDTH = {"transit": 16, "rest": 8}  # bytes of a list's element
REMEMBERED = 20_000  # people, at some 8 KB each


def token(key: bytes, kind: str, *values: str) -> bytes:
    """Return the 16 bytes that stand for `values` under the link key."""
    return keyed(key, SEPARATOR.join(values).encode(), _TRANSIT.format(kind))


def rest(key: bytes, kind: str, raw: bytes) -> bytes:
    """Return the 16 bytes kept at rest for a token in transit, under the store key."""
    return keyed(key, raw, _REST.format(kind))


def row(person: Person, key: bytes, tier: Tier) -> Row:
    """Return the tokens of one person in transit; a list's elements are laid end to end."""
    told = forms(person)
    made: dict[str, bytes | None] = {c: _one(key, c, told, (c,)) for c in IDS}
    made |= {c: _one(key, kind, told, parts) for c, (kind, parts) in SINGLES.items()}
    for column, (field, close, whole) in LISTS.items():
        if close in told and whole in told:
            made[column] = _list(key, column, field, told[close], told[whole])
    if tier == "AB":
        made |= {c: _one(key, kind, told, (form,)) for c, (kind, form) in SINGLES_B.items()}
        made["fn_parts"] = _parts(key, normalise.name(person.forename, forename=True))
        made["ln_parts"] = _parts(key, normalise.name(person.surname))
        for column, (field, form) in NEAR_B.items():
            if form in told:
                made[column] = _near(key, kind_of(column), field, told[form])
    singles, lists = columns(tier)
    plain = ("f" in told or "f1" in told, "l" in told, "q" in told, "p" in told)
    marks = (made.get(c) for c in (*singles, *lists))
    return (*marks, *plain, person.multiple_birth, person.birth_order)


def _one(key: bytes, kind: str, told: dict[str, str], parts: tuple[str, ...]) -> bytes | None:
    known = all(p in told for p in parts)
    return token(key, kind, *(told[p] for p in parts)) if known else None


def _list(key: bytes, kind: str, field: str, close: str, whole: str) -> bytes:
    tail = f"{SEPARATOR}{whole}"
    near = [f"{element}{tail}".encode() for element in neighbours.of(field, close)]
    # Padding hides how long a name is; the same value always pads alike and meets itself only.
    spare = range(neighbours.SIZES[field] - len(near))
    pads = [f"{close}{tail}{SEPARATOR}{i}".encode() for i in spare]
    made = keyed_all(key, _TRANSIT.format(kind), near)
    made |= keyed_all(key, _TRANSIT.format(f"{kind}-pad"), pads)
    return b"".join(sorted(made))


@lru_cache(maxsize=REMEMBERED)
def _near(key: bytes, kind: str, field: str, value: str) -> bytes:
    # Names, dates and postcodes come again and again: a value's neighbourhood is made once.
    return _list(key, kind, field, value, "")


def _parts(key: bytes, name: normalise.Name | None) -> bytes | None:
    parts = name.parts if name else ()
    return b"".join(sorted({token(key, "name", part) for part in parts})) if parts else None


# A partner sends the same child every quarter: known people cost a look-up.
_known_row = lru_cache(maxsize=REMEMBERED)(row)


def schema(tier: Tier, place: Place) -> pa.Schema:
    """Return the Arrow schema of a token table."""
    import pyarrow as pa  # not at the top: the kit of a trust makes rows without it

    singles, lists = columns(tier)
    return pa.schema(
        [(c, pa.binary(16)) for c in singles]
        + [(c, pa.list_(pa.binary(WIDTH[place]))) for c in lists]
        + [(c, pa.bool_()) for c in PLAIN]
        + [(c, pa.string()) for c in TOLD]
    )


def _table(rows: Sequence[Row], tier: Tier, place: Place) -> pa.Table:
    import pyarrow as pa

    wanted, lists = schema(tier, place), set(columns(tier)[1])
    cells = zip(*rows, strict=True) if rows else (() for _ in wanted)
    arrays = [
        _lists(c, WIDTH[place]) if f.name in lists else pa.array(c, f.type)
        for c, f in zip(cells, wanted, strict=True)
    ]
    return pa.table(arrays, schema=wanted)


def _lists(cells: Sequence[bytes | None], width: int) -> pa.Array:
    import pyarrow as pa

    told = [cell or b"" for cell in cells]
    ends = list(accumulate([len(cell) // width for cell in told], initial=0))
    buffers = [None, pa.py_buffer(b"".join(told))]
    elements = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), ends[-1], buffers)
    missing = pa.array([c is None for c in cells], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), elements, mask=missing)


def joined(column: pa.ChunkedArray, width: int) -> Iterator[bytes | None]:
    """Yield each list of a column with its elements laid end to end, or None."""
    for chunk in column.chunks:
        # Arrow keeps a list's elements end to end already: no object per element is made.
        flat = chunk.flatten()
        start = flat.offset * width
        told = memoryview(flat.buffers()[1] or b"")[start : start + len(flat) * width]
        place = 0
        for length in chunk.value_lengths().to_pylist():
            if length is None:
                yield None
            else:
                yield bytes(told[place : place + length * width])
                place += length * width


def _rows(people: Sequence[Person], key: bytes, tier: Tier) -> list[Row]:
    rows = [_known_row(p, key, tier) for p in people]
    return rows if tier == "AB" else _alone(rows, key)


def _alone(rows: list[Row], key: bytes) -> list[Row]:
    """Return tier A rows in which no compound stands for two people of the file.

    What two bear is the name of a family, or a common one: counting such tokens gives names away.
    Each of them gets a token of its own in its place, that nobody else can tell from the others.
    """
    names = tuple(chain(*columns("A")))
    marks = [row[: len(names)] for row in rows]
    people = list(dict.fromkeys(marks))  # who is registered twice alike counts once
    selves = [_self(person) for person in people]
    made = [
        cells if column in TOLD_ANYWAY else _apart(key, column, cells, selves)
        for column, cells in zip(names, zip(*people, strict=True), strict=bool(people))
    ]
    alone = dict(zip(people, zip(*made, strict=True), strict=True))
    return [alone[mine] + row[len(names) :] for mine, row in zip(marks, rows, strict=True)]


@lru_cache(maxsize=REMEMBERED)
def _self(marks: Row) -> bytes:
    return hashlib.sha256(b"".join(m for m in marks if m)).digest()


def _apart(key: bytes, column: str, cells: Row, selves: list[bytes]) -> Row:
    told = [cell or b"" for cell in cells]
    # Eight bytes tell two tokens apart, and are counted faster than all sixteen.
    halves = memoryview(b"".join(told)).cast("Q")[::2].tolist()
    shared = {half for half, n in Counter(halves).items() if n > 1}
    met = bytes(map(shared.__contains__, halves))  # a one for each that two bear
    ends = accumulate([len(cell) // 16 for cell in told], initial=0)
    own = _TRANSIT.format(f"{kind_of(column)}-own")
    return tuple(
        _owned(key, own, cell, which, me) if 1 in (which := met[start:end]) else cell
        for cell, me, (start, end) in zip(cells, selves, pairwise(ends), strict=True)
    )


# A family's tokens are known next quarter too: each bears what it bore.
@lru_cache(maxsize=16 * REMEMBERED)
def _owned(key: bytes, own: str, cell: bytes, which: bytes, me: bytes) -> bytes:
    marks = [cell[start : start + 16] for start in range(0, len(cell), 16)]
    made = keyed_all(key, own, [m + me for m in compress(marks, which)])
    return b"".join(sorted(made.union(m for m, two in zip(marks, which, strict=True) if not two)))


def tokenise(people: Sequence[Person], link_key: bytes, tier: Tier) -> pa.Table:
    """Return one row of tokens in transit per person, in order; tier A takes a whole file."""
    return _table(_rows(people, link_key, tier), tier, "transit")


def at_rest(table: pa.Table, store_key: bytes) -> pa.Table:
    """Return the table as it is kept: every token keyed again, list elements cut to 8 bytes."""
    import pyarrow as pa

    tier: Tier = "AB" if "dob" in table.column_names else "A"
    singles, lists = columns(tier)
    kept: dict[str, Any] = {}
    for column in singles:
        kind, told = kind_of(column), table.column(column).to_pylist()
        marks = {raw: rest(store_key, kind, raw) for raw in set(told) - {None}}
        kept[column] = pa.array([marks.get(raw) for raw in told], pa.binary(16))
    for column in lists:
        told = joined(table.column(column), WIDTH["transit"])
        cut = [_cut(store_key, kind_of(column), e) if e is not None else None for e in told]
        kept[column] = _lists(cut, WIDTH["rest"])
    for column in (*PLAIN, *TOLD):
        kept[column] = table.column(column)
    return pa.table([kept[f.name] for f in schema(tier, "rest")], schema=schema(tier, "rest"))


@lru_cache(maxsize=8 * REMEMBERED)
def _cut(key: bytes, kind: str, elements: bytes) -> bytes:
    marks = (elements[start : start + 16] for start in range(0, len(elements), 16))
    return b"".join(sorted(keyed_all(key, _REST.format(kind), marks, WIDTH["rest"])))


def cells(people: Sequence[Person], link_key: bytes) -> list[dict[str, str]]:
    """Return what may leave a trust of all people of a file, as cells of its canonical file."""
    return [_cells(made, "A") for made in _rows(people, link_key, "A")]


def _cells(made: Row, tier: Tier) -> dict[str, str]:
    singles, lists = columns(tier)
    texts = [to_text("tk1", raw) if raw else "" for raw in made[: len(singles)]]
    ends = len(singles) + len(lists)
    texts += [list_to_text(raw) if raw is not None else "" for raw in made[len(singles) : ends]]
    texts += ["" if v is None else str(v).lower() for v in made[ends:]]
    return dict(zip((*singles, *lists, *PLAIN, *TOLD), texts, strict=True))


def to_canonical(table: pa.Table) -> list[dict[str, str]]:
    """Return the token table as the text cells of a trust's canonical file; empty = missing."""
    tier: Tier = "AB" if "dob" in table.column_names else "A"
    singles, lists = columns(tier)
    told = [table.column(c).to_pylist() for c in singles]
    told += [list(joined(table.column(c), WIDTH["transit"])) for c in lists]
    told += [table.column(c).to_pylist() for c in (*PLAIN, *TOLD)]
    return [_cells(made, tier) for made in zip(*told, strict=True)]


def from_canonical(rows: Sequence[dict[str, str]]) -> pa.Table:
    """Return the token table of a trust's canonical rows; a damaged token raises."""
    singles, lists = columns("A")
    made = []
    for told in rows:
        marks = [from_text(told[c]) if told[c] else None for c in singles]
        marks += [list_from_text(told[c]) if told[c] else None for c in lists]
        flags = (*(told[c] == "true" for c in PLAIN), *(told[c] or None for c in TOLD))
        made.append((*marks, *flags))
    return _table(made, "A", "transit")
