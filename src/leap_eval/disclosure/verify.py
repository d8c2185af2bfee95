"""The independent attacker: from a release's files alone, by its own reading and another solver.

It shares no code with the gate. It rebuilds from the pages who could be counted where, takes
every shown number as a fact and every marker as what the rules say it tells, pools all releases
of a ledger, and tries to pin down each withheld cell and each group that only differences give.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from itertools import combinations, product
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, csr_array, eye_array, vstack

TINY = 1e-6
Clique = tuple[str, ...]  # population, cube, service: the children one table splits
Cell = tuple[str, int, Clique, dict[str, frozenset[str]], float, float]  # place, release, ...


class Verdict(NamedTuple):
    """What the attack found: groups tried, groups recovered (place, low, high), broken things."""

    tried: int
    recovered: tuple[tuple[str, float, float], ...]
    broken: tuple[str, ...]


def attack(
    home: Path, ledger: Path | None = None, integer: bool = False, evidence: Path | None = None
) -> Iterator[tuple[int, int] | Verdict]:
    """Attack the release in `home`; yield (done, of) now and then, and the verdict last."""
    manifest = json.loads((home / "manifest.json").read_bytes())
    lines = [json.loads(t) for t in ledger.read_text().splitlines()] if ledger else []
    if broken := [*_files(home, manifest), *_chain(lines, manifest)]:
        return (yield Verdict(0, (), tuple(broken)))
    past = [_page(n) for n in lines if "outputs" in n and n["name"] != manifest["name"]]
    pages = [*past, {**manifest, "cells": list(_read(home, manifest))}]
    # Releases of the same children tell of the same atoms; else children may have joined or left.
    when = [[p["population"] for p in pages].index(page["population"]) for page in pages]
    world = World([c for r, page in zip(when, pages, strict=True) for c in _cells(r, page)])
    if world.table(integer) is None:
        return (yield Verdict(0, (), ("the numbers contradict one another",)))
    groups, bar = world.groups(), min(manifest["threshold"], manifest["tells"]["upper"])
    left, recovered = world.left(groups, bar, integer), []
    for done, (place, row) in enumerate(left, start=len(groups) - len(left)):
        tables = world.table(integer, -row), world.table(integer, None, row, bar)
        ends = [(row @ table).item() for table in tables]
        if ends[0] > TINY and ends[1] < bar - TINY:
            recovered.append((place, *ends))
        yield done, len(groups)
    broken = list(world.doubts(evidence, when)) if evidence else []
    return (yield Verdict(len(groups), tuple(recovered), tuple(broken)))


def _files(home: Path, manifest: dict[str, Any]) -> Iterator[str]:
    listed = {o["file"]: o["sha256"] for o in manifest["outputs"]}
    there = {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()}
    pages = {n for n in there if n.startswith("findings-") or n == "manifest.json"}
    for place in sorted(set(listed) | there - pages):
        data = (home / place).read_bytes() if place in there else b""
        if listed.get(place) != hashlib.sha256(data).hexdigest():
            yield f"{place}: not what the manifest says"


def _chain(lines: list[dict[str, Any]], manifest: dict[str, Any]) -> Iterator[str]:
    before, heads = "0" * 64, {"0" * 64}
    for number, line in enumerate(lines, start=1):
        told = json.dumps({k: v for k, v in line.items() if k != "hash"}, sort_keys=True)
        good = line["hash"] == hashlib.sha256(told.encode()).hexdigest()
        if not good or (line["prev"], line["seq"]) != (before, number):
            yield f"ledger, line {number}: the chain is broken"
        before = line["hash"]
        heads |= {before} if line["name"] != manifest["name"] else set()
    if lines and manifest["ledger_head"] not in heads:
        yield "ledger: not the one this release was made with"


def _page(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of the ledger as a page: its cells lie between what was told of them."""
    told = [(o, codes, low, high) for o in line["outputs"] for codes, low, high, _ in o["cells"]]
    cells = [[[o["id"]], codes, low, inf if high is None else high] for o, codes, low, high in told]
    return {**line, "views": {o["id"]: o for o in line["outputs"]}, "cells": cells}


def _read(home: Path, manifest: dict[str, Any]) -> Iterator[list[Any]]:
    for output in (o for o in manifest["outputs"] if o["views"]):
        with open(home / output["file"], encoding="utf-8", newline="") as file:
            for row in (r for r in csv.DictReader(file) if r["measure"] == "children"):
                codes = [row[d] for d in output["dimensions"]]
                yield [output["views"], codes, *_told(row, manifest["tells"])]


