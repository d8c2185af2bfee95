"""How often two different people of one file agree by chance."""

from __future__ import annotations

import random
from collections.abc import Sequence

from leap_eval.tokens.forms import Person, forms


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
