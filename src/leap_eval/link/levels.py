"""What is compared, in which order of closeness, and which pairs are looked at.

Model B compares single-field tokens; model A, for a pair with a tier A side, says that a field
agrees when any compound that holds it agrees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any

FIELDS = ("forename", "surname", "date", "postcode", "sex")
CLOSE_NAME = ("exact", "part", "near", "nickname", "near_2")
CLOSE_DATE = ("exact", "near", "swapped", "part")
ELSE = "else"


def plain(column: str) -> str:
    """Return a column's name for Splink, which reads the endings _l and _r as sides of a pair."""
    return column.replace("_", "")


def _same(*columns: str) -> str:
    return " OR ".join(f"{c}_l = {c}_r" for c in map(plain, columns))


def _meet(*columns: str) -> str:
    return " OR ".join(f"list_has_any({c}_l, {c}_r)" for c in map(plain, columns))


def _cross(a: str, b: str) -> str:
    return f"{plain(a)}_l = {plain(b)}_r OR {plain(b)}_l = {plain(a)}_r"


def _exchanged(a: str, b: str) -> str:
    return f"{plain(a)}_l = {plain(b)}_r AND {plain(b)}_l = {plain(a)}_r"


def _either_missing(column: str) -> str:
    return f"{plain(column)}_l IS NULL OR {plain(column)}_r IS NULL"


def _no_part(side: str) -> str:
    # A date may be told in part: a year and a month, say.
    return f"COALESCE(dobym_{side}, dobmd_{side}, dobyd_{side}) IS NULL"


def _neither(column: str) -> str:
    return f"NOT {plain(column)}_l OR NOT {plain(column)}_r"


def _unseen(column: str) -> str:
    # Where names changed places only compounds of date and postcode can still meet: if none
    # does, one of the two differs, and nobody knows which.
    both = _same("q_p", "ym_p", "md_p", "yd_p")
    return f"{_neither(column)} OR ({_cross('f_l', 'l_f')}) AND COALESCE({both}, FALSE) = FALSE"


# A name that stands in the other's place, with the same date or postcode beside it.
_MOVED = f"{_cross('f_q', 'lf_q')} OR {_cross('f_p', 'lf_p')}"
SEX = (_either_missing("sex"), {"exact": _same("sex")})
LEVELS_B: dict[str, tuple[str, dict[str, str]]] = {
    "forename": (
        _either_missing("fn_1"),
        {
            "exact": _same("fn"),
            "part": _meet("fn_parts"),
            "near": _meet("fn_near"),
            "nickname": _same("fn_nick"),
            "near_2": _meet("fn_near2"),
            "metaphone": _same("fn_m"),
            "soundex": _same("fn_x"),
            "first_3": _same("fn_3"),
            "initial": "(fn_l IS NULL OR fn_r IS NULL) AND fn1_l = fn1_r",
            "exchanged": _exchanged("fn", "ln"),
            "crossed": _cross("fn", "ln"),
        },
    ),
    "surname": (
        # Names that changed places are one event: the forename has told of both.
        _either_missing("ln") + " OR " + _cross("fn", "ln"),
        {
            "exact": _same("ln"),
            "part": _meet("ln_parts"),
            "near": _meet("ln_near"),
            "near_2": _meet("ln_near2"),
            "metaphone": _same("ln_m"),
            "soundex": _same("ln_x"),
            "first_3": _same("ln_3"),
        },
    ),
    "date": (
        _no_part("l") + " OR " + _no_part("r"),
        {
            "exact": _same("dob"),
            "near": _meet("dob_near"),
            "swapped": _cross("dob", "dob_sw"),
            "part": _same("dob_ym", "dob_md", "dob_yd"),
        },
    ),
    "postcode": (
        _either_missing("pc"),
        {
            "exact": _same("pc"),
            "near": _meet("pc_near"),
            "sector": _same("pc_sector"),
            "district": _same("pc_district"),
        },
    ),
    "sex": SEX,
}
LEVELS_A: dict[str, tuple[str, dict[str, str]]] = {
    "forename": (
        _neither("has_f"),
        {
            "exact": _same("f_l", "f_q", "f_ym", "f_md", "f_yd", "f_p", "f_s", "f_l3", "flp")
            + " OR "
            + _meet("f_ld", "f_qd", "f_pd"),
            "near": _meet("fd_l", "fd_q", "fd_p"),
            "metaphone": _same("fm_lm", "fm_q", "fm_ym", "fm_md", "fm_yd", "fm_p"),
            "first_3": _same("f3_l", "f3_q", "f3_p"),
            "initial": _same("f1_l_q", "f1_l_p"),
            "exchanged": _cross("f_l", "l_f"),
            "crossed": _MOVED,
        },
    ),
    "surname": (
        _neither("has_l") + " OR " + _cross("f_l", "l_f") + " OR " + _MOVED,
        {
            "exact": _same("f_l", "l_q", "l_ym", "l_md", "l_yd", "l_p", "l_s", "f3_l")
            + " OR "
            + _same("f1_l_q", "f1_l_p", "flp")
            + " OR "
            + _meet("fd_l", "l_qd", "l_pd"),
            "near": _meet("f_ld", "ld_q", "ld_p"),
            "metaphone": _same("fm_lm", "lm_q", "lm_ym", "lm_md", "lm_yd", "lm_p"),
            "first_3": _same("f_l3", "l3_q", "l3_p"),
        },
    ),
    "date": (
        _unseen("has_q"),
        {
            "exact": _same("f_q", "l_q", "q_p", "fm_q", "lm_q", "f3_q", "l3_q", "f1_l_q")
            + " OR "
            + _meet("fd_q", "ld_q")
            + " OR "
            + _cross("f_q", "lf_q"),
            "near": _meet("f_qd", "l_qd"),
            "swapped": _cross("f_q", "f_sw") + " OR " + _cross("l_q", "l_sw"),
            "part": _same(*(f"{n}_{d}" for n in ("f", "l", "fm", "lm") for d in ("ym", "md", "yd")))
            + " OR "
            + _same("ym_p", "md_p", "yd_p"),
        },
    ),
    "postcode": (
        _unseen("has_p"),
        {
            "exact": _same("f_p", "l_p", "fm_p", "lm_p", "f3_p", "l3_p", "q_p")
            + " OR "
            + _same("ym_p", "md_p", "yd_p", "f1_l_p", "flp")
            + " OR "
            + _meet("fd_p", "ld_p")
            + " OR "
            + _cross("f_p", "lf_p"),
            "near": _meet("f_pd", "l_pd"),
            "sector": _same("f_s", "l_s"),
        },
    ),
    "sex": SEX,
}
LEVELS = {"A": LEVELS_A, "B": LEVELS_B}
TF = {"forename": "fn", "surname": "ln", "postcode": "pc"}
EXTRA = "extra_"  # a column of tokens that agree or not: rarer values weigh more

