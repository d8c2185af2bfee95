"""Random programmes of releases, judged by the attacker that shares no code with the gate."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any

import attacker
import numpy as np
import pandas as pd
import wide

from leap_eval.disclosure import cells, entries, fallback, suppress, targets
from leap_eval.disclosure.declare import ALL, Cube, Output, Release

AREAS = tuple(f"a{i}" for i in range(8))
AGES = tuple(f"y{i}" for i in range(6))
SERVICES = ("s0", "s1", "s2")
NAMES = ("area", "age", "service")
QUARTERLY = 16_000
DRAWN = 500  # groups of a wide programme that the attacker of linear programmes judges
JOINT = 600  # cells, up to which the optimum of all releases at once is worth asking for


def cuts(
    codes: tuple[str, ...], chance: np.random.Generator, most: int
) -> dict[str, tuple[str, ...]]:
    """Cut an ordered code list into bands at random places."""
    n = int(chance.integers(2, most + 1))
    at = sorted(chance.choice(np.arange(1, len(codes)), n - 1, replace=False).tolist())
    return wide.banded(codes, at)


def programme(seed: int, told: Any) -> tuple[list[Release], list[dict[tuple[str, ...], int]], bool]:
    """Draw a programme: children who join and leave, tables whose codes are cut anew."""
    chance = np.random.default_rng([told.seed, seed])
    releases = told.releases or int(chance.integers(1, 4))
    dims = 3 if told.wide else int(chance.integers(2, 4))
    codes = (wide.codes(told) if told.wide else (AREAS, AGES, SERVICES))[:dims]
    standing: list[Output] = []
    if told.wide:
        by_service = wide.shares(chance, (told.wards, told.services, told.ages))
        share = by_service.transpose(0, 2, 1).ravel()
        standing = wide.standing(codes, told.outputs or wide.TABLES, chance)
    else:
        share = chance.dirichlet(np.full(int(np.prod([len(c) for c in codes])), 0.7))
    # Whoever shows twenty tables a quarter has the children for it.
    rich = told.wide or told.outputs >= 10
    many = told.children or (QUARTERLY if rich else int(chance.integers(80, 300)))
    people = chance.choice(len(share), many, p=share)
    made, counts = [], []
    for number in range(releases):
        if number:
            stay = chance.random(len(people)) > 0.03
            people = np.concatenate(
                [people[stay], chance.choice(len(share), int(chance.integers(1, 15)), p=share)]
            )
        full = np.bincount(people, minlength=len(share))
        at = np.unravel_index(np.arange(len(share)), [len(c) for c in codes])
        frame = pd.DataFrame(
            {d: [c[i] for i in a] for d, c, a in zip(NAMES[:dims], codes, at, strict=True)}
        )
        frame = frame.assign(children=full)
        outputs = []
        if told.wide:
            outputs = wide.quarter(standing, codes, chance) if number else standing
        for k in range(0 if told.wide else told.outputs or int(chance.integers(1, 3))):
            pair = sorted(chance.choice(dims, 2, replace=False).tolist())
            nodes = {}
            for d in pair:
                bands = cuts(codes[d], chance, min(4, len(codes[d])))
                nodes[NAMES[d]] = {**bands, ALL: ()} if chance.random() < 0.8 else bands
            outputs.append(Output(f"t{k}", "c", nodes))
        made.append(Release(f"r{number}", tuple(outputs), {"c": Cube(frame, NAMES[:dims])}))
        keys = [tuple(row) for row in frame[list(NAMES[:dims])].itertuples(index=False)]
        counts.append(dict(zip(keys, full.tolist(), strict=True)))
    return made, counts, bool(dims == 3 and chance.random() < 0.5)


def run(told: Any) -> dict[str, Any]:
    """Release every programme one release at a time, then attack all of it."""
    total = dict.fromkeys(
        ("releases", "cells", "targets", "exact", "below", "withheld", "joint", "conflicts"), 0
    )
    seconds = {"solve": 0.0, "attack": 0.0, "joint": 0.0, "slowest": 0.0}
    need = targets.Need(told.threshold, told.threshold, told.threshold)
    for seed in range(told.programmes):
        releases, counts, insider = programme(seed, told)
        own = {"p": {"service": ("s0",)}} if insider else {}
        done: list[Release] = []
        clock = Clock(seconds)
        for release in releases:
            release, conflicts = release_(done, release, need, own)
            total["conflicts"] += conflicts
            done.append(release)
            if told.wide:  # hours long: tell how far it came
                hidden = sum(t.withheld for t in release.told.values())
                so_far = round(time.process_time() - clock.at, 1)
                print(release.name, len(release.told), hidden, so_far, file=sys.stderr, flush=True)
        seconds["slowest"] = max(seconds["slowest"], clock.lap("solve"))
        codes = wide.codes(told) if told.wide else (AREAS, AGES, SERVICES)
        # Of a wide programme all groups would take days, and whole children hours each.
        drawn = DRAWN if told.wide else 0
        found = judged(done, counts, told.threshold, insider, codes, drawn, not told.wide)
        clock.lap("attack")
        for recovered in found:
            total["targets"] += recovered.tried
            total["exact"] += recovered.exact
            total["below"] += recovered.below
        if any(r.exact or r.below for r in found):
            print("recovered", seed, found, file=sys.stderr, flush=True)
        many = sum(len(o.keys()) for r in done for o in r.outputs)
        if not conflicts and many <= JOINT:
            whole = [replace(r, told={}, outputs=r.outputs) for r in done]
            total["withheld"] += distinct(done)
            total["joint"] += joint(whole, need, own)
        clock.lap("joint")
        total["cells"] += many
        total["releases"] += len(done)
        if seed % 5 == 4:
            print(seed + 1, total, file=sys.stderr, flush=True)
    joint_ = total.pop("joint")
    ratio = round(total["withheld"] / joint_, 4) if joint_ else None
    told_of = {k: round(v, 1) for k, v in seconds.items()}
    return {
        "programmes": told.programmes,
        **total,
        "joint_ratio": ratio,
        "seconds": told_of,
    }


class Clock:
    """CPU seconds by what they went into."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.at = seconds, time.process_time()

    def lap(self, what: str) -> float:
        took = time.process_time() - self.at
        self.seconds[what] += took
        self.at += took
        return took


