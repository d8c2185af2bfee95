"""The estimates of one outcome as a table: bands, false discovery, checks, grades."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from leap_eval.effects import checks
from leap_eval.effects.additive import pulled
from leap_eval.effects.aipw import Floats
from leap_eval.effects.bands import Bands, false_discovery
from leap_eval.effects.checks import NOT_RUN
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.fit import Fit
from leap_eval.effects.grade import Evidence, grade
from leap_eval.effects.hidden import evalue, ratio_of_sd
from leap_eval.effects.suite import Suite, Whole, suite, whole
from leap_eval.settings import Frozen, Plan, plan_hash, status_of
from leap_eval.settings.plan import OutcomeRule
from leap_eval.weighting import effective

UNITS = {"sd": "sd", "risk": "risk", "points": "points"}
POWER = float(norm.ppf(0.80))
DIGITS = 6
PLACE = ("family", "contrast", "subgroup")
DOUBTS = ("rv", "rv_limit", "tipping", "twin_coverage", "share_missing", "share_links")


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Graded estimates of one outcome, and the tables behind their plots."""

    outcome: str
    estimates: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)  # able, recorded, lost, gaps

    def beside(self, others: Effects) -> Effects:
        """Return these estimates and the rows that could not be estimated, in one table."""
        if others.estimates.empty:
            return self
        both = pd.concat([self.estimates, others.estimates], ignore_index=True)
        order = ["family", "contrast", "subgroup"]
        return replace(self, estimates=both.sort_values(order, ignore_index=True))

    def told(self) -> dict[str, Any]:
        """Return what stands beside the estimates, for OUTCOME.json."""
        tables = {name: _told(table) for name, table in sorted(self.tables.items())}
        return {"outcome": self.outcome, **tables, "notes": self.notes}

    @property
    def specifications(self) -> pd.DataFrame:
        """Every estimate under every specification."""
        return self.tables.get("specifications", pd.DataFrame(columns=[*PLACE, "spec"]))


def report(
    plan: Plan, outcome: str, frozen: tuple[Frozen, ...], fit: Fit, asking: tuple[int, int]
) -> Effects:
    """Put a fit into words and numbers, one row per contrast; `asking` is (seed, twins)."""
    rule = plan.outcomes[outcome]
    found = whole(plan, fit, *asking)
    parts, tables = [], []
    for name in sorted({c.family for c in fit.listed}):
        places = [i for i, c in enumerate(fit.listed) if c.family == name]
        checked = suite(plan, fit, found, places, rule.age[1])
        parts.append(_family(rule, fit, places, checked, plan.levels.band))
        tables.append((name, places, checked))
    table = pd.concat(parts, ignore_index=True)
    table["q"] = false_discovery(table["p"].to_numpy(float), table["family"].tolist())
    status = status_of(plan, frozen)
    budget = plan.levels.fdr * rule.fdr_share
    graded = [grade(_evidence(row, rule, status, budget)) for row in _records(table)]
    table["grade"] = [g.letter for g in graded]
    table["reason"] = [g.reason for g in graded]
    behind = _behind(fit, found, tables)
    graded_table = _stamped(table, plan, outcome, status)
    return Effects(outcome, graded_table, behind, _notes(fit, found), _counts(fit))


def _counts(fit: Fit) -> dict[str, int]:
    able, recorded = len(fit.asked.y), int(fit.asked.recorded.sum())
    gaps = int(np.isnan(fit.asked.x).any(axis=0).sum())
    return {"able": able, "recorded": recorded, "lost": able - recorded, "gaps": gaps}


def barred(
    plan: Plan, outcome: str, frozen: tuple[Frozen, ...], listed: list[Contrast], why: str
) -> Effects:
    """Report contrasts that could not be estimated: a D row each, with the reason."""
    table = pd.DataFrame(
        {
            "family": [c.family for c in listed],
            "contrast": [c.name for c in listed],
            "subgroup": [c.subgroup for c in listed],
            "reference": [c.reference for c in listed],
        }
    ).astype(str)
    empty: tuple[str, ...] = ("ess", "estimate", "se", "low", "high", "band_low", "band_high")
    empty += ("crit", "area_low", "area_high", "pooled", "pooled_low", "pooled_high")
    for name in (*empty, "mde80", "p", "q", "evalue", "evalue_limit", *DOUBTS):
        table[name] = np.nan
    for name in ("n_arm", "n_reference", "n", "families", "df_resid", "rank"):
        table[name] = 0
    for name in ("patterns", "min_level", "min_events"):
        table[name] = 0
    for number in checks.NUMBERS:
        table[f"check_{number}"] = checks.NOT_RUN
    table["grade"], table["reason"] = "D", why
    told = _stamped(table, plan, outcome, status_of(plan, frozen))
    none = {name: pd.DataFrame() for name in ("benchmarks", "controls", "twin")}
    sizes = dict.fromkeys(("able", "recorded", "lost", "gaps"), 0)
    return Effects(outcome, told, none, [why], sizes)


