"""A programme of a real partnership's size: LEAP's codes, standing tables, a few cut anew."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from leap_eval.disclosure.declare import ALL, Output

NAMES = ("area", "age", "service")
# Bands of so many codes each; neither ages by two and by three nor services are nested.
STEPS = {"area": (1, 3, 6), "age": (1, 2, 3), "service": (1, 2, 5)}
RECUT = 2  # of a quarter's tables have one dimension cut anew
TABLES = 20


def codes(told: Any) -> tuple[tuple[str, ...], ...]:
    """Return the finest codes by dimension."""
    sizes = (told.wards, told.ages, told.services)
    letters = ("a", "y", "s")
    return tuple(tuple(f"{x}{i}" for i in range(n)) for x, n in zip(letters, sizes, strict=True))


def shares(chance: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Return how likely a child is of each ward, service and age (axes in this order)."""
    sides = [chance.lognormal(0, s, n) for s, n in zip((0.4, 0.9, 0.4), shape, strict=True)]
    share = np.einsum("i,j,k->ijk", *sides)
    share *= chance.lognormal(0, 0.5, (*shape[:2], 1)) * chance.lognormal(0, 0.5, (1, *shape[1:]))
    return share / share.sum()


def standing(codes: Any, many: int, chance: np.random.Generator) -> list[Output]:
    """Return the tables of every quarter: two dimensions each, in finer or coarser bands.

    Every ward by every service is not among them: nobody shows it each quarter, because a
    child or two a quarter move in each of its cells.
    """
    kinds = [
        ((a, b), (m, n))
        for a, b in itertools.combinations(range(len(NAMES)), 2)
        for m, n in itertools.product(STEPS[NAMES[a]], STEPS[NAMES[b]])
        if ((a, b), (m, n)) != ((0, 2), (1, 1))
    ]
    made = []
    for k, at in enumerate(sorted(chance.choice(len(kinds), many, replace=False).tolist())):
        nodes = {
            NAMES[d]: {**banded(codes[d], range(n, len(codes[d]), n)), ALL: ()}
            for d, n in zip(*kinds[at], strict=True)
        }
        made.append(Output(f"t{k}", "c", nodes))
    return made


def quarter(tables: list[Output], codes: Any, chance: np.random.Generator) -> list[Output]:
    """Return the standing tables, a few of them with one dimension cut anew."""
    made = list(tables)
    for k in chance.choice(len(made), min(RECUT, len(made)), replace=False).tolist():
        d = str(chance.choice(list(made[k].nodes)))
        every, many = codes[NAMES.index(d)], len(made[k].nodes[d]) - 1
        at = sorted(chance.choice(np.arange(1, len(every)), many - 1, replace=False).tolist())
        made[k] = replace(made[k], nodes={**made[k].nodes, d: {**banded(every, at), ALL: ()}})
    return made


def banded(codes: tuple[str, ...], at: Iterable[int]) -> dict[str, tuple[str, ...]]:
    """Return an ordered code list in bands that end at these places."""
    bands = [codes[a:b] for a, b in itertools.pairwise([0, *at, len(codes)])]
    return {"-".join((b[0], b[-1])): b for b in bands}
