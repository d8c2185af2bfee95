"""The runner: one notebook, one stage, in a room of its own."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from leap_eval import errors
from leap_eval.errors import LeakError, MissingInputError, StageError
from leap_eval.pipeline.meter import Meter
from leap_eval.pipeline.parameters import Plain, declared, parameters
from leap_eval.pipeline.room import environment, programme
from leap_eval.pipeline.stages import Stage, exploratory, stage
from leap_eval.settings import Params, load_params
from leap_eval.store.files import write_bytes

# Importing papermill and DVC's neighbours pulls these in; no stage uses them, and
# rfc3987_syntax alone builds 35 parsers for 1.3 s.
UNUSED = (
    "rfc3987_syntax",
    "isoduration",
    "webcolors",
    "uri_template",
    "jsonpointer",
    "azure",
    "boto3",
    "gcsfs",
)
# Shapes that no executed notebook may hold: keyed pseudonyms, postcodes, NHS numbers.
SHAPES = {
    "a pseudonym": re.compile(r"\b(?:rk1|sid1|fid1|tk1|pp1)_[a-z2-7]{28}\b"),
    "a postcode": re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b"),
    "an NHS number": re.compile(r"\b\d{3} \d{3} \d{4}\b"),
}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What one run was: stage, item, cells, seconds, and the executed notebook's place."""

    stage: str
    item: str | None
    cells: int
    seconds: float
    notebook: str


def run_stage(name: str, item: str | None = None, *, root: Path) -> RunRecord:
    """Run one stage, or raise before anything is written."""
    began = time.monotonic()
    wanted = stage(name)
    params = load_params(root)
    notebook = _notebook(wanted, root)
    _item(wanted, item, params)
    values = parameters(wanted, item, params=params, declared=declared(notebook, wanted.notebook))
    with (
        _locked(root, wanted, item),
        tempfile.TemporaryDirectory(prefix="leap-") as room,
        _pages(wanted, item, root, Path(room)) as finish,
    ):
        env = environment(wanted, item, root, Path(room), params.common.engine)
        cells = _execute(wanted, item, values, env, root, Path(room))
        finish()
    record = RunRecord(name, item, cells, round(time.monotonic() - began, 2), wanted.executed(item))
    _journal(root, record)
    return record


def _notebook(wanted: Stage, root: Path) -> dict[str, Any]:
    path = root / wanted.notebook
    if not path.is_file():
        raise MissingInputError(f"{wanted.notebook} is not there; restore it from git")
    notebook: dict[str, Any] = json.loads(path.read_bytes())
    if exploratory(notebook):
        raise StageError(f"{wanted.notebook}: is exploratory, never a stage; restore it from git")
    tags = [
        t
        for c in notebook["cells"]
        for t in c["metadata"].get("tags", [])
        if t.startswith("purpose:")
    ]
    purposes = _purposes(root)
    if len(tags) != 1 or tags[0].removeprefix("purpose:") not in purposes:
        raise StageError(
            f"{wanted.notebook}: one cell must carry the tag `purpose:ID` with a purpose of "
            f"programme.yaml ({', '.join(sorted(purposes))})"
        )
    return notebook


def _purposes(root: Path) -> set[str]:
    return {p["id"] for p in programme(root).get("purposes", [])}


def _item(wanted: Stage, item: str | None, params: Params) -> None:
    if wanted.item is None:
        if item is not None:
            raise StageError(f"leap-eval run {wanted.name}: runs once; leave --item out")
        return
    listed: tuple[str, ...] = getattr(params, f"{wanted.item}s")
    if item not in listed:
        raise StageError(
            f"leap-eval run {wanted.name}: --item must be a {wanted.item} of params.yaml "
            f"({', '.join(listed)})"
        )


