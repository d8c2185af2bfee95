"""Declare, collect, solve once: what is to leave is judged together, or not at all."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from leap_eval.disclosure import cells, suppress
from leap_eval.disclosure.cells import ALL, Key, Problem
from leap_eval.disclosure.rules import Rules, rules_hash
from leap_eval.disclosure.suppress import Pattern
from leap_eval.errors import DisclosureError

TAIL = ("measure", "value", "low", "high", "marker")
EVERYBODY = ("leap", "partners", "funder")
JOINT = "linear, all tables jointly, marker read as one or more"


@dataclass(frozen=True, slots=True)
class Output:
    """One declared output: what it is, for whom, and why it is needed."""

    id: str
    kind: str
    dimensions: tuple[str, ...]
    title: str
    why: str
    audiences: tuple[str, ...] = EVERYBODY
    rows: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """All that is to leave under one name; each call returns a new proposal."""

    name: str
    rules: Rules
    facts: Mapping[str, Any]
    outputs: tuple[Output, ...] = ()

    def table(self, name: str, dimensions: Sequence[str], *, title: str, why: str) -> Proposal:
        """Declare a table of counts of children."""
        return self._with(Output(name, "table", tuple(dimensions), title, why))

    def model(self, name: str, rows: Sequence[dict[str, str]], *, title: str, why: str) -> Proposal:
        """Declare rows that a model or a quality report made, already cut to what may be told."""
        dimensions = [c for c in (rows[0] if rows else {}) if c not in TAIL]
        return self._with(Output(name, "model", tuple(dimensions), title, why, rows=tuple(rows)))

    def _with(self, output: Output) -> Proposal:
        if not output.why.strip():
            raise DisclosureError(f"{output.id}: `why` is empty; say what the findings need it for")
        if output.id in {o.id for o in self.outputs}:
            raise DisclosureError(f"{output.id}: is declared twice; keep one")
        return replace(self, outputs=(*self.outputs, output))


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """A checked release: its files, and its manifest."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    pattern: Pattern | None = field(default=None)

    def summary(self) -> pd.DataFrame:
        """Return, by output, how much is shown and how much withheld."""
        rows = [
            (o["id"], o["verdict"], o["cells"], o["withheld"]) for o in self.manifest["outputs"]
        ]
        table = pd.DataFrame(rows, columns=["output", "verdict", "cells", "withheld"])
        return table.assign(shown=(1 - table["withheld"] / table["cells"].clip(lower=1)).round(3))


def vet(
    proposal: Proposal,
    cubes: Mapping[str, pd.DataFrame],
    earlier: Sequence[Mapping[str, Any]],
    draw: bytes,
) -> Released:
    """Protect all declared tables jointly, audit them, and return the release.

    `earlier` are the lines of the release ledger. The first cut protects one release:
    a second one under another name is refused, because the two together could tell more.
    """
    others = sorted({str(e["name"]) for e in earlier if e["event"] == "released"} - {proposal.name})
    if others:
        raise DisclosureError(
            f"release {proposal.name}: {others[-1]} has left already, and both together are not "
            "audited yet; release under that name, or wait for the joint audit"
        )
    into = cells.collected(cubes)
    found = cells.problem(into, proposal.rules)
    pattern = suppress.suppress(found, proposal.rules, draw)
    shown = _shown(found, pattern, into.counts)
    files: dict[str, bytes] = {}
    lines = []
    for output in proposal.outputs:
        rows = list(output.rows) or _rows(output, shown, proposal.rules)
        data = _csv(output, rows)
        files[f"tables/{output.id}.csv"] = data
        lines.append(_line(output, rows, data, proposal, pattern, draw))
    manifest = _manifest(proposal, found, lines, earlier)
    files["manifest.json"] = (json.dumps(manifest, sort_keys=True, indent=1) + "\n").encode()
    return Released(files, manifest, pattern)


def _shown(found: Problem, pattern: Pattern, counts: Sequence[float]) -> dict[Key, int | None]:
    whole = zip(found.keys, found.truth, pattern.withheld, strict=True)
    return {key: None if hidden else round(value) for key, value, hidden in whole}


