"""The engine's newer parts: calibrated weights, fillings, Rubin's rules, areas, the second mark."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from leap_eval.design.amounts import binned
from leap_eval.effects.additive import _synergies, toward_additive
from leap_eval.effects.bands import cautious, critical_value, of
from leap_eval.effects.complete import impute
from leap_eval.effects.mix import mixed, shares
from leap_eval.effects.ridge import crossed, moments, predicted, ridge, solved
from leap_eval.effects.rubin import pool
from leap_eval.weighting import CLOSE, effective, imbalance, tilted


def arm(seed, n=200, p=30):
    rng = np.random.default_rng(seed)
    return np.ones(n), rng.normal(0.1, 1.0, (n, p)) * rng.uniform(0.5, 2, p)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_tilted_weights_bring_every_background_within_the_tolerance(seed):
    weight, x = arm(seed)
    told = tilted(weight, x)
    assert np.abs(imbalance(told, x)).max() <= CLOSE + 1e-3
    assert told.min() >= 0
    assert told.sum() == pytest.approx(weight.sum())


def test_weights_that_balance_already_are_left_alone():
    weight, x = arm(1)
    assert tilted(weight, x - x.mean(axis=0)) is weight


def test_the_effective_size_shows_the_price_of_balance():
    weight, x = arm(2)
    assert effective(tilted(weight, x)) < effective(weight) == len(weight)


def test_background_that_no_child_of_the_arm_has_stays_out_of_balance():
    weight, x = arm(3)
    x[:, 0] = -0.3  # nobody in the arm has it: no weights can bring its mean to zero
    told = tilted(weight, x)
    assert np.isfinite(told).all()
    assert abs(imbalance(told, x)[0]) == pytest.approx(0.3)


def test_amounts_fall_into_the_bins_of_the_plan():
    told = binned(np.array([0, 1, 2, 3, 5, 9, 10, 400]), ("1-2", "3-5", "6-9", "10+"))
    assert told.tolist() == [-1, 0, 0, 1, 1, 2, 3, 3]
    assert binned(np.array([0, 2, 7]), ("0", "1", "2", "3+")).tolist() == [0, 2, 3]


def test_ridge_from_sums_of_products_is_ridge_on_the_rows():
    rng = np.random.default_rng(4)
    x, fold = rng.normal(size=(400, 6)), np.arange(400) % 5
    y = x @ rng.normal(size=6) + rng.normal(size=400)
    used = rng.random(400) < 0.8
    for k, fitted in enumerate(crossed(x, y, fold, used)):
        train = used & (fold != k)
        n = train.sum()
        errors = []
        for penalty in np.logspace(-5, 1, 13):
            theirs = Ridge(alpha=n * penalty).fit(x[train], y[train])
            errors.append(np.abs(theirs.predict(x) - predicted(fitted, x)).max())
        assert min(errors) < 1e-8


def gaps(seed, n=4000):
    rng = np.random.default_rng(seed)
    need = rng.normal(size=n)
    other = 0.5 * need + rng.normal(size=n)
    started = rng.random(n) < 1 / (1 + np.exp(1 - need))
    y = need + 0.2 * started + rng.normal(size=n)
    told = np.where(rng.random(n) < 0.3, np.nan, need)
    asked = SimpleNamespace(
        x=np.column_stack([told, other]),
        y=np.where(rng.random(n) < 0.1, np.nan, y),
        started=started[:, None],
        recorded=np.ones(n, bool),
    )
    return asked, need, y, started


def test_fillings_keep_the_relation_of_background_and_outcome():
    asked, need, y, _ = gaps(5)
    filled = impute(asked, 1, m=4)
    for x in filled:
        assert np.corrcoef(x[:, 0], y)[0, 1] == pytest.approx(np.corrcoef(need, y)[0, 1], abs=0.03)
    gap = np.isnan(asked.x[:, 0])
    assert np.array_equal(filled[0][~gap], asked.x[~gap])
    assert not np.array_equal(filled[0][gap], filled[1][gap])


def test_adjusting_for_filled_background_takes_the_confounding_away():
    asked, _, _, started = gaps(6)
    seen = ~np.isnan(asked.y)
    told = []
    for x in impute(asked, 1, m=4):
        matrix = np.column_stack([np.ones(len(x)), started, x])[seen]
        told.append(np.linalg.lstsq(matrix, asked.y[seen], rcond=None)[0][1])
    assert np.mean(told) == pytest.approx(0.2, abs=0.1)


def test_nothing_missing_needs_one_filling_only():
    asked, need, _, _ = gaps(7)
    asked.x = np.column_stack([need, need])
    assert impute(asked, 1).shape == (1, 4000, 2)


def test_pooled_variance_follows_rubins_published_rule():
    thetas = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    total, between = pool(thetas, np.eye(2))
    assert total[0, 0] == pytest.approx(1 + (1 + 1 / 3) * 1.0)
    assert (total[1, 1], between[1, 1]) == (1, 0)


def test_few_areas_widen_the_band_and_many_leave_it():
    family, area = np.eye(3), 0.5 * np.eye(3)
    plain = of(np.zeros(3), family)
    few, many = (cautious(np.zeros(3), family, area, n) for n in (24, 400))
    assert few.crit > plain.crit == many.crit
    assert cautious(np.zeros(3), family, 4 * np.eye(3), 400).se == pytest.approx([2, 2, 2])


TOGETHER = np.vstack([np.eye(8, dtype=bool), np.eye(8, dtype=bool)[:4] | np.eye(8, dtype=bool)[4:]])
BEYOND = _synergies(TOGETHER, np.full((8, 8), 0.2))  # 8 services and 4 pairs, each started by .2
LIFTED = np.vstack([np.eye(12, 20), np.hstack([np.zeros((12, 12)), TOGETHER])])
NOISE = LIFTED @ np.diag(np.r_[np.full(12, 0.05**2), np.full(8, 0.018**2)]) @ LIFTED.T


def pulled_once(rng, synergies):
    """Truth, estimates and the pulled band of one draw in which pairs have these synergies."""
    truth = TOGETHER @ rng.normal(0, 0.1, 8)
    sums = truth - BEYOND @ synergies
    both = np.r_[truth, sums] + LIFTED @ np.r_[rng.normal(0, 0.05, 12), rng.normal(0, 0.018, 8)]
    return truth, both, toward_additive(both, NOISE, BEYOND, 1.0, 0.95)


def test_estimates_that_agree_with_the_sum_of_services_are_pulled_to_it():
    rng = np.random.default_rng(8)
    told = [pulled_once(rng, np.zeros(28)) for _ in range(20)]
    ours = np.mean([np.abs(band.estimate - truth).mean() for truth, _, band in told])
    plain = np.mean([np.abs(both[:12] - truth).mean() for truth, both, _ in told])
    assert ours < 0.65 * plain


# A synergy of three standard errors is in doubt: what gains elsewhere cannot hold it as often.
@pytest.mark.parametrize(
    ("synergy", "least"), [(0.0, 0.93), (0.15, 0.93), (0.3, 0.8), (0.45, 0.93)]
)
def test_the_band_of_pulled_estimates_holds_all_truths_and_is_narrower(synergy, least):
    rng = np.random.default_rng(10)
    synergies = np.zeros(28)
    synergies[3] = synergy  # of the first service and the fifth, who are a combination
    told = [pulled_once(rng, synergies) for _ in range(60)]
    held = [((b.band_low <= t) & (t <= b.band_high)).all() for t, _, b in told]
    width = [(b.crit * b.se).mean() / (critical_value(NOISE[:12, :12]) * 0.05) for *_, b in told]
    assert np.mean(held) > least
    assert np.mean(width) < 0.85


def test_a_synergy_beyond_doubt_is_left_where_it_was_estimated():
    synergies = np.zeros(28)
    synergies[3] = 1.0
    _, both, band = pulled_once(np.random.default_rng(11), synergies)
    assert band.estimate[8] == pytest.approx(both[8], abs=0.05)


def test_a_service_has_its_part_of_each_synergy_with_what_its_children_start():
    # Both alone, and both together: what is told of a service has .2 of the synergy already.
    assert BEYOND[[0, 4, 8], 3] == pytest.approx([-0.2, -0.2, 0.6])


def test_what_equals_the_sum_of_its_services_is_neither_moved_nor_lost():
    spread = np.tile(np.eye(3) * 0.05**2, (2, 2))
    told = toward_additive(np.full(6, 0.1), spread, np.zeros((3, 0)), 1.0, 0.95)
    assert told.estimate == pytest.approx([0.1] * 3)
    assert told.se == pytest.approx([0.05] * 3, rel=1e-3)


def three_models(seed, children=400):
    """Surfaces of one arm: one right, one without half of what matters, one that is noise."""
    rng = np.random.default_rng(seed)
    one, two, noise = rng.normal(size=(3, children))
    return one + two + 0.5 * rng.normal(size=children), np.stack([one + two, one, noise])


def test_an_arm_leans_on_the_model_that_predicts_its_own_children_best():
    y, models = three_models(9)
    told = shares(y, models, np.ones(400))
    assert told.sum() == pytest.approx(1)
    assert told[0] > 0.7 > 0.3 > told[2]


@pytest.mark.parametrize("children", [3, 20, 400])
def test_models_that_say_the_same_share_evenly_however_few_children(children):
    y, models = three_models(10, children)
    told = shares(y, np.stack([models[0], models[0] + 1e-12, models[0]]), np.ones(children))
    assert told == pytest.approx(1 / 3, abs=0.05)


def test_few_children_cannot_talk_an_arm_out_of_any_model():
    y, models = three_models(11, 10)
    assert shares(y, models, np.ones(10)).min() >= 0.1


def test_children_of_other_arms_have_no_say_in_the_mix():
    y, models = three_models(12)
    weight = np.zeros((400, 1))
    weight[:200] = 1.0
    y_there = np.where(np.arange(400) < 200, y, np.nan)
    told = mixed(y_there, models[:, :, None], weight)
    assert np.isfinite(told).all()
    share = shares(y[:200], models[:, :200], np.ones(200))
    assert np.allclose(told[:, 0], share @ models)


def test_ridge_on_some_columns_is_ridge_that_never_saw_the_others():
    rng = np.random.default_rng(13)
    x = rng.normal(size=(300, 5))
    y = x @ [1.0, 0.5, 0.0, 2.0, -1.0] + rng.normal(size=300)
    kept = np.array([True, False, True, True, False])
    told = solved(moments(x, y).only(kept)).among(kept)
    assert np.allclose(predicted(told, x), predicted(ridge(x[:, kept], y), x[:, kept]))
