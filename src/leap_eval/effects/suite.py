"""The robustness suite: twelve checks of every contrast, each a number and a verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from leap_eval.effects import checks, hidden, recorded
from leap_eval.effects.aipw import ArmMeans, Floats, arm_means
from leap_eval.effects.bands import POINTWISE, Bands
from leap_eval.effects.checks import NOT_RUN, Models, verdict
from leap_eval.effects.contrasts import Contrast, weighted
from leap_eval.effects.controls import controls
from leap_eval.effects.fit import Fit, estimates
from leap_eval.effects.placebo import placebo
from leap_eval.effects.problem import Problem
from leap_eval.effects.specifications import specifications
from leap_eval.effects.stability import shifts
from leap_eval.effects.surface import (
    background,
    columns_of,
    recorded_probability,
    ridge_surfaces,
)
from leap_eval.effects.trees import grown, tree_surfaces
from leap_eval.effects.twin import Coverage, twin
from leap_eval.settings import Plan

BEYOND_THE_PLAN = ("birth_month", "used_")


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """One check of C contrasts: the number behind each verdict, and the table behind those."""

    number: int
    values: Floats
    verdicts: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """All checks of one family of contrasts, further columns, and the tables behind them."""

    bands: Bands
    checked: list[Checked]
    columns: dict[str, Floats]
    tables: dict[str, pd.DataFrame]


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """What is worked out once for all contrasts (C,) of an outcome."""

    specifications: dict[str, Floats]
    others: dict[str, Floats]
    shifts: dict[str, Floats]
    placebo: tuple[Floats, Floats]
    twins: dict[str, Coverage]
    unrecorded: Floats  # (A,)


def whole(plan: Plan, fit: Fit, seed: int, replicates: int) -> Whole:
    """Work out every other answer of an outcome: most rest on the headline's own nuisances.

    Only the plan's background alone is fitted again, and the twin fits itself.
    """
    asked, models, listed = fit.asked, fit.models, fit.listed
    mixed = models.surfaces["mixed"]
    specs = specifications(
        plan, asked, {"all": models, "plan alone": _reduced(asked, models, seed)}
    )
    return Whole(
        specifications={s.words: estimates(s.means, listed) for s in specs},
        others=_others(plan, fit),
        shifts=shifts(asked, listed, fit.means.phi),
        placebo=placebo(asked, listed, mixed, models.pi),
        twins=twin(asked, models, listed, plan.levels.band, (seed, replicates)),
        unrecorded=recorded.unrecorded(asked, models.pi),
    )


def _reduced(asked: Problem, models: Models, seed: int) -> Models:
    kept = [i for i, n in enumerate(models.names) if not n.startswith(BEYOND_THE_PLAN)]
    names = tuple(models.names[i] for i in kept)
    x, z = models.given.x[:, kept], models.z[:, kept]
    given = background(names, x, asked)
    line, _ = ridge_surfaces(asked, given)
    tree = tree_surfaces(asked, x, grown(asked, x, seed), np.ones(len(x), bool))
    tree = np.where(np.isnan(tree), line, tree)
    surfaces = {"mixed": (line + tree) / 2, "ridge": line, "boosted": tree}
    return Models(names, given, surfaces, recorded_probability(asked, z), z)


def _others(plan: Plan, fit: Fit) -> dict[str, Floats]:
    asked, models = fit.asked, fit.models
    phi = checks.regression(asked, np.hstack([models.given.x, models.given.curved]), asked.y)
    least_squares = estimates(ArmMeans(phi.mean(axis=0), phi), fit.listed)
    subgroup = np.array([c.subgroup != "all" for c in fit.listed], dtype=bool)
    boosted = arm_means(asked.y, models.surfaces["boosted"], fit.weight)
    return {
        "least squares": np.where(subgroup, np.nan, least_squares),
        "boosted trees alone": estimates(boosted, fit.listed),
        "overlap weights": estimates(checks.overlap_means(asked, models), fit.listed),
        "residents only": _residents(plan, fit),
    }


def _residents(plan: Plan, fit: Fit) -> Floats:
    """Estimate for those still in the area at the end of grace; NaN where no leaving is known."""
    left = pd.to_datetime(fit.asked.table["left_month"])
    zero = pd.to_datetime(fit.asked.table[f"{fit.asked.trial}_time_zero"])
    if left.isna().all():
        return np.full(len(fit.listed), np.nan)
    here = ~(left < zero + pd.DateOffset(months=plan.months.grace)).to_numpy(bool)
    within = [replace(c, where=here if c.where is None else here & c.where) for c in fit.listed]
    return estimates(fit.means, within)


def suite(plan: Plan, fit: Fit, found: Whole, places: list[int], last: int) -> Suite:
    """Check one family of contrasts; `last` is the latest age in months of a result."""
    listed = [fit.listed[i] for i in places]
    bands = fit.bands(places, plan.levels.band)
    headline = all(c.subgroup == "all" for c in listed)  # not subgroups
    tables: dict[str, pd.DataFrame] = {}
    done = [*_design(fit, found, listed), *_elsewhere(found, bands, places, headline)]
    columns = _sizes_of_doubt(plan, fit, listed, bands, done, tables)
    columns["same_sign"] = done[3].values
    missing = np.array([float(found.unrecorded[_last_arm(c)]) for c in listed])
    columns["tipping"] = recorded.tipping(bands, missing, fit.sd)
    done.append(_graded(9, columns["tipping"], 0.20, 0.10))
    if headline:
        done += _headline(plan, fit, found, (places, last), bands, tables)
    coverage = found.twins.get(listed[0].family)
    columns["share_missing"] = fit.pooled.share_missing[places]
    columns["share_links"] = fit.pooled.share_links[places]
    checked, tables["links"] = _links(fit, listed, bands, places)
    done.append(checked)
    columns["twin_coverage"] = np.full(len(listed), coverage.joint if coverage else np.nan)
    return Suite(bands, sorted(done, key=lambda c: c.number), columns, tables)


def _links(
    fit: Fit, listed: list[Contrast], bands: Bands, places: list[int]
) -> tuple[Checked, pd.DataFrame]:
    """Run check 11: what gaps and links add to the variance, and other ways to take links."""
    best = estimates(fit.means, listed)
    others = {
        "weighted": weighted(fit.means.phi, listed, fit.asked.link_weight),
        "strict": best + fit.moves.strict[places],
        "loose": best + fit.moves.loose[places],
    }
    told = np.array(list(others.values()))
    turned = (np.isfinite(told) & (np.sign(told) != np.sign(bands.estimate))).any(axis=0)
    claimed = (bands.low > 0) | (bands.high < 0)
    added = fit.pooled.share_missing[places] + fit.pooled.share_links[places]
    verdicts = [verdict(v, 0.30, 0.50) for v in np.where(turned & claimed, 1.0, added)]
    table = pd.DataFrame({"contrast": [c.name for c in listed], **others})
    return Checked(11, added, verdicts), table


def _design(fit: Fit, found: Whole, listed: list[Contrast]) -> list[Checked]:
    floored = np.concatenate([s.floored for s in fit.asked.sets])
    apart = np.array([float(fit.imbalance[c.arms].max()) for c in listed])
    outside = np.array([float(floored[c.arms].max()) for c in listed])
    return [
        Checked(1, apart, [verdict(v, 0.10, 0.20) for v in apart]),
        Checked(2, outside, [verdict(v, 0.05, 0.20) for v in outside]),
    ]


def _elsewhere(found: Whole, bands: Bands, places: list[int], headline: bool) -> list[Checked]:
    others, specs, moved = (
        np.array([v[places] for v in told.values()])
        for told in (found.others, found.specifications, found.shifts)
    )
    away, agreed = checks.alternatives(bands, others)
    same, spread = checks.curve(bands, specs)
    half = bands.crit * bands.se
    most = np.nan_to_num(np.abs(moved - bands.estimate) / half).max(axis=0)
    # A subgroup has no least-squares answer, and no control of its own.
    return [
        Checked(3, away, agreed if headline else [NOT_RUN] * len(places)),
        Checked(4, same, spread),
        Checked(7, most, [verdict(v, 1.0, 1.5) for v in most]),
    ]


def _headline(
    plan: Plan, fit: Fit, found: Whole, asked: tuple[list[int], int],
    bands: Bands, tables: dict[str, pd.DataFrame],
) -> list[Checked]:  # fmt: skip
    """Run the checks that subgroups have no answer to: 5, 8, 10, 12."""
    places, last = asked
    listed, level = [fit.listed[i] for i in places], plan.levels.band
    # One alarm over all families of an outcome, not one for each.
    families = len({c.family for c in fit.listed if c.subgroup == "all"})
    asking = last, recorded.over(level, families)
    verdicts, told = controls(plan, fit.asked, fit.models, listed, asking)
    tables["controls"] = pd.DataFrame([asdict(t) for t in told])
    worst = np.array([max((abs(t.estimate) for t in told if t.contrast in (c.name, *c.name.split(
        " + "))), default=np.nan) for c in listed])  # fmt: skip
    mean, spread = (v[places] / bands.se for v in found.placebo)
    even = recorded.evenness(fit.asked, fit.models, listed, level, families)
    tables["companions"] = pd.DataFrame(even.companions)
    tables["evenness"] = pd.DataFrame(
        {"contrast": [c.name for c in listed], "recorded": even.recorded, "months": even.months}
    )
    coverage = found.twins.get(listed[0].family)
    joint = np.full(len(listed), coverage.joint if coverage else np.nan)
    covered = _covered(coverage.joint) if coverage else NOT_RUN
    return [
        Checked(5, worst, verdicts),
        Checked(8, spread, [_dealt(m, s) for m, s in zip(mean, spread, strict=True)]),
        Checked(10, joint, [covered] * len(listed)),
        Checked(12, even.recorded, even.verdicts),
    ]


def _dealt(mean: float, spread: float) -> str:
    if abs(mean) <= 0.2 and 0.8 <= spread <= 1.2:
        return "pass"
    return "warn" if abs(mean) <= 0.4 and 0.65 <= spread <= 1.5 else "fail"


def _covered(joint: float) -> str:
    # Bands that hold more often than they say waste children, but mislead nobody.
    return "pass" if joint >= 0.90 else "warn" if joint >= 0.85 else "fail"


def _graded(number: int, values: Floats, best: float, fair: float) -> Checked:
    told = ["pass" if v >= best else "warn" if v >= fair else "fail" for v in values]
    return Checked(number, values, told)


def _last_arm(c: Contrast) -> int:
    return int(np.flatnonzero(c.row > 0)[-1])


def _sizes_of_doubt(
    plan: Plan, fit: Fit, listed: list[Contrast], bands: Bands, done: list[Checked],
    tables: dict[str, pd.DataFrame],
) -> dict[str, Floats]:  # fmt: skip
    """Run check 6: how strong a hidden confounder, against the strongest block observed."""
    blocks = _blocks(plan, fit.models.names)
    rv, limit, verdicts, rows = [], [], [], []
    for c in listed:
        of = leeway(fit, c)
        strongest = _benchmarks(fit, c, blocks)
        best = strongest[0] if strongest else hidden.Benchmark("none", 0.0, 0.0)
        left = hidden.bounds(of, best.cf_y, best.cf_d)
        kept = [np.sign(v) == np.sign(of.estimate) for v in (left.limit, left.estimate)]
        rv.append(hidden.robustness_value(of))
        limit.append(hidden.robustness_value(of, POINTWISE))
        verdicts.append("pass" if all(kept) else "warn" if kept[1] else "fail")
        rows += [
            {"contrast": c.name, "subgroup": c.subgroup, "most": of.most, **asdict(b)}
            for b in strongest
        ]
    tables["benchmarks"] = pd.DataFrame(rows)
    done.append(Checked(6, np.array(limit), verdicts))
    return {"rv": np.array(rv), "rv_limit": np.array(limit)}


def leeway(fit: Fit, c: Contrast) -> hidden.Leeway:
    """Measure what a hidden confounder could do to a contrast of a fit."""
    asked, columns = fit.asked, columns_of(fit.asked)[c.place]
    arms, row = asked.sets[c.place], c.row[columns]
    inside = arms.inside & asked.recorded[:, None] & (row != 0)
    where = np.ones(len(asked.y)) if c.where is None else c.where / c.where.mean()
    weight = fit.weight[:, columns]
    surface = fit.models.surfaces["mixed"][:, columns]
    own = np.where(inside, np.nan_to_num(asked.y)[:, None] - surface, 0.0).sum(axis=1)
    counted = inside.any(axis=1) * where
    squared = own**2 * counted / counted.mean()
    raw = arms.inside * asked.recorded[:, None] / (arms.e * fit.models.pi[:, None])
    scale = raw[arms.population].mean(axis=0)
    m_alpha = (row**2 / (arms.e * fit.models.pi[:, None] * scale)).sum(axis=1) * where**2
    return hidden.leeway(
        c.influence(fit.means.phi), squared, (weight @ row) * where, m_alpha, asked.family
    )


def _blocks(plan: Plan, names: tuple[str, ...]) -> dict[str, list[int]]:
    told: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        plain = name.removesuffix("_missing")
        rule = plan.covariates.get(plain)
        block = rule.block if rule else "calendar" if plain == "birth_month" else "services before"
        told.setdefault(block, []).append(i)
    return told


def _benchmarks(fit: Fit, c: Contrast, blocks: dict[str, list[int]]) -> list[hidden.Benchmark]:
    asked, columns = fit.asked, columns_of(fit.asked)[c.place]
    seen = asked.recorded if c.where is None else asked.recorded & c.where
    inside = asked.sets[c.place].inside.astype(float)
    rest = 1 - inside.sum(axis=1, keepdims=True)
    z = np.hstack([inside, rest, fit.models.given.x])[seen]
    first = inside.shape[1] + 1
    row = np.zeros(z.shape[1])
    row[: inside.shape[1]] = c.row[columns]
    return hidden.benchmarks(
        z, row, asked.y[seen], {n: [first + i for i in own] for n, own in blocks.items()}
    )
