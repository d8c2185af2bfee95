"""The start page of the desk: rooms, how they stand, and where to go from there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from leap_eval.desk.state import DONE, Run
from leap_eval.pipeline.stages import STAGES, Stage

PLACE = "work/desk/start.md"
MARKS = {"up to date": "✔", "stale": "✎", "waits": "…", "not run yet": "○", "running": "▶"}
WHY_MOST = 2
FIXED = "\u00a0"  # a date or a length of time stays on one line


def summary(runs: tuple[Run, ...]) -> str:
    """Say in one sentence how the pipeline stands, and what to do about it."""
    open_runs = [r for r in runs if r.standing not in DONE]
    if not open_runs:
        return f"All {len(runs)} runs are up to date."
    if all(r.standing == "not run yet" for r in runs):
        return "Nothing has run here yet: `make findings` makes a pretend LEAP and runs it all."
    if going := [r.name for r in runs if r.standing == "running"]:
        return f"{', '.join(going)} is running now."
    took = sum(r.seconds or 0 for r in open_runs)
    last = f"; they took {length(took)} last time" if took else ""
    return (
        f"{len(runs) - len(open_runs)} of {len(runs)} runs are up to date. "
        f"`dvc repro` brings the other {len(open_runs)} up to date{last}."
    )


def length(seconds: float | None) -> str:
    """Tell a time as people do: 3 s, 2 min 25 s."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def when(at: int | None) -> str:
    """Tell an hour of this machine's clock."""
    return f"{datetime.fromtimestamp(at):%d %b %Y, %H:%M}" if at else ""


def told(run: Run) -> str:
    """Say how a run stands, with at most two reasons."""
    more = f" and {len(run.why) - WHY_MOST} more" if len(run.why) > WHY_MOST else ""
    why = f" ({', '.join(run.why[:WHY_MOST])}{more} changed)" if run.why else ""
    return f"{MARKS[run.standing]} {run.standing}{why}"


def question(root: Path, stage: Stage) -> str:
    """Return the question that a room answers: the title of its notebook."""
    cells = json.loads((root / stage.notebook).read_bytes())["cells"]
    source = cells[0]["source"]
    text = source if isinstance(source, str) else "".join(source)
    return text.splitlines()[0].partition(": ")[2]


def page(runs: tuple[Run, ...], root: Path) -> str:
    """Return the start page as Markdown; its links open in JupyterLab."""
    rooms = [_room(stage, [r for r in runs if r.stage == stage], root) for stage in STAGES]
    return "\n".join(
        [
            "# The evaluator's desk",
            "",
            summary(runs),
            "",
            "| room | the question it answers | state | last run | took |",
            "|---|---|---|---|---|",
            *rooms,
            "",
            *_next(root),
            "",
            "## Every run",
            "",
            "The executed notebooks show what the pipeline saw. They are results: read them, "
            "and work in the rooms above.",
            "",
            "| run | state | last run | took |",
            "|---|---|---|---|",
            *(_line(run, root) for run in runs),
            "",
        ]
    )


def _room(stage: Stage, runs: list[Run], root: Path) -> str:
    link = f"[{stage.number:02d}{FIXED}{stage.name}]({_to(stage.notebook)})"
    done = sum(r.standing in DONE for r in runs)
    behind = [r for r in runs if r.standing not in DONE]
    some = f" ({done} of {len(runs)} up to date)" if behind and len(runs) > 1 else ""
    state = (told(behind[0]) if behind else told(runs[0])) + some
    last = max((r.at for r in runs if r.at), default=None)
    known = [r.seconds for r in runs if r.seconds is not None]
    took = length(sum(known)) if known else ""
    times = f" ({len(runs)} runs)" if len(known) > 1 else ""
    cells = (link, question(root, stage), state, _kept(when(last)), _kept(took) + times)
    return f"| {' | '.join(cells)} |"


def _line(run: Run, root: Path) -> str:
    place = run.stage.executed(run.item)
    name = f"[{run.name}]({_to(place)})" if (root / place).is_file() else run.name
    return f"| {name} | {told(run)} | {_kept(when(run.at))} | {_kept(length(run.seconds))} |"


def _kept(words: str) -> str:
    return words.replace(" ", FIXED)


def _next(root: Path) -> Iterable[str]:
    yield "## What you can do here"
    yield ""
    yield (
        "- **Look.** Open a room and choose *Run*, *Run All Cells*. It uses the parameters of "
        f"[params.yaml]({_to('params.yaml')}) and writes below `work/desk/` only, so looking "
        "never makes the pipeline stale. What you save holds no outputs."
    )
    yield (
        "- **Explore.** In a terminal (*File*, *New*, *Terminal*): `leap-eval explore my_question` "
        "makes a notebook for questions of your own. All it shows is stamped EXPLORATORY."
    )
    yield (
        "- **Bring up to date.** In a terminal: `dvc repro`, then `leap-eval status`, which also "
        "writes this page anew; close it and open it again."
    )
    yield (
        f"- **Learn.** [First findings in five minutes]({_to('docs/tutorial.md')}) · "
        f"[all documentation]({_to('docs/README.md')}) · [the words]({_to('GLOSSARY.md')})"
    )
    pages = sorted((root / "release").glob("findings-*.html"))
    links = " · ".join(
        f"[{p.stem.removeprefix('findings-')}]({_to(f'release/{p.name}')})" for p in pages
    )
    if links:
        yield f"- **Read the findings**, as each audience gets them: {links}"


def _to(place: str) -> str:
    return os.path.relpath(place, Path(PLACE).parent)
