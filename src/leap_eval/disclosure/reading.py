"""A release as an outsider reads it: files, ledger and the cells they tell of; no solver here."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

Clique = tuple[str, ...]  # population, cube, service: the children one table splits
Cell = tuple[str, int, Clique, dict[str, frozenset[str]], float, float]  # place, release, ...


def files(home: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """Yield every file that is not what the manifest says, or that it does not name."""
    listed = {o["file"]: o["sha256"] for o in manifest["outputs"]}
    there = {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()}
    pages = {n for n in there if n.startswith("findings-") or n == "manifest.json"}
    for place in sorted(set(listed) | there - pages):
        data = (home / place).read_bytes() if place in there else b""
        if listed.get(place) != hashlib.sha256(data).hexdigest():
            yield f"{place}: not what the manifest says"


def lines(ledger: Path | None) -> list[dict[str, Any]]:
    """Return the lines of a ledger; one that is cut or no JSON is empty, which breaks the chain."""
    return [_line(text) for text in ledger.read_text().splitlines()] if ledger else []


def _line(text: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return told


def chain(lines: list[dict[str, Any]], manifest: dict[str, Any]) -> Iterator[str]:
    """Yield where the ledger's chain breaks, or that it is not the release's own ledger."""
    before, heads = "0" * 64, {"0" * 64}
    for number, line in enumerate(lines, start=1):
        told = json.dumps({k: v for k, v in line.items() if k != "hash"}, sort_keys=True)
        named = line.get("hash"), line.get("prev"), line.get("seq")
        if named != (hashlib.sha256(told.encode()).hexdigest(), before, number):
            yield f"ledger, line {number}: the chain is broken"
        before = str(line.get("hash"))
        heads |= {before} if line.get("name") != manifest["name"] else set()
    if lines and manifest["ledger_head"] not in heads:
        yield "ledger: not the one this release was made with"


def page(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of the ledger as a page: its cells lie between what was told of them."""
    told = [(o, codes, low, high) for o in line["outputs"] for codes, low, high, _ in o["cells"]]
    cells = [[[o["id"]], codes, low, inf if high is None else high] for o, codes, low, high in told]
    views = {o["id"]: o for o in line["outputs"]}
    return {**line, "views": views, "cells": cells, "sums": list(_sums_of(line))}


def _sums_of(line: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the sums of a line: withheld where it tells nothing of them."""
    for output in (o for o in line["outputs"] if "measure" in o):
        known = {tuple(codes): (low, high) for codes, low, high in output["sums"]}
        for codes, *_ in output["cells"]:
            yield [output["id"], codes, None, known.get(tuple(codes))]


def release(home: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the release itself as a page."""
    return {
        **manifest, "cells": list(shown(home, manifest)), "sums": list(sums(home, manifest))
    }  # fmt: skip


def sums(home: Path, manifest: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the sums of a release: table, codes, between what a mean lies, or a total."""
    for output in (o for o in manifest["outputs"] if o["views"]):
        with open(home / output["file"], encoding="utf-8", newline="") as file:
            for row in (r for r in csv.DictReader(file) if r["measure"] in ("mean", "total")):
                codes = [row[d] for d in output["dimensions"]]
                mean = row["measure"] == "mean"
                base = manifest["tells"]["base"]  # totals are whole: shown as they are, or rounded
                span = _rounded(row["value"], 1 if mean else base if base > 1 else 0)
                if row["marker"] != "z":
                    yield [output["views"][0], codes, *((span, None) if mean else (None, span))]


def _rounded(text: str, base: int) -> tuple[float, float] | None:
    if not text:
        return None
    half = 0.5 * base * 10.0 ** -len(text.partition(".")[2])
    return float(text) - half, float(text) + half


def shown(home: Path, manifest: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the counts of a release: its tables, the codes, and between what each count lies."""
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


def cells(release: int, page: dict[str, Any]) -> Iterator[Cell]:
    """Read the cells of a page: which children each counts, and between what their number lies."""
    seen: set[Clique] = set()
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
        if clique not in seen:  # who else there is, though no cell may tell of them
            everybody = {d: frozenset(c) for d, c in cube["codes"].items() if d != member}
            yield "everybody", release, clique, everybody, 0.0, inf
            seen.add(clique)
