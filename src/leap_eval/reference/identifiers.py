"""What an identifier looks like: recognisers for the leak scan. They find kinds, never quote."""

from __future__ import annotations

import re
from collections.abc import Iterable

from leap_eval.tokens import nhs_number

EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[a-z]{2,}", re.IGNORECASE)
PHONE = re.compile(r"(?:\+44\s?|\b0)(?:\d[\s-]?){9,10}\b")
POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b", re.IGNORECASE)
NINO = re.compile(r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\s?(?:\d{2}\s?){3}[A-D]\b", re.IGNORECASE)
UPN = re.compile(r"\b[A-HJ-NP-RT-Z]\d{12}\b")
NHS = re.compile(r"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b")
STREET = re.compile(
    r"\b\d+[a-z]?\s+\w+(?:\s\w+)*\s+(?:street|st|road|rd|lane|avenue|ave|close|court|way|grove|gardens)\b",
    re.IGNORECASE,
)
TITLED = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Baby)\.? [A-Z][a-z]+")

KINDS: dict[str, re.Pattern[str]] = {
    "e-mail address": EMAIL,
    "telephone number": PHONE,
    "postcode": POSTCODE,
    "national insurance number": NINO,
    "unique pupil number": UPN,
    "street address": STREET,
    "name with title": TITLED,
}


def kinds(text: str) -> tuple[str, ...]:
    """Return the kinds of identifier a text holds."""
    found = [kind for kind, shape in KINDS.items() if shape.search(text)]
    if any(nhs_number(number) for number in NHS.findall(text)):
        found.append("NHS number")
    return tuple(found)


def found(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of identifier that distinct texts hold, sorted."""
    return tuple(sorted({kind for text in set(texts) for kind in kinds(text)}))
