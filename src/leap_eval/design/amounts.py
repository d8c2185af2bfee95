"""Dose and breadth: how much of a service, and how many services, by an age fixed beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from leap_eval.design.discover import REST, Arm, ArmSet, TrialStarts, with_rest
from leap_eval.settings import Plan


def amount_sets(starts: TrialStarts, plan: Plan) -> tuple[list[ArmSet], pd.DataFrame]:
    """Find dose sets among those who started, and breadth among all; tell what was too few."""
    asked = [_breadth(starts, plan), *(_dose(starts, plan, s) for s in starts.services)]
    kept = [_large_enough(s, plan.arms.minimum) for s in asked]
    found = [s for s in kept if sum(a.text != REST for a in s.arms) > 1]
    rows = [row for s, k in zip(asked, kept, strict=True) for row in _told(s, k, k in found)]
    return found, pd.DataFrame(rows, columns=["trial", "set", "number", "arm", "n", "why"])


def _breadth(starts: TrialStarts, plan: Plan) -> ArmSet:
    inside = starts.eligible & starts.offered.all(axis=1)
    label = binned(starts.started.sum(axis=1), plan.arms.breadth)
    return _set(starts, "breadth", plan.arms.breadth, np.where(inside, label, -1), ())


def _dose(starts: TrialStarts, plan: Plan, service: str) -> ArmSet:
    place = starts.services.index(service)
    # Among those with a contact in the window only: nobody else has a dose to compare.
    inside = starts.eligible & starts.offered[:, place] & (starts.dose[:, place] > 0)
    label = binned(starts.dose[:, place], plan.arms.dose)
    others = tuple(s for s in starts.services if s != service)
    return _set(starts, f"dose:{service}", plan.arms.dose, np.where(inside, label, -1), others)


def _set(
    starts: TrialStarts,
    name: str,
    bins: tuple[str, ...],
    label: npt.NDArray[np.int64],
    held: tuple[str, ...],
) -> ArmSet:
    arms = tuple(Arm(i, text, ()) for i, text in enumerate(bins))
    told = label.astype(np.int16)
    return ArmSet(f"{starts.trial}.{name}", starts.trial, arms, told, starts.own, held)


def binned(count: npt.NDArray[np.integer], bins: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return the number of each count's bin (`3`, `3-5` or `10+`), -1 outside all."""
    told = np.full(len(count), -1, dtype=np.int64)
    for number, text in enumerate(bins):
        low, _, high = text.rstrip("+").partition("-")
        most = np.inf if text.endswith("+") else float(high or low)
        told[(count >= int(low)) & (count <= most)] = number
    return told


def _large_enough(found: ArmSet, minimum: int) -> ArmSet:
    """Keep bins with enough children; the others become `rest`. Without the first, none is kept."""
    large = [a for a, n in zip(found.arms, found.sizes, strict=True) if n >= minimum]
    if not large or large[0].number > 0:
        return replace(found, arms=())
    label = np.where(found.label >= 0, len(large), -1).astype(np.int16)
    for number, arm in enumerate(large):
        label[found.label == arm.number] = number
    arms = [Arm(i, a.text, ()) for i, a in enumerate(large)]
    label, some = with_rest(label, len(large), found.own)
    arms += [Arm(len(large), REST, ())] if some else []
    return replace(found, arms=tuple(arms), label=label)


def _told(asked: ArmSet, kept: ArmSet, found: bool) -> list[dict[str, object]]:
    row = {"trial": asked.trial, "set": asked.name}
    numbers = {a.text: a.number for a in kept.arms} if found else {}
    texts = [*(a.text for a in asked.arms), *([REST] if REST in numbers else [])]
    sizes = [*asked.sizes, (kept.label[kept.own] == numbers.get(REST, -2)).sum()]
    return [
        row
        | {"number": numbers.get(text, -1), "arm": text, "n": int(n)}
        | {"why": "kept" if text in numbers else "too_few"}
        for text, n in zip(texts, sizes, strict=False)
    ]
