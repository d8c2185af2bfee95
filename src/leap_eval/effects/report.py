"""The estimates of one outcome as a table: bands, false discovery, checks, grades."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from leap_eval.effects import checks
from leap_eval.effects.additive import pulled
from leap_eval.effects.aipw import Floats
from leap_eval.effects.bands import Bands, benjamini_hochberg
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.fit import Fit
from leap_eval.effects.grade import Evidence, grade
from leap_eval.effects.hidden import evalue, ratio_of_sd
from leap_eval.settings import Frozen, Plan, plan_hash, status_of
from leap_eval.settings.plan import OutcomeRule
from leap_eval.weighting import effective

UNITS = {"sd": "sd", "risk": "risk", "points": "points"}
POWER = float(norm.ppf(0.80))
DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Graded estimates of one outcome, and the tables behind their plots."""

    outcome: str
    estimates: pd.DataFrame
    specifications: pd.DataFrame
    others: pd.DataFrame
    links: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: list[str] = field(default_factory=list)

    def beside(self, others: Effects) -> Effects:
        """Return these estimates and the rows that could not be estimated, in one table."""
        if others.estimates.empty:
            return self
        both = pd.concat([self.estimates, others.estimates], ignore_index=True)
        order = ["family", "contrast", "subgroup"]
        return replace(self, estimates=both.sort_values(order, ignore_index=True))

    def told(self) -> dict[str, Any]:
        """Return what stands beside the estimates, for OUTCOME.json."""
        return {
            "outcome": self.outcome,
            "specifications": _records(self.specifications),
            "others": _records(self.others),
            "links": _records(self.links),
            "notes": self.notes,
        }


def report(plan: Plan, outcome: str, frozen: tuple[Frozen, ...], fit: Fit) -> Effects:
    """Put a fit into words and numbers, one row per contrast."""
    rule = plan.outcomes[outcome]
    families = sorted({c.family for c in fit.listed})
    parts = [_family(plan, rule, fit, name) for name in families]
    table = pd.concat(parts, ignore_index=True)
    table["q"] = benjamini_hochberg(table["p"].to_numpy(float))
    status = status_of(plan, frozen)
    budget = plan.levels.fdr * rule.fdr_share
    graded = [grade(_evidence(row, rule, status, budget)) for row in _records(table)]
    table["grade"] = [g.letter for g in graded]
    table["reason"] = [g.reason for g in graded]
    told = _stamped(table, plan, outcome, status)
    return Effects(
        outcome,
        told,
        _tidy(fit, fit.specifications),
        _tidy(fit, fit.others),
        _tidy(fit, {"weighted links": fit.weighted_links}),
        _notes(fit),
    )


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
    empty = (
        "ess",
        "estimate",
        "se",
        "low",
        "high",
        "band_low",
        "band_high",
        "crit",
        "area_low",
        "area_high",
        "share_missing",
        "pooled",
        "pooled_low",
        "pooled_high",
    )
    for name in (*empty, "mde80", "p", "q", "evalue", "evalue_limit"):
        table[name] = np.nan
    for name in ("n_arm", "n_reference", "n", "families", "df_resid", "rank"):
        table[name] = 0
    for name in ("patterns", "min_level", "min_events"):
        table[name] = 0
    for number in checks.NUMBERS:
        table[f"check_{number}"] = checks.NOT_RUN
    table["grade"], table["reason"] = "D", why
    none = pd.DataFrame(columns=["spec", "family", "contrast", "subgroup", "estimate"])
    told = _stamped(table, plan, outcome, status_of(plan, frozen))
    return Effects(outcome, told, none, none, none, [why])


def _family(plan: Plan, rule: OutcomeRule, fit: Fit, name: str) -> pd.DataFrame:
    places = [i for i, c in enumerate(fit.listed) if c.family == name]
    listed = [fit.listed[i] for i in places]
    bands = fit.bands(places, plan.levels.band)
    areas = fit.areas(places, plan.levels.band)
    same, checked = _checks(plan, fit, places, bands)
    table = pd.DataFrame(
        {
            "family": name,
            "contrast": [c.name for c in listed],
            "subgroup": [c.subgroup for c in listed],
            "reference": [c.reference for c in listed],
            **_limits(bands),
            "area_low": areas.band_low,
            "area_high": areas.band_high,
            "share_missing": fit.pooled.share_missing[places],
            **pulled(fit, places, bands),
            **_sizes(fit, listed),
            **checked,
            "same_sign": same,
        }
    )
    told = [_evalue(fit, rule, c, row) for c, row in zip(listed, _rows(bands), strict=True)]
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
        "p": 2 * norm.sf(np.abs(bands.estimate) / bands.se),
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


def _checks(
    plan: Plan, fit: Fit, places: list[int], bands: Bands
) -> tuple[Floats, dict[str, list[str]]]:
    listed = [fit.listed[i] for i in places]
    others = np.array([v[places] for v in fit.others.values()])
    same, spread = checks.curve(
        bands.estimate, bands, np.array([v[places] for v in fit.specifications.values()])
    )
    floored = np.concatenate([s.floored for s in fit.asked.sets])
    share = np.hstack([s.inside for s in fit.asked.sets])
    recorded = (share & fit.asked.recorded[:, None]).sum(axis=0) / share.sum(axis=0)
    whole = all(c.subgroup == "all" for c in listed)
    lost = np.array([1 - float(recorded[c.arms].min()) for c in listed])
    told = {n: [checks.NOT_RUN] * len(listed) for n in checks.NUMBERS}
    told[1] = [checks.verdict(float(fit.imbalance[c.arms].max()), 0.10, 0.20) for c in listed]
    told[2] = [checks.verdict(float(floored[c.arms].max()), 0.05, 0.20) for c in listed]
    told[4] = spread
    told[9] = checks.tipping(bands, lost, fit.sd)
    if whole:  # a subgroup has no least-squares answer, and no control of its own
        told[3] = checks.alternatives(bands.estimate, bands.crit * bands.se, bands, others)
        told[5] = checks.negative_controls(fit.asked, listed, fit.controls, plan.levels.band)
    return same, {f"check_{n}": v for n, v in told.items()}


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


def _tidy(fit: Fit, told: dict[str, Floats]) -> pd.DataFrame:
    rows = [
        {
            "spec": words,
            "family": c.family,
            "contrast": c.name,
            "subgroup": c.subgroup,
            "estimate": float(f"{value:.{DIGITS}g}"),
        }
        for words, values in told.items()
        for c, value in zip(fit.listed, values, strict=True)
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict(orient="records")]


def _notes(fit: Fit) -> list[str]:
    return [
        f"{len(fit.asked.y)} eligible children could have a result, "
        f"{int(fit.asked.recorded.sum())} have one",
        f"gaps in the background: filled {fit.fillings} times with the outcome in view",
        "check 3: least squares, boosted trees alone, overlap weights",
        f"check 4: {len(fit.specifications)} specifications (surface, floor, recording)",
        "check 5: regression on arms and background without the control itself",
        "checks 6, 7, 8, 10, 11, 12: not run in this version, hence no grade A",
    ]
