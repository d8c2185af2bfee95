"""Names by community, drawn from a committed list with weight 1 / rank ^ 0.9."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib import resources

import numpy as np

from leap_eval.synthetic.streams import Floats, Ints, Luck

POOL = {
    **dict.fromkeys("ADFMPG", "english"), "B": "irish", "C": "european", "N": "african",
    "E": "african", "S": "latin", "H": "indian", "L": "indian", "J": "muslim", "K": "muslim",
    "R": "chinese",
}  # fmt: skip


@lru_cache(maxsize=1)
def lists() -> dict[tuple[str, str], tuple[str, ...]]:
    """Return (pool, kind) -> names in order of rank; kinds f, m, s."""
    text = (resources.files("leap_eval.synthetic") / "names.csv").read_text(encoding="utf-8")
    found: dict[tuple[str, str], list[str]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault((row["pool"], row["kind"]), []).append(row["name"])
    return {key: tuple(names) for key, names in found.items()}


@lru_cache(maxsize=64)
def _steps(size: int) -> Floats:
    # Rounded: a power's last bits depend on the processor, and a name must not.
    weight = np.round((1.0 + np.arange(size)) ** -0.9, 9)
    return np.asarray(np.cumsum(weight) / weight.sum())


def drawn(pool: list[str], kind: list[str], u: Floats) -> list[str]:
    """Return one name per row of its pool and kind."""
    known = lists()
    out = []
    for p, k, x in zip(pool, kind, u.tolist(), strict=True):
        names = known[p, k]
        out.append(names[min(int(_steps(len(names)).searchsorted(x)), len(names) - 1)])
    return out


def forenames(luck: Luck, what: str, ethnicity: list[str], male: Ints) -> list[str]:
    """Return forenames: 45 % of other communities take an English one."""
    n = len(ethnicity)
    english = luck.true(f"names/{what}/english", 0.45, n)
    pool = ["english" if e else POOL[c] for c, e in zip(ethnicity, english, strict=True)]
    kind = ["m" if m else "f" for m in male]
    return drawn(pool, kind, luck.uniform(f"names/{what}/forename", n))


def surnames(luck: Luck, what: str, ethnicity: list[str]) -> list[str]:
    """Return surnames, some of them double."""
    n = len(ethnicity)
    pool, kind = [POOL[c] for c in ethnicity], ["s"] * n
    first = drawn(pool, kind, luck.uniform(f"names/{what}/surname", n))
    second = drawn(pool, kind, luck.uniform(f"names/{what}/second", n))
    often = np.array([0.30 if c in "CS" else 0.14 for c in ethnicity])
    double = luck.true(f"names/{what}/double", often, n)
    return [
        (f"{a} {b}" if c in "CS" else f"{a}-{b}") if d and a != b else a
        for a, b, c, d in zip(first, second, ethnicity, double, strict=True)
    ]
