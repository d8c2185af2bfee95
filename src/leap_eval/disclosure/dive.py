"""Three-way tables: good patterns by diving in the relaxed master, then by diving near the best.

Their whole masters are hard and their relaxed ones are nearly whole: withhold what the
relaxed master wants most, let the attackers answer, and go on until every target holds. Then
keep most of the best pattern, chosen by the secret draw, and dive for the rest again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from leap_eval.disclosure.attack import TINY
from leap_eval.disclosure.declare import Bools, Floats
from leap_eval.disclosure.master import linear

if TYPE_CHECKING:
    from leap_eval.disclosure.suppress import Effort, Search

STEP = 3  # cells withheld at a time
ANSWERS = 6  # rounds of cuts between
SPARE = 1.03  # a dive that has cost so much more than the best may still be pruned below it
KEEP = (0.8, 0.4, 0.02)  # the share of the best pattern kept: at first, at least, less after each


def dives(search: Search, effort: Effort, reach: float, bound: float) -> None:
    """Improve the best pattern by a counted number of dives, or until it is near the bound."""
    chance = np.random.default_rng(list(hashlib.sha256(search.draw).digest()))
    places, keep = search.cuts.places, KEEP[0]
    for number in range(-(-effort.dives // search.seldom)):
        search.cuts, x = search.cuts.lean(search.guide, search.cost)
        search.guide = x
        held = search.best[places] & (chance.random(len(places)) < keep) & (number > 0)
        most = SPARE * float(search.secret[search.best].sum())
        pattern = dive(search, effort, reach, x, held, most)
        keep = max(keep - KEEP[2], KEEP[1])
        if pattern is None:
            continue
        pattern = search.prune(pattern, x)
        if search.price(pattern) < search.price(search.best) - TINY:
            keep = KEEP[0]
        if search.price(pattern) <= search.price(search.best) + TINY:
            search.best = pattern  # among equals the latest: the next dive starts elsewhere
        if search.price(search.best) * (1 - effort.gap) <= bound:
            return


def dive(
    search: Search, effort: Effort, reach: float, x: Floats, held: Bools, most: float
) -> Bools | None:
    """Return a safe pattern with these free cells withheld, or none once it would cost more."""
    places, held = search.cuts.places, held.copy()
    master = linear(search.cuts, search.secret, x)
    master.hold(held)
    x, price = master.solve()
    for _ in range(2 * len(places) + 1):  # every time a cell is held or a cut comes in
        if price > most:
            return None
        for _ in range(ANSWERS):
            if not search.opened(x, reach, effort.per_round):
                break
            x, price = master.solve()
            master.drop()
        wanted = np.flatnonzero((x[places] > TINY) & ~held)
        if len(wanted):
            order = np.lexsort((wanted, -np.round(x[places[wanted]], 6)))
            held[wanted[order[:STEP]]] = True
            master.hold(held)
        elif not search.opened(x, reach, effort.per_round):
            return np.asarray(x > TINY)
        x, price = master.solve()
        master.drop()
    return None
