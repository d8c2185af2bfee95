"""From sorted rows to the tables that are filed: keyed references, tokens at rest, fixed order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from leap_eval.contracts import CONTACTS, FILED_PERSONS, OUTCOMES, Contract
from leap_eval.intake.deidentify import Row
from leap_eval.store.delivery import Delivery
from leap_eval.store.rows import empty
from leap_eval.tokens import NORM_VERSION, Keys, family_key, key_id, record_key

STEMS = {"persons": FILED_PERSONS, "contacts": CONTACTS, "outcomes": OUTCOMES}


@dataclass(frozen=True, slots=True, repr=False)
class Copies:
    """Probes of a submission: whose copy each is, its slips, its tokens at rest."""

    references: list[str]
    kinds: list[str]
    tokens: pa.Table


@dataclass(frozen=True, slots=True, repr=False)
class Reception:
    """What became of one submission: the tables to file, and what the partner is told."""

    delivery: Delivery
    verdict: str  # filed | identical | refused
    rule: str | None = None
    place: str = ""
    tables: dict[str, pa.Table] = field(default_factory=dict)
    tokens: pa.Table | None = None
    probes: pa.Table | None = None
    told: dict[str, Any] = field(default_factory=dict)


def submission_id(delivery: Delivery, keys: Keys) -> str:
    """Return 16 characters that name a submission by its content."""
    digest = hashlib.sha256()
    for name in sorted(delivery.content):
        digest.update(name.encode() + b"\x1f" + hashlib.sha256(delivery.content[name]).digest())
    told = f"{delivery.partner}\x1f{delivery.period}\x1f".encode() + digest.digest()
    raw = hmac.digest(keys.record, told, "sha256")[:10]
    return base64.b32encode(raw).decode().lower()


def filed(
    delivery: Delivery,
    keys: Keys,
    rows: dict[str, list[Row]],
    tokens: pa.Table,
    told: dict[str, Any],
    tier: str,
    chance: dict[str, float],
    copies: Copies | None = None,
) -> Reception:
    """Return what is filed of a submission: three tables of content, and apart from them tokens."""
    name = submission_id(delivery, keys)
    source = {"collected_on": delivery.shared_on, "submission_id": name}
    partner = delivery.partner
    made = {
        reference: record_key(partner, reference, keys.record)
        for reference in {row["reference"] for table in rows.values() for row in table}
    }
    families = {
        reference: family_key(partner, reference, keys.record)
        for reference in {row.get("family_reference") for row in rows["persons"]}
        if reference is not None
    }
    tables = {
        stem: _table(
            [
                {
                    **row,
                    **source,
                    "partner": partner,
                    "record_key": made[row["reference"]],
                    "family_key": families.get(row.get("family_reference")),
                }
                for row in table
            ],
            STEMS[stem],
        )
        for stem, table in rows.items()
        if table
    }
    marks = _tokens(rows["persons"], made, tokens, name, tier, keys, chance)
    facts: Row = {"submission_id": name, "partner": partner, "period": delivery.period}
    facts |= {"sequence": delivery.sequence, "shared_on": delivery.shared_on.isoformat()}
    tried = _probes(copies, made, tier, name) if copies and copies.references else None
    return Reception(
        delivery, "filed", tables=tables, tokens=marks, probes=tried, told={**facts, **told}
    )


def _probes(copies: Copies, made: dict[str, str], tier: str, name: str) -> pa.Table:
    head = {
        "probe_of": [made[reference] for reference in copies.references],
        "kind": copies.kinds,
        "tier": [tier] * len(copies.kinds),
        "submission_id": [name] * len(copies.kinds),
    }
    table = pa.table({column: pa.array(cells, pa.string()) for column, cells in head.items()})
    for column in copies.tokens.column_names:
        table = table.append_column(column, copies.tokens.column(column))
    return table.sort_by([("probe_of", "ascending"), ("kind", "ascending")])


def _table(rows: list[Row], contract: Contract) -> pa.Table:
    schema = empty(contract).schema
    columns = {
        name: pa.array([row[name] for row in rows], schema.field(name).type)
        for name in schema.names
    }
    table = pa.table(columns, schema=schema)
    return table.sort_by([(c, "ascending") for c in ("record_key", "row")])


def _tokens(
    persons: list[Row],
    made: dict[str, str],
    tokens: pa.Table,
    name: str,
    tier: str,
    keys: Keys,
    chance: dict[str, float],
) -> pa.Table:
    count = len(persons)
    head = pa.table(
        {
            "record_key": pa.array([made[p["reference"]] for p in persons], pa.string()),
            "role": pa.array([p["role"] for p in persons], pa.string()),
            "tier": pa.array([tier] * count, pa.string()),
            "submission_id": pa.array([name] * count, pa.string()),
            "row": pa.array([p["row"] for p in persons], pa.int64()),
        }
    )
    for column in tokens.column_names:
        head = head.append_column(column, tokens.column(column))
    ids = {"link": key_id(keys.link), "store": key_id(keys.store), "record": key_id(keys.record)}
    facts = {
        "norm_version": str(NORM_VERSION),
        "key_ids": json.dumps(ids),
        "rates": json.dumps(chance),
    }
    return head.sort_by(
        [("record_key", "ascending"), ("row", "ascending")]
    ).replace_schema_metadata(facts)
