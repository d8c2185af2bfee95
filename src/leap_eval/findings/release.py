"""The release as the pages read it: the manifest and the checked tables, nothing else."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leap_eval.errors import PageError

Row = dict[str, str]
TAIL = ("measure", "value", "low", "high", "marker")


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """One released table: its line of the manifest, its rows and its bytes."""

    line: dict[str, Any]
    rows: tuple[Row, ...]
    raw: bytes

    @property
    def id(self) -> str:
        """The table's name."""
        return str(self.line["id"])

    @property
    def withheld(self) -> int:
        """Rows whose value is withheld."""
        return sum(r["marker"] == "c" for r in self.rows)

    def where(self, **wanted: str) -> tuple[Row, ...]:
        """Return the rows that carry these codes."""
        return tuple(r for r in self.rows if all(r.get(k) == v for k, v in wanted.items()))


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """A checked release."""

    manifest: dict[str, Any]
    outputs: dict[str, Output]

    @property
    def demo(self) -> bool:
        """Whether these are pretend data."""
        return bool(self.manifest["state"] == "demo")

    def ids(self, audience: str) -> tuple[str, ...]:
        """Return the tables this audience may see, in the manifest's order."""
        return tuple(k for k, o in self.outputs.items() if audience in o.line["audience"])


def opened(files: Mapping[str, bytes]) -> Release:
    """Open a release, or refuse one that holds anything its manifest does not vouch for."""
    manifest = json.loads(files["manifest.json"])
    listed = {o["file"]: o for o in manifest["outputs"]}
    if surplus := set(files) - set(listed) - {"manifest.json"}:
        raise PageError(
            f"release/: {len(surplus)} file(s) the manifest does not name; run `dvc repro disclose`"
        )
    outputs = {}
    for place, line in listed.items():
        if hashlib.sha256(files.get(place, b"")).hexdigest() != line["sha256"]:
            raise PageError(
                f"release/{place}: not the bytes of the manifest; run `dvc repro disclose`"
            )
        rows = tuple(csv.DictReader(io.StringIO(files[place].decode())))
        outputs[line["id"]] = Output(line, rows, files[place])
    return Release(manifest, outputs)
