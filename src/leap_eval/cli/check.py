"""Verbs that look before anything runs: data, notebooks."""

from __future__ import annotations

from typing import Annotated

import typer

from leap_eval.errors import LeapError, StageError


def register(app: typer.Typer) -> None:
    """Add `check`."""
    checks = typer.Typer(
        no_args_is_help=True, help="Look before anything runs: at data, notebooks, a finished page."
    )
    checks.command()(data)
    checks.command()(notebooks)
    app.add_typer(checks, name="check")


def data() -> None:
    """Compare data/ with data.dvc: on changed data `dvc repro` would rewrite data.dvc silently."""
    from leap_eval.pipeline.lock import changed_data
    from leap_eval.store import root

    if changed := changed_data(root()):
        raise LeapError(
            f"{', '.join(changed)} differs from data.dvc; run `leap-eval demo` again, or "
            "`dvc commit -f data.dvc` after a new submission"
        )
    typer.echo("data/ is what data.dvc says", err=True)


def notebooks(
    quiet: Annotated[bool, typer.Option(help="print nothing when all is well")] = False,
) -> None:
    """Check the notebooks' rules, and that dvc.yaml names each partner's files."""
    from leap_eval.pipeline.lint import breaches
    from leap_eval.store import root

    if found := breaches(root()):
        raise StageError("\n  ".join(["notebooks and dvc.yaml:", *found]))
    if not quiet:
        typer.echo("notebooks and dvc.yaml keep their rules", err=True)