def _family(
    rule: OutcomeRule, fit: Fit, places: list[int], checked: Suite, level: float
) -> pd.DataFrame:
    listed = [fit.listed[i] for i in places]
    verdicts = {c.number: c.verdicts for c in checked.checked}
    none = [NOT_RUN] * len(listed)
    areas = fit.areas(places, level)
    table = pd.DataFrame(
        {
            "family": [c.family for c in listed],
            "contrast": [c.name for c in listed],
            "subgroup": [c.subgroup for c in listed],
            "reference": [c.reference for c in listed],
            **_limits(checked.bands),
            "area_low": areas.band_low,
            "area_high": areas.band_high,
            **pulled(fit, places, level),
            **_sizes(fit, listed),
            **{f"check_{n}": verdicts.get(n, none) for n in checks.NUMBERS},
            **dict.fromkeys(DOUBTS, np.nan),
            **checked.columns,
        }
    )
    rows = zip(listed, _rows(checked.bands), strict=True)
    told = [_evalue(fit, rule, c, row) for c, row in rows]
    return table.assign(evalue=[t.estimate for t in told], evalue_limit=[t.limit for t in told])


def _limits(bands: Bands) -> dict[str, Floats | float]:
    return {
        "estimate": bands.estimate,
        "se": bands.se,
        "low": bands.low,
        "high": bands.high,
        "band_low": bands.band_low,
        "band_high": bands.band_high,
        "crit": bands.crit,
        "mde80": (bands.crit + POWER) * bands.se,
        "p": bands.p,
    }


def _rows(bands: Bands) -> list[tuple[float, float, float]]:
    return [
        (float(e), float(low), float(high))
        for e, low, high in zip(bands.estimate, bands.low, bands.high, strict=True)
    ]


def _sizes(fit: Fit, listed: list[Contrast]) -> dict[str, Any]:
    """Count children with a result in the arm and its reference, and what the gate asks for."""
    seen, y = fit.asked.recorded, fit.asked.y
    inside = np.hstack([s.inside for s in fit.asked.sets])
    events = (y == 1) if set(np.unique(y[seen])) <= {0.0, 1.0} else seen
    told: dict[str, list[Any]] = {
        k: [] for k in ("n_arm", "n_reference", "ess", "recorded", "min_events")
    }
    for c in listed:
        where = np.ones(len(y), bool) if c.where is None else c.where
        arms = inside[where][:, c.arms]
        counts = (arms & seen[where, None]).sum(axis=0)
        told["n_arm"].append(int(counts[-1]))
        told["n_reference"].append(int(counts[0]))
        told["ess"].append(float(effective(fit.weight[where][:, c.arms]).min()))
        told["recorded"].append(float((counts / np.maximum(arms.sum(axis=0), 1)).min()))
        hit = (arms & events[where, None]).sum(axis=0)
        miss = counts - hit
        told["min_events"].append(int(min(hit.min(), miss.min() if miss.any() else hit.min())))
    return told | _gate(fit)


def _gate(fit: Fit) -> dict[str, int]:
    seen = fit.asked.recorded
    model = np.hstack([np.nan_to_num(fit.asked.x, nan=-9e9), fit.asked.started])[seen]
    levels = [np.unique(c, return_counts=True)[1] for c in model.T]
    return {
        "n": int(seen.sum()),
        "families": len(np.unique(fit.asked.family[seen])),
        "df_resid": max(0, int(seen.sum()) - fit.rank),
        "rank": fit.rank,
        "patterns": len(np.unique(model, axis=0)),
        "min_level": int(min((c.min() for c in levels if len(c) <= 3), default=0)),
    }


def _evalue(fit: Fit, rule: OutcomeRule, c: Contrast, row: tuple[float, float, float]) -> Any:
    estimate, low, high = row
    base = float(fit.means.theta[np.flatnonzero(c.row < 0)[0]])
    if rule.scale == "risk" and c.arms.sum() == 2 and c.subgroup == "all" and base > 0:
        return evalue(*(max(base + v, 1e-6) / base for v in (estimate, low, high)))
    return evalue(*(ratio_of_sd(v / fit.sd) for v in (estimate, low, high)))