def release_(done: list[Release], release: Release, need: Any, own: Any) -> tuple[Release, int]:
    """Protect a release given all before it; outputs declared last yield first."""
    conflicts = 0
    while release.outputs:
        problem = cells.collect([*done, release], insiders=own)
        first = targets.primary(problem, need)
        found = fallback.wanted(problem, need, fallback.dear(problem))
        try:
            if fallback.large(problem):
                pattern, _ = fallback.protect(problem, need, first, found, b"x")
            else:
                pattern = suppress.suppress(problem, found, first, suppress.Effort(), b"x")
            return entries.after(release, problem, pattern.withheld), conflicts
        except suppress.Conflict as conflict:
            conflicts += 1
            last = [o for o in release.outputs if o.id in conflict.outputs][-1]
            release = replace(release, outputs=tuple(o for o in release.outputs if o is not last))
    return release, conflicts


def distinct(done: list[Release]) -> int:
    """Return how many different cells are withheld over all releases."""
    problem = cells.collect(done)
    last = cells.collect([*done[:-1], replace(done[-1], told={})])
    hidden = {problem.keys[i] for i in np.flatnonzero(problem.fixed == cells.WITHHELD)}
    mine = {last.names[k] for k, t in done[-1].told.items() if t.withheld}
    return len(hidden | {last.keys[i] for i in mine})


def joint(releases: list[Release], need: Any, own: Any) -> int:
    """Return how many cells would do, had all releases been solved at once."""
    problem = cells.collect(releases, insiders=own)
    found = targets.targets(problem, need)
    first = targets.primary(problem, need)
    return int(suppress.suppress(problem, found, first, suppress.Effort(), b"x").withheld.sum())


def judged(
    done: list[Release],
    counts: Any,
    threshold: int,
    insider: bool,
    every: Any = (AREAS, AGES, SERVICES),
    drawn: int = 0,
    whole: bool = True,
) -> list[Any]:
    """Hand every page to the attackers: the reader of all, and the partner who knows s0."""
    dims = done[0].cubes["c"].dimensions
    codes = tuple(every[NAMES.index(d)] for d in dims)
    facts = []
    for number, release in enumerate(done):
        for output in release.outputs:
            for key in output.keys():  # noqa: SIM118 - a method of Output
                told, named = release.told[key], dict(zip(output.nodes, key[1:], strict=True))
                cover = tuple(
                    frozenset(output.nodes[d][named[d]] or codes[i] if d in named else codes[i])
                    for i, d in enumerate(dims)
                )
                facts.append((number, cover, told.low, told.high))
    if not facts:
        return []
    world = attacker.World(codes, tuple(counts))
    made = [attacker.attack(world, facts, threshold, None, whole, drawn)]
    if insider:
        own = (*(frozenset(c) for c in codes[:2]), frozenset({"s0"}))
        made.append(attacker.attack(world, facts, threshold, own, whole, drawn))
    return made
