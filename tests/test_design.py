"""The design: arms found without outcomes, families kept whole, groups made comparable."""

import effects_world
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from leap_eval import design
from leap_eval.contracts import COHORT, DESIGN, EXPOSURE, check
from leap_eval.errors import PlanError


@pytest.fixture(scope="module")
def world():
    return effects_world.draw(3, children=3000, missing=0.2)


@pytest.fixture(scope="module")
def made(world):
    return design.run(world.plan, world.cohort, world.exposure, 2015)


def test_a_simulated_world_and_its_design_keep_their_contracts(world, made):
    check(world.cohort, COHORT)
    check(world.exposure, EXPOSURE)
    check(made.table, DESIGN)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=6, max_size=200))
def test_no_family_is_ever_split_over_folds(families):
    dealt = design.folds(np.array(families, dtype=str), seed=1, repeats=2)
    for fold in dealt:
        assert len(set(zip(families, fold, strict=True))) == len(set(families))


def test_a_childs_propensities_sum_to_one_over_the_arms(made):
    columns = [c for c in made.table if c.startswith("p.m12.combination.0.")]
    assert np.allclose(made.table[columns].sum(axis=1), 1, atol=1e-5)


def test_a_combination_gets_an_arm_or_a_reason_and_no_child_is_lost(made, world):
    told = made.discovery[made.discovery["set"] == "m12.combination"]
    assert set(told["why"]) == {"kept", "too_few"}
    assert told.loc[told["number"] >= 0, "n"].sum() == len(world.cohort)
    assert (told.loc[told["why"] == "too_few", "n"] < world.plan.arms.minimum).all()


def test_every_arm_that_is_kept_has_the_children_the_plan_asks_for(made, world):
    kept = made.discovery[made.discovery["why"].eq("kept") & made.discovery["arm"].ne("rest")]
    assert kept["n"].min() >= world.plan.arms.minimum


def test_the_named_pair_is_in_the_design_with_all_four_arms(made):
    pair = made.discovery[made.discovery["set"].str.contains(".pair:", regex=False)]
    assert pair["arm"].tolist() == ["none", "service_d", "service_c", "service_c + service_d"]


def test_weighting_brings_the_arms_of_services_closer_to_all_children(made):
    services = made.balance[made.balance["set"].str.contains("service:")]
    before, after = services["smd_before"].abs().mean(), services["smd_after"].abs().mean()
    assert after < 0.5 * before


def test_the_design_does_not_depend_on_the_order_of_the_children(world, made):
    turned = design.run(world.plan, world.cohort[::-1], world.exposure[::-1], 2015)
    pd.testing.assert_frame_equal(turned.table, made.table)


def test_the_design_does_not_depend_on_the_number_of_threads(world, made):
    with threadpool_limits(2):
        again = design.run(world.plan, world.cohort, world.exposure, 2015)
    pd.testing.assert_frame_equal(again.table, made.table)


def test_propensities_agree_with_a_second_implementation_of_the_model():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(3000, 2))
    score = x @ np.array([[0.0, 0.5, -0.4], [0.0, -0.3, 0.6]])
    p = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    arm = (rng.random((3000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    folds = design.folds(np.arange(3000).astype(str), 1)
    fold, e = folds[0], design.propensities(x, arm, folds)[0]
    model = sm.MNLogit(arm[fold != 0], sm.add_constant(x[fold != 0])).fit(disp=0)
    assert np.abs(e[fold == 0] - model.predict(sm.add_constant(x[fold == 0]))).max() < 0.02


def test_an_arm_that_is_missing_from_a_training_fold_is_named_with_its_fold():
    arm, fold = np.array([0, 0, 0, 1]), np.array([[0, 1, 2, 1]])
    with pytest.raises(PlanError, match="fold 1: an arm has no child in training"):
        design.propensities(np.ones((4, 1)), arm, fold, "m12.combination")


def test_no_arm_large_enough_is_told_and_leaves_the_stage_running(world):
    plan = effects_world.small_plan(minimum=5000)
    made = design.run(plan, world.cohort, world.exposure, 2015)
    assert not [c for c in made.table if c.startswith("arm.")]
    assert set(made.discovery["why"]) == {"too_few"}


def test_effective_sizes_never_exceed_the_children_of_the_arm(made):
    assert (made.overlap["ess"] <= made.overlap["n"] + 1e-6).all()
