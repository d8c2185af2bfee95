"""How often two different people of one file agree by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from leap_eval.tokens.forms import Person, forms
from leap_eval.tokens.near import of

Drawn = list[tuple[dict[str, str], dict[str, str]]]
NEAR = {"fd": ("f", "name"), "ld": ("l", "name"), "qd": ("q", "date"), "pd": ("p", "postcode")}


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
    found = {}
    for level in ("f", "f3", "fm", "l", "l3", "lm", "q", "ym", "md", "yd", "p", "s"):
        found[level] = _share(drawn, level, lambda x, y: x == y)
    for level, (form, field) in NEAR.items():
        found[level] = _share(drawn, form, _near(field))
    return found


def _share(drawn: Drawn, form: str, agree: Callable[[str, str], bool]) -> float:
    both = [(a[form], b[form]) for a, b in drawn if a is not b and form in a and form in b]
    share = sum(agree(x, y) for x, y in both) / len(both) if both else 0.0
    return float(f"{share:.3g}")


def _near(field: str) -> Callable[[str, str], bool]:
    # Equal values count for their own level.
    return lambda x, y: x != y and not set(of(field, x)).isdisjoint(of(field, y))
