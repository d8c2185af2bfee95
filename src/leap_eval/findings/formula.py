"""Formulae as MathML for the screen and as Typst's mathematics for paper, from one TeX subset."""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from leap_eval.errors import PageError

COMMANDS = {
    "theta": "theta", "mu": "mu", "pi": "pi", "hat": "hat", "frac": "frac", "sum": "sum",
    "alpha": "alpha", "beta": "beta", "delta": "delta", "sigma": "sigma", "le": "lt.eq",
    "ge": "gt.eq", "cdot": "dot.op", "pm": "plus.minus", "tau": "tau",
}  # fmt: skip
SIGNS = {"=": "equals", "-": "minus", "+": "plus", "(": "open bracket", ")": "close bracket"}
WORDS = {
    "sum": "the sum over", "cdot": "times", "pm": "plus or minus", "le": "at most",
    "ge": "at least",
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")


def _known(tex: str) -> str:
    if unknown := set(_COMMAND.findall(tex)) - set(COMMANDS):
        raise PageError(
            f"a formula uses {len(unknown)} command(s) outside the subset "
            f"({', '.join(sorted(COMMANDS))}); write it with those"
        )
    return tex.strip()


def _index(found: re.Match[str]) -> str:
    return f" of {found[1] if found[1] == 'none' else ' '.join(found[1])} "


def spoken(tex: str) -> str:
    """Return the formula in words."""
    text = re.sub(r"\\hat\{([^{}]*)\}", r" estimated \1 ", _known(tex))
    text = re.sub(r"_\{([A-Za-z]+)\}", _index, text)
    while (found := re.search(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", text)) is not None:
        told = f" the fraction of {found[1]} over {found[2]} "
        text = f"{text[: found.start()]}{told}{text[found.end() :]}"
    for sign, word in SIGNS.items():
        text = text.replace(sign, f" {word} ")
    return " ".join(_COMMAND.sub(lambda m: f" {WORDS.get(m[1], m[1])} ", text).split())


def mathml(tex: str) -> str:
    """Return MathML with the formula in words."""
    from latex2mathml.converter import convert

    made = convert(_known(tex))
    return re.sub(r"<math[^>]*>", f"<math alttext={quoteattr(spoken(tex))}>", made, count=1)


def typst(tex: str) -> str:
    """Return Typst's mathematics."""
    text = re.sub(r"([_^])\{([A-Za-z]+)\}", r'\1"\2"', _known(tex))
    text = re.sub(r"\\hat\{([^{}]*)\}", r"hat(\1)", text)
    while (found := re.search(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", text)) is not None:
        text = f"{text[: found.start()]}({found[1]})/({found[2]}){text[found.end() :]}"
    return _COMMAND.sub(lambda m: f" {COMMANDS[m.group(1)]} ", text)
