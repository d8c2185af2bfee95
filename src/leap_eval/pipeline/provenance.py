"""Where a file of the release comes from: the commits whose dvc.lock lists its bytes."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leap_eval.errors import MissingInputError

LOCK = "dvc.lock"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, its day, the sha256 of its dvc.lock, and that lock's outs as path: md5."""

    id: str
    on: str
    lock: str
    outs: Mapping[str, str]

    def calls(self, data: bytes) -> tuple[str, ...]:
        """Return the places where this commit's lock has these bytes."""
        wanted = _md5(data)
        return tuple(place for place, md5 in sorted(self.outs.items()) if md5 == wanted)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def commits_of(data: bytes, *, root: Path) -> tuple[Commit, ...]:
    """Return the commits that brought or changed a dvc.lock which lists these bytes, newest first.

    No page can name its own commit; the lock of that commit names the page.
    """
    told = _git(root, "log", "--format=%H %cs", "-S", _md5(data), "--", LOCK)
    found = (_commit(root, *line.split()) for line in told.splitlines())
    return tuple(c for c in found if c.calls(data))


def locked(root: Path) -> Commit:
    """Return the commit of dvc.lock as it lies here, or refuse a lock that is not committed."""
    line = _git(root, "log", "-1", "--format=%H %cs", "--", LOCK).split()
    here = root / LOCK
    commit = _commit(root, *line) if line else None
    digest = hashlib.sha256(here.read_bytes()).hexdigest() if here.is_file() else ""
    if commit is None or commit.lock != digest:
        raise MissingInputError(f"{LOCK}: is not as committed; commit it, then ask again")
    return commit


def _commit(root: Path, name: str, on: str) -> Commit:
    text = _git(root, "show", f"{name}:{LOCK}", missing="")
    told: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    stages = told.get("stages", {}).values()
    outs = {o["path"]: o["md5"] for s in stages for o in s.get("outs", ())}
    return Commit(name, on, hashlib.sha256(text.encode()).hexdigest(), outs)


def _git(root: Path, *words: str, missing: str | None = None) -> str:
    told = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
    )
    if told.returncode and missing is None:
        raise MissingInputError(f"{LOCK}: git knows nothing of it here; ask in a clone")
    return told.stdout if not told.returncode else str(missing)
