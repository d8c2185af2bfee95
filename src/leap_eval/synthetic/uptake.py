"""Who begins which service when: a monthly hazard meets one kept threshold for each service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leap_eval.synthetic.families import FOREVER, Children, Families
from leap_eval.synthetic.places import AREAS, LEAP_AREAS, places
from leap_eval.synthetic.planted import Planted
from leap_eval.synthetic.streams import Floats, Ints, Luck

NEVER = 99
FIRST, LAST = -6, 48
REVIEWS = (9, 10, 11, 22, 23)  # months of age at which the health visitor calls


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """All that decides uptake: hazards, thresholds and the luck of dose."""

    names: tuple[str, ...]
    hazard: Floats  # (n, services) monthly, at rest
    threshold: Floats
    referral: Floats  # (services, services) logs
    concern: Floats  # (services,) logs
    review: Floats  # (services,) logs, in the months of the reviews
    calendar: Floats  # (services, months since 2015-01)
    born: Ints
    arrive: Floats
    leave: Floats
    concern12: NDArray[np.bool_]
    concern24: NDArray[np.bool_]
    luck_start: Floats  # when within grace a forced start falls


@dataclass(slots=True, eq=False)
class State:
    """How far everybody has come: cumulated hazard, referrals, starts (age in months)."""

    cumulated: Floats
    log_referral: Floats
    starts: Ints

    def copy(self) -> State:
        """Return a state that may go on by itself."""
        return State(self.cumulated.copy(), self.log_referral.copy(), self.starts.copy())


@dataclass(frozen=True, slots=True)
class Forced:
    """Within [time_zero, time_zero + grace) exactly the named of the in-play services start."""

    time_zero: int
    grace: int
    in_play: tuple[int, ...]
    named: tuple[int, ...]


def process(p: Planted, luck: Luck, fam: Families, kids: Children) -> Process:
    """Lay out the hazards of every child for every service."""
    names = tuple(p.services)
    n, f = len(kids.family), kids.family
    first = (kids.parity == 0).astype(float)
    x = np.column_stack([places().z[kids.area], kids.need, fam.eal[f], first, fam.engagement[f]])
    slopes = np.array([s.slopes for s in p.services.values()])
    area = np.column_stack([0.15 * luck.normal(f"uptake/area/{s}", AREAS) for s in names])
    log = np.array([p.theta[s] for s in names]) + x @ slopes.T + area[kids.area]
    log += np.outer(kids.u, [p.hidden.get(s, 0.0) for s in names])
    events = names.index("community_events")
    outside = np.log(np.where(np.arange(len(names)) == events, p.outside[1], p.outside[0]))
    log += np.outer(kids.area >= LEAP_AREAS, outside)
    only = np.where(np.arange(len(names)) == events, p.events_only[1], p.events_only[0])
    log += np.outer(fam.events_only[f], only)
    for service, decile in p.hole.items():
        within = places().decile[kids.area] <= decile
        log[:, names.index(service)] += np.where(within, 1.5, -30.0)
    young = (fam.dep[f] * 0 + _mother_age(fam, kids)) < 22
    log[:, names.index("family_nurse")] += np.where(young, 2.5, -3.0)
    return Process(
        names, np.exp(log),
        np.column_stack([luck.exponential(f"uptake/threshold/{s}", n) for s in names]),
        _referrals(p, names), np.array([p.concern.get(s, 0.0) for s in names]),
        np.log([p.review.get(s, 1.0) for s in names]),
        np.stack([_calendar(s.kind, s.open) for s in p.services.values()]),
        kids.born, kids.arrive, kids.leave, kids.concern12, kids.concern24,
        np.column_stack([luck.uniform(f"uptake/within_grace/{s}", n) for s in names]),
    )  # fmt: skip


def _mother_age(fam: Families, kids: Children) -> Floats:
    days = (kids.birth - fam.mother_birth[kids.family]).astype(int)
    return np.asarray(days / 365.25)


def _referrals(p: Planted, names: tuple[str, ...]) -> Floats:
    table = np.zeros((len(names), len(names)))
    for source, target, factor in p.referral:
        rows = [i for i, s in enumerate(names) if source in (s, "any") and s != target]
        cols = [i for i, s in enumerate(names) if target in (s, "any") and s != source]
        for i in rows:
            table[i, cols] += np.log(factor)
    return table


def _calendar(kind: str, years: tuple[int, int]) -> Floats:
    month = np.arange(240)  # 2015-01 onwards
    factor = ((month >= 12 * (years[0] - 2015) + 3) & (month < 12 * (years[1] - 2015) + 3)).astype(
        float
    )
    low = {"group": (0.05, 0.5, 0.8), "event": (0.2, 5.0, 5.0)}.get(kind, (0.45, 0.75, 0.9))
    for (start, stop), by in zip(((62, 68), (68, 75), (75, 79)), low, strict=True):
        factor[start:stop] *= by
    if kind == "event":
        factor[79:84] *= 5.0
    return factor


def begin(q: Process) -> State:
    """Return everybody before anything began."""
    shape = q.hazard.shape
    return State(np.zeros(shape), np.zeros(shape), np.full(shape, NEVER))


def months_of(p: Planted) -> NDArray[np.int64]:
    """Return the first and last age in months at which each service may begin."""
    return np.array([s.months for s in p.services.values()])


def run(
    q: Process,
    ages: Ints,
    state: State,
    upto: int,
    since: int = FIRST,
    forced: Forced | None = None,
) -> State:
    """Let the months from `since` to before `upto` pass; `forced` overrides its window."""
    for age in range(since, upto):
        window = forced is not None and forced.time_zero <= age < forced.time_zero + forced.grace
        cols = np.flatnonzero((ages[:, 0] <= age) & (age < np.maximum(ages[:, 1], ages[:, 0] + 1)))
        if window and forced is not None:
            cols = np.setdiff1d(cols, forced.in_play)
        if len(cols):
            _month(q, state, age, cols)
        if window and forced is not None:
            _force(q, state, age, forced)
    return state


def _month(q: Process, state: State, age: int, cols: Ints) -> None:
    here = (q.arrive <= max(age, 0)) & (age < q.leave)
    log = np.minimum(state.log_referral[:, cols], np.log(12))
    if age >= 12:
        seen = q.concern24 * 1.0 if age >= 24 else q.concern12 * 0.6
        log = log + np.outer(seen, q.concern[cols])
    if age in REVIEWS:
        log = log + q.review[cols]
    step = q.hazard[:, cols] * np.exp(log) * q.calendar[cols][:, np.clip(q.born + age, 0, 239)].T
    step *= ((q.born + age) >= 0)[:, None] & here[:, None] & (state.starts[:, cols] == NEVER)
    state.cumulated[:, cols] += step
    new = (state.cumulated[:, cols] >= q.threshold[:, cols]) & (state.starts[:, cols] == NEVER)
    new &= step > 0
    _started(q, state, age, cols, new)


def _started(q: Process, state: State, age: int, cols: Ints, new: NDArray[np.bool_]) -> None:
    who, which = np.nonzero(new)
    state.starts[who, cols[which]] = age
    np.add.at(state.log_referral, who, _once(q, state, who, cols[which]))


def _once(q: Process, state: State, who: Ints, service: Ints) -> Floats:
    # "Any service leads to an event" counts once, however many services there are.
    add = q.referral[service].copy()
    event = q.names.index("community_events")
    done = state.log_referral[who, event] > 0
    add[done, event] = 0
    return add


def _force(q: Process, state: State, age: int, forced: Forced) -> None:
    for s in forced.named:
        due = forced.time_zero + np.floor(forced.grace * q.luck_start[:, s]).astype(int)
        new = (due == age) & (state.starts[:, s] == NEVER)
        _started(q, state, age, np.array([s]), new[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class Doses:
    """How many contacts a child would have with each service, and what cuts them short."""

    wish: Ints  # (n, services)
    gap: Floats  # months between contacts
    close: Floats  # (n, services) age in months at which it ends for the child

    def by(self, starts: Ints, age: Floats | float) -> Ints:
        """Return the contacts attended before an age (in months), given the starts."""
        until = np.minimum(self.close, np.asarray(age, dtype=float).reshape(-1, 1))
        room = 1 + np.floor(np.round((until - starts) / self.gap, 6))
        return np.where(until > starts, np.minimum(self.wish, np.maximum(room, 1)), 0).astype(int)


def doses(p: Planted, luck: Luck, fam: Families, kids: Children) -> Doses:
    """Draw the dose each child would have of each service."""
    from scipy.special import gammaincinv, ndtr

    n, wish, close = len(kids.family), [], []
    for name, s in p.services.items():
        z = luck.normal(f"uptake/dose/{name}", n) + 0.1 * fam.engagement[kids.family]
        quantile = gammaincinv(1.3, np.clip(ndtr(z), 1e-6, 1 - 1e-6)) * (s.dose[0] - 0.6) / 1.3
        wish.append(np.clip(1 + np.floor(np.round(quantile, 6)), 1, s.dose[1]).astype(int))
        shut = 12 * (s.open[1] - 2015) + 3 - kids.born
        close.append(np.minimum(np.minimum(kids.leave, 48 if s.months[1] > 0 else 1), shut))
    gap = np.array([s.gap / 30.4375 for s in p.services.values()])
    return Doses(np.column_stack(wish), gap, np.column_stack(close).astype(float))


__all__ = [
    "FOREVER",
    "NEVER",
    "Doses",
    "Forced",
    "Process",
    "State",
    "begin",
    "doses",
    "process",
    "run",
]
