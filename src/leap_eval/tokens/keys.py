"""The four keys, their ids, and what they make: record keys, study ids, partners' pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leap_eval.errors import KeyMissingError
from leap_eval.tokens.text import to_text

SEPARATOR = "\x1f"
NAMES = ("link", "store", "record", "project")


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The keys a role may read; a key that is not there is empty bytes."""

    link: bytes
    store: bytes
    record: bytes
    project: bytes


def demo_key(name: str) -> bytes:
    """Return a public key of the pretend LEAP: never for real data."""
    return hashlib.sha256(
        f"leap-eval demo key {name}: public, never for real data".encode()
    ).digest()


def key_id(key: bytes) -> str:
    """Return eight hex characters that name a key without telling it."""
    return hashlib.sha256(hmac.digest(key, b"leap-key-id", "sha256")).hexdigest()[:8]


def load_keys(directory: Path | None, state: str, names: tuple[str, ...] = NAMES) -> Keys:
    """Read the keys `names` from LEAP_KEYS; the public demo keys in state demo, and only there."""
    if directory is None:
        if state != "demo":
            raise KeyMissingError(
                "LEAP_KEYS: is not set; a live programme needs the folder of its keys"
            )
        return Keys(**{name: demo_key(name) for name in NAMES})
    found = {name: read_key(directory / name) if name in names else b"" for name in NAMES}
    if state != "demo" and any(key == demo_key(name) for name, key in found.items()):
        raise KeyMissingError("LEAP_KEYS: holds a public demo key; make a key of 32 random bytes")
    return Keys(**found)


def read_key(path: Path) -> bytes:
    """Return the key in a file of mode 0600: 32 bytes as hex."""
    if not path.is_file():
        raise KeyMissingError(
            f"LEAP_KEYS/{path.name} is not there; ask the data protection officer"
        )
    # Windows keeps who may read elsewhere: its mode bits always say everybody.
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise KeyMissingError(f"LEAP_KEYS/{path.name} is open to others; chmod 600")
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise KeyMissingError(f"LEAP_KEYS/{path.name}: must be 32 bytes as hex")
    return bytes.fromhex(text)


def mark(key: bytes, *words: str) -> bytes:
    """Return the first 16 bytes of HMAC-SHA-256 over the words."""
    return keyed(key, SEPARATOR.join(words).encode())


def keyed(key: bytes, told: bytes, head: str = "") -> bytes:
    """Return the first 16 bytes of HMAC-SHA-256 over `head` and `told`."""
    inner, outer = begun(key, head)
    inner, outer = inner.copy(), outer.copy()
    inner.update(told)
    outer.update(inner.digest())
    return bytes(outer.digest()[:16])


def keyed_all(key: bytes, head: str, told: Iterable[bytes], width: int = 16) -> set[bytes]:
    """Return the first `width` bytes of `keyed` over each of `told`: one loop, for long lists."""
    inner, outer = begun(key, head)
    made = set()
    for one in told:  # `keyed`, spelled out: most tokens are made here
        first, second = inner.copy(), outer.copy()
        first.update(one)
        second.update(first.digest())
        made.add(second.digest()[:width])
    return made


@lru_cache(maxsize=1024)
def begun(key: bytes, head: str) -> tuple[Any, Any]:
    """Return both halves of HMAC-SHA-256, fed with the key and `head`: to be copied, then fed on.

    Every token of a kind begins alike; begun once, a token takes a third of the time.
    """
    block = key.ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes(b ^ pad for b in block)) for pad in (0x36, 0x5C))
    inner.update(head.encode())
    return inner, outer


def record_key(partner: str, reference: str, key: bytes) -> str:
    """Return the pseudonym under which a partner's record is filed: `rk1_…`."""
    return to_text("rk1", mark(key, "leap-record", "1", partner, reference))


def family_key(partner: str, reference: str, key: bytes) -> str:
    """Return the pseudonym of a partner's family: a record key of its family reference."""
    return record_key(partner, f"family {reference}", key)


def person_pseudonym(partner: str, reference: str, key: bytes) -> str:
    """Return the pseudonym a trust gives its own reference, under a key it alone holds: `pp1_…`."""
    return to_text("pp1", mark(key, "leap-person", "1", partner, reference))


def study_id(smallest_record_key: str, key: bytes) -> str:
    """Return the pseudonym of a person in one project: `sid1_…`."""
    return to_text("sid1", mark(key, "leap-study", "1", smallest_record_key))


def family_id(smallest_study_id: str, key: bytes) -> str:
    """Return the pseudonym of a family in one project: `fid1_…`."""
    return to_text("fid1", mark(key, "leap-family", "1", smallest_study_id))
