"""The robustness checks against second implementations, brute force and planted faults."""

from dataclasses import replace
from types import SimpleNamespace

import doubleml as dml
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression

from leap_eval.agreements import load_programme
from leap_eval.effects import Effects, facts, hidden, recorded, sheet
from leap_eval.effects.bands import POINTWISE, Bands
from leap_eval.effects.contrasts import Contrast
from leap_eval.effects.controls import late_starts
from leap_eval.effects.hidden import Leeway, benchmarks, bounds, leeway, robustness_value
from leap_eval.effects.placebo import placebo
from leap_eval.effects.problem import Arms, Measured
from leap_eval.reference.sheets import items
from leap_eval.settings import load_plan
from leap_eval.synthetic import contrast, draw, planted
from leap_eval.synthetic.places import places
from leap_eval.synthetic.planted import scenarios

Z = 1.6448536269514722  # DoubleML's limits are one-sided


@pytest.fixture(scope="module")
def irm():
    """One fitted interactive regression model of DoubleML, and its nuisances as ours take them."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(1500, 3))
    e = 1 / (1 + np.exp(-0.5 * x[:, 0]))
    d = (rng.random(1500) < e).astype(float)
    y = x @ [0.5, 0.3, 0.1] + 0.25 * d + rng.normal(size=1500)
    model = dml.DoubleMLIRM(
        dml.DoubleMLData.from_arrays(x, y, d),
        LinearRegression(),
        LogisticRegression(),
        normalize_ipw=False,
    )
    g0, g1 = x @ [0.45, 0.3, 0.1], x @ [0.45, 0.3, 0.1] + 0.2
    told = {"ml_g0": g0[:, None], "ml_g1": g1[:, None], "ml_m": e[:, None]}
    model.fit(external_predictions={"d": told})
    alpha = d / e - (1 - d) / (1 - e)
    own = np.where(d == 1, g1, g0)
    psi = g1 - g0 + alpha * (y - own)
    m_alpha = 1 / e + 1 / (1 - e)
    return model, leeway(psi, (y - own) ** 2, alpha, m_alpha, np.arange(1500))


def test_bounds_under_a_hidden_confounder_agree_with_doubleml(irm):
    model, ours = irm
    model.sensitivity_analysis(cf_y=0.04, cf_d=0.03)
    told = bounds(ours, 0.04, 0.03, z=Z)
    assert ours.estimate == pytest.approx(model.coef[0], abs=1e-10)
    assert told.estimate == pytest.approx(model.sensitivity_params["theta"]["lower"][0], abs=1e-6)
    # DoubleML 0.11.4 divides psi by its derivative, -1, and so adds the covariance that is to be
    # taken off; with its sign, and n instead of families less one, the limits are the same.
    theirs = replace(ours, covariance=-ours.covariance)
    limit = bounds(theirs, 0.04, 0.03, z=Z).limit
    told_limit = model.sensitivity_params["ci"]["lower"][0]
    assert (told.estimate - limit) * np.sqrt(1499 / 1500) == pytest.approx(
        told.estimate - told_limit, abs=1e-6
    )


def test_the_limit_of_a_bound_varies_as_often_drawn_samples_say():
    # Residuals are skewed in one arm alone: estimate and leeway go up together.
    rng = np.random.default_rng(20)
    drawn = []
    for _ in range(600):
        d = rng.integers(0, 2, 2000)
        noise = np.where(d == 1, rng.exponential(size=2000) - 1, 0.2 * rng.normal(size=2000))
        alpha = 4.0 * d - 2
        psi = 0.3 + alpha * noise
        of = leeway(psi, noise**2, alpha, np.full(2000, 4.0), np.arange(2000))
        drawn.append((of, bounds(of, 0.4, 0.4)))
    spread = np.std([told.estimate for _, told in drawn])
    errors = [(told.estimate - told.limit) / POINTWISE for _, told in drawn]
    turned = [bounds(replace(of, covariance=-of.covariance), 0.4, 0.4) for of, _ in drawn]
    assert np.mean(errors) == pytest.approx(spread, rel=0.08)
    assert np.mean([(t.estimate - t.limit) / POINTWISE for t in turned]) > 1.2 * spread


def test_robustness_values_agree_with_doubleml(irm):
    model, ours = irm
    model.sensitivity_analysis()
    rv, rva = model.sensitivity_params["rv"][0], model.sensitivity_params["rva"][0]
    # DoubleML searches to 1e-5; ours is in closed form and brings its own bound to 0.
    assert robustness_value(ours) == pytest.approx(rv, abs=2e-5)
    assert robustness_value(ours, Z) == pytest.approx(rva, abs=1e-4)
    at = robustness_value(ours)
    model.sensitivity_analysis(cf_y=at, cf_d=at)
    assert model.sensitivity_params["theta"]["lower"][0] == pytest.approx(0, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(
    st.floats(-2, 2).filter(lambda v: abs(v) > 1e-3), st.floats(0.1, 20), st.floats(1e-6, 0.3),
    st.floats(-0.9, 0.9), st.floats(1e-6, 1),
)  # fmt: skip
def test_a_confounder_of_the_robustness_value_brings_the_limit_to_zero(est, most, var, rho, spread):
    of = Leeway(est, most, var, rho * np.sqrt(var * spread), spread)
    for z in (0.0, 1.96):
        value = robustness_value(of, z)
        assert 0 <= value <= 1
        if 0 < value < 0.9:
            told = bounds(of, value, value, z)
            assert (told.limit if z else told.estimate) == pytest.approx(0, abs=1e-6)


def test_leaving_out_a_block_agrees_with_two_regressions_of_statsmodels():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(800, 3))
    d = (x[:, 0] + rng.normal(size=800) > 0).astype(float)
    y = d + x @ [1.0, 0.5, 0.0] + rng.normal(size=800)
    z = np.column_stack([1 - d, d, x])
    (told,) = benchmarks(z, np.array([-1.0, 1, 0, 0, 0]), y, {"need": [2]})
    long, short = sm.OLS(y, z).fit(), sm.OLS(y, z[:, [0, 1, 3, 4]]).fit()
    assert told.cf_y == pytest.approx(short.ssr / long.ssr - 1, rel=1e-9)
    left = sm.OLS(d, sm.add_constant(x)).fit().ssr, sm.OLS(d, sm.add_constant(x[:, 1:])).fit().ssr
    assert told.cf_d == pytest.approx(left[1] / left[0] - 1, rel=1e-9)


def test_a_block_without_a_part_in_outcome_or_uptake_is_no_confounder():
    rng = np.random.default_rng(10)
    d = np.arange(4000) % 2
    z = np.column_stack([1 - d, d, rng.normal(size=4000)]).astype(float)
    (told,) = benchmarks(z, np.array([-1.0, 1, 0]), rng.normal(size=4000), {"noise": [2]})
    assert hidden.strength(told.cf_y, told.cf_d) < 0.01


def set_of_arms(rng, n=3000):
    x = rng.normal(size=n)
    raw = np.exp(np.column_stack([np.ones(n), 0.4 * x, -0.3 * x - 0.5]))
    e = raw / raw.sum(axis=1, keepdims=True)
    arm = (rng.random((n, 1)) > e.cumsum(axis=1)).sum(axis=1)
    inside = arm[:, None] == np.arange(3)
    arms = Arms(
        "m12.combination", ((), ("a",), ("b",)), inside, e, np.zeros(3), e[None], np.ones(n, bool)
    )
    y = 0.5 * x + rng.normal(size=n)
    asked = SimpleNamespace(sets=(arms,), y=y, recorded=np.ones(n, bool))
    return asked, arms, y, x


def test_the_placebo_agrees_with_dealing_the_arms_anew_a_thousand_times():
    rng = np.random.default_rng(12)
    asked, arms, y, x = set_of_arms(rng)
    row = np.array([-1.0, 1.0, 0.0])
    surface = np.repeat(0.3 * x[:, None], 3, axis=1)
    mean, spread = placebo(asked, [Contrast("combination", "a", 0, row)], surface, np.ones(3000))
    cuts = np.quantile(arms.e[:, 0], [0.2, 0.4, 0.6, 0.8])
    fifth, label = np.searchsorted(cuts, arms.e[:, 0]), arms.inside.argmax(axis=1)
    told = []
    for _ in range(1000):
        order = np.lexsort((rng.random(3000), fifth))
        dealt = np.empty(3000, int)
        dealt[order] = label[np.argsort(fifth, kind="stable")]
        w = (dealt[:, None] == np.arange(3)) / arms.e
        told.append(((w * (y - surface[:, 0])[:, None]).sum(axis=0) / w.sum(axis=0)) @ row)
    assert mean[0] == pytest.approx(np.mean(told), abs=0.006)
    assert spread[0] == pytest.approx(np.std(told), rel=0.08)


def test_the_tipping_point_brings_the_band_exactly_to_zero():
    bands = Bands(np.array([0.3, -0.3, 0.1]), np.array([0.05, 0.05, 0.1]), 2.0)
    told = recorded.tipping(bands, np.array([0.4, 0.4, 0.4]), sd=1.0)
    assert told == pytest.approx([0.5, 0.5, 0.0])
    assert bands.band_low[0] - told[0] * 0.4 == pytest.approx(0)


def test_other_outcomes_stand_beside_a_result_and_enter_under_their_own_name():
    ours = Measured("score", pd.DataFrame({"study_id": ["a", "b"], "value": [1.0, np.nan]}))
    other = Measured("words", pd.DataFrame({"study_id": ["b"], "value": [3.0]}))
    told = recorded.companions(ours, {"score": ours, "words": other}).table
    assert list(told) == ["study_id", "value", "also_words"]
    assert told["also_words"].tolist()[1] == 3.0
    assert np.isnan(told["also_words"][0])


def seen_again(slope, seed=14):
    """One world of arms whose later result is recorded the likelier, the better the first."""
    rng = np.random.default_rng(seed)
    asked, _, y, x = set_of_arms(rng)
    again = rng.random(3000) < 1 / (1 + np.exp(-0.8 - 0.7 * x - slope * (y - 0.5 * x)))
    later = np.where(again, y + rng.normal(size=3000), np.nan)
    told = vars(asked) | {"table": pd.DataFrame({"also_later": later}), "family": np.arange(3000)}
    given_ = SimpleNamespace(x=x[:, None], curved=x[:, None] ** 2)
    rows = recorded._by_companions(SimpleNamespace(**told), SimpleNamespace(given=given_), 0.95)
    return {r["way"]: r["p"] for r in rows}


def test_a_result_that_goes_with_being_seen_again_is_told_background_alone_is_not():
    assert seen_again(0.4)["unrecorded there"] < 0.001
    assert np.mean([seen_again(0.0, seed)["unrecorded there"] < 0.05 for seed in range(40)]) <= 0.1


def test_a_start_after_the_childs_own_result_counts_as_too_late_to_have_moved_it():
    rng = np.random.default_rng(15)
    asked, _, y, x = set_of_arms(rng)
    start = np.where(rng.random(3000) < 0.1, 30.0, np.nan)
    table = pd.DataFrame({"start_a": start, "months": 27.0})
    told = vars(asked) | {"table": table, "services": ("a",), "trial": "m12"}
    asked = SimpleNamespace(**told, started=np.zeros((3000, 1), bool))
    models = SimpleNamespace(given=SimpleNamespace(x=x[:, None], curved=x[:, None] ** 2))
    plan = SimpleNamespace(trials={"m12": SimpleNamespace(time_zero=12)}, covariates={})
    ((service, psi),) = late_starts(plan, asked, models, last=33)
    late = ~np.isnan(start)
    by_hand = sm.OLS(y / y.std(), np.column_stack([late, np.ones(3000), x, x**2])).fit().params[0]
    assert service == "a"
    assert psi.mean() == pytest.approx(by_hand, abs=1e-9)
    asked.table = table.drop(columns="months")
    assert late_starts(plan, asked, models, last=33) == []


@pytest.mark.parametrize(("standard", "count"), [("target2025", 21), ("record", 13)])
def test_every_item_of_a_standard_is_filled_or_named_open(standard, count):
    told = items(standard)
    assert len({i.item for i in told}) == len(told) == count
    assert all(i.asks and i.where for i in told)
    assert all(bool(i.says) != (i.filled_by == "person") for i in told)
    assert {i.filled_by for i in told} <= {"plan", "stage", "programme", "person"}


def test_a_sheet_is_filled_from_the_run_and_says_whose_the_rest_is(root):
    plan = load_plan(root)
    table = pd.DataFrame(
        {"subgroup": ["all"], "estimate": [np.nan], "grade": "D", "status": "amended"}
    )
    nothing = Effects(
        "bmi_centile", table, {}, [], dict.fromkeys(("able", "recorded", "lost", "gaps"), 0)
    )
    told = sheet("target2025", facts(plan, nothing, load_programme(root)))
    assert len(told) == 21
    assert not told["says"].str.contains("{", regex=False).any()
    assert (told["says"].str.startswith("OPEN") == told["state"].eq("open")).all()
    assert told.set_index("item").loc["3", "says"] == plan.question


SMALL = [n for n in scenarios() if n.startswith("traps.")]


@pytest.mark.parametrize("name", [*SMALL, "null"])
def test_in_a_trap_world_nothing_has_an_effect_on_anybody(name):
    drawn = draw(planted(name), 7, 600)
    for services in (("chattertime",), ("chattertime", "making_it_real")):
        assert contrast(drawn, "asq3_communication", services).reported == 0


def test_each_trap_plants_what_its_name_says():
    drawn = {n: draw(planted(n), 7, 3000) for n in ("null", *SMALL)}
    kids, null = drawn["null"].children, drawn["null"]
    place = null.services.index("making_it_real")
    started = {n: w.starts[:, place] < 99 for n, w in drawn.items()}
    recorded = {n: w.latent.recorded["review"] for n, w in drawn.items()}
    base = null.latent.base["communication"]
    assert (drawn["traps.immortal"].children.leave < 48).mean() > (kids.leave < 48).mean() + 0.1
    gone = drawn["traps.leavers"].children.leave < 30
    assert kids.u[gone].mean() < kids.u[~gone].mean() - 0.1
    assert base[recorded["traps.mnar"]].mean() > base[~recorded["traps.mnar"]].mean() + 0.2
    deep = places().decile[kids.area] <= 3
    assert not started["traps.hole"][~deep].any()
    assert started["traps.hole"][deep].any()
    assert kids.u[started["traps.hidden"]].mean() > kids.u[started["null"]].mean() + 0.2
    shares = [
        recorded["traps.collider"][s].mean()
        for s in (started["traps.collider"], ~started["traps.collider"])
    ]
    assert shares[0] > shares[1] + 0.05
