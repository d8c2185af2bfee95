"""The normaliser, version 1: the same person typed two ways becomes the same values.

Any changed output is version 2, and tables of two versions never meet.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

NORM_VERSION = 1

_FOLDED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d"}
    | {"þ": "th", "ł": "l", "ħ": "h", "ı": "i", "ŋ": "ng"}
)
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼʹ`´′＇"))
_TITLES = {"mr", "mrs", "ms", "miss", "dr"}
_SUFFIXES = {"jr", "snr", "ii", "iii"}
_PARTICLES = frozenset(
    "de da do dos del di la le van von bin bint ibn ben abu al el mc mac st nee".split()  # noqa: SIM905 - reads better
)
_PLACEHOLDERS = frozenset(
    "baby infant newborn twin triplet babe boy girl male female unborn unknown "  # noqa: SIM905 - too
    "notknown nfn fnu lnu na none test tbc xxx".split()
)
_DATE_PLACEHOLDERS = {"18991230", "19000101", "19700101"}
_UK = re.compile(r"^[A-Z]{1,2}\d[A-Z\d]?\d[A-Z]{2}$")
_LETTERS = str.maketrans("01", "OI")
_DIGITS = str.maketrans("OI", "01")


@dataclass(frozen=True, slots=True)
class Name:
    """One name: all parts joined, the parts that count, and the initial where no more is told."""

    whole: str | None
    parts: tuple[str, ...]
    initial: str


@lru_cache(maxsize=100_000)
def name(text: str | None, forename: bool = False) -> Name | None:
    """Return a name's normal form, or None where there is none or a placeholder stands."""
    folded = unicodedata.normalize("NFKD", text or "").translate(_APOSTROPHES).casefold()
    folded = unicodedata.normalize("NFKD", folded.translate(_FOLDED)).translate(_FOLDED)
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    bracketed = " ".join(re.findall(r"\(([^)]*)\)", folded))
    words = _words(re.sub(r"\([^)]*\)", " ", folded))
    words = _trimmed(words)
    if not words or (forename and _PLACEHOLDERS & {*words, "".join(words)}):
        return None
    whole = "".join(words)
    if len(whole) == 1:
        return Name(None, (), whole)
    named = [w for w in [*words, *_words(bracketed)] if len(w) >= 2 and w not in _PARTICLES]
    return Name(whole, tuple(dict.fromkeys(named))[:4], whole[0])


def _words(text: str) -> list[str]:
    return [
        "".join(c for c in word if c.isalpha())
        for word in re.split(r"[-\s/.,‐-―\[\]]+", text)
        if word
    ]


def _trimmed(words: list[str]) -> list[str]:
    words = [w for w in words if w]
    while len(words) > 1 and words[0] in _TITLES:
        words = words[1:]
    while len(words) > 1 and words[-1] in _SUFFIXES:
        words = words[:-1]
    return words


def birth_date(text: str | None) -> str | None:
    """Return YYYYMMDD as typed, impossible days too: two partners may copy one slip."""
    digits = re.sub(r"\D", "", text or "")
    return digits if len(digits) == 8 and digits not in _DATE_PLACEHOLDERS else None


def date_forms(text: str | None) -> dict[str, str | None]:
    """Return a date whole (q), swapped (sw), and in twos of its parts; only of parts told.

    A part that is not known is left blank: `2019--04` has a year and a day.
    """
    if date := birth_date(text):
        twos = {"ym": date[:6], "md": date[4:], "yd": date[:4] + date[6:]}
        return {"q": date, "sw": swapped(date), **twos}
    parts = re.fullmatch(r"(\d{4})?-(\d{1,2})?-(\d{1,2})?", text or "")
    if not parts or all(parts.groups()):
        return {}
    y, m, d = (part.zfill(2) if part else None for part in parts.groups())
    twos = {"ym": (y, m), "md": (m, d), "yd": (y, d)}
    return {form: a + b if a and b else None for form, (a, b) in twos.items()}


def swapped(date: str) -> str | None:
    """Return the date with day and month exchanged, where both could be either."""
    year, month, day = date[:4], date[4:6], date[6:]
    return f"{year}{day}{month}" if day != month and "01" <= day <= "12" else None


def postcode(text: str | None) -> str | None:
    """Return a postcode without spaces, O/0 and I/1 mended by place; other shapes as they are."""
    typed = re.sub(r"[^A-Z0-9]", "", (text or "").upper())
    if not typed or typed.startswith("ZZ99"):
        return None
    if 5 <= len(typed) <= 7:
        mended = _mended(typed)
        return mended if _UK.match(mended) else typed
    return typed


def _mended(typed: str) -> str:
    outward, inward = typed[:-3], typed[-3:]
    inward = inward[0].translate(_DIGITS) + inward[1:].translate(_LETTERS)
    letters = 2 if len(outward) > 2 and not outward[1].isdigit() else 1
    if outward[letters : letters + 1] in {"O", "I"} or outward[letters : letters + 1].isdigit():
        head, digit, tail = outward[:letters], outward[letters], outward[letters + 1 :]
        outward = head.translate(_LETTERS) + digit.translate(_DIGITS) + tail
    return outward + inward


def sector(code: str) -> str:
    """Return a postcode without its last two letters; of another shape the first three."""
    return code[:-2] if len(code) > 4 else code[:3]


def district(code: str) -> str:
    """Return a postcode without its last three characters; of another shape the first two."""
    return code[:-3] if len(code) > 4 else code[:2]


def nhs_number(text: str | None) -> str | None:
    """Return ten digits that pass modulus 11 and are not one repeated digit."""
    digits = re.sub(r"[\s-]", "", text or "")
    if not re.fullmatch(r"\d{10}", digits) or len(set(digits)) == 1:
        return None
    check = 11 - sum(int(d) * (10 - i) for i, d in enumerate(digits[:9])) % 11
    return digits if check % 11 == int(digits[9]) and check != 10 else None


def upn(text: str | None) -> str | None:
    """Return a permanent unique pupil number whose check letter is right."""
    code = re.sub(r"\s", "", text or "").upper()
    if not re.fullmatch(r"[A-Z]\d{12}", code):
        return None
    letters = "ABCDEFGHJKLMNPQRTUVWXYZ"
    total = sum(int(d) * (i + 2) for i, d in enumerate(code[1:]))
    return code if letters[total % 23] == code[0] else None


def uprn(text: str | None) -> str | None:
    """Return a unique property reference number of 1 to 12 digits."""
    digits = re.sub(r"\s", "", text or "")
    return digits.lstrip("0") or None if re.fullmatch(r"\d{1,12}", digits) else None
