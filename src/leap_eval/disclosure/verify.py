"""The independent attacker: from a release's files alone, by its own reading and another solver.

It shares no code with the gate. It rebuilds who could be counted where, takes every shown
number as a fact and every marker as "one or more", and tries to pin down each withheld
cell and each group that is only a difference of shown ones.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

Atom = tuple[str, ...]
Group = dict[Atom, int]  # a sum of atoms, each with its sign
Fact = tuple[Group, float, float]  # a group, its lowest and its highest size
REACH = {"reach": "ward", "reach-group": "ethnicity_group5", "reach-imd": "imd_third"}


@dataclass(frozen=True)
class Finding:
    """A group somebody could work out: where, and how narrow the interval is."""

    place: str
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """What the attack found: groups tried, groups recovered, broken files."""

    tried: int
    recovered: tuple[Finding, ...]
    broken: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was recovered and every file is what the manifest says."""
        return not self.recovered and not self.broken


def attack(home: Path) -> Iterator[tuple[int, int] | Verdict]:
    """Attack the release in `home`; yield (done, of) now and then, and the verdict last."""
    manifest = json.loads((home / "manifest.json").read_bytes())
    broken = tuple(_broken(home, manifest))
    tables = {o["id"]: _read(home / o["file"]) for o in manifest["outputs"] if o["kind"] == "table"}
    facts, wanted = _facts(tables)
    atoms = sorted({atom for fact, _, _ in facts for atom in fact})
    column = {atom: i for i, atom in enumerate(atoms)}
    least = int(manifest["threshold"])
    programme = _programme(facts, column)
    recovered: list[Finding] = []
    for done, (place, group) in enumerate(wanted, start=1):
        low, high = _interval(programme, column, group)
        if (low >= 1 and high < least) or (high - low < 1e-6 and 0 < high < least):
            recovered.append(Finding(place, round(low, 3), round(high, 3)))
        if done % 20 == 0:
            yield done, len(wanted)
    yield Verdict(len(wanted), tuple(recovered), broken)


def _broken(home: Path, manifest: dict[str, Any]) -> Iterator[str]:
    listed = {o["file"]: o["sha256"] for o in manifest["outputs"]}
    for place in sorted(
        set(listed) | {p.relative_to(home).as_posix() for p in home.glob("tables/*")}
    ):
        path = home / place
        if (
            place not in listed
            or not path.is_file()
            or hashlib.sha256(path.read_bytes()).hexdigest() != listed[place]
        ):
            yield place


def _read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["measure"] == "children"]


def _span(row: dict[str, str]) -> tuple[float, float]:
    return (1.0, np.inf) if row["marker"] == "c" else (float(row["value"]), float(row["value"]))


def _facts(
    tables: dict[str, list[dict[str, str]]],
) -> tuple[list[Fact], list[tuple[str, Group]]]:
    facts: list[Fact] = []
    wanted: list[tuple[str, Group]] = []
    services = sorted({r["service"] for r in tables["reach"]} - {"all"})
    codes = {t: sorted({r[d] for r in tables[t]} - {"all"}) for t, d in REACH.items()}
    for table, dimension in REACH.items():
        totals = (
            tables["reach-ward"]
            if table == "reach"
            else [r for r in tables[table] if r["service"] == "all"]
        )
        for row in totals:
            # Every service splits the same children, so each gives the same total.
            for service in services:
                group: Group = {(table, row[dimension], service, u): 1 for u in ("used", "not")}
                facts.append((group, *_span(row)))
        for row in (r for r in tables[table] if r["service"] != "all"):
            inside = codes[table] if row[dimension] == "all" else [row[dimension]]
            group = {(table, code, row["service"], "used"): 1 for code in inside}
            facts.append((group, *_span(row)))
            if row["marker"] == "c":
                wanted.append((f"{table}, {row[dimension]}, {row['service']}", group))
            if row[dimension] != "all":
                rest: Group = {(table, row[dimension], row["service"], "not"): 1}
                wanted.append((f"{table}, {row[dimension]}, not {row['service']}", rest))
    facts += list(_ties(codes, services))
    for table in sorted(t for t in tables if t.startswith("combinations") or t == "flow"):
        facts += [({(table, *_codes(r)): 1}, *_span(r)) for r in tables[table]]
    return facts, wanted


def _codes(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(
        v for k, v in row.items() if k not in ("measure", "value", "low", "high", "marker")
    )


def _ties(codes: dict[str, list[str]], services: list[str]) -> Iterator[Fact]:
    first, *others = REACH
    for service in services:
        for other in others:
            for used in ("used", "not"):
                left: Group = {(first, c, service, used): 1 for c in codes[first]}
                right: Group = {(other, c, service, used): -1 for c in codes[other]}
                yield left | right, 0.0, 0.0
    for table in REACH:
        for code in codes[table]:
            for service in services[1:]:
                first_split: Group = {(table, code, services[0], u): 1 for u in ("used", "not")}
                yield (
                    first_split | {(table, code, service, u): -1 for u in ("used", "not")},
                    0.0,
                    0.0,
                )


def _programme(facts: list[Fact], column: dict[Atom, int]) -> tuple[Any, ...]:
    equal = [(g, low) for g, low, high in facts if low == high]
    least = [(g, low) for g, low, high in facts if low != high]
    return (*_sparse(least, column, -1.0), *_sparse(equal, column, 1.0))


def _interval(
    programme: tuple[Any, ...], column: dict[Atom, int], group: Group
) -> tuple[float, float]:
    a_ub, b_ub, a_eq, b_eq = programme
    cost = np.zeros(len(column))
    for atom, sign in group.items():
        cost[column[atom]] = sign
    ends = []
    for sense in (1.0, -1.0):
        told = linprog(sense * cost, a_ub, b_ub, a_eq, b_eq, bounds=(0, None), method="highs-ds")
        ends.append(sense * float(told.fun or 0) if told.status == 0 else -sense * np.inf)
    return ends[0], ends[1]


def _sparse(rows: list[tuple[Group, float]], column: dict[Atom, int], sign: float) -> Any:
    entries = [
        (r, column[atom], sign * s)
        for r, (group, _) in enumerate(rows)
        for atom, s in group.items()
    ]
    if not entries:
        return None, None
    r, c, v = zip(*entries, strict=True)
    matrix = csr_matrix((v, (r, c)), shape=(len(rows), len(column)))
    return matrix, sign * np.array([value for _, value in rows])
