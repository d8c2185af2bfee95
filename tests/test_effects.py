"""Effects against planted truths: do the bands hold, and is nothing called real that is not?"""

from dataclasses import replace
from datetime import date

import effects_world
import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from leap_eval import design, effects
from leap_eval.contracts import ESTIMATES, check
from leap_eval.effects import plots, sweep
from leap_eval.errors import PlanError
from leap_eval.settings import Frozen, plan_hash

PLANS = [effects_world.small_plan(minimum, scan=False) for minimum in (60, 5000)]
LAID_DOWN = tuple(
    Frozen(sha256=plan_hash(plan), on=date(2026, 1, 5), before_outcomes=True, why="why")
    for plan in PLANS
)


def estimated(world):
    made = design.run(world.plan, world.cohort, world.exposure, 2015)
    given = effects.Given(made.table, made.discovery.to_dict("records"))
    told = effects.Measured("score", made.table[["study_id"]].merge(world.outcome, how="left"))
    return effects.run(world.plan, given, told, LAID_DOWN, twins=10)


def truths(world, table):
    ask = {
        "combination": lambda parts: world.combination(tuple(parts)),
        "service": lambda parts: world.service(*parts),
        "pair_named": lambda parts: world.synergy(*parts),
    }
    asked = table[(table["subgroup"] == "all") & table["family"].isin(ask)]
    true = [ask[f](c.split(" + ")) for f, c in zip(asked["family"], asked["contrast"], strict=True)]
    return asked.assign(truth=true)


@pytest.fixture(scope="module")
def worlds():
    drawn = [effects_world.draw(seed, children=4000, unrecorded=0.2) for seed in (11, 12, 13)]
    return [(world, estimated(world)) for world in drawn]


@pytest.fixture(scope="module")
def null():
    world = effects_world.draw(21, children=4000, effects=0.0)
    return world, estimated(world)


def test_estimates_keep_their_contract_and_name_their_plan(worlds):
    world, told = worlds[0]
    check(told.estimates, ESTIMATES)
    assert set(told.estimates["plan_hash"]) == {plan_hash(world.plan)}
    assert set(told.estimates["status"]) == {"prespecified"}


def test_planted_effects_lie_inside_their_joint_bands(worlds):
    told = pd.concat([truths(world, found.estimates) for world, found in worlds])
    inside = told["truth"].between(told["band_low"], told["band_high"])
    assert len(told) > 50
    assert inside.mean() >= 0.95


def test_pointwise_intervals_hold_the_truth_about_as_often_as_they_say(worlds):
    told = pd.concat([truths(world, found.estimates) for world, found in worlds])
    assert 0.86 <= told["truth"].between(told["low"], told["high"]).mean() <= 1


def test_the_mean_error_over_worlds_is_near_zero(worlds):
    told = pd.concat([truths(world, found.estimates) for world, found in worlds])
    assert abs((told["estimate"] - told["truth"]).mean()) < 0.03


def test_a_planted_null_is_never_graded_a_or_b(null):
    world, told = null
    assert not told.estimates["grade"].isin(["A", "B"]).any()
    assert (truths(world, told.estimates)["truth"].abs() < 1e-12).all()


def test_joint_bands_of_a_null_world_hold_zero(null):
    _, told = null
    asked = told.estimates[told.estimates["subgroup"] == "all"]
    assert ((asked["band_low"] <= 0) & (asked["band_high"] >= 0)).all()


def test_nothing_exploratory_is_graded_better_than_c(worlds):
    world, told = worlds[0]
    bare = estimated(replace(world, plan=world.plan.model_copy(update={"question": "another"})))
    assert not bare.estimates["grade"].isin(["A", "B"]).any()
    pd.testing.assert_series_equal(bare.estimates["estimate"], told.estimates["estimate"])


def test_estimates_do_not_depend_on_threads_or_the_order_of_results(worlds):
    world, told = worlds[0]
    with threadpool_limits(2):
        again = estimated(replace(world, outcome=world.outcome[::-1]))
    pd.testing.assert_frame_equal(again.estimates, told.estimates)


def test_a_gap_in_the_background_does_not_bias_the_estimates():
    world = effects_world.draw(14, children=4000, missing=0.3)
    told = truths(world, estimated(world).estimates)
    assert told["truth"].between(told["band_low"], told["band_high"]).mean() >= 0.95


def test_too_few_results_give_rows_graded_d_with_the_reason():
    world = effects_world.draw(15, children=2000)
    told = estimated(replace(world, outcome=world.outcome[:150]))
    check(told.estimates, ESTIMATES)
    assert set(told.estimates["grade"]) == {"D"}
    assert set(told.estimates["reason"]) == {"fewer than 200 results"}


def test_a_constant_outcome_gives_rows_graded_d_and_no_estimate():
    world = effects_world.draw(15, children=2000)
    told = estimated(replace(world, outcome=world.outcome.assign(value=1.0)))
    assert told.estimates["estimate"].isna().all()
    assert set(told.estimates["reason"]) == {"every result is the same"}


def test_no_arms_at_all_give_an_empty_table_that_keeps_its_contract():
    world = effects_world.draw(15, children=2000)
    told = estimated(replace(world, plan=effects_world.small_plan(minimum=5000)))
    assert len(check(told.estimates, ESTIMATES)) == 0


