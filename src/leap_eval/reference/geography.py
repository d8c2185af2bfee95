"""From a postcode to the small area, ward and deprivation decile, by the operator's lookup."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from leap_eval.errors import SettingsError

# Royal Mail never uses these in the last two letters: an invented postcode has one, a real one has none.
INVENTED = set("CIKMOV")


@dataclass(frozen=True, slots=True)
class Area:
    """Where a postcode lies: never finer than the small area."""

    kind: str
    area: str
    ward: str | None
    imd_decile: int | None


@lru_cache(maxsize=4)
def lookup(postcodes: str, deprivation: str) -> dict[str, Area]:
    """Read the operator's two files: postcode to LSOA and ward, LSOA to decile.

    A bare file name is one of the packaged, invented ones.
    """
    deciles = {row["lsoa"]: int(row["imd_decile"]) for row in _rows(deprivation)}
    return {
        row["postcode"].replace(" ", ""): Area(
            "lsoa", row["lsoa"], row["ward"], deciles.get(row["lsoa"])
        )
        for row in _rows(postcodes)
    }


@lru_cache(maxsize=4)
def areas(postcodes: str | None, deprivation: str | None) -> frozenset[str | None]:
    """Return every small area and ward the operator's files know."""
    if postcodes is None or deprivation is None:
        return frozenset()
    places = lookup(postcodes, deprivation).values()
    return frozenset({p.area for p in places} | {p.ward for p in places})


def source(name: str) -> Path | Traversable:
    """Return the file of this name: a bare one may be packaged, another is the operator's own."""
    packaged = resources.files("leap_eval.reference") / "data" / name
    found = packaged if "/" not in name and packaged.is_file() else Path(name)
    if not found.is_file():
        raise SettingsError(
            f"programme.yaml, geography: {name} is not there; name the operator's file"
        )
    return found


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(source(name).read_text(encoding="utf-8").splitlines()))


def invented(postcode: str) -> bool:
    """Tell whether a postcode cannot exist."""
    return bool(INVENTED & set(postcode[-2:]))
