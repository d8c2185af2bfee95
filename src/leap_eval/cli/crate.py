"""Verbs of provenance: a release as a crate, and the commits that made a file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Annotated

import typer

from leap_eval.errors import MissingInputError


def register(app: typer.Typer) -> None:
    """Add `crate` and `provenance`."""
    app.command()(crate)
    app.command()(provenance)


def crate(name: Annotated[str, typer.Argument(help="the release's name")]) -> None:
    """Write NAME.crate.zip: the signed NAME.zip, and where it comes from, as RO-Crate 1.3.

    It tells commit, digests, software, terms, checks and sign-off. A release that two people have
    not judged, or whose dvc.lock is not committed, gets none.
    """
    from importlib.metadata import version

    from leap_eval.agreements import load_agreements, load_programme
    from leap_eval.disclosure import signoff
    from leap_eval.findings import crate as made
    from leap_eval.pipeline.provenance import locked
    from leap_eval.store import archive, root

    home = root()
    origin = made.Origin(
        locked(home), load_programme(home), load_agreements(home), version("leap-eval")
    )
    data = made.crate(*signoff.exported(name), origin)
    typer.echo(archive.write_export(f"{name}.crate", data))


def provenance(
    file: Annotated[Path, typer.Argument(help="a page, a table, or the zip of a release")],
) -> None:
    """Name the commits whose dvc.lock lists FILE, and what each calls it; of a zip, every file.

    A page cannot hold its own commit: the commit holds the page's digest.
    """
    from leap_eval.pipeline.provenance import commits_of
    from leap_eval.store import root

    unknown = []
    for name, data in _inside(file).items():
        found = commits_of(data, root=root())
        if not found:
            unknown.append(name)
        for one in found:
            typer.echo(f"{one.id} {one.on} {', '.join(one.calls(data))}")
    if unknown:
        raise MissingInputError(
            f"{', '.join(unknown)}: no commit's dvc.lock lists these bytes; commit the lock that "
            "does, or take the file as changed"
        )


def _inside(file: Path) -> dict[str, bytes]:
    if not file.is_file():
        raise MissingInputError(f"{file.name}: is not there; name a file of release/")
    data = file.read_bytes()
    if not zipfile.is_zipfile(file):
        return {file.name: data}
    with zipfile.ZipFile(io.BytesIO(data)) as told:
        beside = ("signed.json", "ro-crate-metadata.json")  # made after the run
        return {name: told.read(name) for name in told.namelist() if name not in beside}