def test_every_check_is_run_for_every_headline_result(worlds):
    table = worlds[0][1].estimates.query("subgroup == 'all'")
    ran = [f"check_{n}" for n in effects.checks.NUMBERS if n != 11]
    assert table[ran].isin(["pass", "warn", "fail"]).all(axis=None)
    numbers = table[["rv", "rv_limit", "tipping", "twin_coverage", "evalue"]]
    assert np.isfinite(numbers).all(axis=None)


def test_a_check_that_was_not_run_says_so_instead_of_passing(worlds):
    subgroups = worlds[0][1].estimates.query("family == 'subgroup'")
    assert (subgroups[["check_3", "check_5", "check_8", "check_10"]] == "not_run").all(axis=None)


def test_specifications_beside_the_estimates_hold_aggregates_only(worlds):
    told = worlds[0][1].told()
    assert len({row["spec"] for row in told["specifications"]}) >= 16
    assert "sid1_" not in str(told)
    assert np.isfinite([row["estimate"] for row in told["specifications"]]).all()


def test_every_plot_is_drawn_from_the_tables_and_from_nothing_at_all(worlds):
    told = worlds[0][1]
    barred = estimated(replace(worlds[0][0], outcome=worlds[0][0].outcome[:150]))
    for one in (told, barred):
        drawn = [
            plots.forest(one.estimates, ["combination"]), plots.synergy(one.estimates),
            plots.check_grid(one.estimates), plots.curve(one.specifications, one.estimates),
            plots.contour(one.tables["benchmarks"], one.estimates), plots.tipping(one.estimates),
            plots.equity(one.estimates), plots.controls(one.tables["controls"]),
            plots.twin(one.tables["twin"]),
        ]  # fmt: skip
        assert all(figure.get_children() for figure in drawn)


def test_a_service_without_any_group_of_enough_children_is_drawn_empty(worlds):
    told = worlds[0][1].estimates
    service = told.loc[told["family"] == "subgroup", "contrast"].iloc[0]
    lost = (told["family"] == "subgroup_gap") & (told["contrast"] == service)
    assert plots.equity(told[~lost]).get_children()


def test_an_arm_without_results_is_a_d_row_and_the_others_go_on(worlds):
    world, told = worlds[0]
    words = world.exposure.set_index("study_id")["m12_g6_combination"]
    arm = next(c for c in told.estimates["contrast"] if " + " not in c and c.startswith("service"))
    lost = world.outcome["study_id"].map(words) == arm
    found = estimated(replace(world, outcome=world.outcome[~lost])).estimates
    check(found, ESTIMATES)
    row = found[(found["family"] == "combination") & (found["contrast"] == arm)].iloc[0]
    assert (row["grade"], row["reason"]) == ("D", "fewer than 10 results in an arm")
    rest = found[found["reason"] != row["reason"]]
    assert rest["estimate"].notna().all()
    assert rest["family"].eq("combination").sum() > 3


def test_a_covariate_that_says_nothing_leaves_the_model():
    world = effects_world.draw(16, children=2000)
    cohort = world.cohort.assign(m12_x_parity=np.nan, m12_x_eal=1.0)
    told = estimated(replace(world, cohort=cohort)).estimates
    assert told["estimate"].notna().all()


def test_a_negative_control_that_moves_fails_its_check_and_leaves_c_at_most():
    world = effects_world.draw(17, children=4000)
    moved = world.cohort["m12_nc_gestation_weeks"] + 1.5 * world.started[:, 2]
    cohort = world.cohort.assign(m12_nc_gestation_weeks=moved)
    told = estimated(replace(world, cohort=cohort)).estimates
    row = told[(told["family"] == "service") & (told["contrast"] == effects_world.SERVICES[2])]
    row = row[row["subgroup"] == "all"].iloc[0]
    assert row["check_5"] == "fail"
    assert row["grade"] in "CND"
    assert row["band_low"] > 0  # the claim is there, and it is not believed


def test_a_service_that_background_alone_decides_is_told_as_no_conclusion():
    world = effects_world.draw(18, children=4000)
    first = effects_world.SERVICES[0]
    alone = world.background["dep"] > np.quantile(world.background["dep"], 0.8)
    words = [
        " + ".join([first] * bool(on) + [s for s in word.split(" + ") if s not in (first, "none")])
        or "none"
        for on, word in zip(alone, world.exposure["m12_g6_combination"], strict=True)
    ]
    start = pd.Series(np.where(alone, 13, None)).astype("Int64")
    exposure = world.exposure.assign(m12_g6_combination=words, **{f"start_{first}": start})
    told = check(estimated(replace(world, exposure=exposure)).estimates, ESTIMATES)
    row = told[(told["family"] == "service") & (told["contrast"] == first)]
    assert set(row["check_2"]) == {"fail"}
    assert set(row["grade"]) == {"D"}
    assert told.loc[told["family"] == "service", "estimate"].notna().all()


def test_a_model_that_has_not_converged_stops_with_its_place_and_no_estimate(monkeypatch):
    world = effects_world.draw(19, children=1500)
    real = sweep.mixed
    monkeypatch.setattr(sweep, "mixed", lambda *a: real(*a) * np.nan)
    with pytest.raises(PlanError, match="effects: a model has not converged"):
        estimated(world)