def _told(row: dict[str, str], tells: dict[str, Any]) -> tuple[float, float]:
    """Return between what a count lies that is shown, rounded or withheld."""
    if row["value"]:
        return float(row["low"] or row["value"]), float(row["high"] or row["value"])
    secret = set(row.values()) & set(tells["secret"])
    return (0.0 if secret else tells["marker"][0]), tells["marker"][1] or inf


def _cells(release: int, page: dict[str, Any]) -> Iterator[Cell]:
    """Read the cells of a page: which children each counts, and between what their number lies."""
    for views, codes, low, high in page["cells"]:
        told = [page["views"][v] for v in views]
        view = next(v for v in told if codes[0] in v["nodes"][v["dimensions"][0]])
        cube, nodes = page["cubes"][view["cube"]], view["nodes"]
        pairs = zip(view["dimensions"], codes, strict=True)
        sets = {d: frozenset(nodes[d][c] or cube["codes"][d]) for d, c in pairs}
        member, every = cube["membership"], cube["codes"].get(cube["membership"], [""])
        services = sets.pop(member, frozenset(every))
        if len(services) == 1 and member:
            sets[f"={min(services)}"] = frozenset({"used"})
        clique = (cube["population"], view["cube"], min(services))
        yield ", ".join([views[0], *codes]), release, clique, sets, low, high


def _parts(nodes: list[frozenset[str]]) -> dict[str, int]:
    """Return the part of each code: codes that no cell tells apart are one."""
    signs = {c: tuple(c in n for n in nodes) for c in sorted(frozenset().union(*nodes))}
    order = sorted(set(signs.values()))
    return {code: order.index(sign) for code, sign in signs.items()}


