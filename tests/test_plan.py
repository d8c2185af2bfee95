"""The plan: what it refuses before a row is read, and how it stands once frozen."""

import json
from datetime import date

import pytest
import yaml
from effects_world import small_plan

from leap_eval.cli.plan import appended, outcomes_opened
from leap_eval.errors import PlanError
from leap_eval.settings import (
    Frozen,
    load_frozen,
    load_plan,
    parse_plan,
    plan_hash,
    propensity_floor,
    status_of,
)

HARM = {
    "ever_used": "starts_in_grace",
    "services_to_outcome_date": "breadth_in_grace",
    "contacts_among_completers": "dose_in_window",
}


@pytest.fixture
def raw(root):
    return yaml.safe_load((root / "params.yaml").read_text())["plan"]


def frozen(plan, before):
    return (Frozen(sha256=plan_hash(plan), on=date(2026, 1, 5), before_outcomes=before, why="why"),)


def test_the_committed_plan_is_sound_and_was_frozen_before_outcomes_were_opened(root):
    assert status_of(load_plan(root), load_frozen(root)) == "prespecified"


def test_the_hash_of_a_plan_does_not_depend_on_layout_or_order_of_keys(raw):
    turned = dict(reversed(raw.items()))
    assert plan_hash(parse_plan(raw)) == plan_hash(parse_plan(turned))


def test_the_hash_of_a_plan_changes_with_any_of_its_numbers(raw):
    before = plan_hash(parse_plan(raw))
    raw["outcomes"]["bmi_centile"]["small"] = 2.0
    assert plan_hash(parse_plan(raw)) != before


@pytest.mark.parametrize(("kind", "remedy"), HARM.items())
def test_an_exposure_that_looks_into_the_future_is_refused_with_harm_and_remedy(raw, kind, remedy):
    raw["trials"]["m12"]["exposure"] = kind
    with pytest.raises(PlanError, match=rf"trials.m12.exposure: .*every time.*{remedy}"):
        parse_plan(raw)


def test_a_window_that_reaches_the_outcome_is_told_with_both_ages(raw):
    raw["outcomes"]["asq3_communication"]["age"] = [20, 33]
    with pytest.raises(PlanError, match="begins at 20 months, the windows of trial m12 end at 21"):
        parse_plan(raw)


def test_a_covariate_without_a_rule_for_its_date_is_refused(raw):
    del raw["covariates"]["deprivation"]["dated"]
    with pytest.raises(PlanError, match=r"covariates\.deprivation\.dated"):
        parse_plan(raw)


def test_shares_of_the_false_discovery_rate_must_sum_to_one(raw):
    raw["outcomes"]["bmi_centile"]["fdr_share"] = 0.2
    with pytest.raises(PlanError, match="must sum to 1"):
        parse_plan(raw)


def test_all_findings_about_a_plan_are_told_at_once(raw):
    raw["arms"]["minimum"], raw["trails"] = 3, {}
    with pytest.raises(PlanError) as told:
        parse_plan(raw)
    assert "arms.minimum" in str(told.value)
    assert "trails" in str(told.value)


def test_a_pair_of_services_that_no_trial_plays_is_refused(raw):
    raw["pairs"]["named"] = [["chattertime", "bowling"]]
    with pytest.raises(PlanError, match="bowling in play in no trial"):
        parse_plan(raw)


STRANGE = {
    "trials.m12.in_play: bowling": lambda p: p["trials"]["m12"]["in_play"].append("bowling"),
    "covariates.parity.from: shoes": lambda p: p["covariates"]["parity"].update({"from": "shoes"}),
    "controls.outcomes: shoe_size": lambda p: p["controls"].update(outcomes=["shoe_size"]),
    "subgroups: star_sign": lambda p: p["subgroups"].append("star_sign"),
    "outcomes.eyfsp_gld.instrument: old": lambda p: p["outcomes"]["eyfsp_gld"].update(
        instrument="old"
    ),
    "outcomes.bmi_centile.item: joy": lambda p: p["outcomes"]["bmi_centile"].update(item="joy"),
}


def test_every_word_of_a_plan_that_nobody_else_knows_is_told_before_a_row_is_read(root, tmp_path):
    told = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    for fault in STRANGE.values():
        fault(told["plan"])
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    (tmp_path / "programme.yaml").write_bytes((root / "programme.yaml").read_bytes())
    with pytest.raises(PlanError) as error:
        load_plan(tmp_path)
    assert all(place in str(error.value) for place in STRANGE)
    # An instrument that nobody knows has no items either.
    assert str(error.value).count("mend the word") == len(STRANGE) + 1


def test_a_plan_and_the_list_of_outcomes_must_name_the_same(raw):
    with pytest.raises(PlanError, match="stands in only one"):
        parse_plan(raw, ("asq3_communication",))


def test_a_plan_stands_as_its_freezing_says_and_exploratory_without_one():
    plan = small_plan()
    assert status_of(plan, ()) == "exploratory"
    assert status_of(plan, frozen(plan, before=True)) == "prespecified"
    assert status_of(plan, frozen(plan, before=False)) == "amended"


def test_a_plan_frozen_late_stays_amended_even_if_frozen_again():
    plan = small_plan()
    assert status_of(plan, frozen(plan, False) + frozen(plan, True)) == "amended"


def test_the_floor_of_a_propensity_follows_the_arm_and_keeps_its_limits():
    assert [propensity_floor(s) for s in (0.5, 0.0625, 0.001)] == [0.01, 0.00625, 0.002]


@pytest.mark.parametrize(
    "text", ["a: 1\nplan_frozen: []\n", 'a: 1\nplan_frozen:\n- {"on": 1}\nb: 2\n']
)
def test_freezing_adds_one_line_and_leaves_the_rest_as_typed(text):
    told = appended(text, {"sha256": "x"})
    lines = yaml.safe_load(told)["plan_frozen"]
    assert lines[-1] == {"sha256": "x"}
    assert [row for row in told.splitlines() if row in text.splitlines()]


def test_a_run_of_stage_06_in_the_log_means_outcomes_were_opened(tmp_path):
    assert not outcomes_opened(tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "work/runs.jsonl").write_text(json.dumps({"stage": "effects"}) + "\n")
    assert outcomes_opened(tmp_path)


def _asked(raw, kind, trial):
    raw["trials"][trial]["exposure"] = kind


BAD = {
    **{
        f"{k} in {t}": (lambda raw, k=k, t=t: _asked(raw, k, t))
        for k in HARM
        for t in ("m12", "m24")
    },
    "window reaches the first result": lambda raw: raw["months"].update(dose=15),
    "sensitivity window reaches it": lambda raw: raw["months"].update(grace_sensitivity=[3, 20]),
    "covariate without a date": lambda raw: raw["covariates"]["parity"].pop("dated"),
    "covariate dated by a result": lambda raw: raw["covariates"]["parity"].update(dated="ever"),
    "service nobody plays": lambda raw: raw["arms"].update(named=[["chattertime", "bowling"]]),
    "outcome of no trial": lambda raw: raw["outcomes"]["eyfsp_gld"].update(trial="m36"),
}


@pytest.mark.parametrize("fault", BAD)
def test_each_of_twelve_plans_that_manufacture_answers_is_refused(raw, fault):
    BAD[fault](raw)
    with pytest.raises(PlanError, match=r"params\.yaml, plan"):
        parse_plan(raw)


def test_there_are_twelve_banned_plans():
    assert len(BAD) == 12
