"""Two phonetic codes of a name in plain letters: metaphone and soundex.

They are part of the normaliser's version: the compiled and the plain form of a library tell
`lamb` differently, and a trust's machine has no library. `tests/vectors/sounds-1.txt` pins them.
"""

from __future__ import annotations

import re
from itertools import groupby

# Lawrence Philips' metaphone of 1990 as the library jellyfish (James Turk, MIT) tells it, in the
# order the rules are tried; `\1` is the first group.
_METAPHONE = (
    (r"([^c])(?=\1)", ""),
    (r"^a", "A"), (r"^e", "E"), (r"^i", "I"), (r"^o", "O"), (r"^u", "U"), (r"[aeiou]", ""),
    (r"(?<=m)b$", ""), (r"b", "B"),
    (r"ci(?=a)|ch", "X"), (r"c[iey]", "S"), (r"c", "K"),
    (r"dg[iey]", "J"), (r"d", "T"),
    (r"g(?=[iey])", "J"), (r"gh(?![aeiou])|gn$", ""), (r"g", "K"),
    (r"^h|h(?=[aeiou])|(?<![aeiou])h", "H"), (r"h", ""),
    (r"(?<!c)k", "K"), (r"k", ""),
    (r"ph", "F"), (r"p", "P"), (r"q", "K"),
    (r"sh|si[oa]", "X"), (r"s", "S"),
    (r"t(?=i[oa])", "X"), (r"th", "0"), (r"t(?!ch)", "T"), (r"t", ""),
    (r"v", "F"), (r"^wh|w(?=[aeiou])", "W"), (r"w", ""),
    (r"^x(?=h|i[oa])", "X"), (r"^x", "S"), (r"x", "KS"),
    (r"y(?=[aeiou])", "Y"), (r"y", ""), (r"z", "S"),
    (r"f", "F"), (r"j", "J"), (r"l", "L"), (r"m", "M"), (r"n", "N"), (r"r", "R"),
)  # fmt: skip
_RULES = re.compile("|".join(p if n == 0 else f"({p})" for n, (p, _) in enumerate(_METAPHONE)))
_DIGITS = str.maketrans("bfpvcgjkqsxzdtlmnr", "111122222222334556")


def metaphone(word: str) -> str:
    """Return how a word of the letters a to z sounds, by its consonants."""
    short = word[1:] if word.startswith(("kn", "gn", "pn", "wr", "ae")) else word
    return _RULES.sub(lambda found: _METAPHONE[(found.lastindex or 1) - 1][1], short)


def soundex(word: str) -> str:
    """Return the first letter of a word of the letters a to z, and three digits of its sound."""
    # h and w keep letters of one sound together, a vowel between them parts them.
    told = re.sub("(?<!^)[hw]", "", word).translate(_DIGITS)
    digits = "".join(sound for sound, _ in groupby(told))[1:]
    return (word[0].upper() + re.sub(r"\D", "", digits) + "000")[:4]