@contextmanager
def _locked(root: Path, wanted: Stage, item: str | None) -> Iterator[IO[str]]:
    place = root / "work/.lock" / f"{wanted.name}{f'-{item}' if item else ''}"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(place, "a+", encoding="utf-8") as file:
        for _ in range(100):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            raise StageError(f"{place.name} is already running; wait for it to end")
        yield file


def _execute(
    wanted: Stage,
    item: str | None,
    values: dict[str, Plain],
    env: dict[str, str],
    root: Path,
    room: Path,
) -> int:
    for module in UNUSED:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    (root / ".leap/matplotlib").mkdir(mode=0o700, parents=True, exist_ok=True)
    part = room / "executed.ipynb"
    trouble = None
    with Meter(
        f"{wanted.number:02d} {wanted.name}{f' {item}' if item else ''}", room / "progress"
    ) as meter:
        try:
            papermill.execute_notebook(
                root / wanted.notebook,
                part,
                parameters=values,
                engine_name="leap",
                kernel_name="leap",
                language="python",
                progress_bar=False,
                request_save_on_cell_execute=False,
                cwd=str(root),
                room=room,
                env=env,
                told=meter.cell,
            )
        except PapermillExecutionError as failed:
            trouble = (failed.ename, failed.evalue, failed.cell_index + 1)
    data = part.read_bytes()
    _scan(data.decode(), wanted.notebook)
    failed_place = root / wanted.executed(item).replace(".ipynb", ".failed.ipynb")
    failed_place.unlink(missing_ok=True)
    if trouble:
        write_bytes(failed_place, data)
        raise _told(wanted, item, *trouble)
    write_bytes(root / wanted.executed(item), data)
    return len(nbformat.reads(data.decode(), as_version=4).cells)


def _scan(text: str, place: str) -> None:
    for kind, shape in SHAPES.items():
        if shape.search(text):
            raise LeakError(f"{place}: an output holds {kind}; show counts, never a row")


def _told(wanted: Stage, item: str | None, ename: str, evalue: str, cell: int) -> errors.LeapError:
    kind = getattr(errors, ename, StageError)
    kind = kind if isinstance(kind, type) and issubclass(kind, errors.LeapError) else StageError
    failed: errors.LeapError = kind(
        f"{wanted.name}{f' {item}' if item else ''}, cell {cell}: {evalue}"
    )
    return failed


@contextmanager
def _pages(wanted: Stage, item: str | None, root: Path, room: Path) -> Iterator[Callable[[], None]]:
    """Have page and PDF made by a process of its own, which starts while the notebook runs.

    The exporter needs what the runner blocks, and its imports take as long as the notebook.
    """
    if wanted.name != "findings":
        yield lambda: None
        return
    home = root / "release"
    made = {kind: home / f".findings-{item}.{kind}.part" for kind in ("html", "pdf")}
    command = [sys.executable, "-m", "leap_eval.findings", root / wanted.executed(item), home, item]
    env = environment(wanted, item, root, room)
    env["LEAP_MAY_OPEN"] = json.dumps([*json.loads(env["LEAP_MAY_OPEN"]), wanted.executed(item)])
    with subprocess.Popen(
        [str(word) for word in (*command, *made.values())],
        env=env, cwd=root, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as maker:  # fmt: skip

        def finish() -> None:
            _, told = maker.communicate("go\n")
            if maker.returncode:
                lines = told.strip().splitlines() or ["no message"]
                raise errors.PageError(f"findings {item}: {lines[-1]}")
            for kind, part in made.items():
                part.replace(home / f"findings-{item}.{kind}")

        try:
            yield finish
        finally:
            maker.kill()
            for part in made.values():
                part.unlink(missing_ok=True)


def _journal(root: Path, record: RunRecord) -> None:
    # Not an out of any stage: it holds the clock.
    line = json.dumps(
        {
            "at": int(time.time()),
            "stage": record.stage,
            "item": record.item,
            "seconds": record.seconds,
        }
    )
    with open(root / "work/runs.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")
