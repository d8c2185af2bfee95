"""One submission from the inbox to `data/`: check, de-identify, file, receipt, destroy, ledger."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from leap_eval.agreements.agreement import Agreement, in_force
from leap_eval.agreements.programme import Programme
from leap_eval.contracts import CONTACTS, FILED_PERSONS, OUTCOMES
from leap_eval.errors import AgreementError, KeyMissingError, StateError, SubmissionError
from leap_eval.intake import canonical, fates
from leap_eval.intake.deidentify import Row, Terms
from leap_eval.intake.fates import Sorted
from leap_eval.intake.filing import Copies, Reception, filed, submission_id
from leap_eval.intake.reader import RefusedError
from leap_eval.intake.receipts import receipt
from leap_eval.intake.sorting import sort_rows
from leap_eval.reference.identifiers import found as identifiers_in
from leap_eval.reference.rules import RULES
from leap_eval.store import ledger, office
from leap_eval.store.delivery import Delivery
from leap_eval.tokens import (
    Keys,
    at_rest,
    probes,
    rates,
    tokenise,
)
from leap_eval.tokens.keys import demo_key, read_key

STEMS = {"persons": FILED_PERSONS, "contacts": CONTACTS, "outcomes": OUTCOMES}


def signing_key(partner: str, state: str) -> bytes:
    """Return the key a partner signs with: a public one in a demo, else from LEAP_KEYS."""
    if state == "demo":
        return demo_key(f"signing {partner}")
    if "LEAP_KEYS" not in os.environ:
        raise KeyMissingError("LEAP_KEYS: is not set; signatures cannot be checked without it")
    return read_key(Path(os.environ["LEAP_KEYS"]) / f"signing_{partner}")


def open_to(agreement: Agreement, programme: Programme, as_at: date) -> None:
    """Raise unless this partner may share into this programme on this day."""
    if programme.state not in ("demo", "live"):
        raise StateError(f"programme.yaml: state {programme.state} takes nothing in; see rights")
    if why := in_force(agreement, as_at):
        raise AgreementError(why)


def receive(
    delivery: Delivery,
    agreement: Agreement,
    programme: Programme,
    keys: Keys,
    before: dict[str, Any],
) -> Reception:
    """Return what becomes of a submission; nothing is written here.

    `before` is what was filed of the partner, by period (submission.json).
    """
    try:
        _within(delivery, agreement)
        known = _seen(delivery, keys, before)
        if known:
            return known
        if agreement.kind == "nhs_trust":
            signing = signing_key(delivery.partner, programme.state)
            return _from_trust(delivery, programme, keys, signing)
        terms = Terms(agreement, programme, delivery.shared_on)
        return _from_service(delivery, terms, keys)
    except RefusedError as refused:
        return Reception(delivery, "refused", refused.rule, refused.place)
    except SubmissionError:
        return Reception(delivery, "refused", "leak.nhs", "persons")


def _within(delivery: Delivery, agreement: Agreement) -> None:
    if sum(map(len, delivery.content.values())) > agreement.submission.limits.mib * 2**20:
        raise RefusedError("file.size", "the submission")


def _seen(delivery: Delivery, keys: Keys, before: dict[str, Any]) -> Reception | None:
    earlier = before.get(delivery.period)
    if earlier is None:
        return None
    if earlier["submission_id"] == submission_id(delivery, keys):
        return Reception(delivery, "identical", "sequence.replay")
    if delivery.sequence <= earlier["sequence"]:
        return Reception(delivery, "refused", "sequence.old", f"sequence {delivery.sequence}")
    return None


def _from_service(delivery: Delivery, terms: Terms, keys: Keys) -> Reception:
    done, people, read = sort_rows(delivery, terms)
    tokens = at_rest(tokenise(people, keys.link, "AB"), keys.store)
    dropped = {stem: len(read[stem].dropped) for stem in sorted(read)}
    chance = rates(people, seed=1)
    return filed(
        delivery,
        keys,
        {s: t.rows for s, t in done.items()},
        tokens,
        _told(done, dropped),
        "AB",
        chance,
        _copies(done["persons"].rows, people, keys),
    )


def _copies(rows: list[Row], people: list[Any], keys: Keys) -> Copies:
    made = probes(people, keys.link)
    tokens = at_rest(tokenise([probe.person for probe in made], keys.link, "AB"), keys.store)
    references = [rows[probe.place]["reference"] for probe in made]
    return Copies(references, [probe.kind for probe in made], tokens)


def _told(done: dict[str, Sorted], dropped: dict[str, int]) -> dict[str, Any]:
    rules: dict[str, int] = {}
    for table in done.values():
        for _, rule in table.faults:
            rules[rule] = rules.get(rule, 0) + 1
    totals = {fate: sum(t.counts[fate] for t in done.values()) for fate in fates.FATES}
    faults = {s: [list(f) for f in sorted(t.faults)] for s, t in done.items()}
    return {
        "received": sum(t.received for t in done.values()),
        **totals,
        "tables": {stem: {"received": t.received, **t.counts} for stem, t in done.items()},
        "refused_by_rule": dict(sorted(rules.items())),
        "columns_dropped": dropped,
        "faults": faults,
    }


def _from_trust(delivery: Delivery, programme: Programme, keys: Keys, signing: bytes) -> Reception:
    _only_canonical(delivery)
    chance = canonical.verified(delivery, signing, keys)
    rows: dict[str, list[Row]] = {}
    tokens = None
    for stem in STEMS:
        data = delivery.content.get(f"{stem}_{delivery.period}.csv")
        if data is not None:
            rows[stem], marks = canonical.read(data, stem, f"{stem} file", programme)
            tokens = marks if stem == "persons" else tokens
    if tokens is None:
        raise RefusedError("file.missing", "persons")
    for stem in rows:
        for row in rows[stem]:
            row["reference"], row["family_reference"] = (
                row.pop("pseudonym"),
                row.pop("family_pseudonym"),
            )
    counts = {"received": sum(map(len, rows.values())), "filed": sum(map(len, rows.values()))}
    facts = {
        **dict.fromkeys(fates.FATES, 0),
        **counts,
        "refused_by_rule": {},
        "columns_dropped": {},
        "faults": {},
    }
    facts["tables"] = {stem: {"received": len(r), "filed": len(r)} for stem, r in rows.items()}
    kept = at_rest(tokens, keys.store)
    copies = _trust_copies(delivery, programme, keys, {row["reference"] for row in rows["persons"]})
    return filed(delivery, keys, rows, kept, facts, "A", chance, copies)


def _trust_copies(
    delivery: Delivery, programme: Programme, keys: Keys, known: set[str]
) -> Copies | None:
    data = delivery.content.get(f"probes_{delivery.period}.csv")
    if data is None:
        return None
    rows, tokens = canonical.read(data, "probes", "probes file", programme)
    if tokens is None or not {row["pseudonym"] for row in rows} <= known:
        raise RefusedError("file.unclaimed", "probes file")
    kinds = [row["kind"] for row in rows]
    return Copies([row["pseudonym"] for row in rows], kinds, at_rest(tokens, keys.store))


def _only_canonical(delivery: Delivery) -> None:
    # A trust's raw file must not even be opened: its name or its first bytes tell.
    allowed = {f"{stem}_{delivery.period}.csv" for stem in (*STEMS, "probes")}
    allowed |= {"manifest.json"}
    for name, data in delivery.content.items():
        if name not in allowed or data[:2] == b"PK" or identifiers_in([name]):
            raise RefusedError("leak.nhs", "a file of the submission")


def take(
    delivery: Delivery,
    agreement: Agreement,
    programme: Programme,
    keys: Keys,
    as_at: date,
    actor: str,
) -> Reception:
    """Receive one delivery from the inbox and carry out all that follows from it."""
    open_to(agreement, programme, as_at)
    before = office.filed_before(delivery.partner)
    done = receive(delivery, agreement, programme, keys, before)
    at, place = as_at.isoformat(), office.ledger_place()
    name = f"{delivery.period}-{delivery.sequence}"
    facts = {"at": at, "actor": actor, "partner": delivery.partner, "period": delivery.period}
    facts["sequence"] = str(delivery.sequence)
    ledger.append(place, "received", **facts)
    if done.verdict == "filed" and done.tokens is not None:
        kept = {k: v for k, v in done.told.items() if k != "faults"}
        tokens = {"": done.tokens, "-probes": done.probes}
        office.file_tables(delivery.partner, delivery.period, done.tables, tokens, kept)
    office.receipt(delivery.partner, name, receipt(done, agreement, programme))
    office.destroy(delivery)
    event = "incident" if done.rule == "leak.nhs" else done.verdict
    ledger.append(place, event, **facts, rule=done.rule, destroyed=True)
    return done


def rule_words(done: Reception) -> str:
    """Return a refusal in words: place, rule, remedy."""
    if done.rule is None:
        return ""
    rule = RULES[done.rule]
    return (
        f"{done.place}: {rule.says}; {rule.remedy}" if done.place else f"{rule.says}; {rule.remedy}"
    )
