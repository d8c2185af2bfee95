"""Where the pipeline stands: which run is stale and why, when each ran, and how long it took."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from leap_eval.errors import StageError
from leap_eval.pipeline.stages import STAGES, Stage
from leap_eval.settings import load_params

Standing = Literal["up to date", "stale", "waits", "not run yet", "running"]
DONE: tuple[Standing, ...] = ("up to date",)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one stage: how it stands, why, when it last ran (epoch seconds), how long."""

    stage: Stage
    item: str | None
    standing: Standing
    why: tuple[str, ...] = ()
    at: int | None = None
    seconds: float | None = None

    @property
    def name(self) -> str:
        """The name DVC gives this run."""
        return f"{self.stage.name}@{self.item}" if self.item else self.stage.name


def state(root: Path) -> tuple[Run, ...]:
    """Tell how every run of the pipeline stands, in its order; nothing is run or changed."""
    params, changed, log = load_params(root), _changed(root), _log(root)
    told: list[Run] = []
    for stage in STAGES:
        items = getattr(params, f"{stage.item}s") if stage.item else (None,)
        told += [_run(root, stage, item, changed, log) for item in items]
    return _waiting(told)


def _run(
    root: Path, stage: Stage, item: str | None, changed: dict[str, Any], log: dict[str, Any]
) -> Run:
    run = Run(stage, item, "up to date")
    last = log.get(run.name, {})
    run = replace(run, at=last.get("at"), seconds=last.get("seconds"))
    if _held(root / "work/.lock" / f"{stage.name}{f'-{item}' if item else ''}"):
        return replace(run, standing="running")
    if not (root / stage.executed(item)).is_file():
        return replace(run, standing="not run yet")
    why = _reasons(changed.get(run.name, []))
    return replace(run, standing="stale", why=why) if why else run


def _waiting(told: list[Run]) -> tuple[Run, ...]:
    # Every stage reads from the one before it: DVC names only the first that is out of date.
    first = min((r.stage.number for r in told if r.standing not in DONE), default=99)
    return tuple(
        replace(r, standing="waits") if r.standing in DONE and r.stage.number > first else r
        for r in told
    )


def _reasons(changes: list[Any]) -> tuple[str, ...]:
    """Return what changed, in DVC's words; right content that DVC's cache lacks is no change."""
    found: set[str] = set()
    for change in changes:
        for kind, places in change.items() if isinstance(change, dict) else [(change, {})]:
            if kind == "changed command":
                found.add("its command")
            elif isinstance(places, dict):
                found |= {_place(p, what) for p, what in places.items() if what != "not in cache"}
    return tuple(sorted(found))


def _place(place: str, what: Any) -> str:
    # A parameters file is told by the keys that differ.
    return f"{place}: {', '.join(sorted(what))}" if isinstance(what, dict) else place


def _changed(root: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if told.returncode:
        raise StageError("dvc.yaml: DVC cannot tell its state; run `dvc status` to see why")
    return dict(json.loads(told.stdout or "{}"))


def _log(root: Path) -> dict[str, dict[str, Any]]:
    log = root / "work/runs.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    told = [json.loads(line) for line in lines]
    return {f"{t['stage']}@{t['item']}" if t["item"] else t["stage"]: t for t in told}


def _held(lock: Path) -> bool:
    if not lock.is_file():
        return False
    with open(lock, encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
