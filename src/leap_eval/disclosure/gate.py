"""Declare, collect, solve once: what is to leave is judged together, or not at all."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import pandas as pd

from leap_eval.disclosure import choices, evidence, joint, pages
from leap_eval.disclosure.counted import counted
from leap_eval.disclosure.declare import ALL
from leap_eval.disclosure.joint import Before, Solved
from leap_eval.disclosure.proposal import Declared, Proposal
from leap_eval.disclosure.rules import for_output, rules_hash
from leap_eval.errors import DisclosureError

GENESIS = "0" * 64
ATTACKERS = (
    "{kind}, all tables of all releases jointly, all audiences pooled",
    "the same with a partner's own services known",
    "marker read as not zero",
)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What never leaves: the witnesses, the line for the ledger, the counts sealed beside it."""

    witnesses: bytes
    line: dict[str, Any]
    sealed: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """A checked release: its files and its manifest, and what stays behind."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    kept: Kept | None = None
    choices: pd.DataFrame = field(default_factory=pd.DataFrame)  # for the evaluator alone
    conflicts: pd.DataFrame = field(default_factory=pd.DataFrame)  # ways out for what yielded

    def summary(self) -> pd.DataFrame:
        """Return, by output, how much is shown and how much withheld."""
        names = ("id", "verdict", "cells", "withheld")
        told = [tuple(o[n] for n in names) for o in self.manifest["outputs"]]
        table = pd.DataFrame(told, columns=["output", *names[1:]])
        return table.assign(shown=(1 - table["withheld"] / table["cells"].clip(lower=1)).round(3))


def vet(
    proposal: Proposal,
    cubes: Mapping[str, pd.DataFrame],
    before: Before,
    draw: bytes,
    own: Mapping[str, tuple[str, ...]] | None = None,
) -> Released:
    """Protect all declared tables jointly with every earlier release, audit, return the release.

    `before` holds the lines of the release ledger and the counts sealed beside it; a line of
    this release's own name counts as itself. `own` names each partner's services. All outputs
    obey the strictest rules of these partners: every table rests on the links between them.
    """
    rules = for_output(proposal.rules, own or ())
    told = counted(cubes)
    tables = {o.id: pages.outputs(o, told.views) for o in proposal.outputs if o.kind == "table"}
    solved = joint.solve(proposal.name, rules, told, tables, before, draw, own)
    files: dict[str, bytes] = {}
    lines = []
    for output in proposal.outputs:
        rows = _rows(output, tables, solved)
        data = pages.as_csv(output, rows)
        files[f"tables/{output.id}.csv"] = data
        lines.append(_line(output, rows, data, solved, before))
    _budget(proposal, files, lines)
    examples = evidence.witnesses(solved)
    for line in lines:
        told_of = f"{line['id']} {line['sha256']} {hashlib.sha256(examples).hexdigest()}".encode()
        line["certificate"]["evidence"] = hmac.new(draw, told_of, hashlib.sha256).hexdigest()
    manifest = _manifest(proposal, solved, lines, before)
    files["manifest.json"] = (json.dumps(manifest, sort_keys=True, indent=1) + "\n").encode()
    digest = hashlib.sha256(files["manifest.json"]).hexdigest()
    kept = Kept(examples, evidence.line(solved, manifest, digest), evidence.sealed(solved))
    coarser = choices.table(tables, told.cubes, rules, solved.primary)
    failed = {name: tables[name] for name in solved.failed}
    ways = choices.priced(failed, told.cubes, rules, _shown_before(before, proposal.name))
    return Released(files, manifest, kept, coarser, ways)


def _shown_before(before: Before, name: str) -> dict[str, int]:
    """Return how many cells of each table the last release showed."""
    past = [line for line in before.lines if line["name"] != name]
    told = past[-1]["outputs"] if past else []
    return {o["id"]: sum(not withheld for *_, withheld in o["cells"]) for o in told}


def _rows(
    output: Declared, tables: Mapping[str, Any], solved: Solved
) -> Sequence[Mapping[str, str]]:
    rows: Sequence[Mapping[str, str]] = output.rows
    if output.kind == "table":
        rows = pages.rows(output, tables[output.id], solved.texts, solved.spans, solved.rules,
                          solved.sums)  # fmt: skip
    return pages.withheld(rows, solved.rules) if output.id in solved.failed else rows


def _line(
    output: Declared,
    rows: Sequence[Mapping[str, str]],
    data: bytes,
    solved: Solved,
    before: Before,
) -> dict[str, Any]:
    digest, rules = hashlib.sha256(data).hexdigest(), solved.rules
    table = output.kind == "table"
    withheld = sum(r["marker"] == rules.markers.withheld for r in rows)
    verdict, why = _verdict(output, withheld / max(len(rows), 1), solved, before)
    # What the search met stays private: primaries, widths, even "optimal" feed a minimality attack.
    # Whole tables are what keeps integer attackers out: without them for all, nothing is said.
    kind = "linear" if solved.open else "linear and integer"
    attackers = [a.format(kind=kind) for a in ATTACKERS]
    certificate = {
        "content": digest,
        "rules": rules_hash(rules),
        "ledger": _head(before, solved.release.name),
        "version": version("leap-eval"),
        "attackers": attackers if table else ["rules for models and figures"],
        "method": "joint audit" if table else "rules",
        "cells": len(rows),
        "withheld": withheld,
        "verdict": verdict,
    }
    return {
        "id": output.id, "kind": output.kind, "file": f"tables/{output.id}.csv", "sha256": digest,
        "audience": list(output.audiences), "why": output.why, "title": output.title,
        "verdict": verdict, "choices": why, "cells": len(rows), "withheld": withheld,
        "dimensions": list(output.dimensions), "measures": sorted({r["measure"] for r in rows}),
        "views": [i for i in pages.ids(output) if i in {o.id for o in solved.release.outputs}],
        "certificate": certificate,
    }  # fmt: skip


def _verdict(
    output: Declared, share: float, solved: Solved, before: Before
) -> tuple[str, list[str]]:
    """Return pass, review or fail, and why a person must look."""
    review = solved.rules.review
    past = [e for e in before.lines if e["name"] != solved.release.name]
    if output.id in solved.failed:
        return "fail", ["hold", "coarsen", "round", "withhold"]
    why = ["much_withheld"] if share > review.withheld_share else []
    if output.kind == "table" and (solved.pattern.gap > review.gap or solved.open):
        why.append("unproven")
    if any(v.verdict == "review" for v in output.verdicts):
        why.append("saturated")
    if past and past[-1]["preset"] != solved.rules.preset:
        why.append("preset_changed")
    return ("review" if why else "pass"), why


def _head(before: Before, name: str) -> str:
    past = [e for e in before.lines if e["name"] != name]
    return str(past[-1]["hash"]) if past else GENESIS


def _budget(
    proposal: Proposal, files: Mapping[str, bytes], lines: Sequence[Mapping[str, Any]]
) -> None:
    most = proposal.rules.budget
    if sum(int(line["cells"]) for line in lines) > most.cells:
        raise DisclosureError(
            f"release {proposal.name}: has more than budget.cells {most.cells}; leave a table out"
        )
    if sum(len(data) for data in files.values()) > most.bytes:
        raise DisclosureError(
            f"release {proposal.name}: has more than budget.bytes {most.bytes}; leave a table out"
        )


def _manifest(
    proposal: Proposal,
    solved: Solved,
    lines: list[dict[str, Any]],
    before: Before,
) -> dict[str, Any]:
    return {
        "name": proposal.name,
        **proposal.facts,
        "preset": solved.rules.preset,
        "rules_hash": rules_hash(solved.rules),
        "threshold": solved.rules.threshold,
        "ledger_head": _head(before, proposal.name),
        "dimensions": _codes(proposal, solved),
        **evidence.described(solved, str(proposal.facts.get("as_at", ""))),
        "outputs": lines,
        "figures": [{"id": f.id, "table": f.table, "kind": f.kind} for f in proposal.figures],
    }


def _codes(proposal: Proposal, solved: Solved) -> dict[str, list[str]]:
    """Return the codes of each dimension that a table shows."""
    codes: dict[str, set[str]] = {}
    for output in proposal.outputs:
        for key in solved.problem.names:
            if key[0] in pages.ids(output):
                for dimension, code in zip(output.dimensions, key[1:], strict=True):
                    codes.setdefault(dimension, set()).add(code)
    return {d: sorted(c - {ALL}) for d, c in sorted(codes.items())}


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


__all__ = ["Before", "Proposal", "Released", "open_release", "vet"]
