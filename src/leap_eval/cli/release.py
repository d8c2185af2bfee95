"""Verbs of the release: attack it, ask for it, approve it, export it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from leap_eval.errors import DisclosureError


def register(app: typer.Typer) -> None:
    """Add `attack` and the group `release`."""
    app.command()(attack)
    group = typer.Typer(
        no_args_is_help=True, help="Sign a release off: two different people, then the zip."
    )
    group.command()(request)
    group.command()(approve)
    group.command()(export)
    app.add_typer(group, name="release")


def attack(
    release: Annotated[Path, typer.Argument(help="a folder with manifest.json and tables/")] = Path(
        "release"
    ),
) -> None:
    """Try to work out a small group of children from RELEASE alone; anyone may run it.

    Every shown number is taken as a fact, every marker as "one or more"; each withheld cell
    and each difference of shown cells is attacked by exact linear programming.
    """
    from rich.progress import Progress

    from leap_eval.disclosure.verify import Verdict
    from leap_eval.disclosure.verify import attack as run

    if not (release / "manifest.json").is_file():
        raise DisclosureError(
            f"{release.name}/manifest.json is not there; run `dvc repro disclose`"
        )
    verdict = None
    with Progress(transient=True) as bar:
        task = bar.add_task("groups attacked", total=None)
        for told in run(release):
            if isinstance(told, Verdict):
                verdict = told
            else:
                bar.update(task, completed=told[0], total=told[1])
    if verdict is None or not verdict.sound:
        found = [
            f"{f.place}: between {f.low:g} and {f.high:g}"
            for f in (verdict.recovered if verdict else ())
        ]
        broken = [
            f"{name}: not what the manifest says" for name in (verdict.broken if verdict else ())
        ]
        raise DisclosureError("\n  ".join([f"{release.name} gives groups away:", *found, *broken]))
    typer.echo(
        f"{verdict.tried} groups attacked, 0 recovered; all files are what the manifest says"
    )


def request(
    name: Annotated[str, typer.Argument(help="the release's name, as in its manifest")],
) -> None:
    """Freeze the release NAME as it lies in release/ and ask for two signatures."""
    _done(name, "request", "analyst")


def approve(
    name: Annotated[str, typer.Argument(help="the release's name")],
    person: Annotated[str, typer.Option("--as", help="your id in people.yaml")],
    why: Annotated[str, typer.Option(help="what you looked at, in a sentence")],
) -> None:
    """Sign the release NAME; two different approvers must, neither of them the requester."""
    _done(name, "approve", "approver", person, why)


def export(name: Annotated[str, typer.Argument(help="the release's name")]) -> None:
    """Write NAME.zip, the only thing that may be carried out, once two people have signed."""
    _done(name, "export", "analyst")


def _done(name: str, step: str, role: str, person: str | None = None, why: str = "") -> None:
    from leap_eval.agreements import load_people, load_programme
    from leap_eval.cli.intake import today
    from leap_eval.disclosure import signoff
    from leap_eval.store import root

    programme = load_programme(root())
    people = load_people(root())
    on = today(programme)
    if person is None:
        who = people.acting(getpass.getuser(), role, on, programme.state).id  # type: ignore[arg-type]
    else:
        who = people.named(person, role, on).id  # type: ignore[arg-type]
    typer.echo(signoff.carry_out(step, name, who, why))
