"""The text form of tokens and pseudonyms: prefix, base32, two check characters."""

from __future__ import annotations

import hashlib
import re

from leap_eval.errors import SubmissionError

SHAPE = re.compile(r"^(tk1|pp1|rk1|sid1|fid1)_[a-z2-7]+$")
LIST = re.compile(r"^tl1_[0-9a-f]+_[a-z2-7]{2}$")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# Two letters at a time: the standard library's base32 is the slowest part of an intake.
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_PLACES = {pair: place for place, pair in enumerate(_PAIRS)}


def _base32(raw: bytes) -> str:
    spare = -8 * len(raw) % 10
    number, pairs = int.from_bytes(raw, "big") << spare, []
    for _ in range((8 * len(raw) + spare) // 10):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    letters = -(-8 * len(raw) // 5)
    return "".join(reversed(pairs))[:letters]


def _check(body: str) -> str:
    digest = hashlib.sha256(body.encode()).digest()
    return _PAIRS[(digest[0] << 2) | (digest[1] >> 6)]


def to_text(prefix: str, raw: bytes) -> str:
    """Return `raw` as text that a typing or copying slip would break: `tk1_…`."""
    body = f"{prefix}_{_base32(raw)}"
    return body + _check(body)


def from_text(text: str) -> bytes:
    """Return the bytes of `to_text`, or raise where shape or check characters are wrong."""
    body = text[:-2]
    if not SHAPE.match(text) or _check(body) != text[-2:]:
        raise _damaged()
    letters = body.split("_", 1)[1]
    whole, number = letters + "a" * (len(letters) % 2), 0
    for place in range(0, len(whole), 2):
        number = number << 10 | _PLACES[whole[place : place + 2]]
    size = 5 * len(letters) // 8
    return (number >> (5 * len(whole) - 8 * size)).to_bytes(size, "big")


def list_to_text(raw: bytes) -> str:
    """Return a list of tokens, laid end to end, as text: `tl1_…`."""
    body = f"tl1_{raw.hex()}_"
    return body + _check(body)


def list_from_text(text: str) -> bytes:
    """Return the bytes of `list_to_text`, or raise where shape or check characters are wrong."""
    if not LIST.match(text) or _check(text[:-2]) != text[-2:]:
        raise _damaged()
    return bytes.fromhex(text[4:-3])


def _damaged() -> SubmissionError:
    return SubmissionError(
        "a token is damaged; send the file that leap-eval pseudonymise wrote, unchanged"
    )
