"""The text form of tokens and pseudonyms: prefix, base32, two check characters."""

from __future__ import annotations

import base64
import hashlib
import re

from leap_eval.errors import SubmissionError

SHAPE = re.compile(r"^(tk1|pp1|rk1|sid1|fid1)_[a-z2-7]+$")


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _checked(body: str) -> str:
    return body + _base32(hashlib.sha256(body.encode()).digest())[:2]


def to_text(prefix: str, raw: bytes) -> str:
    """Return `raw` as text that a typing or copying slip would break: `tk1_…`."""
    return _checked(f"{prefix}_{_base32(raw)}")


def from_text(text: str) -> bytes:
    """Return the bytes of `to_text`, or raise where shape or check characters are wrong."""
    if not SHAPE.match(text) or _checked(text[:-2]) != text:
        raise SubmissionError(
            "a token is damaged; send the file that leap-eval pseudonymise wrote, unchanged"
        )
    body = text.split("_", 1)[1][:-2].upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))
