"""The office: what belongs in neither git nor DVC. Inboxes, outboxes, staging, the ledger."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from leap_eval.store import files
from leap_eval.store.delivery import Delivery
from leap_eval.store.parquet import as_bytes


def office() -> Path:
    """Return the office: LEAP_OFFICE, or the ignored `.leap/office` of the demo."""
    return Path(os.environ.get("LEAP_OFFICE", files.root() / ".leap/office"))


def ledger_place() -> Path:
    """Return the place of the intake's ledger."""
    return office() / "ledger.jsonl"


def deliver(delivery: Delivery) -> None:
    """Put a submission into its partner's inbox, as the portal does."""
    home = _folder(delivery)
    shared = datetime(*delivery.shared_on.timetuple()[:3], 12, tzinfo=UTC).timestamp()
    for name, data in delivery.content.items():
        files.write_bytes(home / name, data)
        os.utime(home / name, (shared, shared))


def waiting(partner: str) -> list[Delivery]:
    """Return what lies in a partner's inbox, in order of period and sequence."""
    home = office() / "inbox" / partner
    return (
        [_read(partner, f) for f in sorted(home.iterdir()) if f.is_dir()] if home.is_dir() else []
    )


def _read(partner: str, folder: Path) -> Delivery:
    period, _, sequence = folder.name.partition("-")
    found = sorted(p for p in folder.iterdir() if p.is_file())
    shared = max((p.stat().st_mtime for p in found), default=0.0)
    on = datetime.fromtimestamp(shared, tz=UTC).date()
    number = int(sequence) if sequence.isdigit() else 1
    return Delivery(partner, period, number, on, {p.name: p.read_bytes() for p in found})


def destroy(delivery: Delivery) -> None:
    """Destroy the raw files of a submission: overwritten, then removed."""
    home = _folder(delivery)
    for path in sorted(home.glob("*")):
        with open(path, "r+b") as file:
            file.write(b"\0" * path.stat().st_size)
        path.unlink()
    shutil.rmtree(home)


def _folder(delivery: Delivery) -> Path:
    return office() / "inbox" / delivery.partner / f"{delivery.period}-{delivery.sequence}"


def receipt(partner: str, name: str, forms: dict[str, str]) -> None:
    """Put a receipt into the partner's outbox, one file a form."""
    for kind, text in forms.items():
        files.write_text(office() / "outbox" / partner / f"{name}.{kind}", text)


def filed_before(partner: str) -> dict[str, dict[str, Any]]:
    """Return what was filed of a partner: period -> submission.json."""
    _mended(partner)
    home = files.root() / "data/extracts" / partner
    found = sorted(home.glob("*/submission.json"))
    return {p.parent.name: json.loads(p.read_bytes()) for p in found}


def file_tables(
    partner: str,
    period: str,
    tables: dict[str, pa.Table],
    tokens: dict[str, pa.Table | None],
    told: dict[str, Any],
) -> None:
    """File the de-identified tables of one submission whole: staged first, then renamed.

    `tokens`: the tables of data/linkage by what follows the period in their names.
    """
    staging = office() / "staging" / f"{partner}-{period}"
    shutil.rmtree(staging, ignore_errors=True)
    for stem, table in tables.items():
        files.write_bytes(staging / f"{stem}.parquet", as_bytes(table))
    plain = json.dumps(told, sort_keys=True, indent=1) + "\n"
    files.write_text(staging / "submission.json", plain)
    home = files.root() / "data/linkage" / partner
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for end, table in tokens.items():
        staged = office() / "staging" / f"{partner}-{period}{end}.parquet"
        if table is not None:
            files.write_bytes(staged, as_bytes(table))
        else:
            staged.unlink(missing_ok=True)
    # Tokens first, submission.json's folder last: a kill in between files nothing, and the
    # submission still waits in the inbox.
    for end, table in tokens.items():
        kept = home / f"{period}{end}.parquet"
        if table is not None:
            (office() / "staging" / f"{partner}-{period}{end}.parquet").replace(kept)
        else:
            kept.unlink(missing_ok=True)
    _move(staging, files.root() / "data/extracts" / partner / period)


def _move(staging: Path, home: Path) -> None:
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = _old(home)
    if home.exists():
        home.rename(old)
    staging.rename(home)
    shutil.rmtree(old, ignore_errors=True)


def _old(home: Path) -> Path:
    return office() / "staging" / f"{home.parent.name}-{home.name}.old"


def _mended(partner: str) -> None:
    """Put back what a kill between two renames left aside."""
    for old in sorted((office() / "staging").glob(f"{partner}-*.old")):
        period = old.name.removeprefix(f"{partner}-").removesuffix(".old")
        home = files.root() / "data/extracts" / partner / period
        if home.exists():
            shutil.rmtree(old)
        else:
            old.rename(home)
