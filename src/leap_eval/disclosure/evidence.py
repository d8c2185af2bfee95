"""What a release says of itself for a verifier, and what stays behind to prove it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leap_eval.disclosure import entries
from leap_eval.disclosure.declare import Output
from leap_eval.disclosure.joint import Solved
from leap_eval.disclosure.rules import rules_hash


def described(solved: Solved, as_at: str) -> dict[str, Any]:
    """Return which children each table counts, over which codes, and what a marker tells."""
    outputs, rules = solved.release.outputs, solved.rules
    cubes = {o.cube: solved.told.cubes[o.cube] for o in outputs}
    secret = rules.class_disclosure
    whole = next((t for k, t in solved.texts.items() if k[1:] == ("linked_children",)), "")
    return {
        "population": {"as_at": as_at, "children": whole},
        "cubes": {
            name: {
                "population": cube.population,
                "dimensions": list(cube.dimensions),
                "membership": cube.membership,
                "codes": {d: sorted(cube.counts[d].unique()) for d in cube.dimensions},
            }
            for name, cube in sorted(cubes.items())
        },
        "views": {
            o.id: {
                "cube": o.cube,
                "dimensions": list(o.nodes),
                "nodes": {
                    d: {n: list(c) for n, c in nodes.items()} for d, nodes in o.nodes.items()
                },
                **_measure(o),
            }
            for o in outputs
        },
        "tells": {
            "marker": list(_marker(solved)),
            "upper": rules.upper,
            "secret": sorted(secret.services),
            "p": rules.summaries.dominance.p,
            "base": rules.rounding.base if rules.rounding else 1,
        },
    }


def _measure(output: Output) -> dict[str, Any]:
    """Return what is summed in a table, and what one child can contribute to it."""
    told = output.measure
    if told is None:
        return {}
    high = None if told.high == float("inf") else told.high
    return {"measure": {"of": told.of, "mean": told.mean, "low": told.low, "high": high}}


def _sums(output: Output, solved: Solved) -> dict[str, Any]:
    """Return, for the ledger, between what each shown sum of a table lies."""
    mine = {k: span for k, (_, span) in solved.told_sums.items() if k[0] == output.id}
    told = [[list(key[1:]), *span] for key, span in mine.items()]
    return {**_measure(output), "sums": told} if output.measure else {}


def _marker(solved: Solved) -> tuple[float, float | None]:
    """Return between what a withheld count lies: without end where large ones are withheld."""
    low, high = solved.rules.marker
    large = solved.problem.truth[solved.pattern.withheld] > high
    return low, None if high == float("inf") or large.any() else high


def line(solved: Solved, manifest: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return what the ledger will keep of this release."""
    told = entries.line(solved.release, solved.problem, solved.pattern.withheld)
    named = {o.id: o for o in solved.release.outputs}
    return {
        **told,
        # The ledger sorts its keys, so the order of dimensions is told beside the nodes.
        "outputs": [
            {**o, "dimensions": list(named[o["id"]].nodes), **_sums(named[o["id"]], solved)}
            for o in told["outputs"]
        ],
        "cubes": manifest["cubes"],
        "population": manifest["population"],
        "name": solved.release.name,
        "rules": rules_hash(solved.rules),
        "preset": solved.rules.preset,
        "solver": {"method": solved.pattern.method, "gap": round(solved.pattern.gap, 4)},
        "audiences": {o["id"]: o["audience"] for o in manifest["outputs"]},
        "files": {o["file"]: o["sha256"] for o in manifest["outputs"]},
        "manifest": digest,
    }


def sealed(solved: Solved) -> pd.DataFrame:
    """Return the counts that are kept beside the ledger, never inside it."""
    return entries.seal(solved.release.cubes)


def witnesses(solved: Solved) -> bytes:
    """Return the witnesses as an archive that a verifier can read without this package."""
    shown, found = solved.witnesses, solved.found
    labels = json.dumps(solved.problem.labels, sort_keys=True).encode()
    arrays = {
        "labels": np.frombuffer(labels, np.uint8),
        "tables": np.asarray(shown.tables.toarray(), np.int64),
        "pointer": found.rows.indptr.astype(np.int64),
        "columns": found.rows.indices.astype(np.int64),
        "least": shown.low.astype(np.int64),
        "most": shown.high.astype(np.int64),
        "upper": found.upper,
        "width": found.width,
        "open": shown.open,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def digest(solved: Solved) -> str:
    """Return the SHA-256 of all that proves this release."""
    return hashlib.sha256(witnesses(solved)).hexdigest()
