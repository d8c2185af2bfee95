"""The parts of the effects engine against second implementations and published numbers."""

import doubleml as dml
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression
from statsmodels.stats.multitest import multipletests

from leap_eval.effects import (
    ArmMeans,
    Evidence,
    Given,
    Measured,
    arm_means,
    arm_weights,
    benjamini_hochberg,
    evalue,
    false_discovery,
    grade,
    joint,
    scored,
)
from leap_eval.effects.bands import banded, clustered, critical_value, of
from leap_eval.effects.problem import merged
from leap_eval.effects.ridge import ridge
from leap_eval.errors import PlanError
from leap_eval.reference.vocabulary import wording_keys
from leap_eval.reference.wording import wording


@pytest.fixture
def trial():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(800, 3))
    score = np.exp(np.column_stack([np.zeros(800), 0.5 * x[:, 0], -0.4 * x[:, 1]]))
    e = score / score.sum(axis=1, keepdims=True)
    arm = (rng.random((800, 1)) > e.cumsum(axis=1)).sum(axis=1)
    y = x @ [0.5, 0.3, 0.0] + 0.4 * arm + rng.normal(size=800)
    surface = x @ [0.4, 0.2, 0.1] + 0.3 * np.arange(3)[:, None]
    return x, arm, y, e, surface.T


def test_arm_means_agree_with_doubleml_on_the_same_nuisances(trial):
    x, arm, y, e, surface = trial
    inside = arm[:, None] == np.arange(3)
    ours = arm_means(y, surface, arm_weights(inside, e, np.ones(800, bool), np.ones(800)))
    data = dml.DoubleMLData.from_arrays(x, y, arm)
    for a in range(3):
        model = dml.DoubleMLAPO(
            data, LinearRegression(), LogisticRegression(), treatment_level=a, normalize_ipw=True
        )
        told = {"ml_g_d_lvl0": surface[:, [a]], "ml_g_d_lvl1": surface[:, [a]], "ml_m": e[:, [a]]}
        model.fit(external_predictions={"d": told})
        assert ours.theta[a] == pytest.approx(model.coef[0], abs=1e-8)


def test_adding_a_constant_to_every_outcome_changes_no_contrast(trial):
    _, arm, y, e, surface = trial
    w = arm_weights(arm[:, None] == np.arange(3), e, np.ones(800, bool), np.ones(800))
    before, after = arm_means(y, surface, w).theta, arm_means(y + 7, surface, w).theta
    assert np.allclose(np.diff(after), np.diff(before))


def test_unrecorded_results_have_no_weight_whatever_stands_there(trial):
    _, arm, y, e, surface = trial
    recorded = np.arange(800) % 3 > 0
    w = arm_weights(arm[:, None] == np.arange(3), e, recorded, np.full(800, 2 / 3))
    gap, wild = np.where(recorded, y, np.nan), np.where(recorded, y, 1e6)
    assert np.array_equal(arm_means(gap, surface, w).theta, arm_means(wild, surface, w).theta)


def test_an_arm_without_a_result_raises_instead_of_dividing_by_zero():
    with pytest.raises(PlanError, match="no child with a result"):
        arm_weights(np.array([[True], [True]]), np.full((2, 1), 0.5), np.zeros(2, bool), np.ones(2))


