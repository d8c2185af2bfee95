"""The words a title or a reason may use: a closed list, so that a text cannot carry rows out."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from leap_eval.reference.labels import figures, labels

GRADES = ("a_better", "a_worse", "b_better", "b_worse", "c_better", "c_worse", "n", "d")


@cache
def vocabulary() -> frozenset[str]:
    """Return every known word, in lower case; a new one is a commit that a colleague reads."""
    text = files("leap_eval.reference").joinpath("vocabulary.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


@cache
def codes() -> frozenset[str]:
    """Return every code that has a label or a wording, and the kinds of figures."""
    told = {str(code) for kind in labels().values() for code in kind}
    return frozenset(told | set(labels()) | wording_keys() | set(figures()["kinds"]))


def wording_keys() -> set[str]:
    """Return the key of each sentence, without its words: a sentence is no concern of the gate."""
    return {f"{family}_{grade}" for family in labels()["family"] for grade in GRADES}
