"""Verbs of the release: attack it, ask for it, judge it, export it."""

from __future__ import annotations

import getpass
import subprocess
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leap_eval.errors import DisclosureError

if TYPE_CHECKING:
    from leap_eval.agreements import Programme
    from leap_eval.disclosure.signoff import Asked, Decision

NAMESPACE = "leap-eval-release"
Name = Annotated[str, typer.Argument(help="the release's name, as in its manifest")]
Evidence = Annotated[Path | None, typer.Option(help="results/disclosure, to check each witness")]


def register(app: typer.Typer) -> None:
    """Add `attack` and the group `release`."""
    app.command()(attack)
    group = typer.Typer(
        no_args_is_help=True, help="Sign a release off: two different people, then the zip."
    )
    group.command()(request)
    group.command()(check)
    group.command()(export)
    app.add_typer(group, name="release")


def attack(
    release: Annotated[Path, typer.Argument(help="a folder with manifest.json and tables/")] = Path(
        "release"
    ),
    ledger: Annotated[Path | None, typer.Option(help="all earlier releases, ledger.jsonl")] = None,
    integer: Annotated[bool, typer.Option(help="attack with whole children: slower")] = False,
    evidence: Evidence = None,
) -> None:
    """Try to work out a small group of children from RELEASE alone; anyone may run it.

    Every shown number is taken as a fact, every marker as what the rules say it tells; each
    withheld cell and each difference of cells is attacked, with all earlier releases at hand.
    """
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from leap_eval.disclosure.verify import Verdict
    from leap_eval.disclosure.verify import attack as run

    for place in (release / "manifest.json", ledger, evidence):
        if place is not None and not place.exists():
            raise DisclosureError(
                f"{place}: is not there; run `dvc repro disclose`, or name another"
            )
    verdict = Verdict(0, (), ())
    with Progress(transient=True, console=Console(stderr=True)) as bar:
        task = bar.add_task("groups attacked", total=None)
        for told in run(release, ledger, integer, evidence):
            if isinstance(told, Verdict):
                verdict = told
            else:
                bar.update(task, completed=told[0], total=told[1])
    if verdict.recovered or verdict.broken:
        found = [f"{place}: between {low:g} and {high:g}" for place, low, high in verdict.recovered]
        raise DisclosureError(
            "\n  ".join([f"{release.name} gives groups away:", *found, *verdict.broken])
        )
    shown = Table("output", "cells", "withheld", "verdict")
    for line in _lines(release):
        shown.add_row(line["id"], str(line["cells"]), str(line["withheld"]), line["verdict"])
    Console().print(shown)
    typer.echo(
        f"{verdict.tried} groups attacked, 0 recovered; all files are what the manifest says"
    )


def _lines(release: Path) -> list[dict[str, str]]:
    import json

    told: list[dict[str, str]] = json.loads((release / "manifest.json").read_bytes())["outputs"]
    return told


def request(name: Name) -> None:
    """Freeze the release NAME as it lies in release/ and ask two approvers to judge it."""
    from leap_eval.disclosure import signoff

    programme, on = _today()
    signoff.request(name, _acting("analyst", programme, on))
    typer.echo(f"{name} is frozen; two approvers now run `leap-eval release check {name}`")


def check(
    name: Name,
    person: Annotated[str, typer.Option("--as", help="your id in people.yaml")],
    decisions: Annotated[Path | None, typer.Option(help="OUTPUT: {verdict, why} as YAML")] = None,
    signature: Annotated[Path | None, typer.Option(help="ssh signature, outside a demo")] = None,
) -> None:
    """Judge the release NAME output by output: pass, review or fail, with a reason.

    Two different approvers must, neither of them the requester. What the machine fails stays
    failed; anything may be lowered.
    """
    from leap_eval.agreements import load_people
    from leap_eval.disclosure import signoff
    from leap_eval.store import root

    programme, on = _today()
    who = load_people(root()).named(person, "approver", on).id
    asked = signoff.opened(name)
    if decisions is None:
        said = _walk(asked)
    else:
        text = decisions.read_text(encoding="utf-8")
        said = signoff.read_decisions(text, decisions.name)
    signed = "" if programme.state == "demo" else _signed(asked, who, signature)
    done = signoff.decide(asked, who, said, signed)
    left = signoff.SIGNATURES - len(done.decisions)
    typer.echo(
        f"{name}: {left} judgement missing" if left > 0 else
        f"{name} is judged by two; `leap-eval release export {name}`"
    )  # fmt: skip


