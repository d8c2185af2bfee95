"""Potential outcomes: what any history would have done to any child, and the truth made of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leap_eval.synthetic import uptake
from leap_eval.synthetic.outcomes import MEASURE, reported
from leap_eval.synthetic.places import places
from leap_eval.synthetic.streams import Floats, Ints
from leap_eval.synthetic.uptake import NEVER, Forced
from leap_eval.synthetic.world import World

DIMENSION = {
    "asq3_communication": "communication", "asq3_personal_social": "personal_social",
    "asqse2_total": "asqse2", "wellcomm_green": "wellcomm", "eyfsp_gld": "gld",
    "bmi_centile": "bmi",
}  # fmt: skip
UNIT = {"wellcomm_green": "risk", "eyfsp_gld": "risk", "bmi_centile": "points"}
TRIALS: dict[int, tuple[str, ...]] = {
    12: ("chattertime", "making_it_real", "babies_next_steps", "together_time"),
    24: ("making_it_real", "sharing_real", "natural_thinkers", "speech_therapy"),
}
OF_TRIAL = {"wellcomm_green": 24, "eyfsp_gld": 24, "bmi_centile": 24}
SMALL = 0.005


@dataclass(frozen=True, slots=True)
class Contrast:
    """A true mean difference: on the reported scale, and in the outcome's unit."""

    reported: float
    value: float
    children: int


def gain(world: World, dim: str, starts: Ints, who: NDArray[Any] | slice = slice(None)) -> Floats:
    """Return what a history adds to the latent score (effects of doses before the measurement)."""
    p, age = world.planted, world.latent.age[MEASURE[dim]]
    amount = world.doses.by(starts, age)
    share = {s: _share(world, s, amount[:, world.services.index(s)]) for s in _used(world, dim)}
    total = np.zeros(len(starts))
    for s, effect in p.effects.get(dim, {}).items():
        total += effect * share[s] * _modified(world, dim, starts[:, world.services.index(s)], age)
    for pair, effect in p.pairs.get(dim, {}).items():
        a, b = pair.split("+")
        total += effect * share[a] * share[b]
    return total


def _used(world: World, dim: str) -> list[str]:
    named = [*world.planted.effects.get(dim, {})]
    named += [s for pair in world.planted.pairs.get(dim, {}) for s in pair.split("+")]
    return list(dict.fromkeys(named))


def _share(world: World, service: str, amount: Ints) -> Floats:
    p = world.planted
    if service in p.threshold:
        return np.asarray(np.clip((amount - 3) / 3, 0, 1))
    if service in p.linear:
        return np.asarray(np.clip(amount / p.linear[service], 0, 1))
    return np.asarray(1 - np.exp(-amount / (p.services[service].dose[0] / 2)))


def _modified(world: World, dim: str, start: Ints, age: Floats) -> Floats:
    if dim not in world.planted.language:
        return np.ones(len(start))
    kids = world.children
    decile = places().decile[kids.area]
    by = np.where(world.families.eal[kids.family] == 1, 1.5, 1.0)
    by = by * np.where(decile <= 3, 1.4, np.where(decile >= 7, 0.8, 1.0))
    by = by * np.where(start < 24, 1.2, 1.0)
    return np.asarray(by * 0.5 ** (np.clip(age - start, 0, None) / 36))


def score(world: World, dim: str, starts: Ints) -> Floats:
    """Return the reported score of every child under a history."""
    return reported(dim, world.latent.base[dim] + gain(world, dim, starts))


