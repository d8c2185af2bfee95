"""One joint solve: all tables of a release and all that ever left, protected and audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from leap_eval.disclosure import (
    cells,
    crossed,
    entries,
    fallback,
    known,
    rounding,
    summed,
    sums,
    targets,
)
from leap_eval.disclosure import suppress as suppression
from leap_eval.disclosure import witnesses as examples
from leap_eval.disclosure.cells import Problem
from leap_eval.disclosure.counted import Counted
from leap_eval.disclosure.declare import Bools, Key, Output, Release
from leap_eval.disclosure.rules import Rules
from leap_eval.disclosure.suppress import Effort, Pattern
from leap_eval.disclosure.targets import Targets
from leap_eval.errors import DisclosureError

WHOLE_ROUNDS = 5
SHOWN_ALWAYS = {"total": ("linked_children",)}
Own = Mapping[str, tuple[str, ...]]
# What to withhold, what that must prove and how, and which sums of each measure are hidden.
_Protected = tuple[Pattern, Targets, examples.Witnesses, tuple[Bools, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """All that left before: the lines of the release ledger and the counts sealed beside it."""

    lines: Sequence[Mapping[str, Any]] = ()
    sealed: Mapping[str, pd.DataFrame] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What a joint solve found: texts to show, and all that stays behind."""

    release: Release
    rules: Rules
    told: Counted
    problem: Problem
    found: Targets
    pattern: Pattern
    witnesses: examples.Witnesses
    texts: Mapping[Key, str]
    failed: tuple[str, ...]  # outputs that could not be protected: written all withheld
    told_sums: Mapping[Key, tuple[str, tuple[float, float]]]  # shown: a text, and what it tells

    @property
    def spans(self) -> Mapping[Key, tuple[str, str]]:
        """Return, of each rounded cell that is shown, between what its count lies."""
        told = {k: self.problem.shown[self.problem.names[k]] for k in self.texts}
        return {k: (f"{a:.0f}", f"{b:.0f}") for k, (a, b) in told.items() if a < b}

    @property
    def sums(self) -> Mapping[Key, str]:
        """Return the text of every sum and mean that is shown."""
        return {key: text for key, (text, _) in self.told_sums.items()}

    @property
    def open(self) -> int:
        """Return how many groups no pair of whole tables shows to be safe."""
        return int(self.witnesses.open.sum())

    @property
    def primary(self) -> Mapping[Key, bool]:
        """Return for each withheld cell whether it is withheld for itself. Never leaves."""
        rows = self.problem.names.items()
        return {k: bool(self.pattern.primary[i]) for k, i in rows if self.pattern.withheld[i]}


def solve(
    name: str, rules: Rules, told: Counted, tables: Mapping[str, Sequence[Output]], before: Before,
    draw: bytes, own: Own | None = None,
) -> Solved:  # fmt: skip
    """Solve all tables at once; where old releases leave no way, outputs declared last yield."""

    lines = [_ordered(line) for line in before.lines]
    earlier = entries.earlier(lines, before.sealed or {}, name)

    def asked(kept: Sequence[str]) -> tuple[Release, Problem, Targets, list[sums.Sums]]:
        release = Release(
            name, tuple(o for n in tables if n in kept for o in tables[n]), told.cubes
        )
        every = [*earlier, release]
        problem, more = _problem(every, rules, own or {})
        adding = summed.collect(every, problem, rules)
        found = fallback.wanted(problem, known.need(rules), _spared(problem, adding))
        return release, problem, known.joined(found, more), adding

    built: dict[tuple[str, ...], _Protected] = {}

    def blocked(kept: Sequence[str]) -> suppression.Conflict | None:
        _, problem, found, adding = asked(kept)
        large = fallback.large(problem)
        conflict = (
            (None if large else suppression.blocked(problem, found))
            or sums.blocked(adding, rules)
            or crossed.blocked(problem, found, adding)
        )
        if large and not conflict:  # only building it tells
            try:
                built[tuple(kept)] = _fallback(problem, found, rules, draw, adding)
            except suppression.Conflict as told:
                return told
        return conflict

    kept, failed = list(tables), list[str]()
    while conflict := blocked(kept):
        if rules.review.on_conflict == "stop" or not kept:
            raise conflict
        at_fault = [n for n in kept if {o.id for o in tables[n]} & set(conflict.outputs)]
        failed.append((at_fault or kept)[-1])
        kept.remove(failed[-1])
    # What yielded first may not have been in the way: as few as possible stay out.
    for back in failed[:-1]:
        if not blocked([*kept, back]):
            kept.append(back)
    release, problem, found, adding = asked(kept)
    failed = [n for n in tables if n not in kept]
    protected = built.get(tuple(kept)) or _protected(problem, found, rules, draw, adding)
    pattern, found, shown, hidden = protected
    texts = _texts(problem, pattern, rules, release.outputs)
    both = zip(adding, hidden, strict=True)
    told_sums = {key: (text, span) for s, hide in both for key, text, span in s.told_of(hide)}
    return Solved(
        release, rules, told, problem, found, pattern, shown, texts, tuple(failed), told_sums
    )


