"""The items that reporting standards ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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


@cache
def items(standard: str) -> tuple[Item, ...]:
    """Return the items of `target2025` or `record`, in order."""
    name = f"{standard}.yaml"
    text = files("leap_eval.reference").joinpath(name).read_text(encoding="utf-8")
    return tuple(Item(**raw) for raw in read_yaml(text, f"reference/{name}")["items"])
