"""The door: parse, call, exit code. Results to stdout, messages to stderr, never a traceback."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback
from pathlib import Path

import typer

from leap_eval.errors import LeapError

app = typer.Typer(
    name="leap-eval",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
    epilog="New here? docs/tutorial.md; all pages: docs/README.md.",
    rich_markup_mode="markdown",  # paragraphs of a help text flow
    help="The evaluation workspace of a children's partnership: de-identified, linked, estimated, "
    "disclosure-checked. `make findings` runs the whole of it on a pretend LEAP.",
)


PANELS = {
    "At the desk": ("status", "run", "explore", "plan", "check"),
    "What partners send": ("demo", "agreements", "receive", "pseudonymise", "kit", "ledger"),
    "What may leave": ("attack", "release", "crate", "provenance"),
}


def _register() -> None:
    """Every module beside this one adds its own verbs; help shows them by what they serve."""
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        importlib.import_module(f"leap_eval.cli.{found.name}").register(app)
    panel = {verb: name for name, verbs in PANELS.items() for verb in verbs}
    for command in app.registered_commands:
        name = str(command.name or getattr(command.callback, "__name__", ""))
        command.rich_help_panel = panel.get(name)
    for group in app.registered_groups:
        group.rich_help_panel = panel.get(group.name or "")


def main() -> None:
    """Run the command line; an expected trouble is one message and its own exit code."""
    os.umask(0o077)
    _register()
    try:
        app()
    except LeapError as known:
        code, words = known.exit_code, str(known)
    except Exception as unforeseen:  # noqa: BLE001 - its message may quote a cell
        code, words = 1, _place(unforeseen)
    typer.echo(f"leap-eval: {words}", err=True)
    sys.exit(code)


def _place(unforeseen: Exception) -> str:
    frames = traceback.extract_tb(unforeseen.__traceback__)
    ours = [f for f in frames if "leap_eval" in f.filename] or frames
    last = ours[-1]
    return (
        f"{Path(last.filename).name}:{last.lineno}: {type(unforeseen).__name__}; report this line"
    )
