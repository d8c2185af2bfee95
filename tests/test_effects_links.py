"""Uncertain links carried through: planted worlds, named children, nothing lost on the way."""

import effects_world
import numpy as np
import pandas as pd
import pytest

from leap_eval import design, effects
from leap_eval.effects.links import moves
from leap_eval.effects.rubin import pool
from leap_eval.effects.sweep import _pooled


def given(world):
    made = design.run(world.plan, world.cohort, world.exposure, 2015)
    return effects.Given(made.table, made.discovery.to_dict("records"))


def estimated(world):
    handed = given(world)
    key = [c for c in ("study_id", "draw") if c in world.outcome]
    told = effects.Measured("score", handed.table[key].merge(world.outcome, how="left"))
    return effects.run(world.plan, handed, told, (), twins=0).estimates


@pytest.fixture(scope="module")
def doubtful():
    """Three worlds in which every tenth result may be another child's."""
    drawn = [effects_world.draw(seed, children=3000) for seed in (31, 32, 33)]
    return [(w, estimated(effects_world.with_uncertain_links(w, 0.10, seed=i)))
            for i, w in enumerate(drawn)]  # fmt: skip


def test_planted_effects_stay_inside_joint_bands_when_links_are_uncertain(doubtful):
    inside, errors = [], []
    for world, told in doubtful:
        rows = told[(told["family"] == "service") & (told["subgroup"] == "all")]
        truth = np.array([world.service(c) for c in rows["contrast"]])
        inside += list((rows["band_low"] <= truth) & (truth <= rows["band_high"]))
        errors += list(rows["estimate"] - truth)
    assert np.mean(inside) >= 0.9
    assert abs(np.mean(errors)) <= 0.03


def test_uncertain_links_widen_the_bands_and_their_share_is_told(doubtful):
    for _, told in doubtful:
        share = told.loc[told["family"] == "service", "share_links"]
        assert share.between(0.001, 0.30).all()


def test_a_world_without_link_draws_moves_no_contrast_at_all():
    told = estimated(effects_world.draw(34, children=2000))
    assert (told["share_links"].dropna() == 0).all()


def test_a_draw_that_repeats_the_best_links_moves_nothing():
    world = effects_world.draw(35, children=2000)
    some = [t.head(300).assign(draw=1) for t in (world.cohort, world.exposure)]
    world = effects_world.replace(
        world,
        cohort=pd.concat([world.cohort, some[0]], ignore_index=True),
        exposure=pd.concat([world.exposure, some[1]], ignore_index=True),
    )
    handed = given(world)
    results = handed.table[["study_id", "draw"]].merge(world.outcome, on="study_id", how="left")
    measured = effects.Measured("score", results)
    asked = effects.problem.problem(world.plan, handed, measured)
    listed = effects.contrasts.contrasts(world.plan, asked)
    assert np.abs(moves(world.plan, handed, measured, 10, listed).draws).max() < 1e-9


def test_children_of_link_draws_change_no_arm_fold_or_propensity_of_the_best_links():
    world = effects_world.draw(36, children=2000)
    more = effects_world.with_uncertain_links(world, 0.2, wrong=0.5, draws=2)
    alone = given(world).table
    beside = given(more).table
    pd.testing.assert_frame_equal(beside[beside["draw"] == 0].reset_index(drop=True), alone)


def test_one_pooling_holds_what_gaps_and_what_links_add():
    rng = np.random.default_rng(1)
    thetas, moved = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) / 2
    told = _pooled(thetas, np.eye(3), np.eye(3), np.full(3, 400.0), moved)
    total, between = pool(thetas + moved, np.eye(3))
    assert np.allclose(told.total, total)
    assert np.allclose(told.area - np.eye(3), between)
    assert np.allclose(told.theta, (thetas + moved).mean(axis=0))
    links = pool(moved, np.eye(3))[1]
    assert np.allclose(told.share_links * np.diag(total), np.diag(links))
    # Twenty answers tell how far they lie apart with 19 degrees; 400 tell the rest.
    assert ((told.free > 19) & (told.free < 400)).all()
