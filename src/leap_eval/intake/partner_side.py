"""What runs at a trust, before anything is shared: names become tokens, references pseudonyms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.errors import SettingsError
from leap_eval.intake import canonical, fates
from leap_eval.intake.deidentify import Row, Terms
from leap_eval.intake.sorting import sort_rows
from leap_eval.store.delivery import Delivery
from leap_eval.store.files import write_bytes
from leap_eval.tokens import NORM_VERSION, cells, key_id, person_pseudonym, probes, rates
from leap_eval.tokens.keys import read_key


@dataclass(frozen=True, slots=True, repr=False)
class TrustKeys:
    """The keys a trust holds: the shared link key, its own person key, its signing key."""

    link: bytes
    person: bytes
    signing: bytes


@dataclass(frozen=True, slots=True)
class Errand:
    """What is asked of the trust's machine: which files of which period, where to."""

    files: list[Path]
    keys: Path
    out: Path
    period: str
    opt_out_applied_on: str
    sequence: int = 1


def carry_out(errand: Errand, agreement: Agreement, programme: Programme, wall: date) -> str:
    """Write what may leave the trust into an empty folder, and say what to do next."""
    canonical.sound()
    try:
        opted = date.fromisoformat(errand.opt_out_applied_on)
    except ValueError:
        raise SettingsError("--opt-out-applied-on: must be a day such as 2019-10-01") from None
    if errand.out.exists() and any(errand.out.iterdir()):
        raise SettingsError("--out: is not empty; name an empty folder")
    for file in errand.files:
        if not file.is_file():
            raise SettingsError(f"{file.name}: is not there; name the trust's own files")
    keys = TrustKeys(*(read_key(errand.keys / name) for name in ("link", "person", "signing")))
    content = {file.name: file.read_bytes() for file in errand.files}
    shared_on = programme.today(wall)
    raw = Delivery(agreement.partner, errand.period, errand.sequence, shared_on, content)
    leaving = pseudonymise(raw, agreement, programme, keys, opted)
    for name, data in leaving.content.items():
        write_bytes(errand.out / name, data)
    count = len(leaving.content)
    return f"{count} files in {errand.out.name}; check them, then put them into the portal"


def pseudonymise(
    delivery: Delivery,
    agreement: Agreement,
    programme: Programme,
    keys: TrustKeys,
    opt_out_applied_on: date,
) -> Delivery:
    """Return what may leave the trust: canonical tables and a signed manifest; no identifier.

    Rows that break a rule stay behind and are counted in the manifest.
    """
    done, people, _ = sort_rows(delivery, Terms(agreement, programme, delivery.shared_on))
    names: dict[str, str] = {}

    def named(reference: str | None, kind: str = "") -> str | None:
        if reference is None:
            return None
        told = kind + reference
        if told not in names:
            names[told] = person_pseudonym(delivery.partner, told, keys.person)
        return names[told]

    content: dict[str, bytes] = {}
    for stem, table in done.items():
        rows: list[Row] = [
            {
                **row,
                "pseudonym": named(row["reference"]),
                "family_pseudonym": named(row.get("family_reference"), "family "),
            }
            for row in table.rows
        ]
        marks = cells(people, keys.link) if stem == "persons" else None
        content[f"{stem}_{delivery.period}.csv"] = canonical.write(rows, stem, marks)
    copies = probes(people, keys.link)
    told = done["persons"].rows
    tried = [{"pseudonym": named(told[c.place]["reference"]), "kind": c.kind} for c in copies]
    marks = cells([c.person for c in copies], keys.link)
    content[f"probes_{delivery.period}.csv"] = canonical.write(tried, "probes", marks)
    facts = _facts(delivery, agreement, keys, opt_out_applied_on, rates(people, seed=1))
    facts["left_behind"] = {
        fate: sum(t.counts[fate] for t in done.values()) for fate in fates.FATES if fate != "filed"
    }
    content["manifest.json"] = canonical.manifest(facts, content, keys.signing)
    return Delivery(
        delivery.partner, delivery.period, delivery.sequence, delivery.shared_on, content
    )


def _facts(
    delivery: Delivery, agreement: Agreement, keys: TrustKeys, opted: date, chance: dict[str, float]
) -> dict[str, Any]:
    return {
        "partner": delivery.partner,
        "period": delivery.period,
        "sequence": delivery.sequence,
        "shared_on": delivery.shared_on.isoformat(),
        "agreement_version": agreement.version,
        "norm_version": NORM_VERSION,
        "key_ids": {"link": key_id(keys.link)},
        "known_answers": canonical.known_answers(keys.link),
        "national_opt_out_applied_on": opted.isoformat(),
        "rates": chance,
    }
