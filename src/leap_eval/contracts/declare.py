"""What a contract is made of: columns, code lists, shapes of keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

RECORD_KEY = r"^rk1_[a-z2-7]{28}$"
STUDY_ID = r"^sid1_[a-z2-7]{28}$"
FAMILY_ID = r"^fid1_[a-z2-7]{28}$"
SERVICE = r"^[a-z][a-z0-9_]{2,30}$"
CODE = r"^[A-Za-z0-9_.:@+<>= -]{1,120}$"

ROLES = ("child", "adult")
SEXES = ("f", "m", "x")
GROUPS5 = ("white", "mixed", "asian", "black", "other", "not_stated", "not_known")
LANGUAGES = ("english", "other", "not_stated", "not_known")
YES_NO = ("yes", "no", "not_stated", "not_known")
ATTENDED = ("attended", "missed", "cancelled_family", "cancelled_service")
MODES = ("in_person", "home", "phone", "online")
BANDS = ("sure", "uncertain", "single")
METHODS = ("id", "profile", "tokens", "none")
GRADES = ("A", "B", "C", "D", "N")
STATUSES = ("prespecified", "amended", "exploratory")
UNITS = ("sd", "risk", "points")
CHECKS = ("pass", "warn", "fail", "not_run")


@dataclass(frozen=True, slots=True)
class Column:
    """What one column holds: its type, its meaning, and what a cell may be."""

    kind: str  # str, int, float, bool, date
    meaning: str
    null: bool = False
    among: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    shape: str | None = None

    def allows(self, value: Any) -> bool:
        """Tell whether a cell may hold this value of the right type."""
        if value is None:
            return self.null
        inside = (self.low is None or value >= self.low) and (
            self.high is None or value <= self.high
        )
        listed = not self.among or value in self.among
        return inside and listed and (self.shape is None or bool(re.search(self.shape, value)))


@dataclass(frozen=True, slots=True)
class Contract:
    """One kind of table: what a row is, its key, its columns, its families of columns.

    `families` are columns known by the shape of their name, such as one
    propensity per arm; the first pattern that matches declares the column.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: dict[str, Column]
    families: tuple[tuple[str, Column], ...] = field(default=())
    personal: bool = True

    def column(self, name: str) -> Column | None:
        """Return the declaration of a column, or None where the contract has none."""
        if name in self.columns:
            return self.columns[name]
        return next((c for pattern, c in self.families if re.fullmatch(pattern, name)), None)


def text(meaning: str, *among: str, null: bool = False, shape: str | None = None) -> Column:
    """Declare words: of a code list, or of a shape."""
    return Column("str", meaning, null=null, among=among, shape=shape)


def whole(
    meaning: str, low: float | None = None, high: float | None = None, null: bool = False
) -> Column:
    """Declare a whole number."""
    return Column("int", meaning, null=null, low=low, high=high)


def number(
    meaning: str, low: float | None = None, high: float | None = None, null: bool = False
) -> Column:
    """Declare a number."""
    return Column("float", meaning, null=null, low=low, high=high)


def flag(meaning: str, null: bool = False) -> Column:
    """Declare yes or no."""
    return Column("bool", meaning, null=null)


def day(meaning: str, null: bool = False) -> Column:
    """Declare a day."""
    return Column("date", meaning, null=null)
