"""Which arms there are: combinations large enough, services, and pairs, found without outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import numpy.typing as npt
import pandas as pd

from leap_eval.settings import Plan

Bools = npt.NDArray[np.bool_]
NONE, REST, JOIN = "none", "rest", " + "


@dataclass(frozen=True, slots=True)
class Arm:
    """One group of children: its number in the set, its name, and the services it started."""

    number: int
    text: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ArmSet:
    """Arms that share one propensity model; `label` is (n,), -1 where not eligible."""

    name: str
    trial: str
    arms: tuple[Arm, ...]
    label: npt.NDArray[np.int16]
    own: Bools  # (n,): the best links' children; those of link draws are only placed
    held: tuple[str, ...] = ()  # services whose start is background here, as it happened

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Children in each arm."""
        inside = self.label[self.own & (self.label >= 0)]
        return np.bincount(inside, minlength=len(self.arms))


@dataclass(frozen=True, slots=True, eq=False)
class TrialStarts:
    """One trial's eligible children and the services in play each started within grace."""

    trial: str
    services: tuple[str, ...]
    eligible: Bools  # (n,)
    started: Bools  # (n, services)
    offered: Bools  # (n, services): open for the whole of the child's window
    dose: npt.NDArray[np.int64]  # (n, services): contacts in the dose window
    own: Bools  # (n,): the best links' children, who alone are counted


def trial_starts(table: pd.DataFrame, plan: Plan, trial: str) -> TrialStarts:
    """Read one trial's starts from the joined cohort and exposure tables."""
    services = tuple(sorted(plan.trials[trial].in_play))
    told = table[f"{trial}_g{plan.months.grace}_combination"]
    eligible = (
        table["present"] & table[f"{trial}_eligible"] & table[f"{trial}_new_user"]
    ).to_numpy(bool)
    codes, words = pd.factorize(told.fillna(NONE))
    known = np.array([[s in w.split(JOIN) for s in services] for w in words], dtype=bool)
    return TrialStarts(
        trial,
        services,
        eligible & told.notna().to_numpy(),
        known.reshape(-1, len(services))[codes],
        table[[f"{trial}_offered_{s}" for s in services]].to_numpy(bool),
        table[[f"{trial}_dose_{s}" for s in services]].to_numpy(np.int64),
        (table["draw"] == 0).to_numpy(bool),
    )


def arm_sets(starts: TrialStarts, plan: Plan) -> tuple[list[ArmSet], pd.DataFrame]:
    """Find the sets of one trial, and tell which combinations got an arm and which not, and why."""
    sizes = _sizes(starts, starts.eligible)
    chosen = _chosen(sizes, plan, starts.services)
    # Only children who could have had every arm are compared: so the arms are counted again.
    inside = _sizes(starts, _able(starts, {s for c in chosen for s in c}))
    sizes |= {c: inside.get(c, 0) for c in chosen}
    chosen = _chosen(inside, plan, starts.services, among=chosen)
    found = [_combination(starts, chosen)] if chosen and sizes.get((), 0) else []
    found += [s for s in _services(starts) if s.sizes.min() >= plan.arms.minimum]
    found += [s for s in _pairs(starts, plan) if s.sizes.min() >= plan.arms.minimum]
    return found, _told(starts.trial, sizes, chosen, found, plan)


def _able(starts: TrialStarts, services: Iterable[str]) -> Bools:
    """Tell which eligible children could have started all of these: each was open in time."""
    place = [starts.services.index(s) for s in services]
    able: Bools = starts.eligible & starts.offered[:, place].all(axis=1)
    return able


def _sizes(starts: TrialStarts, inside: Bools) -> dict[tuple[str, ...], int]:
    counted = starts.started[inside & starts.own]
    rows, counts = np.unique(counted, axis=0, return_counts=True)
    return {_named(starts.services, row): int(n) for row, n in zip(rows, counts, strict=True)}


def _named(services: tuple[str, ...], row: Iterable[bool]) -> tuple[str, ...]:
    return tuple(s for s, yes in zip(services, row, strict=True) if yes)