def eligible(world: World, dim: str, time_zero: int, in_play: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return who could take part: here, new to all in play, not yet assessed, in time."""
    kids = world.children
    before = world.at[time_zero].starts[:, [world.services.index(s) for s in in_play]]
    new = (before == NEVER).all(axis=1)
    here = (kids.arrive <= time_zero) & (time_zero < kids.leave)
    measure = MEASURE[dim]
    later = world.latent.age[measure] >= time_zero
    in_time = world.latent.day[measure] <= np.datetime64("2025-03-31")
    return np.asarray(new & here & later & in_time)


def natural(
    world: World, services: tuple[str, ...], time_zero: int, grace: int, in_play: tuple[str, ...]
) -> Ints:
    """Return everybody's starts had exactly these in-play services begun within grace."""
    index = {s: i for i, s in enumerate(world.services)}
    forced = Forced(
        time_zero, grace, tuple(index[s] for s in in_play), tuple(index[s] for s in services)
    )
    ages = uptake.months_of(world.planted)
    state = world.at[time_zero].copy()
    return uptake.run(world.process, ages, state, uptake.LAST, time_zero, forced).starts


def held(
    world: World, on: tuple[str, ...], off: tuple[str, ...], time_zero: int, grace: int
) -> Ints:
    """Return the starts as they were, but with some services on and others off within grace."""
    starts = world.starts.copy()
    for s in (*on, *off):
        i = world.services.index(s)
        inside = (starts[:, i] >= time_zero) & (starts[:, i] < time_zero + grace)
        due = time_zero + np.floor(grace * world.process.luck_start[:, i]).astype(int)
        starts[:, i] = np.where(inside, starts[:, i], due) if s in on else NEVER
    return starts


def contrast(
    world: World, outcome: str, services: tuple[str, ...], reference: tuple[str, ...] = (), *,
    kind: str = "natural", time_zero: int = 12, grace: int = 6,
) -> Contrast:  # fmt: skip
    """Return the true mean difference between two histories over the eligible children."""
    in_play = TRIALS[time_zero]
    if kind == "natural":
        two = [natural(world, s, time_zero, grace, in_play) for s in (services, reference)]
    else:
        both = tuple(dict.fromkeys((*services, *reference)))
        two = [
            held(world, s, tuple(b for b in both if b not in s), time_zero, grace)
            for s in (services, reference)
        ]
    return _difference(world, outcome, two, time_zero)


def _difference(
    world: World, outcome: str, two: list[Ints], time_zero: int, signs: tuple[int, ...] = (1, -1)
) -> Contrast:
    dim = DIMENSION[outcome]
    who = eligible(world, dim, time_zero, TRIALS[time_zero])
    means = [sign * score(world, dim, starts)[who] for sign, starts in zip(signs, two, strict=True)]
    raw = float(np.sum(means, axis=0).mean()) if who.any() else 0.0
    seen = who & world.latent.recorded[MEASURE[dim]]
    spread = float(score(world, dim, world.starts)[seen].std()) if seen.sum() > 1 else 1.0
    value = raw / spread if UNIT.get(outcome, "sd") == "sd" else raw
    return Contrast(raw, value, int(who.sum()))


def truth_table(world: World) -> pd.DataFrame:
    """Return the planted truth of the trials: combinations, single services and pairs."""
    rows = [row for zero in TRIALS for row in _of_trial(world, zero)]
    return pd.DataFrame(rows).sort_values(
        ["outcome", "trial", "estimand", "services"], ignore_index=True
    )


def _of_trial(world: World, zero: int) -> list[dict[str, Any]]:
    in_play, rows = tuple(sorted(TRIALS[zero])), []
    outcomes = [o for o in DIMENSION if OF_TRIAL.get(o, 12) == zero]
    nothing = natural(world, (), zero, 6, in_play)
    for size in range(1, len(in_play) + 1):
        for named in combinations(in_play, size):
            began = natural(world, named, zero, 6, in_play)
            for o in outcomes:
                rows.append(
                    _row(
                        o,
                        "combination",
                        "natural",
                        zero,
                        named,
                        _difference(world, o, [began, nothing], zero),
                    )
                )
    for size, estimand in ((1, "service"), (2, "pair")):
        for named in combinations(in_play, size):
            histories, signs = _crossed(world, named, zero)
            for o in outcomes:
                rows.append(
                    _row(
                        o,
                        estimand,
                        "held",
                        zero,
                        named,
                        _difference(world, o, histories, zero, signs),
                    )
                )
    return rows


def _crossed(world: World, named: tuple[str, ...], zero: int) -> tuple[list[Ints], tuple[int, ...]]:
    # A service: on less off. A pair: Y11 - Y10 - Y01 + Y00.
    if len(named) == 1:
        return [held(world, named, (), zero, 6), held(world, (), named, zero, 6)], (1, -1)
    a, b = named
    parts = ((named, ()), ((a,), (b,)), ((b,), (a,)), ((), named))
    return [held(world, on, off, zero, 6) for on, off in parts], (1, -1, -1, 1)


def _row(
    outcome: str, estimand: str, kind: str, zero: int, named: tuple[str, ...], c: Contrast
) -> dict[str, Any]:
    unit = UNIT.get(outcome, "sd")
    small = SMALL * (30 if unit == "points" else 0.5 if unit == "risk" else 1)
    return {
        "outcome": outcome, "estimand": estimand, "kind": kind, "trial": f"m{zero}",
        "time_zero": zero,
        "grace": 6, "services": "+".join(named), "reference": "", "where": "all", "unit": unit,
        "value": round(c.value, 6), "reported": round(c.reported, 6), "children": c.children,
        "null": abs(c.value) < small,
    }  # fmt: skip
