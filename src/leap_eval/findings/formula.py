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
_COMMAND = re.compile(r"\\([A-Za-z]+)")


def _known(tex: str) -> str:
    if unknown := set(_COMMAND.findall(tex)) - set(COMMANDS):
        raise PageError(
            f"a formula uses {len(unknown)} command(s) outside the subset "
            f"({', '.join(sorted(COMMANDS))}); write it with those"
        )
    return tex.strip()


def spoken(tex: str) -> str:
    """Return the formula in words."""
    words = _COMMAND.sub(lambda m: f" {m.group(1)} ", _known(tex)).replace("_", " sub ")
    for sign, word in (("=", " equals "), ("-", " minus "), ("+", " plus "), ("/", " over ")):
        words = words.replace(sign, word)
    return " ".join(re.sub(r"[{}()|^]", " ", words).split())


def mathml(tex: str) -> str:
    """Return MathML with the formula in words."""
    from latex2mathml.converter import convert

    made = convert(_known(tex))
    return re.sub(r"<math[^>]*>", f"<math alttext={quoteattr(spoken(tex))}>", made, count=1)


def typst(tex: str) -> str:
    """Return Typst's mathematics."""
    text = _known(tex)
    while (found := re.search(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", text)) is not None:
        text = f"{text[: found.start()]}({found[1]})/({found[2]}){text[found.end() :]}"
    text = re.sub(r"\\hat\{([^{}]*)\}", r"hat(\1)", text)
    text = re.sub(r"([_^])\{([A-Za-z]{2,})\}", r'\1"\2"', text)
    text = re.sub(r"([_^])\{([^{}]*)\}", r"\1(\2)", text)
    return _COMMAND.sub(lambda m: f" {COMMANDS[m.group(1)]} ", text)