class World:
    """Who could be counted where, in all releases, and every fact that cells tell of them."""

    def __init__(self, cells: list[Cell]) -> None:
        """Refine each dimension by all that was published of it, and number the atoms."""
        self.nodes: dict[tuple[str, str], set[frozenset[str]]] = {}
        self.axes: dict[Clique, dict[str, None]] = {}
        self.seen: dict[Clique, dict[int, None]] = {}
        for _, release, clique, sets, _, _ in cells:
            self.seen.setdefault(clique, {})[release] = None
            self.axes.setdefault(clique, {}).update(dict.fromkeys(sets))
            for axis, codes in sets.items():
                everybody = {codes, frozenset({"used", "not"}) if axis[0] == "=" else codes}
                self.nodes.setdefault((clique[0], axis), set()).update(everybody)
        self.part = {at: _parts(sorted(told, key=sorted)) for at, told in self.nodes.items()}
        self.spans = {c: [(a, b) for a in s for b in s if a <= b] for c, s in self.seen.items()}
        self.index: dict[Clique, Any] = {}
        self.size = 0
        for clique, axes in self.axes.items():
            shape = [len(self.spans[clique]), *(self._many(clique, a) for a in axes)]
            self.index[clique] = self.size + np.arange(np.prod(shape)).reshape(shape)
            self.size += int(np.prod(shape))
        rows, self.open = [], []
        for place, release, clique, sets, low, high in cells:
            parts = {a: {self.part[clique[0], a][c] for c in told} for a, told in sets.items()}
            rows.append((self._row(clique, release, parts), low, high))
            self.open += [(place, rows[-1][0])] if low < high else []
        rows += [(tie, 0.0, 0.0) for tie in self._ties()]
        self.facts = vstack([row for row, _, _ in rows], format="csr")
        self.low, self.high = (np.array([row[i] for row in rows]) for i in (1, 2))

    def _many(self, clique: Clique, axis: str) -> int:
        return max(self.part[clique[0], axis].values()) + 1

    def _row(self, clique: Clique, when: Any, sets: dict[str, Any], sign: float = 1.0) -> Any:
        """Return the children of a clique in these parts, present then, as a row over the atoms."""
        first, last = when if isinstance(when, tuple) else (when, when)
        exact = isinstance(when, tuple)
        told = [
            i
            for i, (a, b) in enumerate(self.spans[clique])
            if ((a, b) == (first, last) if exact else a <= first <= b)
        ]
        sides = [sorted(sets.get(a) or range(self._many(clique, a))) for a in self.axes[clique]]
        at = self.index[clique][np.ix_(told, *sides)].ravel()
        return csr_array((np.full(len(at), sign), (np.zeros(len(at), int), at)), (1, self.size))

    def _ties(self) -> Iterator[Any]:
        """Tables of the same children agree, in every release, on every margin they share."""
        for r in sorted({r for seen in self.seen.values() for r in seen}):
            here = {c: set(axes) for c, axes in self.axes.items() if r in self.seen[c]}
            pairs = [(a, b) for a, b in combinations(here, 2) if a[0] == b[0]]
            for axes in {tuple(sorted(here[a] & here[b])): None for a, b in pairs}:
                for population in {a[0]: None for a, _ in pairs}:
                    root, *rest = [c for c in here if c[0] == population and here[c] >= set(axes)]
                    for other, *codes in product(rest, *(range(self._many(root, x)) for x in axes)):
                        sets = {x: {c} for x, c in zip(axes, codes, strict=True)}
                        yield self._row(root, r, sets) + self._row(other, r, sets, -1.0)

    def groups(self) -> list[tuple[str, Any]]:
        """Return withheld cells, and crosses of parts, nodes and differences of nested nodes."""
        found = {row.indices.tobytes(): (place, row) for place, row in self.open}
        for clique, axes in self.axes.items():
            sides = [self._sets(clique[0], axis) for axis in axes]
            for when, *sets in product([*self.seen[clique], *self.spans[clique]], *sides):
                row = self._row(clique, when, dict(zip(axes, sets, strict=True)))
                place = f"{'/'.join(clique)}, {when}: {[sorted(s) for s in sets]}"
                found.setdefault(row.indices.tobytes(), (place, row))
        return list(found.values())

    def _sets(self, population: str, axis: str) -> list[frozenset[int]]:
        part = self.part[population, axis]
        nodes = {frozenset(part[c] for c in n) for n in self.nodes[population, axis]}
        nodes |= {frozenset(part.values()), *(frozenset({p}) for p in part.values())}
        return sorted(nodes | {a - b for a in nodes for b in nodes if b < a}, key=sorted)

    def table(self, integer: bool, gain: Any = None, aims: Any = None, bar: float = inf) -> Any:
        """Return a table all facts allow with most of `gain`, or of each aim up to `bar`."""
        aims = csr_array((0, self.size)) if aims is None else aims
        more = len(range(aims.shape[0]))
        rows = block_array([[self.facts, None], [aims, -eye_array(more)]]) if more else self.facts
        low, high = np.append(self.low, np.zeros(more)), np.append(self.high, np.full(more, inf))
        cost = np.append(
            np.zeros(self.size) if gain is None else -gain.toarray(), np.full(more, -1)
        )
        upper = np.append(np.full(self.size, inf), np.full(more, bar))
        whole = np.append(np.full(self.size, int(integer)), np.zeros(more))
        told = milp(cost, integrality=whole, bounds=Bounds(0, upper),
                    constraints=LinearConstraint(rows, low, high))  # fmt: skip
        return told.x[: self.size] if told.x is not None else None

    def left(self, groups: list[Any], bar: float, integer: bool) -> list[tuple[str, Any]]:
        """Return the groups that no table seen so far makes none, or many, children."""
        while groups:
            rows = vstack([row for _, row in groups], format="csr")
            value = rows @ self.table(integer, None, rows, bar)
            still = [g for g, v in zip(groups, value, strict=True) if TINY < v < bar - TINY]
            if len(still) == len(groups):
                break
            groups = still
        return groups

    def doubts(self, evidence: Path, when: list[int]) -> Iterator[str]:
        """Check the witnesses: whole tables that all facts allow, far enough apart."""
        with np.load(evidence / "witnesses.npz") as kept:
            told = {name: kept[name] for name in kept.files}
        at = [self._atom(when, *label) for label in json.loads(told["labels"].tobytes())]
        tables = np.zeros((len(told["tables"]), self.size + 1))  # the last: in no published table
        np.add.at(tables.T, at, told["tables"].T)
        sums = self.facts @ tables[:, : self.size].T
        if (told["tables"] < 0).any() or told["tables"].dtype.kind != "i":
            yield "evidence: a witness is no table of children"
        if ((sums < self.low[:, None] - TINY) | (sums > self.high[:, None] + TINY)).any():
            yield "evidence: a witness contradicts the pages"
        for q in np.flatnonzero(~told["open"]):
            group = told["columns"][told["pointer"][q] : told["pointer"][q + 1]]
            small, large = (told["tables"][told[n][q], group].sum() for n in ("least", "most"))
            if large < told["upper"][q] or large - small < told["width"][q]:
                yield f"evidence: the witnesses of group {q} are too close"

    def _atom(
        self, when: list[int], cube: str, service: str, parts: Any, side: str, *span: int
    ) -> int:
        clique = next((c for c in self.axes if c[1:] == (cube, service)), None)
        if clique is None:
            return self.size
        codes = {d: c[0] for d, c in parts} | {f"={service}": side.partition("_")[0]}
        where = [self.part[clique[0], a][codes[a]] for a in self.axes[clique]]
        times = self.spans[clique].index((when[span[0]], when[span[1]]))
        return int(self.index[clique][(times, *where)])
