"""The room a stage runs in: all that its kernel is given, and nothing inherited by default."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

from leap_eval.errors import KeyMissingError, SettingsError
from leap_eval.pipeline.stages import SHARED, Stage
from leap_eval.settings.params import read_yaml

ALWAYS = (
    "src/",
    "notebooks/",
    ".venv/",
    ".leap/matplotlib",
    "params.yaml",
    "programme.yaml",
    "disclosure.yaml",
    "people.yaml",
    "release.head",
    "requirements.lock",
)


def programme(root: Path) -> dict[str, Any]:
    """Read programme.yaml as far as the runner needs it; `agreements` checks all of it."""
    path = root / "programme.yaml"
    if not path.is_file():
        raise SettingsError("programme.yaml: is not there; restore it from git")
    told: dict[str, Any] = read_yaml(path.read_text(encoding="utf-8"), "programme.yaml")
    return told


def environment(
    wanted: Stage, item: str | None, root: Path, room: Path, engine: str = "duckdb"
) -> dict[str, str]:
    """Return all that the kernel is given: an allow-list, nothing inherited by default."""
    allowed = [*ALWAYS, *wanted.reads, *wanted.writes]
    fixed = SHARED | {
        "HOME": str(room),
        "IPYTHONDIR": str(room),
        "MPLCONFIGDIR": str(root / ".leap/matplotlib"),
        "LEAP_ROOT": str(root),
        "LEAP_ENGINE": engine,
        "LEAP_STAGE": f"{wanted.name}{f'@{item}' if item else ''}",
        "LEAP_MAY_OPEN": json.dumps(allowed),
        "LEAP_PROGRESS": str(room / "progress"),
        "LEAP_NONCE_KEY": _nonce_key(root, wanted.name),
    }
    if _avx2():
        # OpenBLAS picks its code by processor; the 16th digit follows.
        fixed["OPENBLAS_CORETYPE"] = "Haswell"
    if keys := os.environ.get("LEAP_KEYS"):
        fixed["LEAP_KEYS" if wanted.keys else "LEAP_KEYS_PLACE"] = os.path.realpath(keys)
    passed = {name: os.environ[name] for name in ("PATH", "LEAP_WORKERS") if name in os.environ}
    return passed | fixed


def _avx2() -> bool:
    cpu = Path("/proc/cpuinfo")
    return cpu.is_file() and " avx2 " in cpu.read_text(encoding="utf-8").replace("\n", " \n")


def _nonce_key(root: Path, name: str) -> str:
    state = programme(root).get("state")
    keys = os.environ.get("LEAP_KEYS")
    if state != "demo" and not keys:
        raise KeyMissingError(
            "LEAP_KEYS: is not set; a live programme needs the folder of its keys"
        )
    place = Path(keys) / "nonce" if keys else None
    if place and not place.is_file():
        raise KeyMissingError(
            "LEAP_KEYS/nonce is not there; make it: 32 random bytes as hex, mode 0600"
        )
    master = (
        place.read_bytes().strip()
        if place
        else b"leap-eval demo nonce: public, never for real data"
    )
    return hmac.new(master, name.encode(), hashlib.sha256).hexdigest()
