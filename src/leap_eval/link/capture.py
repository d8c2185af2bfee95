"""Capture and recapture: how many links were missed, told by those that were found.

The fields are lists on which a true pair may stand well, badly or not at all. Where the levels
of all fields together weigh enough, linkage sees every true pair; a log-linear model learnt there
carries on to the patterns of levels where it does not (dual-system estimation, Fienberg 1972).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from leap_eval.link import levels

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LISTS = levels.FIELDS[:4]
LEAST = 3.0  # bits above which no true pair of a rule is dropped before it is weighed
RARELY = 0.05  # chance of being led to, below which a pattern tells nothing
COUNTED = ["a", "b", "tier", "probability", "accepted", "through"]
DRAWS = 500
STEPS = 40
ROUNDS = 2  # in which a group's own ways to err and the chances of its pairs settle
INTERCEPT, MAIN, MISSING, OFF, GONE, MIXED, MANY = range(7)
PAIRED = (OFF, GONE, MIXED)
# Standard deviations of the priors, in natural logs; of paired terms around their common mean,
# which has TOGETHER around none. A group's own lie APART as far, around those of all pairs.
SPREAD = (1e3, 1.0, 5.0, 0.7, 0.7, 0.7, 0.35)
TOGETHER, APART = 1.0, 0.5
# The keys on which two records surely agree that stand on a level: what blocking rules ask for.
_NAME = {
    "exact": "{0} {0}1 {0}3 {0}m {0}x {0}near {0}near2",
    "near": "{0}near {0}near2",
    "near_2": "{0}near2",
    "metaphone": "{0}m",
    "soundex": "{0}x {0}1",
    "first_3": "{0}3 {0}1",
    "initial": "{0}1",
}
KEPT: dict[int, dict[str, str]] = {
    0: {level: keys.format("fn") for level, keys in _NAME.items()},
    1: {level: keys.format("ln") for level, keys in _NAME.items()},
    2: {"exact": "dob dobym dobmd dobyd dobnear", "near": "dobnear"},
    3: {
        "exact": "pc pcnear pcsector pcdistrict",
        "near": "pcnear",
        "sector": "pcsector pcdistrict",
        "district": "pcdistrict",
    },
}


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """All patterns of levels of a tier, their terms in the model, and which a rule always finds."""

    terms: Floats
    kinds: Ints  # of each term: what its prior is
    levels: tuple[tuple[int, str], ...]  # field and level of each main effect, in order of terms
    number: Ints  # (patterns, fields): -1 missing, 0 else, then closer
    shape: tuple[int, ...]
    blocked: NDArray[np.bool_]
    possible: NDArray[np.bool_]  # where names changed places the surname has no level


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The reviewable levels of stage 02, and per tier how likely blocking leads to a pattern."""

    levels: list[dict[str, Any]]
    caught: dict[str, Floats] = field(default_factory=dict)

    def exposure(self, tier: str) -> Floats:
        """Return how likely linkage sees a true pair of each pattern among its candidates."""
        led = self.caught.get(tier, patterns(tier).blocked.astype(float))
        weighed = weights_of(self.levels, "child", tier) > LEAST
        return np.where(weighed & (led >= RARELY), led, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Log-linear parameters of one tier's true pairs, with their covariance."""

    beta: Floats
    covariance: Floats


@lru_cache(maxsize=4)
def patterns(tier: str) -> Patterns:
    """Return every combination of the levels of forename, surname, date and postcode."""
    names = [["missing", *levels.labels(tier, f)] for f in LISTS]
    shape = tuple(map(len, names))
    at = np.indices(shape).reshape(len(shape), -1).T
    # The last level, `exact`, is what the others are measured by.
    main = [(f, level) for f, n in enumerate(shape) for level in range(n - 1)]
    exchanged, crossed = (at[:, 0] == names[0].index(n) for n in ("exchanged", "crossed"))
    # Names that changed places are told by the forename: the surname is not missing. One that
    # stands in the other's place and is not met by that other: both went wrong.
    shown = at.copy()
    shown[exchanged | crossed, 1] = shape[1] - 1
    off = np.column_stack([(shown[:, f] < n - 1) & (shown[:, f] > 0) for f, n in enumerate(shape)])
    off[:, 1] |= crossed
    gone = shown == 0
    columns = [np.ones(len(at)), *((shown[:, f] == level) for f, level in main)]
    kinds = [INTERCEPT, *(MISSING if level == 0 else MAIN for _, level in main)]
    for kind, (x, y) in zip(PAIRED, ((off, off), (gone, gone), (off, gone)), strict=True):
        for i, j in combinations(range(len(shape)), 2):
            columns.append((x[:, i] & y[:, j]) | (x[:, j] & y[:, i]))
            kinds.append(kind)
    # Of three and of four fields that went wrong together.
    amiss = (off | gone).sum(axis=1)
    columns += [amiss * (amiss - 1) * (amiss - 2) / 6.0, amiss == 4]
    kinds += [MANY, MANY]
    terms = np.column_stack(columns).astype(float)
    told = tuple((f, names[f][level]) for f, level in main)
    blocked, possible = _blocked(tier, names, at), ~(exchanged | crossed) | (at[:, 1] == 0)
    return Patterns(terms, np.array(kinds), told, at - 1, shape, blocked, possible)


def _blocked(tier: str, names: list[list[str]], at: Ints) -> NDArray[np.bool_]:
    # Tier A sees a level only through a compound that is a rule itself.
    if tier == "A":
        return np.asarray((at > 1).any(axis=1))
    # Names that changed places meet by rules of their own.
    exchanged, crossed = (at[:, 0] == names[0].index(n) for n in ("exchanged", "crossed"))
    found: NDArray[np.bool_] = exchanged | (crossed & (at[:, 3] == len(names[3]) - 1))
    for condition, _ in levels.rules(tier):
        asked = re.findall(r"l\.(\w+) = r\.(\w+)", condition)
        sure = np.full(len(at), all(c == d for c, d in asked))
        for key, _ in asked:
            met = [[key in KEPT.get(f, {}).get(n, "").split() for n in names[f]] for f in range(4)]
            sure &= np.any([np.array(met[f])[at[:, f]] for f in range(4)], axis=0)
        found |= sure
    return found


def _prior(tier: str, m: dict[tuple[str, str], float]) -> tuple[Floats, Floats]:
    told = patterns(tier)
    mean, held = np.zeros(len(told.kinds)), np.diag(np.array(SPREAD)[told.kinds] ** -2.0)
    for place, (f, level) in enumerate(told.levels, start=1):
        if told.kinds[place] == MAIN:
            mean[place] = np.log(m[LISTS[f], level] / m[LISTS[f], "exact"])
    for kind in PAIRED:
        # Interactions of one kind are pulled to their own mean, and that more loosely to none.
        mine = np.flatnonzero(told.kinds == kind)
        n = len(mine)
        both = (np.eye(n) - 1 / n) / SPREAD[kind] ** 2 + np.full((n, n), 1 / n**2) / TOGETHER**2
        held[np.ix_(mine, mine)] = both
    return mean, held


def weights_of(model: list[dict[str, Any]], role: str, tier: str) -> Floats:
    """Return the bits of every pattern, by the reviewable model of stage 02."""
    told = {
        (r["field"], r["level"]): r["bits"] for r in model if (r["role"], r["tier"]) == (role, tier)
    }
    number = patterns(tier).number
    total = np.zeros(len(number))
    for f, one in enumerate(LISTS):
        bits = [told.get((one, name), 0.0) for name in levels.labels(tier, one)]
        total += np.where(number[:, f] < 0, 0.0, np.array(bits)[np.maximum(number[:, f], 0)])
    return total


def counted(edges: pd.DataFrame) -> pd.DataFrame:
    """Return of candidate pairs what is counted of them: no more, for there may be millions."""
    pattern = np.zeros(len(edges), np.int32)
    for tier in edges["tier"].unique():
        mine = np.flatnonzero(edges["tier"] == tier)
        numbers = [edges[f].to_numpy(np.int64)[mine] + 1 for f in LISTS]
        pattern[mine] = np.ravel_multi_index(numbers, patterns(tier).shape)
    return edges[COUNTED].assign(pattern=pattern, tier=edges["tier"].astype("category"))


def fit(
    counts: Floats,
    exposure: Floats,
    tier: str,
    m: dict[tuple[str, str], float],
    near: Fit | None = None,
) -> Fit:
    """Fit the true pairs of all patterns to those seen: Poisson regression, mode and curvature.

    `near`: the fit of all pairs, around which that of a group lies.
    """
    seen = (exposure > 0) & patterns(tier).possible
    x, y, share = patterns(tier).terms[seen], counts[seen], exposure[seen]
    mean, precision = _prior(tier, m)
    if near:
        mean, precision = near.beta, precision / APART**2
    beta = mean.copy()
    beta[0] = np.log(max(y.sum(), 1.0)) - np.log((share * np.exp(x[:, 1:] @ beta[1:])).sum())
    for _ in range(STEPS):
        mu = share * np.exp(np.clip(x @ beta, -40, 40))
        hessian = x.T @ (mu[:, None] * x) + precision
        step = np.linalg.solve(hessian, x.T @ (y - mu) - precision @ (beta - mean))
        beta = beta + step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-4:
            break
    covariance: Floats = np.linalg.inv(hessian).astype(np.float64)
    return Fit(beta, covariance)


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """Links found, true pairs in all, and draws of the share that was found."""

    found: float
    total: float
    recall: Floats  # draws: of parameters, and of the pairs that happen to be missed
    fits: dict[str, Fit]  # by tier


def captured(
    edges: pd.DataFrame,
    model: Model,
    seed: int,
    every: Captured | None = None,
    draws: int = DRAWS,
) -> Captured:
    """Return the true pairs among all records, from the candidate pairs (`counted`) of partners.

    Where blocking leads to a pattern, the probabilities of its candidates, linked or not, add up
    to the true pairs that were led to; the fitted model tells the others. `every`: what was told
    of all pairs, where these are some of them.
    """
    random = np.random.default_rng(seed)
    spread = _dispersion(edges)
    found, total, missed, fits = 0.0, 0.0, np.zeros(draws), dict[str, Fit]()
    through, linked = (edges[c].to_numpy(bool) for c in ("through", "accepted"))
    p, at = edges["probability"].to_numpy(), edges["pattern"].to_numpy()
    for tier in sorted(edges["tier"].unique()):
        mine, told, share = (edges["tier"] == tier).to_numpy(), patterns(tier), model.exposure(tier)
        some, seen = mine & ~through, share > 0
        near = every.fits.get(tier) if every else None
        own, chance = _settled(p[some], at[some], model, tier, spread, near)
        fits[tier] = own
        n = np.bincount(at[some], weights=chance, minlength=len(seen))
        links = np.bincount(at[some], weights=chance * linked[some], minlength=len(seen))
        rest = float(n[seen].sum() - links[seen].sum())
        beta = random.multivariate_normal(own.beta, own.covariance, draws, method="cholesky")
        hidden = spread * _hidden(np.vstack([own.beta, beta]), told, share, n.sum() + 1.0)
        # Found through others: true pairs of patterns that nobody weighed. What was seen of the
        # hidden ones is there, whatever the model says.
        others = float(p[mine & through].sum())
        total += n[seen].sum() + max(hidden[0], n[~seen].sum() + others)
        drawn = spread * random.poisson(np.minimum((hidden[1:] + rest) / spread, 1e9))
        unseen = links[~seen].sum() + others
        missed += np.maximum(drawn - unseen, random.poisson(rest, draws))
        found += links.sum() + others
    recall = found / np.maximum(found + missed, 1e-9)
    return Captured(float(found), float(total), recall, fits)


def _hidden(beta: Floats, told: Patterns, share: Floats, most: float) -> Floats:
    """Return for each set of parameters how many true pairs nothing led to."""
    dim = told.possible & (share < 1)
    logs = np.clip(beta @ told.terms[dim].T, -40, 40)
    pairs: Floats = np.exp(np.minimum(logs, np.log(most))) @ (1 - share[dim])
    return pairs


def _settled(
    p: Floats, at: Ints, model: Model, tier: str, spread: float, near: Fit | None
) -> tuple[Fit, Floats]:
    """Return the fit of some pairs, and their chances to be true.

    A group errs in its own way: what is unlikely of all pairs (`near`) may be likely of its own.
    """
    told, share, chance = patterns(tier), model.exposure(tier), p
    for _ in range(ROUNDS if near else 1):
        n = np.bincount(at, weights=chance, minlength=len(share))
        own = fit(n / spread, share, tier, _shares(model.levels, tier), near)
        if near:
            odds = np.exp(_logs(own, told) - _logs(near, told))[at]
            chance = p * odds / (p * odds + 1 - p)
    return own, chance


def _logs(one: Fit, told: Patterns) -> Floats:
    """Return in logs how often a true pair shows each pattern, among those with the same gaps."""
    gaps = (told.number < 0) @ (1 << np.arange(len(LISTS)))
    logs = np.clip(told.terms @ one.beta, -40, 40)
    alike = np.bincount(gaps[told.possible], weights=np.exp(logs[told.possible]))
    shares: Floats = logs - np.log(alike)[gaps]
    return shares


def _dispersion(edges: pd.DataFrame) -> float:
    # Links of one record stand or fall together: k of them tell less than k records would.
    links = edges["a"].to_numpy()[edges["accepted"].to_numpy(bool)]
    each = np.bincount(links) if len(links) else np.ones(1)
    return float(max((each**2).sum() / max(each.sum(), 1), 1.0))


def _shares(model: list[dict[str, Any]], tier: str) -> dict[tuple[str, str], float]:
    mine = [r for r in model if (r["role"], r["tier"]) == ("child", tier)]
    return {(r["field"], r["level"]): max(r["m"], 1e-4) for r in mine}
