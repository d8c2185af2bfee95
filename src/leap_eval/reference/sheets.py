"""The items that reporting standards ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from leap_eval.settings.params import read_yaml


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a reporting standard: what it asks, who fills it, and where it stands."""

    item: str
    section: str
    asks: str
    filled_by: str  # plan, stage, programme: computed; person: open
    where: str
    says: str = ""


FILES = {"target2025": "target2025.yaml", "record": "record.yaml"}


@cache
def guild_items() -> tuple[dict[str, Any], ...]:
    """Return the items of the GUILD and RECORD form of linkage, in its order."""
    return tuple(_read("guild.yaml"))


@cache
def items(standard: str) -> tuple[Item, ...]:
    """Return the items of `target2025` or `record`, in order."""
    return tuple(Item(**raw) for raw in _read(FILES[standard])["items"])


def _read(name: str) -> Any:
    text = files("leap_eval.reference").joinpath(name).read_text(encoding="utf-8")
    return read_yaml(text, f"reference/{name}")