def _walk(asked: Asked) -> dict[str, Decision]:
    """Show output by output, with what changed, and ask for a verdict on each."""
    from leap_eval.disclosure import signoff
    from leap_eval.store import root

    typer.echo("\n".join(signoff.prose_changed(asked)) or "the pages' prose is the last release's")
    since, said = signoff.changed(asked), dict[str, signoff.Decision]()
    for line in _lines(root() / "release"):
        output = line["id"]
        typer.echo(
            f"\n{output}: {line['title']} ({line['why']}); {line['cells']} cells, "
            f"{line['withheld']} withheld; since the last release: {since[output]}; "
            f"the machine says {line['verdict']} {', '.join(line['choices'])}"
        )
        rows = (root() / "release" / line["file"]).read_text(encoding="utf-8").splitlines()
        typer.echo("\n".join(rows[:12]))
        verdict = typer.prompt("pass, review or fail", default=line["verdict"])
        if verdict not in signoff.ORDER:
            raise DisclosureError(f"{output}: a verdict is pass, review or fail; check again")
        why = typer.prompt("why", default="", show_default=False)[: signoff.WHY_CHARACTERS]
        said[output] = signoff.Decision(verdict=verdict, why=why)
    return said


def _signed(asked: Asked, who: str, signature: Path | None) -> str:
    """Return the ssh signature over the release's content, or refuse one that is not theirs."""
    from leap_eval.store import root

    if signature is None or not signature.is_file():
        raise DisclosureError(
            f"release {asked.name}: outside a demo a judgement is signed: `printf "
            f"{asked.content} | ssh-keygen -Y sign -n {NAMESPACE} -f KEY`, then --signature FILE"
        )
    signers = root() / "allowed_signers"
    told = subprocess.run(
        ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", who, "-n", NAMESPACE, "-s", signature],
        input=asked.content.encode(), capture_output=True, check=False,
    )  # fmt: skip
    if told.returncode != 0:
        raise DisclosureError(
            f"release {asked.name}: the signature is not {who}'s over this content; see "
            "allowed_signers, and sign again"
        )
    return signature.read_text(encoding="ascii")


def export(name: Name) -> None:
    """Write NAME.zip, the only thing that may be carried out, once two people have judged it.

    Before that the release is attacked once more, with whole children and every witness.
    """
    from leap_eval.disclosure import signoff
    from leap_eval.store import archive, root

    programme, on = _today()
    _acting("analyst", programme, on)
    asked = signoff.opened(name)
    signoff.ready(asked)
    book = root() / archive.HOME / "ledger.jsonl"
    attack(root() / "release", book if book.is_file() else None, True, root() / archive.EVIDENCE)
    typer.echo(f"{signoff.export(asked)}: what may be carried out")
    typer.echo(f"once dvc.lock is committed, `leap-eval crate {name}` adds where it comes from")


def _today() -> tuple[Programme, date]:
    from leap_eval.agreements import load_programme
    from leap_eval.cli.intake import today
    from leap_eval.store import root

    programme = load_programme(root())
    return programme, today(programme)


def _acting(role: str, programme: Programme, on: date) -> str:
    from leap_eval.agreements import load_people
    from leap_eval.store import root

    people = load_people(root())
    return people.acting(getpass.getuser(), role, on, programme.state).id  # type: ignore[arg-type]
