"""What DVC says of the data, before it may act on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from leap_eval.errors import MissingInputError, StorageError


def changed_data(root: Path) -> tuple[str, ...]:
    """Return the outs of data.dvc whose content is not the recorded one.

    Content that is right but not in DVC's cache is no change: a fresh clone has none.
    """
    if not (root / "data/extracts").is_dir():
        raise MissingInputError(
            "data/ is not there; run `leap-eval demo` for the pretend LEAP, "
            "or `leap-eval receive` for a submission"
        )
    command = [sys.executable, "-m", "dvc", "status", "--json", "data.dvc"]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if told.returncode:
        raise StorageError("data.dvc: DVC cannot read it; restore it from git")
    status = json.loads(told.stdout or "{}")
    outs: dict[str, str] = {}
    for change in status.get("data.dvc", []):
        outs |= change.get("changed outs", {}) if isinstance(change, dict) else {}
    return tuple(sorted(place for place, what in outs.items() if what != "not in cache"))
