"""Verbs of the pipeline: run a stage, install the kernel, check the notebooks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `run` and `kernel`."""
    app.command()(run)
    app.command(hidden=True)(kernel)


def run(
    stage: Annotated[
        str,
        typer.Argument(
            help="ingest, link, cohort, exposure, design, effects, disclose or findings"
        ),
    ],
    item: Annotated[
        str | None, typer.Option(help="the partner, outcome or audience of params.yaml")
    ] = None,
) -> None:
    """Run one STAGE as `dvc repro` does: its notebook, with the parameters of params.yaml."""
    from leap_eval.pipeline.run import run_stage
    from leap_eval.store import root

    record = run_stage(stage, item, root=root())
    typer.echo(f"{record.notebook}: {record.cells} cells, {record.seconds:.1f} s")


def kernel() -> None:
    """Install the Jupyter kernels `leap` and `leap-explore` into this environment."""
    from leap_eval.pipeline.kernel import install

    typer.echo(install(Path(sys.prefix), "leap_eval.desk.shown"))
