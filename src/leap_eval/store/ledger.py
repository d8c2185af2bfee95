"""A hash-chained ledger: what was received, refused, filed, destroyed, and when a rule was met."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from leap_eval.errors import StorageError

GENESIS = "0" * 64


def _hash(line: dict[str, Any]) -> str:
    body = json.dumps({k: v for k, v in line.items() if k != "hash"}, sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


def lines(path: Path) -> list[dict[str, Any]]:
    """Return all lines of the ledger, or none where there is no ledger yet."""
    if not path.is_file():
        return []
    told = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return [_read(path, number, line) for number, line in told]


def _read(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        raise StorageError(f"{path.name}, line {number}: is cut or no JSON; restore the file")
    return line


def append(path: Path, event: str, **facts: Any) -> None:
    """Add one line that names its predecessor; fsync before anything is said to be done."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        last = file.read().splitlines()[-1:]
        before: dict[str, Any] = json.loads(last[0]) if last else {"seq": 0, "hash": GENESIS}
        line = {"seq": before["seq"] + 1, "event": event, "prev": before["hash"], **facts}
        line["hash"] = _hash(line)
        file.write(json.dumps(line, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())


def verify(path: Path) -> int:
    """Return how many lines hold, or raise at the first that does not."""
    before = GENESIS
    told = lines(path)
    for number, line in enumerate(told, start=1):
        named = (line.get("seq"), line.get("prev"), line.get("hash"))
        if named != (number, before, _hash(line)):
            raise StorageError(
                f"{path.name}, line {number}: the chain is broken there; restore the file"
            )
        before = line["hash"]
    return len(told)