def _protected(
    problem: Problem, found: Targets, rules: Rules, draw: bytes, adding: Sequence[sums.Sums]
) -> _Protected:
    need = known.need(rules)
    first = targets.primary(problem, need) | sums.first(adding, problem)
    pattern = suppression.suppress(problem, found, first, effort(rules), draw)
    if spared := _spared(problem, adding):
        safe, left = fallback.unnoticed(problem, need, rounded=True)
        found = targets.add(found, left)
    pattern, shown = _whole(problem, found, pattern, rules)
    # Sums last: what they withhold besides only widens what the witnesses prove.
    both = crossed.Both(problem, found, adding)
    withheld, hidden = crossed.protected(both, pattern.withheld, rules)
    if (withheld != pattern.withheld).any():
        pattern = replace(pattern, withheld=withheld, method="repaired")
    # The same audit decides, whatever the method: a fresh one, from nothing.
    if not both.safe(withheld, hidden):
        raise DisclosureError("disclosure: the last audit found an open group; nothing is released")
    if spared:
        told, proof = fallback.whole(problem, [safe], need)
        found, shown = targets.add(told, found), examples.together(proof, shown)
    return pattern, found, both.proven(shown, hidden), hidden


def _fallback(
    problem: Problem, found: Targets, rules: Rules, draw: bytes, adding: Sequence[sums.Sums]
) -> _Protected:
    """Protect a problem too large to search: audited as exactly, never called the best."""
    if any(s.crossing for s in adding):
        raise DisclosureError(
            "disclosure: sums that cross cannot be audited in a problem of this size; leave them "
            "out, or release fewer tables"
        )
    need = known.need(rules)
    first = targets.primary(problem, need) | sums.first(adding, problem)
    pattern, audits = fallback.protect(problem, need, first, found, draw)
    withheld, hidden = crossed.protected(
        crossed.Both(problem, found, adding), pattern.withheld, rules
    )
    told, shown = fallback.whole(problem, audits, need)
    return replace(pattern, withheld=withheld), told, shown, hidden


def _ordered(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a ledger line with its dimensions in their own order: the file sorts its keys."""
    told = [
        {**o, "nodes": {d: o["nodes"][d] for d in o["dimensions"]}} for o in line.get("outputs", ())
    ]
    return {**line, "outputs": told}


def _whole(
    problem: Problem, found: Targets, pattern: Pattern, rules: Rules
) -> tuple[Pattern, examples.Witnesses]:
    """Return a pattern that whole tables prove safe as well, withholding more where they cannot.

    Where a whole programme proved that no such pair of tables is there, every free cell that
    shares a child with the group goes: withholding more never narrows an attacker.
    """
    for _ in range(WHOLE_ROUNDS):
        shown = examples.find(problem, found, pattern.withheld, rules.effort.boxes)
        if not shown.unsafe.any():
            return pattern, shown
        touched = np.asarray((found.rows[shown.unsafe] @ problem.cells.T).sum(axis=0)).ravel() > 0
        more = pattern.withheld | (touched & problem.free)
        pattern = replace(pattern, withheld=more, method="repaired")
    raise DisclosureError("disclosure: whole children give a group away; coarsen or leave it out")


def _spared(problem: Problem, adding: Sequence[sums.Sums]) -> bool:
    """Tell whether groups that no page notices need no search; sums that cross may notice."""
    return fallback.dear(problem) and not any(s.crossing for s in adding)


def _problem(releases: list[Release], rules: Rules, own: Own) -> tuple[Problem, Targets | None]:
    """Return the problem as the rules want it, and the targets they name beside small groups."""
    outputs = releases[-1].outputs
    always = [c for word in rules.weights.always_show for c in SHOWN_ALWAYS.get(word, (word,))]
    keys = [k for o in outputs for k in o.keys()]  # noqa: SIM118 - a method of Output
    problem = cells.collect(
        releases,
        marker=rules.marker[0],
        zeros=rules.zero == "show",
        units=(rules.units.families, rules.units.partners),
        insiders={p: {"service": codes} for p, codes in own.items()},
        always_show=frozenset(k for k in keys if set(k[1:]) <= set(always)),
        secret=frozenset(known.secret(outputs, rules)),
    )
    problem = known.summed(known.rounded(problem, rules), rules, outputs)
    problem, more = known.class_cells(problem, rules, outputs)
    return known.weighted(problem, rules), more


def effort(rules: Rules) -> Effort:
    """Return how long to search, in the words of the solver."""
    said = rules.effort
    most = said.exact_cells.flat, said.exact_cells.deep
    return Effort(
        said.lp_rounds, said.mip_rounds, said.mip_nodes, exact_cells=most, boxes=said.boxes,
        abort_after_s=said.abort_after_s,
    )  # fmt: skip


def _texts(
    problem: Problem, pattern: Pattern, rules: Rules, outputs: Sequence[Output]
) -> dict[Key, str]:
    told = rounding.shown(problem.truth, rules).text
    summed = known.sums(problem, rules, outputs)
    return {
        key: summed.get(row, told[row]) or f"{problem.truth[row]:.0f}"
        for key, row in problem.names.items()
        if not pattern.withheld[row]
    }
