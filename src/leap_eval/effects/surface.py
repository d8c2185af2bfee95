"""Outcome surfaces by ridge: what each child's result would be in every arm, without its fold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from leap_eval.effects.aipw import Bools, Floats
from leap_eval.effects.problem import Arms, Problem
from leap_eval.effects.ridge import Fitted, crossed, held_out, predicted, solved

ENOUGH_TOGETHER = 150
MOST_CROSSED = 30  # numbers whose products all fit; beyond, trees find those that matter
LOWEST_RECORDED = 0.05
# One penalty for all columns would shrink a service's own term as if it were one of many products
# (IHDP: error of the surface .36 SD, with these scales .27): what is asked about is held least.
SERVICE, MAIN, CURVED = 10.0, 3.0, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Filled background ready for models: standardised columns, and which are measured numbers."""

    x: Floats  # (n, p)
    curved: Floats  # (n, q): squares and products
    pairs: tuple[tuple[int, int], ...]  # services that enough children started together


def background(names: tuple[str, ...], x: Floats, asked: Problem) -> Background:
    """Standardise, bend and cross the background; services used before and gaps stay straight."""
    z = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    rich = [
        i for i, n in enumerate(names) if not n.startswith("used_") and not n.endswith("_missing")
    ]
    squares = [z[:, i] ** 2 for i in rich if len(np.unique(x[:, i])) > 2]
    pairs_of = combinations(rich if len(rich) <= MOST_CROSSED else [], 2)
    crossed = [z[:, i] * z[:, j] for i, j in pairs_of]
    quarters = [(asked.quarter == q).astype(float) for q in np.unique(asked.quarter)[1:]]
    seen = asked.started[asked.recorded].astype(int)
    both = seen.T @ seen
    pairs = [p for p in combinations(range(len(asked.services)), 2) if both[p] >= ENOUGH_TOGETHER]
    curved = (
        np.column_stack([*squares, *crossed, *quarters])
        if squares or crossed or quarters
        else z[:, :0]
    )
    curved = (curved - curved.mean(axis=0)) / np.maximum(curved.std(axis=0), 1e-9)
    return Background(z, curved, tuple(pairs))


def design_matrix(given: Background, lit: Floats, more: Floats | None = None) -> Floats:
    """Build the ridge's columns: background, curves, `lit` (n, S), background by lit, `more`."""
    by_lit = [MAIN * given.x * lit[:, [s]] for s in range(lit.shape[1])]
    together = [lit[:, [a]] * lit[:, [b]] for a, b in given.pairs] if more is None else [more]
    last = [MAIN * t for t in together]
    # One service alone may act otherwise at every bend; of several, trees find where.
    bends = [CURVED * given.curved * lit] if more is None and lit.shape[1] == 1 else []
    parts = [MAIN * given.x, CURVED * given.curved, SERVICE * lit, *by_lit, *last, *bends]
    return np.hstack(parts)


def _bent(given: Background, services: int) -> Bools:
    """Tell which columns of the design matrix are curves."""
    p, q = given.x.shape[1], given.curved.shape[1]
    straight = services * (1 + p) + len(given.pairs)
    told = [np.zeros(p), np.ones(q), np.zeros(straight), np.ones(q if services == 1 else 0)]
    return np.concatenate(told) > 0