def _chosen(
    sizes: dict[tuple[str, ...], int],
    plan: Plan,
    services: tuple[str, ...],
    among: list[tuple[str, ...]] | None = None,
) -> list[tuple[str, ...]]:
    if among is not None:
        sizes = {c: n for c, n in sizes.items() if c in among}
    named = [tuple(sorted(c)) for c in plan.arms.named if set(c) <= set(services)]
    by_size = sorted((c for c in sizes if c and c not in named), key=lambda c: (-sizes[c], c))
    large = [c for c in [*named, *by_size] if sizes.get(c, 0) >= plan.arms.minimum]
    return large[: plan.arms.most]


def _combination(starts: TrialStarts, chosen: list[tuple[str, ...]]) -> ArmSet:
    label = np.full(len(starts.eligible), len(chosen) + 1, dtype=np.int16)
    for number, services in enumerate([(), *chosen]):
        wanted = np.array([s in services for s in starts.services])
        label[(starts.started == wanted).all(axis=1)] = number
    label[~_able(starts, {s for c in chosen for s in c})] = -1
    arms = [Arm(i, JOIN.join(c) or NONE, c) for i, c in enumerate([(), *chosen])]
    label, some = with_rest(label, len(arms), starts.own)
    arms += [Arm(len(arms), REST, ())] if some else []
    return ArmSet(f"{starts.trial}.combination", starts.trial, tuple(arms), label, starts.own)


def with_rest(
    label: npt.NDArray[np.int16], number: int, own: Bools
) -> tuple[npt.NDArray[np.int16], bool]:
    """Tell whether any of the best links' children is of arm `number`; else nobody may be."""
    rest = label == number
    if (rest & own).any():
        return label, True
    return np.where(rest, np.int16(-1), label), False


def _services(starts: TrialStarts) -> list[ArmSet]:
    return [_held(starts, (s,), f"service:{s}") for s in starts.services]


def _pairs(starts: TrialStarts, plan: Plan) -> list[ArmSet]:
    named = {tuple(sorted(p)) for p in plan.pairs.named}
    wanted = [p for p in combinations(starts.services, 2) if plan.pairs.scan or p in named]
    return [_held(starts, p, f"pair:{'+'.join(p)}") for p in wanted]


def _held(starts: TrialStarts, services: tuple[str, ...], name: str) -> ArmSet:
    """Make the set of all on-off patterns of `services`, the other services as they happened."""
    place = [starts.services.index(s) for s in services]
    patterns = list(product((False, True), repeat=len(services)))
    arms = [_named(services, p) for p in patterns]
    label = (starts.started[:, place] @ (2 ** np.arange(len(services))[::-1])).astype(np.int16)
    label[~_able(starts, services)] = -1
    others = tuple(s for s in starts.services if s not in services)
    told = tuple(Arm(i, JOIN.join(a) or NONE, a) for i, a in enumerate(arms))
    return ArmSet(f"{starts.trial}.{name}", starts.trial, told, label, starts.own, others)


def _told(
    trial: str,
    sizes: dict[tuple[str, ...], int],
    chosen: list[tuple[str, ...]],
    found: list[ArmSet],
    plan: Plan,
) -> pd.DataFrame:
    rows = [
        {
            "trial": s.trial,
            "set": s.name,
            "number": arm.number,
            "arm": arm.text,
            "n": int(n),
            "why": "kept",
        }
        for s in found
        for arm, n in zip(s.arms, s.sizes, strict=True)
    ]
    asked = {tuple(sorted(c)) for c in plan.arms.named if set(c) <= set(plan.trials[trial].in_play)}
    left = sorted((set(sizes) | asked) - {(), *chosen}, key=lambda c: (-sizes.get(c, 0), c))
    for services in left:
        n = sizes.get(services, 0)
        why = "too_few" if n < plan.arms.minimum else "beyond_the_most"
        row = {"trial": trial, "set": f"{trial}.combination", "number": -1}
        rows.append({**row, "arm": JOIN.join(services), "n": n, "why": why})
    return pd.DataFrame(rows, columns=["trial", "set", "number", "arm", "n", "why"])
