"""Whole files or none: every write is a temporary name, fsync, rename."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from pathlib import Path
from typing import Any

from leap_eval.errors import MissingInputError, StorageError

JSON_STEP = 4096
PRIVATE = 0o700


def root() -> Path:
    """Return the workspace: LEAP_ROOT, or the nearest folder upwards that holds params.yaml."""
    if named := os.environ.get("LEAP_ROOT"):
        return Path(named)
    here = Path.cwd()
    found = next((p for p in (here, *here.parents) if (p / "params.yaml").is_file()), None)
    if found is None:
        raise StorageError(
            "this folder: no params.yaml here or above; go to the workspace, or set LEAP_ROOT"
        )
    return found


def on_desk() -> bool:
    """Tell whether a person runs this in JupyterLab, outside the pipeline."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "LEAP_STAGE" not in os.environ


def written(place: str) -> Path:
    """Return where a table named `place` is written: its own place, or the desk's copy of it.

    Looking at a notebook must never make the pipeline stale.
    """
    return root() / ("work/desk" if on_desk() else ".") / place


def existing(place: str) -> Path:
    """Return the file at `place`, or say which stage makes it."""
    path = root() / place
    if not path.is_file():
        raise MissingInputError(f"{place} is not there; {_remedy(place)}")
    return path


def _remedy(place: str) -> str:
    folder, _, rest = place.partition("/")
    stage = rest.split("/")[0].split(".")[0]
    if folder == "data":
        return "run `leap-eval demo` for the pretend LEAP, or `leap-eval receive` for a submission"
    if folder == "release":
        return "run `dvc repro disclose`"
    return "run `dvc repro`" if stage == "cubes" else f"run `dvc repro {stage}`"


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path` whole, in private folders, or leave what was there."""
    path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    trouble = _put(part, path, data)
    if trouble:
        part.unlink(missing_ok=True)
        raise StorageError(f"{path.name}: could not be written ({trouble}); what was there stays")


def _put(part: Path, path: Path, data: bytes) -> str | None:
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as trouble:
        return trouble.strerror or "no reason given"
    return None


def write_text(path: Path, text: str) -> None:
    """Put UTF-8 text with LF line ends at `path`."""
    write_bytes(path, text.encode())


def nonce(place: str, content: bytes) -> str:
    """Return what keeps the hash of a small file from giving its counts away.

    dvc.lock is public and holds md5 and size of every file: a file that holds one
    small count is found by trying all counts. The key never reaches git.
    """
    key = os.environ.get("LEAP_NONCE_KEY", "")
    told = place.encode() + b"\x1f" + hashlib.sha256(content).digest()
    return hmac.new(key.encode(), told, hashlib.sha256).hexdigest()


def write_json(place: str, value: Any) -> None:
    """Write JSON with sorted keys; under results/ with a nonce and padded to 4 KiB steps."""
    secret = place.startswith("results/")
    plain = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    if secret:
        told = {"leap_nonce": nonce(place, plain.encode()), "value": value}
        plain = json.dumps(told, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    data = plain.encode() + b"\n"
    write_bytes(written(place), data + b" " * (-len(data) % JSON_STEP if secret else 0))


def read_json(place: str) -> Any:
    """Read what `write_json` wrote at `place`."""
    value = json.loads(existing(place).read_bytes())
    return value["value"] if place.startswith("results/") else value
