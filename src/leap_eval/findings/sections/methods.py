"""Methods and glossary: the same words on every page, in full or in short."""

from __future__ import annotations

import re

from leap_eval.findings.document import Fold, Grid, Listing, Node, Para, Run
from leap_eval.findings.release import Release
from leap_eval.reference.page import page

_MATH = re.compile(r"\$([^$]+)\$")


def methods(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Say how the differences were found; the programme reads it in full."""
    told = page()["methods"]
    full = audience == "leap"
    parts = told["summary"] + (told["full"] if full else [])
    grids = [
        Grid(told[f"{name}_caption"], tuple(told[f"{name}_head"]), tuple(map(tuple, told[name])))
        for name in ("target", "sheet")
    ]
    more = (Fold(grids[1].caption, (grids[1],)),) if full else ()
    return *(_para(text) for text in parts), grids[0], *more


def _para(text: str) -> Para:
    if (alone := _MATH.fullmatch(text)) is not None:
        return Para((Run(alone[1], "math"),), "formula")
    pieces = _MATH.split(text)
    runs = (Run(p, "math" if i % 2 else "text") for i, p in enumerate(pieces) if p)
    return Para(tuple(runs))


def glossary(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Explain the words of the page."""
    told = page()["glossary"]
    return (Listing(tuple((Run(f"{k}.", "strong"), Run(f" {v}")) for k, v in told.items())),)