def test_clustered_standard_errors_agree_with_statsmodels():
    rng = np.random.default_rng(1)
    family = rng.integers(0, 90, 300)
    y = rng.normal(size=90)[family] + rng.normal(size=300)
    codes = pd.factorize(family, sort=True)[0]
    ours = np.sqrt(clustered((y - y.mean())[:, None], codes)[0, 0])
    theirs = sm.OLS(y, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": family}).bse[0]
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_critical_value_agrees_with_a_plain_multiplier_bootstrap_over_families():
    rng = np.random.default_rng(2)
    family = np.repeat(np.arange(400), 2)
    psi = rng.normal(size=(800, 4)) @ rng.normal(size=(4, 6)) + rng.normal(size=(400, 6))[family]
    psi -= psi.mean(axis=0)
    sums = np.add.reduceat(psi, np.arange(0, 800, 2))
    drawn = rng.normal(size=(20_000, 400)) @ sums / np.sqrt((sums**2).sum(axis=0))
    plain = np.quantile(np.abs(drawn).max(axis=1), 0.95)
    assert critical_value(clustered(psi, family)) == pytest.approx(plain, abs=0.04)


def test_one_contrast_alone_has_the_pointwise_critical_value():
    assert critical_value(np.array([[2.0]])) == pytest.approx(1.959964, abs=1e-6)
    assert critical_value(np.array([[2.0]]), free=23) == pytest.approx(2.068658, abs=1e-6)


def test_joint_bands_hold_all_means_together_as_often_as_they_say():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        phi = rng.normal(size=(300, 5))
        band = joint(ArmMeans(phi.mean(axis=0), phi), np.eye(5), np.arange(300))
        held += bool(((band.band_low <= 0) & (band.band_high >= 0)).all())
    assert 0.90 <= held / 200 <= 0.99


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_false_discovery_rates_agree_with_statsmodels(p):
    theirs = multipletests(p, method="fdr_bh")[1]
    assert np.allclose(benjamini_hochberg(np.array(p)), theirs)


def test_a_scan_of_nulls_finds_no_more_for_standing_beside_real_effects():
    draw, false, scanned = np.random.default_rng(8), 0, 27
    family = ["service"] * 30 + ["pair_scan"] * scanned
    for _ in range(400):
        z = draw.normal(size=len(family)) + np.where(np.array(family) == "service", 6, 0)
        p = 2 * norm.sf(np.abs(z))
        q = false_discovery(p, family)
        assert (q >= benjamini_hochberg(p)).all()
        false += bool((q[-scanned:] <= 0.10).any())
    assert false / 400 <= 0.13


def test_the_published_example_gives_the_published_e_values():
    told = evalue(3.9, 1.8, 8.7)
    assert (round(told.estimate, 2), round(told.limit, 2)) == (7.26, 3.00)


def test_an_interval_that_holds_no_effect_has_an_e_value_of_one_at_its_limit():
    assert evalue(0.8, 0.5, 1.2).limit == 1
    assert evalue(0.5, 0.3, 0.8).estimate == pytest.approx(evalue(2, 1.25, 3.3).estimate)


def test_ridge_with_a_vanishing_penalty_is_least_squares():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(4000, 4))
    y = x @ [5.0, -3.0, 2.0, 0.0] + 0.01 * rng.normal(size=4000)
    assert ridge(x, y).coefficients == pytest.approx(
        sm.OLS(y, sm.add_constant(x)).fit().params[1:], abs=1e-3
    )


PASS = ("pass",) * 12
FIRST = ("pass",) * 5 + ("not_run",) * 3 + ("pass",) + ("not_run",) * 3


def evidence(**told):
    numbers = {"estimate": 0.3, "se": 0.05, "crit": 2.8, "small": 0.1, "q": 0.001, "budget": 0.04}
    usual = {"status": "prespecified", "ess": 300.0, "recorded": 0.8, "same_sign": 1.0}
    known = usual | numbers | {"checks": PASS} | told
    return Evidence(**{"alone": abs(known["estimate"]) > 1.96 * known["se"]} | known)


@pytest.mark.parametrize(
    ("told", "letter"),
    [
        ({}, "A"),
        ({"checks": FIRST}, "B"),
        ({"family": "dose"}, "B"),
        ({"checks": FIRST, "se": 0.12, "q": 0.03}, "B"),
        ({"checks": FIRST, "se": 0.12, "q": 0.03, "family": "pair_scan"}, "C"),
        ({"checks": (*PASS[:4], "fail", *PASS[5:])}, "C"),
        ({"status": "exploratory"}, "C"),
        ({"status": "amended"}, "B"),
        ({"q": 0.05, "se": 0.12}, "C"),
        ({"estimate": 0.01, "se": 0.02}, "N"),
        ({"estimate": 0.01, "se": 0.2}, "D"),
        ({"ess": 99.0}, "D"),
        ({"recorded": 0.49}, "D"),
        ({"checks": ("fail", *PASS[1:])}, "D"),
        ({"checks": ("warn", "warn", *PASS[2:])}, "C"),
        ({"same_sign": 0.7, "q": 0.5, "se": 0.12}, "D"),
    ],
)
def test_the_grade_is_the_first_rule_that_holds(told, letter):
    assert grade(evidence(**told)).letter == letter


