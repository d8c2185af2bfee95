"""Seeded damage of labelled sets, for `linkage_estimates.py` and `linkage_bias.py`.

A set is a folder with left.csv, right.csv, truth.csv (see `linkage.py`). A damaged copy is a random
share of its people, with fresh slips in the right file: records differ in how sloppily they were
taken, and each seed has a rate of its own, so that no estimate can be tuned to one of them.
"""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import linkage

from leap_eval import tokens
from leap_eval.link import link

Rows = list[dict[str, str]]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAMES = ("given_name", "surname")


@dataclass(frozen=True)
class Set:
    """Two files, and which records of them are one person."""

    left: Rows
    right: Rows
    truth: set[tuple[str, str]]


def load(folder: str) -> Set:
    """Read a set; ids get a mark of their file, so that none stands in both."""
    with contextlib.redirect_stderr(io.StringIO()):
        left, right = (linkage.read(str(Path(folder) / f"{s}.csv")) for s in ("left", "right"))
    with open(Path(folder) / "truth.csv", encoding="utf-8") as file:
        pairs = [line.strip().split(",") for line in file][1:]
    for side, rows in (("a", left), ("b", right)):
        for row in rows:
            row["id"] = side + row["id"]
    return Set(left, right, {("a" + a, "b" + b) for a, b in pairs})


def sampled(full: Set, pairs: int, draw: random.Random) -> Set:
    """Return `pairs` true pairs, and as large a share of the people who are in one file only."""
    truth = sorted(full.truth)
    kept = set(draw.sample(truth, min(pairs, len(truth))))
    inside, known = ({r for p in some for r in p} for some in (kept, full.truth))

    def some(rows: Rows) -> Rows:
        alone = [r for r in rows if r["id"] not in known]
        share = round(len(alone) * len(kept) / len(truth))
        return [dict(r) for r in rows if r["id"] in inside] + [
            dict(r) for r in draw.sample(alone, share)
        ]

    return Set(some(full.left), some(full.right), kept)


def slip(row: dict[str, str], field: str, draw: random.Random) -> None:
    """Put one slip into one field of a record."""
    text = row[field]
    if not text:
        return
    kind = draw.random()
    if kind < 0.15:
        row[field] = ""
    elif field in NAMES and kind < 0.25:
        row["given_name"], row["surname"] = row["surname"], row["given_name"]
    elif field in NAMES and kind < 0.35:
        row[field] = "".join(draw.choices(LETTERS, k=draw.randint(4, 9)))  # another name
    elif field == "date_of_birth" and kind < 0.35:
        digits = text.replace("-", "")
        row[field] = f"{digits[:4]}{digits[6:]}{digits[4:6]}"
    elif field == "postcode" and kind < 0.6:
        row[field] = row["elsewhere"]  # moved house
    else:
        row[field] = typo(text, draw)


def typo(text: str, draw: random.Random) -> str:
    """Return a text with one character exchanged, left out, doubled or turned about."""
    at, kind = draw.randrange(len(text)), draw.randrange(4)
    if text[at].isdigit() or kind == 0:
        other = draw.choice("0123456789" if text[at].isdigit() else LETTERS)
        return text[:at] + other + text[at + 1 :]
    if kind == 1 and len(text) > 2:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at] + text[at:]
    return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :] if at else text[::-1][:2]


def damage(rows: Rows, rate: float, draw: random.Random) -> Rows:
    """Return the records with slips: `rate` a field on average, more in some than in others."""
    homes = [r["postcode"] for r in rows]
    made = []
    for row in rows:
        told = dict(row) | {"elsewhere": draw.choice(homes)}
        sloppy = rate * draw.gammavariate(1.5, 1 / 1.5)
        for field in (*NAMES, "date_of_birth", "postcode"):
            if draw.random() < sloppy:
                slip(told, field, draw)
        told.pop("elsewhere")
        made.append(told)
    return made


def copy(full: Set, pairs: int, seed: int) -> Set:
    """Return the damaged copy of a set that belongs to a seed: .5 to 8 % slips a field."""
    draw = random.Random(seed)
    some = sampled(full, pairs, draw)
    return replace(some, right=damage(some.right, draw.uniform(0.005, 0.08), draw))


def linked(some: Set, seed: int, tier: str = "B", **columns: Any) -> tuple[Any, Any]:
    """Link a set by our tokens alone: return what stage 02 hands on, and the records' ids."""
    rows = [some.left, some.right]
    persons = linkage.persons_of(rows).assign(**columns)
    settings = {"within": "strict", "seed": seed}
    key = tokens.load_keys(None, "demo").project
    made = link(persons.drop(columns="id"), linkage.tokens_of(rows, tier, seed), settings, key)
    return made, persons


def pairs_of(made: Any, persons: Any) -> set[tuple[str, str]]:
    """Return the pairs of ids that were linked across the two files."""
    named = made.links.merge(persons[["record_key", "id"]], on="record_key")
    groups = named.groupby("study_id")["id"].agg(sorted)
    return {
        (x, y) for g in groups if len(g) > 1 for x in g for y in g if x[0] == "a" and y[0] == "b"
    }