def _evidence(row: dict[str, Any], rule: OutcomeRule, status: Any, budget: float) -> Evidence:
    return Evidence(
        status=status,
        small=rule.small,
        budget=budget,
        family=row["family"],
        alone=row["low"] > 0 or row["high"] < 0,
        checks=tuple(row[f"check_{n}"] for n in checks.NUMBERS),
        **{k: row[k] for k in ("estimate", "se", "crit", "q", "ess", "recorded", "same_sign")},
    )


def _stamped(table: pd.DataFrame, plan: Plan, outcome: str, status: str) -> pd.DataFrame:
    rule = plan.outcomes[outcome]
    told = table.drop(columns=["recorded", "same_sign"], errors="ignore").assign(
        outcome=outcome,
        trial=rule.trial,
        arms=table["contrast"],
        unit=UNITS[rule.scale],
        status=status,
        plan_hash=plan_hash(plan),
    )
    told["wording_key"] = pd.Series([_key(r, rule.better) for r in _records(told)], dtype=str)
    return told.sort_values(["family", "contrast", "subgroup"], ignore_index=True)


def _key(row: dict[str, Any], better: str) -> str:
    letter = str(row["grade"]).lower()
    if letter in ("d", "n"):
        return f"{row['family']}_{letter}"
    up = (row["estimate"] > 0) == (better == "higher")
    return f"{row['family']}_{letter}_{'better' if up else 'worse'}"


def _behind(
    fit: Fit, found: Whole, families: list[tuple[str, list[int], Suite]]
) -> dict[str, pd.DataFrame]:
    """Return the tables behind checks and plots: aggregates by contrast, never a child's row."""
    told = {
        "specifications": _tidy(fit, found.specifications, "spec"),
        "others": _tidy(fit, found.others, "estimator"),
        "shifts": _tidy(fit, found.shifts, "part"),
        "checks": pd.concat([_numbers(fit, p, s) for _, p, s in families], ignore_index=True),
        "twin": pd.DataFrame([{"family": n, **asdict(c)} for n, c in found.twins.items()]),
    }
    for table in ("benchmarks", "controls", "companions", "evenness", "links"):
        parts = [s.tables[table].assign(family=n) for n, _, s in families if table in s.tables]
        told[table] = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return {name: _short(table) for name, table in told.items()}


def _numbers(fit: Fit, places: list[int], checked: Suite) -> pd.DataFrame:
    rows = [
        {**_place(fit.listed[i]), "check": c.number, "value": float(c.values[at]),
         "verdict": c.verdicts[at]}
        for c in checked.checked for at, i in enumerate(places)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _tidy(fit: Fit, told: dict[str, Floats], name: str) -> pd.DataFrame:
    rows = [
        {name: words, **_place(c), "estimate": float(value)}
        for words, values in told.items()
        for c, value in zip(fit.listed, values, strict=True)
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=[name, *PLACE, "estimate"])


def _place(c: Contrast) -> dict[str, str]:
    return {"family": c.family, "contrast": c.name, "subgroup": c.subgroup}


def _short(table: pd.DataFrame) -> pd.DataFrame:
    numbers = table.select_dtypes("float").columns
    return table.assign(**{n: [float(f"{v:.{DIGITS}g}") for v in table[n]] for n in numbers})


def _told(table: pd.DataFrame) -> list[dict[str, Any]]:
    # JSON has no NaN: what is not known is null.
    return [{k: None if v != v else v for k, v in row.items()} for row in _records(table)]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict(orient="records")]


def _notes(fit: Fit, found: Whole) -> list[str]:
    replicates = max((c.replicates for c in found.twins.values()), default=0)
    return [
        f"{len(fit.asked.y)} eligible children could have a result, "
        f"{int(fit.asked.recorded.sum())} have one",
        f"gaps in the background: filled {fit.fillings} times with the outcome in view",
        "3: least squares, boosted trees alone, overlap weights, residents only",
        f"4: {len(found.specifications)} specifications (outcome model, propensity, background, "
        "grace, floor)",
        "5: outcomes fixed before any service, services first started after the result; one joint "
        "band over all",
        "6: each block of background left out and fitted again by least squares",
        "7: before and from March 2020, and without each ward, from the influences",
        "8: all deals of the arms within fifths of propensity, in closed form",
        f"10: {replicates} twins of these data with known differences, fitted anew each time",
        "11: what filled gaps and uncertain links add to the variance; links counted by weight, "
        "only sure ones, doubtful ones too",
        "12: shares recorded and months observed by arm; other results of those not recorded",
    ]
