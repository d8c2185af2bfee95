"""Deletion neighbourhoods: fuzzy matching as equality of keyed tokens."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

SIZES = {"name": 16, "name2": 64, "date": 9, "postcode": 8}
CUTS = {"name": 14, "name2": 10, "date": 8, "postcode": 7}
SHORT = 5


@lru_cache(maxsize=20_000)
def neighbourhood(value: str, deletions: int, cut: int) -> tuple[str, ...]:
    """Return the value cut to `cut` letters and every string got by deleting up to `deletions`.

    Values within that many edits, transposition included, always share an element;
    sharing one means at most twice as many edits.
    """
    short = value[:cut]
    near = {short}
    for count in range(1, deletions + 1):
        for gone in combinations(range(len(short)), count):
            near.add("".join(c for place, c in enumerate(short) if place not in gone))
    return tuple(sorted(near - {""}))


def of(field: str, value: str) -> tuple[str, ...]:
    """Return the neighbourhood of a value of `field`: name, name2, date or postcode."""
    deletions = 2 if field == "name2" and len(value) >= SHORT else 1
    return neighbourhood(value, deletions, CUTS[field])
