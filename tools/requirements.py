"""docs/requirements.md: every promise of the privacy notice, the tests that prove it, their result.

The last run of pytest left the outcomes in build/requirements.json. `python tools/requirements.py`
writes the page and fails when a promise is broken, or has no test and nothing it waits for.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build/requirements.json"
PAGE = ROOT / "docs/requirements.md"
TYPES = {"D": "states", "P": "promises", "F": "forbids", "R": "grants a right"}


def promises() -> dict[str, dict[str, str]]:
    """Return the promises by id."""
    told: dict[str, dict[str, str]] = yaml.safe_load(
        (ROOT / "tests/requirements.yaml").read_text(encoding="utf-8")
    )
    return told


def marked() -> dict[str, list[str]]:
    """Return the tests that say they prove a promise, by its id."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for one in _ids(node):
                found.setdefault(one, []).append(f"{path.name}::{node.name}")  # type: ignore[attr-defined]
    return {one: sorted(tests) for one, tests in found.items()}


def _ids(node: ast.stmt) -> Iterator[str]:
    for decorator in getattr(node, "decorator_list", []):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("requirement"):
            yield from (str(a.value) for a in decorator.args if isinstance(a, ast.Constant))


def result(tests: list[str], outcomes: dict[str, str]) -> str:
    """Say how one promise stands: proven, broken, not run or unproven."""
    told = {outcomes.get(test, "not run") for test in tests}
    if not tests:
        return "unproven"
    if "failed" in told:
        return "broken"
    return "proven" if "passed" in told and not told & {"not run", "skipped"} else "not run"


def page(outcomes: dict[str, str]) -> str:
    """Return the page: id, what was told, what the software does, tests, result."""
    tests = marked()
    rows = [_row(one, told, tests.get(one, []), outcomes) for one, told in promises().items()]
    stands = [row[-1].split(":")[0] for row in rows]
    count = ", ".join(f"{stands.count(w)} {w}" for w in dict.fromkeys(stands))
    lines = [
        "# What families were told, and the tests that keep it",
        "",
        "Written by `make requirements` from `tests/requirements.yaml`, the marks of the tests and",
        "the outcomes of the last run. *Proven* means that every test with the mark passed, not",
        "that no other way round exists. *Unproven* promises say what they wait for.",
        "",
        f"Of {len(rows)} promises: {count}.",
        "",
        "| id | the notice | told | the software must | tests | result |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _row(one: str, told: dict[str, str], tests: list[str], outcomes: dict[str, str]) -> list[str]:
    names = "<br>".join(f"`{test}`" for test in tests)
    stands = result(tests, outcomes)
    awaits = f": awaits {told['awaits']}" if stands == "unproven" and "awaits" in told else ""
    return [one, TYPES[told["type"]], told["notice"], told["duty"], names, stands + awaits]


def outcomes() -> dict[str, Any]:
    """Return what the last runs of the tests gave, by file and name of the test."""
    told: dict[str, Any] = json.loads(RESULTS.read_bytes()) if RESULTS.is_file() else {}
    return told


def faults() -> list[str]:
    """Name every promise that is broken, or has neither a test nor something it waits for."""
    tests, found = marked(), outcomes()
    stands = {one: result(tests.get(one, []), found) for one in promises()}
    broken = [f"{one} is broken" for one, told in stands.items() if told == "broken"]
    return broken + [
        f"{one} has no test; mark one, or say in tests/requirements.yaml what it `awaits`"
        for one, told in stands.items()
        if told == "unproven" and "awaits" not in promises()[one]
    ]


if __name__ == "__main__":
    PAGE.write_text(page(outcomes()), encoding="utf-8")
    print("\n".join(faults()) or f"{PAGE.relative_to(ROOT)} is written")
    sys.exit(bool(faults()))
