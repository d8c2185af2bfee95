"""What all tests share: the workspace's root, a scratch workspace, the promises' register."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROMISES = ROOT / "build/requirements.json"
RANKS = ("passed", "skipped", "failed")
OUTCOMES: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a mark that names no promise."""
    for item in items:
        for mark in item.iter_markers("requirement"):
            wrong = [m for m in mark.args if not re.fullmatch(r"R(0[1-9]|[1-4]\d|50)", m)]
            if wrong or not mark.args:
                raise pytest.UsageError(f"{item.nodeid}: no requirement {wrong or 'named'}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst outcome of every test that proves a promise, over its cases and phases."""
    if "requirement" in report.keywords and (report.when == "call" or not report.passed):
        name = f"{Path(report.nodeid.split('::')[0]).name}::{report.nodeid.split('::')[1]}"
        test = name.split("[")[0]
        OUTCOMES[test] = max(OUTCOMES.get(test, "passed"), report.outcome, key=RANKS.index)


def pytest_sessionfinish() -> None:
    """Add this run's outcomes to those of earlier runs, for `make requirements`."""
    if OUTCOMES:
        told = json.loads(PROMISES.read_bytes()) if PROMISES.is_file() else {}
        PROMISES.parent.mkdir(exist_ok=True)
        PROMISES.write_text(json.dumps(told | OUTCOMES, sort_keys=True, indent=1) + "\n")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own: the committed settings, no data."""
    for name in ("params.yaml", "programme.yaml", "people.yaml", "disclosure.yaml"):
        if (ROOT / name).is_file():
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setenv("LEAP_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
