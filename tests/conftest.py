"""What all tests share: the workspace's root, a scratch workspace, the promises' register."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a mark that names no promise."""
    for item in items:
        for mark in item.iter_markers("requirement"):
            wrong = [m for m in mark.args if not re.fullmatch(r"R(0[1-9]|[1-4]\d|50)", m)]
            if wrong or not mark.args:
                raise pytest.UsageError(f"{item.nodeid}: no requirement {wrong or 'named'}")


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
