"""The verb that reads a finished page as a stranger would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leap_eval.errors import MissingInputError, PageError


def register(app: typer.Typer) -> None:
    """Add `check page` beside the other checks."""
    checks = next((g.typer_instance for g in app.registered_groups if g.name == "check"), None)
    if checks is None:
        checks = typer.Typer(no_args_is_help=True, help="Look before anything runs.")
        app.add_typer(checks, name="check")
    checks.command()(page)


def _text(file: Path) -> str:
    raw = file.read_bytes()
    text = raw.decode("utf-8", errors="replace")
    if text.encode() != raw:
        raise PageError(f"{file.name}: is not UTF-8; make it again by `dvc repro findings`")
    return text


def page(
    file: Annotated[Path, typer.Argument(help="a page, findings-AUDIENCE.html")],
    release: Annotated[Path, typer.Option(help="the folder of the release")] = Path("release"),
) -> None:
    """Scan FILE against the release: every number, word, link and drawing has its source there."""
    from leap_eval.findings.entry import checked, facts
    from leap_eval.store import root

    audience = file.stem.removeprefix("findings-")
    notebook = root() / "notebooks/08_findings.ipynb"
    if not file.is_file() or not (release / "manifest.json").is_file():
        raise MissingInputError(f"{file.name} or manifest.json is not there; run `dvc repro`")
    places = [release / "manifest.json", *sorted(release.glob("tables/*.csv"))]
    files = {p.relative_to(release).as_posix(): p.read_bytes() for p in places}
    found = checked(_text(file), notebook.read_bytes(), files, audience, facts(root()))
    if found:
        raise PageError("\n  ".join([f"{file.name}:", *(f"{b.place}: {b.rule}" for b in found)]))
    typer.echo(f"{file.name} holds nothing but its release", err=True)