# What EM learns m from, and a first guess of m and u where the data say nothing.
BLOCKS = {
    "B": ("l.dob = r.dob", "l.pc = r.pc", "l.fn = r.fn AND l.ln = r.ln"),
    "A": ("l.qp = r.qp", "l.fl = r.fl", "l.fq = r.fq", "l.lq = r.lq"),
}
FIRST_M = {"exact": 0.85, "near": 0.05, "part": 0.03, ELSE: 0.03}

_PAIRS_B = (
    [("fn", "ln")]
    + [(f, n) for f in ("dob", "pc") for n in ("ln_3", "fn_3", "ln_x", "fn_x")]
    + [(n, d) for n in ("fn", "ln") for d in ("dob_ym", "dob_md", "dob_yd")]
    + [("dob_ym", "ln_3"), ("dob_md", "fn_3"), ("dob_md", "ln_x")]
    + [("pc", d) for d in ("dob_ym", "dob_md", "dob_yd")]
    + [("dob", n) for n in ("fn_1", "pc_district")]
    + [("fn_1", "ln"), ("fn_3", "ln_3"), ("fn_x", "ln_x")]
)
_BESIDE = ("fn_3", "fn_x", "ln_3", "ln_x", "dob", "dob_ym", "dob_yd", "pc")  # with an extra column
_NEAR_B = (
    [("fn_near", n) for n in ("ln", "dob_md", "pc")]
    + [("ln_near", n) for n in ("fn", "dob_md", "pc")]
    + [("dob_near", n) for n in ("fn_3", "ln_3", "pc")]
    + [("pc_near", n) for n in ("dob_ym", "dob_md")]
)
_NAMES_A = ("f", "l", "fm", "lm")
_SINGLES_A = [
    *(
        "f_l",
        "fm_lm",
        "f3_l",
        "f_l3",
        "f3_q",
        "l3_q",
        "f3_p",
        "l3_p",
        "q_p",
        "ym_p",
        "md_p",
        "yd_p",
    ),
    *(f"{n}_{d}" for n in _NAMES_A for d in ("q", "ym", "md", "p")),
    *("f_yd", "l_yd", "flp", "f1_l_p"),
]
_LISTS_A = ("fd_l", "f_ld", "fd_q", "ld_q", "fd_p", "ld_p", "f_qd", "l_qd", "f_pd", "l_pd")


