"""Model outputs: when an estimate may leave, and with how many digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leap_eval.disclosure.rules import Rules

CONTEXT = ("trial", "unit", "grade", "status", "reason", "wording_key")
KEYS = ("outcome", "family", "contrast", "subgroup")
COLUMNS = (*KEYS, *CONTEXT, "measure", "value", "low", "high", "marker")
NEVER = frozenset(
    {"residual", "fitted", "leverage", "weight", "influence", "tree", "shap", "random_effect"}
)
TENS = 10
SHARES = ("twin_coverage", "share_links", "share_missing")  # shares, where stage 06 gives them
Eligible = Mapping[tuple[str, str], int]  # (trial, arm) to the children who could be in it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one estimate: pass, review or fail, and why."""

    row: tuple[str, ...]
    verdict: str
    why: str


def check_estimates(
    table: pd.DataFrame, rules: Rules, eligible: Eligible | None = None
) -> list[Verdict]:
    """Return a verdict on every estimate, in the order of the table.

    Two groups of which one holds the other may not differ by 1 to n_gap - 1 children: their
    estimates together would tell of those few. The smaller one fails.
    """
    near = _near(table, rules.least(rules.models.n_gap), eligible or {})
    found = []
    for at, row in enumerate(table.itertuples(index=False)):
        whys = [*_short(row, rules), *(["nested"] if at in near else [])]
        verdict = "fail" if whys else "pass"
        if not whys and _saturated(row):
            # Its coefficients are cell means: they pass only where the counts themselves would.
            verdict = "review" if rules.models.saturated == "audit" else "fail"
            whys = ["saturated"]
        found.append(Verdict(tuple(getattr(row, k) for k in KEYS), verdict, ", ".join(whys)))
    return found


def _saturated(row: Any) -> bool:
    return bool(row.rank >= row.patterns)


def _short(row: Any, rules: Rules) -> Iterator[str]:
    least = rules.models
    if not _saturated(row) and row.df_resid < least.min_df:
        yield "df"
    if min(row.n_arm, row.n_reference, row.n) < rules.least(least.min_n):
        yield "n"
    if row.families < rules.units.families:
        yield "families"
    if row.min_level < rules.least(least.min_level):
        yield "level"
    if row.min_events < rules.least(least.min_events):
        yield "events"
    if _saturated(row) and min(_beside(row)) < rules.threshold:
        yield "saturated"


def _beside(row: Any) -> tuple[int, ...]:
    """Return the counts a saturated model stands for: events and the rest, arm by arm."""
    rest = [n - row.min_events for n in (row.n_arm, row.n_reference)]
    return (row.min_events, *(r for r in rest if r != 0))


def _near(table: pd.DataFrame, gap: int, eligible: Eligible) -> set[int]:
    """Return the rows whose children are all but a few of a larger group's."""
    rows: list[Any] = list(table.itertuples(index=False))
    near = set()
    for at, row in enumerate(rows):
        larger = [b.n_arm for b in rows if b is not row and _holds(b, row)]
        if row.family == "combination" and row.subgroup == "all":
            larger.append(eligible.get((row.trial, row.arms), row.n_arm))
        if any(0 < n - row.n_arm < gap for n in larger):
            near.add(at)
    return near


def _holds(larger: Any, row: Any) -> bool:
    """Tell whether every child of one contrast's arm is surely in the other's, too."""
    if larger.outcome != row.outcome or larger.subgroup not in ("all", row.subgroup):
        return False
    if larger.subgroup != row.subgroup:
        return bool(larger.arms == row.arms and "service" in (larger.family, row.family))
    inside = set(larger.arms.split(" + ")) <= set(row.arms.split(" + "))
    return inside and larger.family == "service" and row.family != "service"


def digits(value: float | None, se: float | None, many: int = 2) -> str:
    """Return a number cut to `many` significant digits of its standard error."""
    if value is None or se is None or pd.isna(value) or pd.isna(se) or se <= 0:
        return ""
    places = many - 1 - int(f"{se:e}".partition("e")[2])
    text = f"{round(value, places):.{max(places, 0)}f}"
    return text.lstrip("-") if float(text) == 0 else text


def estimates(
    tables: Mapping[str, pd.DataFrame], rules: Rules, eligible: Eligible | None = None
) -> tuple[list[dict[str, str]], list[Verdict]]:
    """Return the rows of the table of effects, one per contrast and measure, and the verdicts."""
    made: list[dict[str, str]] = []
    said: list[Verdict] = []
    for outcome in tables:
        told = check_estimates(tables[outcome], rules, eligible)
        for row, verdict in zip(tables[outcome].itertuples(index=False), told, strict=True):
            made += _contrast(row, rules, verdict.verdict != "fail")
        said += told
    return made, said


def _contrast(row: Any, rules: Rules, leaves: bool) -> list[dict[str, str]]:
    head = {key: str(getattr(row, key)) for key in (*KEYS, *CONTEXT)}
    said = {
        "estimate": (row.estimate, row.band_low, row.band_high),
        "pointwise": (row.estimate, row.low, row.high),
        "mde80": (row.mde80, None, None),
    }
    many = rules.models.digits
    rows = [{**head, "measure": n, **_three(values, row.se, many)} for n, values in said.items()]
    # Counts of overlapping arms differ by few children: told to the nearest ten they tell nothing.
    told = {"n_arm": str(TENS * round(row.n_arm / TENS)), "q": _three_digits(row.q)}
    told |= {"ess": _tens(row.ess), "evalue": _three_digits(row.evalue)}
    told |= {n: _share(getattr(row, n)) for n in SHARES if hasattr(row, n)}
    rows += [{**head, "measure": name, **_one(value)} for name, value in told.items()]
    if not leaves:
        withheld = rules.markers.withheld
        return [{**r, "value": "", "low": "", "high": "", "marker": withheld} for r in rows]
    return [r | {"marker": "" if r["value"] else rules.markers.not_available} for r in rows]


def _three(
    values: tuple[float | None, float | None, float | None], se: float, many: int
) -> dict[str, str]:
    return dict(zip(("value", "low", "high"), (digits(v, se, many) for v in values), strict=True))


def _one(value: str) -> dict[str, str]:
    return {"value": value, "low": "", "high": ""}


def _tens(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else str(TENS * round(value / TENS))


def _three_digits(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.2f}"


def checks(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, str]]:
    """Return the verdicts of the robustness checks, one row per contrast and check."""
    made: list[dict[str, str]] = []
    for outcome in tables:
        table = tables[outcome]
        names = sorted((str(c) for c in table if str(c).startswith("check_")), key=_number)
        for row in table[table["subgroup"] == "all"].to_dict("records"):
            head = {"outcome": row["outcome"], "contrast": f"{row['family']}: {row['contrast']}"}
            rest = {"measure": "verdict", **_one(""), "marker": ""}
            made += [{**head, "check": n, "code": row[n], **rest} for n in names]
    return made


def _number(check: str) -> int:
    return int(check.removeprefix("check_"))
