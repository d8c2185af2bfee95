"""Uncertain links carried through: how far each contrast moves in every other set of links."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leap_eval.draws import LOOSE, STRICT
from leap_eval.effects.aipw import Bools, Floats, arm_means
from leap_eval.effects.complete import marked
from leap_eval.effects.contrasts import Contrast, contrasts, influences
from leap_eval.effects.problem import CHILD, Given, Measured, Problem, answerable, problem
from leap_eval.effects.surface import background, recorded_probability, ridge_surfaces
from leap_eval.effects.sweep import standard
from leap_eval.effects.weights import stacked_weights
from leap_eval.settings import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """By how much C contrasts differ from the best links', in the unit of the outcome."""

    draws: Floats  # (D, C): in each draw of the uncertain links
    strict: Floats  # (C,): with sure links only; NaN where links were not drawn
    loose: Floats  # (C,): with doubtful links too

    def divided(self, sd: float) -> Moves:
        """Return the same in SDs."""
        return Moves(self.draws / sd, self.strict / sd, self.loose / sd)


def unmoved(listed: list[Contrast]) -> Moves:
    """Return what is known where no other set of links was told: nothing."""
    none = np.full(len(listed), np.nan)
    return Moves(np.zeros((0, len(listed))), none, none)


def moves(
    plan: Plan, given: Given, measured: Measured, fewest: int, listed: list[Contrast]
) -> Moves:
    """Estimate every contrast anew in each set of links, its children weighed as in the best.

    Models are fitted on the best links alone: a draw changes hundredths of the children, and
    what their few rows would do to a model is of second order (the estimates are doubly
    robust). Ridge surfaces and mean fillings serve: they stand on both sides of a difference.
    """
    numbers = sorted(set(given.table["draw"]) - {0})
    if not numbers or "draw" not in measured.table:
        return unmoved(listed)
    whole = problem(plan, given, measured, draws=True)
    blind = answerable(replace(whole, y=np.where(whole.own, whole.y, np.nan)), fewest)
    names, x = marked(blind)
    surface, _ = ridge_surfaces(blind, background(names, x, blind))
    z = standard(x)
    pi = recorded_probability(blind, z)
    asked = _like(listed, contrasts(plan, blind))
    seen = replace(whole, sets=blind.sets)
    found = {
        n: _estimates(seen, asked, _of(given, seen, n), (surface, z, pi)) for n in (0, *numbers)
    }
    away = {n: np.nan_to_num(found[n] - found[0]) for n in numbers}
    drawn = [away[n] for n in numbers if n > 0]
    nothing = np.zeros(len(listed))
    return Moves(
        np.array(drawn).reshape(-1, len(listed)),
        away.get(STRICT, nothing),
        away.get(LOOSE, nothing),
    )


def _like(listed: list[Contrast], told: list[Contrast]) -> list[Contrast]:
    """Return the contrasts of all draws' children in the order of the best links'."""
    named = {(c.family, c.name, c.subgroup): c for c in told}
    return [named[c.family, c.name, c.subgroup] for c in listed]


def _of(given: Given, whole: Problem, number: int) -> Bools:
    """Tell who stands in a draw: its own children, and the best links' it does not touch."""
    if number == 0:
        return whole.own
    touched = given.table.loc[given.table["draw"] == number, CHILD[0]]
    untouched: Bools = ~whole.table[CHILD[0]].isin(touched).to_numpy(bool)
    here: Bools = (whole.draw == number) | (whole.own & untouched)
    return here


def _estimates(
    whole: Problem, asked: list[Contrast], here: Bools, models: tuple[Floats, Floats, Floats]
) -> Floats:
    surface, z, pi = models
    sets = tuple(replace(s, population=s.population & here) for s in whole.sets)
    weight = stacked_weights(replace(whole, sets=sets), z, pi)
    phi = arm_means(whole.y, surface, weight).phi
    inside = [replace(c, where=here if c.where is None else here & c.where,
                      against=None if c.against is None else here & c.against)
              for c in asked]  # fmt: skip
    told: Floats = influences(phi, inside).mean(axis=0)
    return told