def patterns(asked: Problem, arms: Arms) -> list[Bools]:
    """Return which services are on for every child, (n, services), in each arm of a set."""
    own = {s for services in arms.services for s in services}
    told = []
    for services in arms.services:
        on = asked.started.copy() if arms.holds else np.zeros_like(asked.started)
        for place, service in enumerate(asked.services):
            if service in own or not arms.holds:
                on[:, place] = service in services
        told.append(on)
    return told


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Two ridge surfaces, (n, arms of all sets) each: with curves and without."""

    curved: Floats
    straight: Floats
    rank: int


def lines(asked: Problem, given: Background) -> Lines:
    """Predict every arm of every set by ridge, out of fold, both from the same sums of products.

    What bends little is told best without the curves: they cost a small study more than they
    explain (IHDP: mean error .12 SD without, .20 with them; the curved worlds the other way).
    """
    matrix = design_matrix(given, asked.started.astype(float))
    sums = held_out(matrix, asked.y, asked.fold, asked.recorded)
    bent = _bent(given, len(asked.services))
    fits = [solved(m) for m in sums]
    plain = [solved(m.only(~bent)).among(~bent) for m in sums]
    both = [_parts_of(asked, given, f) for f in (fits, plain)]
    curved, straight = [], []
    for s in asked.sets:
        if s.by_amount:
            curved.append(_amount_surface(asked, given, s))
            straight.append(curved[-1])
        else:
            curved.append(_service_surface(asked, s, both[0]))
            straight.append(_service_surface(asked, s, both[1]))
    return Lines(np.hstack(curved), np.hstack(straight), max(f.rank for f in fits))


def ridge_surfaces(asked: Problem, given: Background) -> tuple[Floats, int]:
    """Predict every arm of every set by the curved ridge, and tell its rank."""
    told = lines(asked, given)
    return told.curved, told.rank


def _parts_of(asked: Problem, given: Background, fits: list[Fitted]) -> list[tuple[Bools, Split]]:
    told = []
    for k, fitted in enumerate(fits):
        rows = asked.fold == k
        told.append((rows, _parts(given, fitted, rows, len(asked.services))))
    return told


Split = tuple[Floats, Floats, Floats]  # base (n,), gain (n, services), pair (services, services)


def _service_surface(asked: Problem, arms: Arms, parts: list[tuple[Bools, Split]]) -> Floats:
    """Add up, child by child, background, what each service adds there, and what pairs add.

    The same numbers as multiplying out the design matrix of every arm, at a fraction
    of the cost: children times services, not times columns.
    """
    told = np.empty((len(asked.y), len(arms.services)))
    on = [p.astype(float) for p in patterns(asked, arms)]
    for rows, (base, gain, pair) in parts:
        for a, pattern in enumerate(on):
            lit = pattern[rows]
            told[rows, a] = base + (lit * (gain + lit @ pair)).sum(axis=1)
    return told


def _parts(given: Background, fitted: Fitted, rows: Bools, services: int) -> Split:
    x, curved = given.x[rows], given.curved[rows]
    p, q = x.shape[1], curved.shape[1]
    cut = np.cumsum([p, q, services, p * services, len(given.pairs)])
    main, bent, own, by, both, bends = np.split(fitted.coefficients, cut)
    base = fitted.level - fitted.mean @ fitted.coefficients
    base = base + MAIN * (x @ main) + CURVED * (curved @ bent)
    gain = SERVICE * own + MAIN * (x @ by.reshape(services, p).T)
    if len(bends):
        gain = gain + CURVED * (curved @ bends)[:, None]
    pair = np.zeros((services, services))
    for place, together in enumerate(given.pairs):
        pair[together] = MAIN * both[place]
    return base, gain, pair


def _amount_surface(asked: Problem, given: Background, arms: Arms) -> Floats:
    """Predict each amount by a model of its own, among the children the set is about."""
    who = arms.population
    rest = who & ~arms.inside.any(axis=1)
    lit = np.column_stack([arms.inside, rest][: 1 + bool(rest.any())]).astype(float)[:, 1:]
    near = Background(given.x, given.curved, ())
    held = SERVICE * asked.started.astype(float) if arms.holds else np.zeros((len(who), 0))
    fits = crossed(
        design_matrix(near, lit, held), np.nan_to_num(asked.y), asked.fold, who & asked.recorded
    )
    told = np.empty((len(who), len(arms.services)))
    for a in range(told.shape[1]):
        as_if = np.zeros_like(lit)
        if a:
            as_if[:, a - 1] = 1.0
        columns = design_matrix(near, as_if, held)
        for k, fitted in enumerate(fits):
            told[asked.fold == k, a] = predicted(fitted, columns[asked.fold == k])
    return told


def recorded_probability(asked: Problem, z: Floats) -> Floats:
    """Predict each child's probability of a recorded result, out of fold: (n,), floored.

    `z` (n, q) is background filled without the outcome, in SD.
    """
    if asked.recorded[asked.own].all():
        return np.ones(len(asked.y))
    quarters = asked.quarter[:, None] == np.unique(asked.quarter)
    x = np.hstack([z, quarters, asked.started])
    pi = np.empty(len(asked.y))
    for k in np.unique(asked.fold):
        train, held = (asked.fold != k) & asked.own, asked.fold == k
        model = LogisticRegression(C=1 / (1e-3 * train.sum()), max_iter=300, tol=1e-4)
        pi[held] = model.fit(x[train], asked.recorded[train]).predict_proba(x[held])[:, 1]
    return np.maximum(pi, LOWEST_RECORDED)


def columns_of(asked: Problem) -> list[npt.NDArray[np.int64]]:
    """Tell which columns of the stacked surfaces belong to each set."""
    ends = np.cumsum([len(s.services) for s in asked.sets])
    return [np.arange(end - len(s.services), end) for s, end in zip(asked.sets, ends, strict=True)]
