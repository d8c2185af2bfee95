"""Verbs of the intake: receive, pseudonymise, agreements, ledger."""

from __future__ import annotations

import getpass
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leap_eval.errors import LeapError, SettingsError, SubmissionError

if TYPE_CHECKING:
    from leap_eval.agreements import Programme


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(receive)
    app.command()(pseudonymise)
    app.command()(kit)
    app.command()(agreements)
    app.command()(ledger)


def today(programme: Programme) -> date:
    """Return the clock of the intake, read once."""
    return programme.today(date.today())


def keys_place() -> Path | None:
    """Return the folder of the keys, where one is named."""
    return Path(os.environ["LEAP_KEYS"]) if "LEAP_KEYS" in os.environ else None


def receive(
    partners: Annotated[list[str] | None, typer.Argument(help="whose inboxes to empty")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="every partner's inbox")] = False,
    dry_run: Annotated[bool, typer.Option(help="say what would be filed; write nothing")] = False,
) -> None:
    """Take what lies in the inboxes of PARTNERS through the intake, and print what became of it.

    Each submission is checked against its agreement, de-identified in memory and filed; the
    sender gets a receipt, the raw file is destroyed, the ledger gets two lines.
    """
    from leap_eval.agreements import load_agreement, load_agreements, load_people, load_programme
    from leap_eval.intake import flow
    from leap_eval.store import office, root
    from leap_eval.tokens import load_keys

    programme = load_programme(root())
    as_at = today(programme)
    actor = load_people(root()).acting(getpass.getuser(), "intake", as_at, programme.state)
    keys = load_keys(keys_place(), programme.state, ("link", "store", "record"))
    if not partners and not everyone:
        raise SettingsError("leap-eval receive: name a partner, or --all")
    named = sorted(load_agreements(root())) if everyone else partners or []
    terms = {name: load_agreement(root(), name) for name in named}
    refused = 0
    for name, agreement in terms.items():
        flow.open_to(agreement, programme, as_at)
        for delivery in office.waiting(name):
            if dry_run:
                before = office.filed_before(name)
                done = flow.receive(delivery, agreement, programme, keys, before)
            else:
                done = flow.take(delivery, agreement, programme, keys, as_at, actor.id)
            refused += done.verdict == "refused"
            filed = f", {done.told['filed']} of {done.told['received']} rows" if done.told else ""
            why = f" ({flow.rule_words(done)})" if done.rule else ""
            typer.echo(f"{name} {delivery.period}-{delivery.sequence}: {done.verdict}{filed}{why}")
    if refused:
        raise SubmissionError(f"{refused} refused; the receipts in the outbox say what to mend")


def pseudonymise(
    files: Annotated[list[Path], typer.Argument(help="the trust's own tables of one period")],
    agreement: Annotated[Path, typer.Option(help="agreements/PARTNER.yaml of the trust")],
    keys: Annotated[Path, typer.Option(help="folder with the keys link, person and signing")],
    out: Annotated[Path, typer.Option(help="an empty folder for what may leave")],
    period: Annotated[str, typer.Option(help="such as 2019Q3")],
    opt_out_applied_on: Annotated[
        str, typer.Option(help="when the national data opt-out was applied")
    ],
    sequence: Annotated[int, typer.Option(help="1, or higher to replace an earlier one")] = 1,
) -> None:
    """Make of a trust's FILES what may leave it: tokens and pseudonyms, no identifier.

    Runs on the trust's own machine, without a network. Rows that break a rule stay behind.
    """
    from leap_eval.agreements import load_agreement, load_programme
    from leap_eval.intake.partner_side import Errand, carry_out

    home = agreement.parent.parent
    terms, programme = load_agreement(home, agreement.stem), load_programme(home)
    errand = Errand(files, keys, out, period, opt_out_applied_on, sequence)
    typer.echo(carry_out(errand, terms, programme, date.today()))


def kit(
    partner: Annotated[str, typer.Argument(help="an NHS trust under agreements/")],
    out: Annotated[Path, typer.Argument(help="the file to write, such as trust.pyz")],
) -> None:
    """Write the offline kit of PARTNER: one file to read, approve, and run with plain Python.

    It makes what `leap-eval pseudonymise` makes, byte for byte, with nothing installed and
    without a network. It holds the partner's agreement and no key.
    """
    import hashlib

    from leap_eval.agreements import load_agreement, load_programme
    from leap_eval.intake.kit import kit as made
    from leap_eval.store import root
    from leap_eval.store.files import write_bytes

    data = made(load_agreement(root(), partner), load_programme(root()))
    write_bytes(out, data)
    typer.echo(f"{hashlib.sha256(data).hexdigest()}  {out.name}")


def agreements() -> None:
    """Check programme.yaml, people.yaml and every agreement; print all findings at once."""
    from leap_eval.agreements import load_agreement, load_people, load_programme
    from leap_eval.agreements.agreement import in_force
    from leap_eval.agreements.people import faults
    from leap_eval.store import root

    programme = load_programme(root())
    found = [f"people.yaml: {f}" for f in faults(load_people(root()), programme.people_limit)]
    names = sorted(p.stem for p in (root() / "agreements").glob("*.yaml"))
    for name in names:
        try:
            why = in_force(load_agreement(root(), name), today(programme))
        except LeapError as broken:
            why = str(broken)
        found += [why] if why else []
    if found:
        raise SettingsError("\n  ".join(["the terms do not hold:", *found]))
    typer.echo(f"{len(names)} agreements hold")


def ledger() -> None:
    """Verify the intake's ledger line by line; a changed line or a cut chain is named."""
    from leap_eval.store import ledger as chain
    from leap_eval.store import office

    typer.echo(f"{chain.verify(office.ledger_place())} lines hold")
