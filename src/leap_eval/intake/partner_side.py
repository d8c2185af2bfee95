"""What runs at a trust, before anything is shared: names become tokens, references pseudonyms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.intake import canonical, fates
from leap_eval.intake.deidentify import Row, Terms
from leap_eval.intake.flow import sort_rows
from leap_eval.store.office import Delivery
from leap_eval.tokens import NORM_VERSION, key_id, person_pseudonym, probes, rates, tokenise


@dataclass(frozen=True, slots=True, repr=False)
class TrustKeys:
    """The keys a trust holds: the shared link key, its own person key, its signing key."""

    link: bytes
    person: bytes
    signing: bytes


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
        tokens = tokenise(people, keys.link, "A") if stem == "persons" else None
        content[f"{stem}_{delivery.period}.csv"] = canonical.write(rows, stem, tokens)
    copies = probes(people, keys.link)
    told = done["persons"].rows
    tried = [{"pseudonym": named(told[c.place]["reference"]), "kind": c.kind} for c in copies]
    tokens = tokenise([c.person for c in copies], keys.link, "A")
    content[f"probes_{delivery.period}.csv"] = canonical.write(tried, "probes", tokens)
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
