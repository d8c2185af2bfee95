"""Ethnic groups in the standards partners use, and their group of five.

The standard stays beside the code and nothing is promoted: S of the 2001 list may be Arab.
Chinese (R) is always in the Asian group, as in the censuses since 2011.
"""

from __future__ import annotations

import re
from functools import cache

NOT_STATED, NOT_KNOWN = "not_stated", "not_known"

NHS2001 = {
    "A": ("White British", "white"), "B": ("White Irish", "white"), "C": ("Any other White background", "white"),
    "D": ("White and Black Caribbean", "mixed"), "E": ("White and Black African", "mixed"),
    "F": ("White and Asian", "mixed"), "G": ("Any other mixed background", "mixed"),
    "H": ("Indian", "asian"), "J": ("Pakistani", "asian"), "K": ("Bangladeshi", "asian"),
    "L": ("Any other Asian background", "asian"), "M": ("Caribbean", "black"), "N": ("African", "black"),
    "P": ("Any other Black background", "black"), "R": ("Chinese", "asian"),
    "S": ("Any other ethnic group", "other"), "Z": ("Not stated", NOT_STATED), "99": ("Not known", NOT_KNOWN),
}  # fmt: skip
CENSUS2011 = {
    "English/Welsh/Scottish/Northern Irish/British": "white", "Irish": "white", "Gypsy or Irish Traveller": "white",
    "Any other White background": "white", "White and Black Caribbean": "mixed", "White and Black African": "mixed",
    "White and Asian": "mixed", "Any other Mixed/Multiple ethnic background": "mixed", "Indian": "asian",
    "Pakistani": "asian", "Bangladeshi": "asian", "Chinese": "asian", "Any other Asian background": "asian",
    "African": "black", "Caribbean": "black", "Any other Black/African/Caribbean background": "black",
    "Arab": "other", "Any other ethnic group": "other",
}  # fmt: skip
CENSUS2021 = {
    "English, Welsh, Scottish, Northern Irish or British": "white", "Irish": "white",
    "Gypsy or Irish Traveller": "white", "Roma": "white", "Any other White background": "white",
    "White and Black Caribbean": "mixed", "White and Black African": "mixed", "White and Asian": "mixed",
    "Any other Mixed or multiple background": "mixed", "Indian": "asian", "Pakistani": "asian",
    "Bangladeshi": "asian", "Chinese": "asian", "Any other Asian background": "asian", "Caribbean": "black",
    "African": "black", "Any other Black background": "black", "Arab": "other", "Any other ethnic group": "other",
}  # fmt: skip
DFE = {
    "WBRI": "white", "WIRI": "white", "WIRT": "white", "WROM": "white", "WOTH": "white", "MWBC": "mixed",
    "MWBA": "mixed", "MWAS": "mixed", "MOTH": "mixed", "AIND": "asian", "APKN": "asian", "ABAN": "asian",
    "CHNE": "asian", "AOTH": "asian", "BCRB": "black", "BAFR": "black", "BOTH": "black", "OOTH": "other",
    "REFU": NOT_STATED, "NOBT": NOT_KNOWN,
}  # fmt: skip


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


STANDARDS: dict[str, dict[str, tuple[str, str]]] = {
    "nhs2001": {_key(code): (code, group) for code, (_, group) in NHS2001.items()},
    "nhs2001_words": {_key(words): (code, group) for code, (words, group) in NHS2001.items()},
    "census2011": {_key(words): (words, group) for words, group in CENSUS2011.items()},
    "census2021": {_key(words): (words, group) for words, group in CENSUS2021.items()},
    "dfe": {_key(code): (code, group) for code, group in DFE.items()},
}
_PLAIN = {"notstated": NOT_STATED, "prefernottosay": NOT_STATED, "refused": NOT_STATED, "notknown": NOT_KNOWN, "unknown": NOT_KNOWN}  # fmt: skip


def ethnicity(text: str, standard: str) -> tuple[str | None, str] | None:
    """Return (code, group of five) of a cell in its standard, or None where it is no code of it.

    Letters in front (`a) WBRI`) and a second local character of an NHS code (`A1`) are allowed.
    """
    plain = re.sub(r"^\s*[a-z]\)\s*", "", text.casefold())
    if not plain.strip():
        return None, NOT_KNOWN
    key = _key(plain)
    if key in _PLAIN:
        return None, _PLAIN[key]
    known = STANDARDS[standard]
    if standard == "nhs2001" and key not in known and re.fullmatch(r"[a-z][a-z0-9]", key):
        key = key[0]
    if key not in known:
        return None
    code, group = known[key]
    return (None, group) if group in (NOT_STATED, NOT_KNOWN) else (_code(code), group)


@cache
def codes(standard: str | None) -> frozenset[str]:
    """Return the codes of a standard as they are filed; none for an unknown standard."""
    return frozenset(_code(code) for code, _ in STANDARDS.get(standard or "", {}).values())


def _code(words: str) -> str:
    # A filed code keeps to letters, digits and a few signs: see contracts.CODE.
    return re.sub(r"[^A-Za-z0-9_ -]", " ", words).replace("  ", " ").strip()