def test_a_grade_below_a_says_why_it_is_not_better():
    assert grade(evidence(checks=FIRST)).reason == "check 6 not_run, 10 not_run"
    assert grade(evidence(recorded=0.4)).reason == "result recorded for fewer than half"


BARRED = ("caused", "because of", "impact", "works", "significant")


@pytest.mark.parametrize("key", sorted(wording()))
def test_no_sentence_says_more_than_its_grade_allows(key):
    words = wording()[key].lower()
    assert not [b for b in BARRED if b in words]
    assert len(words.split()) <= 25
    assert "effect" not in words or "_a_" in key
    assert "cannot tell" in words or not key.endswith("_d")


def test_sentences_have_only_slots_that_released_values_can_fill():
    slots = dict.fromkeys(("services", "outcome", "estimate", "low", "high", "unit", "n"), "x")
    assert all("{" not in text.format(**slots) for text in wording().values())


def test_every_family_has_a_sentence_for_every_grade_and_direction():
    families = ("combination", "service", "pair_named", "pair_scan", "subgroup")
    families += ("breadth", "dose", "subgroup_gap")
    kinds = ("d", "n", *(f"{g}_{d}" for g in "abc" for d in ("better", "worse")))
    assert set(wording()) == {f"{f}_{k}" for f in families for k in kinds} == wording_keys()


def test_no_level_or_gap_of_the_background_singles_out_fewer_than_ten_children():
    seen = np.arange(200) < 150
    need = np.where(np.arange(200) < 3, 2.0, np.where(np.arange(200) < 60, 1.0, 0.0))
    assert sorted(np.unique(merged(need, seen))) == [0.0, 1.0]
    few_gaps = np.where(np.arange(200) < 4, np.nan, need + np.arange(200) % 7)
    assert not np.isnan(merged(few_gaps, seen)).any()
    rare = (np.arange(200) < 5).astype(float)
    assert len(np.unique(merged(rare, seen))) == 1
    plain = (np.arange(200) < 50).astype(float)
    assert (merged(plain, seen) == plain).all()


def test_a_cube_of_scores_counts_those_without_one_and_names_the_two_largest():
    children = pd.DataFrame(
        {"study_id": list("abcdef"), "family_id": list("aabbcd"), "draw": [0, 0, 0, 0, 0, 1],
         "ward": ["oval", "oval", "oval", "oval", None, "oval"]}
    )  # fmt: skip
    results = pd.DataFrame(
        {"study_id": list("abcef"), "draw": [0, 0, 0, 0, 1], "value": [30.0, 50, np.nan, 20, 60]}
    )
    made = scored(Given(children, []), Measured("talk", results), 9)
    told = made.set_index(["ward", "recorded_talk"]).drop(columns="partners")
    assert told.loc[("oval", "yes")].tolist() == [2, 1, 80, 50, 30]
    assert told.loc[("oval", "no")].tolist() == [2, 1, 0, 0, 0]
    assert told.loc[("not_known", "yes")].tolist() == [1, 1, 20, 20, 0]


def test_bands_told_by_few_heavy_children_hold_where_normal_ones_are_too_narrow():
    rng = np.random.default_rng(4)
    weight = np.zeros((240, 8))
    for arm in range(8):  # thirty children each, who count for sixteen
        weight[30 * arm : 30 * arm + 30, arm] = rng.lognormal(0, 0.9, 30)
    weight *= 240 / weight.sum(axis=0)
    told = {"t": [], "normal": []}
    for _ in range(400):
        means = arm_means(rng.normal(size=240), np.zeros((240, 8)), weight)
        band = banded(means.phi, np.arange(240))
        plain = of(band.estimate, clustered(means.phi - band.estimate, np.arange(240)))
        for name, b in (("t", band), ("normal", plain)):
            told[name].append(bool(((b.band_low <= 0) & (b.band_high >= 0)).all()))
    assert np.mean(told["normal"]) < 0.88 < 0.91 < np.mean(told["t"])
