from datetime import date

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_eval.cohort import cohort, flow
from leap_eval.contracts import COHORT, CONTACTS, CUBE, LINKS, PERSONS, check
from leap_eval.settings.plan import load_plan
from leap_eval.store.rows import empty

ANN, BEN = "sid1_" + "a" * 28, "sid1_" + "b" * 28
AS_AT = date(2025, 3, 31)


@pytest.fixture(scope="module")
def plan(root):
    return load_plan(root)


def key(letter):
    return "rk1_" + letter * 28


def person(letter="a", **told):
    plain = {
        "record_key": key(letter),
        "partner": "thameside_community",
        "role": "child",
        "birth_month": date(2018, 5, 1),
        "ethnicity_group5": "not_known",
        "home_language": "not_known",
        "disability": "not_known",
        "collected_on": date(2018, 10, 1),
        "submission_id": "a" * 16,
        "row": 2,
    }
    return dict.fromkeys(PERSONS.columns) | plain | told


def link(letter="a", study_id=ANN):
    told = {"partner": "thameside_community", "record_key": key(letter), "role": "child"}
    ids = {"study_id": study_id, "family_id": "fid1_" + study_id[5:], "study_id_strict": study_id}
    rest = {"study_id_loose": study_id, "probability": 1.0, "band": "sure", "method": "tokens"}
    return told | ids | rest | {"link_weight": 1.0, "flags": ""}


def table(contract, rows):
    return ibis.memtable(pa.Table.from_pylist(rows, schema=empty(contract).schema))


def contact(day, letter="a", **told):
    plain = {
        "record_key": key(letter),
        "service": "community_events",
        "date_from": day,
        "date_to": day,
        "sessions": 1,
        "attended": "attended",
        "in_scope": True,
        "collected_on": date(2020, 1, 1),
        "submission_id": "a" * 16,
        "row": 2,
    }
    return dict.fromkeys(CONTACTS.columns) | plain | told


def made(plan, persons, links=None, contacts=()):
    linked = links or [link(p["record_key"][4]) for p in persons]
    met = table(CONTACTS, contacts or [contact(date(2019, 2, 1))])
    told = cohort(table(PERSONS, persons), met, table(LINKS, linked), plan, AS_AT)
    return {r["study_id"]: r for r in check(told, COHORT).to_pyarrow().to_pylist()}


def test_time_zero_is_the_birth_month_plus_the_review_age(plan):
    assert made(plan, [person()])[ANN]["m12_time_zero"] == date(2019, 5, 1)


def test_a_value_told_after_time_zero_is_missing_however_useful(plan):
    early = person(need_level=1, need_level_on=date(2019, 5, 1))
    late = person(need_level=1, need_level_on=date(2019, 5, 2))
    assert made(plan, [early])[ANN]["m12_x_need_level"] == 1
    assert made(plan, [late])[ANN]["m12_x_need_level"] is None
    assert made(plan, [late])[ANN]["m24_x_need_level"] == 1


def test_a_concern_is_dated_by_its_own_review(plan):
    ann = made(plan, [person(concern_12=True, review_on_12=date(2019, 6, 3))])[ANN]
    assert ann["m12_x_concern_12"] is None
    assert ann["m24_x_concern_12"] == 1


def test_partners_that_disagree_are_outvoted_and_a_tie_goes_to_the_smaller_value(plan):
    three = [person("a", sex="m"), person("b", sex="f"), person("c", sex="m")]
    assert made(plan, three, [link(c) for c in "abc"])[ANN]["sex"] == "m"
    assert made(plan, three[:2], [link(c) for c in "ab"])[ANN]["sex"] == "f"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "eligible"),
        ({"birth_month": None}, "no_birth_month"),
        ({"birth_month": date(2024, 2, 1)}, "too_young"),
    ],
)
def test_the_first_rule_that_fails_is_the_reason(plan, told, reason):
    ann = made(plan, [person(**told)])[ANN]
    assert ann["m12_reason"] == reason
    assert ann["m12_eligible"] == (reason == "eligible")


@pytest.mark.parametrize(
    ("sign", "reason"),
    [
        (contact(date(2018, 5, 1)), "eligible"),
        (contact(date(2018, 4, 30)), "not_seen"),
        (contact(date(2019, 4, 30)), "eligible"),
        (contact(date(2019, 5, 1)), "not_seen"),
        (contact(date(2019, 2, 1), attended="missed"), "not_seen"),
        (contact(date(2019, 2, 1), "b"), "not_seen"),
    ],
)
def test_a_child_is_in_the_area_if_seen_in_the_year_before_time_zero(plan, sign, reason):
    assert made(plan, [person()], contacts=[sign])[ANN]["m12_reason"] == reason


def test_a_review_is_a_sign_of_life_as_well(plan):
    never = [contact(date(2016, 1, 1))]
    seen = person(review_on_12=date(2019, 4, 3))
    assert made(plan, [person()], contacts=never)[ANN]["m12_reason"] == "not_seen"
    assert made(plan, [seen], contacts=never)[ANN]["m12_reason"] == "eligible"


def test_a_negative_control_is_kept_apart_from_the_background(plan):
    ann = made(plan, [person(birthweight_g=3200.0)])[ANN]
    assert ann["m12_nc_birthweight_g"] == 3200


def test_an_adult_is_no_child_of_the_study(plan):
    assert ANN not in made(plan, [person(role="adult"), person("b")], [link("a"), link("b", BEN)])


def test_the_flow_counts_records_children_and_every_reason(plan):
    persons = [person("a"), person("b"), person("c", birth_month=None)]
    links = [link("a"), link("b"), link("c", BEN)]
    met = table(CONTACTS, [contact(date(2019, 2, 1))])
    children = cohort(table(PERSONS, persons), met, table(LINKS, links), plan, AS_AT)
    cube = flow(table(PERSONS, persons), table(LINKS, links), children, plan)
    counts = {r["step"]: r["children"] for r in check(cube, CUBE).to_pyarrow().to_pylist()}
    assert (counts["sent_records"], counts["linked_children"]) == (3, 2)
    assert (counts["m12_eligible"], counts["m12_no_birth_month"]) == (1, 1)


@settings(max_examples=4, deadline=None)
@given(day=st.dates(date(2019, 5, 2), date(2025, 1, 1)), level=st.integers(0, 2))
def test_nothing_told_after_time_zero_changes_a_trial(plan, day, level):
    future = person(
        "b", need_level=level, need_level_on=day, imd_decile=1, area_on=day, collected_on=day,
        review_on_24=day, concern_24=True,
    )  # fmt: skip
    links = [link("a"), link("b")]
    met = contact(date(2019, 2, 1))
    before = made(plan, [person()], contacts=[met])[ANN]
    after = made(plan, [person(), future], links, [met, contact(day, "b")])[ANN]
    asked = [c for c in before if c.startswith("m12_")]
    assert [before[c] for c in asked] == [after[c] for c in asked]