def fields(columns: Sequence[str]) -> list[str]:
    """Return the fields that nodes of these columns are compared on."""
    return [*FIELDS, *extras(columns)]


def extras(columns: Sequence[str]) -> list[str]:
    """Return the columns of tokens beyond the usual fields."""
    return [c for c in columns if c.startswith(EXTRA)]


def told(tier: str, field: str) -> tuple[str, dict[str, str]]:
    """Return when a field is missing, and its levels from closest to furthest, as SQL."""
    if field.startswith(EXTRA):
        return _either_missing(field), {"exact": _same(field)}
    return LEVELS[tier][field]


def used(tier: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that the levels of a tier ask for."""
    asked = " ".join(sql for f in fields(columns) for sql in _conditions(tier, f))
    named = set(re.findall(r"\b(\w+)_[lr]\b", asked))
    return [c for c in columns if plain(c) in named]


def _conditions(tier: str, field: str) -> list[str]:
    missing, close = told(tier, field)
    return [missing, *close.values()]


def frequent(tier: str, field: str) -> str | None:
    """Return the column whose rare values weigh more, where the field agrees exactly."""
    if field.startswith(EXTRA):
        return field
    return TF.get(field) if tier == "B" else None


def labels(tier: str, field: str) -> list[str]:
    """Return the levels of a field by their number: 0 is `else`, the last is `exact`."""
    return [ELSE, *reversed(told(tier, field)[1])]


def rules(tier: str, extra: Sequence[str] = ()) -> list[tuple[str, list[str]]]:
    """Return the blocking rules of a model: a condition, and the lists to open for it."""
    # AB pairs are model B's; the filter keeps them out of model A.
    mixed = " AND (l.bare OR r.bare)" if tier == "A" else ""
    told = [(f"{rule} AND NOT l.copy AND NOT r.copy", lists) for rule, lists in _rules(tier, extra)]
    made = [("l.profile = r.profile", list[str]()), *told]
    return [(condition + mixed, lists) for condition, lists in made]


def _rules(tier: str, extra: Sequence[str]) -> list[tuple[str, list[str]]]:
    ids: list[tuple[str, list[str]]] = [("l.nhs = r.nhs", []), ("l.upn = r.upn", [])]
    if tier == "B":
        beside = [(e, column) for e in extra for column in _BESIDE]
        direct = [_rule(*pair) for pair in (*_PAIRS_B, *beside, *combinations(extra, 2))]
        crossed = ("l.fn = r.ln AND l.ln = r.fn", "l.fn = r.ln AND l.pc = r.pc")
        turned: list[tuple[str, list[str]]] = [(c, []) for c in crossed]
        return [*ids, *direct, *turned, *((_rule(*p)[0], [plain(p[0])]) for p in _NEAR_B)]
    direct = [_rule(c) for c in _SINGLES_A]
    turned = [("l.fl = r.lf", []), ("l.fq = r.fsw", []), ("l.lq = r.lsw", [])]
    turned += [("l.fq = r.lfq", []), ("l.fp = r.lfp", [])]
    return [*ids, *direct, *turned, *((_rule(c)[0], [plain(c)]) for c in _LISTS_A)]


def _rule(*columns: str) -> tuple[str, list[str]]:
    return " AND ".join(f"l.{c} = r.{c}" for c in map(plain, columns)), []


def level(tier: str, field: str) -> str:
    """Return the SQL that tells the number of a pair's level: -1 missing, 0 `else`, then closer."""
    missing, *close = _conditions(tier, field)
    count = len(close)
    cases = [f"WHEN {missing} THEN -1"]
    cases += [f"WHEN {sql} THEN {count - place}" for place, sql in enumerate(close)]
    return re.sub(r"\b(\w+)_([lr])\b", r"\2.\1", f"CASE {' '.join(cases)} ELSE 0 END")


def comparison(tier: str, field: str) -> dict[str, Any]:
    """Return a field's comparison as Splink reads it."""
    missing, close = told(tier, field)
    made: list[dict[str, Any]] = [
        {"sql_condition": missing, "label_for_charts": "missing", "is_null_level": True}
    ]
    made += [{"sql_condition": s, "label_for_charts": name} for name, s in close.items()]
    made.append({"sql_condition": "ELSE", "label_for_charts": ELSE})
    return {"output_column_name": field, "comparison_levels": made}