def _rows(output: Output, shown: Mapping[Key, int | None], rules: Rules) -> list[dict[str, str]]:
    keys = [key for key in shown if key[0] == output.id]
    made = []
    for key in keys:
        head = dict(zip(output.dimensions, key[1:], strict=True))
        made.append(_cell(head, "children", shown[key], rules))
        if len(key) == 3 and ALL not in key[1:] and (output.id, key[1], ALL) in shown:
            made.append(_share(head, shown[key], shown[output.id, key[1], ALL], rules))
    return made


def _cell(head: dict[str, str], measure: str, value: int | None, rules: Rules) -> dict[str, str]:
    told = (
        {"value": "", "marker": rules.withheld}
        if value is None
        else {"value": str(value), "marker": ""}
    )
    return {**head, "measure": measure, **told, "low": "", "high": ""}


def _share(
    head: dict[str, str], part: int | None, whole: int | None, rules: Rules
) -> dict[str, str]:
    # Shown only where both counts are: a share beside a hidden count would tell it.
    if part is None or not whole:
        return _cell(head, "share", None, rules)
    told = {"value": f"{part / whole:.3f}", "marker": "", "low": "", "high": ""}
    return {**head, "measure": "share", **told}


def _csv(output: Output, rows: Sequence[dict[str, str]]) -> bytes:
    columns = list(rows[0]) if rows else [*output.dimensions, *TAIL]
    ordered = [c for c in columns if c not in TAIL] + list(TAIL)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ordered, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _line(
    output: Output,
    rows: Sequence[dict[str, str]],
    data: bytes,
    proposal: Proposal,
    pattern: Pattern,
    draw: bytes,
) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    table = output.kind == "table"
    evidence = f"{output.id} {digest} {int(pattern.withheld.sum())} {pattern.targets}".encode()
    certificate = {
        "content": digest,
        "rules": rules_hash(proposal.rules),
        "attackers": [JOINT if table else "rules for models"],
        "method": pattern.method if table else "rules",
        # What the search met stays private: primaries and widths feed a minimality attack.
        "evidence": hmac.new(draw, evidence, hashlib.sha256).hexdigest(),
    }
    return {
        "id": output.id, "kind": output.kind, "file": f"tables/{output.id}.csv", "sha256": digest,
        "audience": list(output.audiences), "why": output.why, "title": output.title,
        "verdict": "pass",
        "cells": len(rows), "withheld": sum(r["marker"] == proposal.rules.withheld for r in rows),
        "dimensions": list(output.dimensions), "measures": sorted({r["measure"] for r in rows}),
        "certificate": certificate,
    }  # fmt: skip


def _manifest(
    proposal: Proposal,
    found: Problem,
    lines: list[dict[str, Any]],
    earlier: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    before = [e for e in earlier if e.get("name") != proposal.name]
    codes: dict[str, set[str]] = {}
    for output in proposal.outputs:
        for key in found.keys:
            if key[0] == output.id:
                for dimension, code in zip(output.dimensions, key[1:], strict=True):
                    codes.setdefault(dimension, set()).add(code)
    return {
        "name": proposal.name,
        **proposal.facts,
        "rules_hash": rules_hash(proposal.rules),
        "threshold": proposal.rules.threshold,
        "ledger_head": before[-1]["hash"] if before else "0" * 64,
        "dimensions": {d: sorted(c - {ALL}) for d, c in sorted(codes.items())},
        "outputs": lines,
        "figures": [],
    }


def open_release(files: Mapping[str, bytes]) -> Released:
    """Open a release, or refuse a file its manifest does not vouch for and any changed byte."""
    if "manifest.json" not in files:
        raise DisclosureError("release/: has no manifest; run `dvc repro disclose`")
    manifest = json.loads(files["manifest.json"])
    listed = {o["file"]: o["sha256"] for o in manifest["outputs"]}
    found = {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "manifest.json"}
    if wrong := sorted(n for n in set(listed) | set(found) if listed.get(n) != found.get(n)):
        raise DisclosureError(
            f"release/{wrong[0]}: is not what the manifest says; run `dvc repro disclose`"
        )
    return Released(dict(files), manifest)
