"""Verbs of the desk: how the pipeline stands, and a notebook for a question of one's own."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `status` and `explore`."""
    app.command()(status)
    app.command()(explore)


def status() -> None:
    """Show how every run of the pipeline stands: stale and why, when it ran, how long it took.

    Looks only; `dvc repro` brings up to date what is stale. Also writes the start page of the
    desk, work/desk/start.md, which `make lab` opens.
    """
    from rich.console import Console
    from rich.table import Table

    from leap_eval.desk import page, state
    from leap_eval.store import root
    from leap_eval.store.files import write_text

    home = root()
    runs = state(home)
    write_text(home / page.PLACE, page.page(runs, home))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "state", "last run", "took"):
        table.add_column(name, justify="right" if name == "took" else "left")
    for run in runs:
        table.add_row(run.name, page.told(run), page.when(run.at), page.length(run.seconds))
    console = Console()
    console.print(table)
    console.print(f"\n{page.summary(runs)}", highlight=False)


def explore(
    name: Annotated[str, typer.Argument(help="lower-case letters, digits and _")],
) -> None:
    """Make explore/NAME.ipynb, a notebook for a question of your own, and print its place.

    It reads what the pipeline reads and shows no row of a child. All it shows is stamped
    EXPLORATORY; the stages and the findings pages refuse it.
    """
    from leap_eval.desk import explore as template
    from leap_eval.store import root

    typer.echo(template.begin(name, root()).relative_to(root()))
