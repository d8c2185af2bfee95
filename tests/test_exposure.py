from datetime import date

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cohort import ANN, BEN, link, person, table

from leap_eval.agreements import load_programme
from leap_eval.cohort import cohort
from leap_eval.contracts import CONTACTS, CUBE, EXPOSURE, LINKS, PERSONS, check
from leap_eval.exposure import attended, combinations, exposure, reach, with_contacts
from leap_eval.settings.plan import load_plan
from leap_eval.store.rows import empty

AS_AT = date(2025, 3, 31)
SEEN = (date(2019, 2, 1), date(2020, 2, 1))  # in the year before time zero of both trials


@pytest.fixture(scope="module")
def terms(root):
    return load_plan(root), load_programme(root).services


def contact(service="chattertime", day=date(2019, 6, 3), **told):
    plain = {
        "record_key": "rk1_" + "a" * 28,
        "service": service,
        "date_from": day,
        "date_to": day,
        "sessions": 1,
        "attended": "attended",
        "in_scope": True,
        "collected_on": date(2019, 10, 1),
        "submission_id": "a" * 16,
        "row": 2,
    }
    return dict.fromkeys(CONTACTS.columns) | plain | told


def made(terms, *contacts, persons=None, links=None):
    plan, services = terms
    linked = table(LINKS, links or [link()])
    signs = [contact("community_events", day, row=900) for day in SEEN]
    met = table(CONTACTS, [*signs, *contacts])
    children = cohort(table(PERSONS, persons or [person()]), met, linked, plan, AS_AT)
    rows = ibis.memtable(pa.Table.from_pylist(list(contacts), schema=empty(CONTACTS).schema))
    wide = exposure(attended(rows, linked, children, services), children, services, plan)
    return check(wide, EXPOSURE), children


def ann(terms, *contacts, **told):
    return {r["study_id"]: r for r in made(terms, *contacts, **told)[0].to_pyarrow().to_pylist()}[
        ANN
    ]


def test_a_child_without_a_contact_is_kept_as_none(terms):
    assert ann(terms)["m12_g6_combination"] == "none"


def test_a_combination_names_its_services_in_alphabetical_order(terms):
    both = ann(terms, contact("making_it_real"), contact("chattertime"))
    assert both["m12_g6_combination"] == "chattertime + making_it_real"
    assert both["m12_g6_breadth"] == 2


@pytest.mark.parametrize(
    ("day", "combination", "new"),
    [
        (date(2019, 4, 30), "none", False),
        (date(2019, 5, 1), "chattertime", True),
        (date(2019, 10, 31), "chattertime", True),
        (date(2019, 11, 1), "none", True),
    ],
)
def test_the_window_opens_at_time_zero_and_closes_with_the_grace_period(
    terms, day, combination, new
):
    told = ann(terms, contact(day=day))
    assert told["m12_g6_combination"] == combination
    assert told["m12_new_user"] == new


def test_a_missed_contact_or_one_out_of_scope_is_no_use_of_a_service(terms):
    told = ann(terms, contact(attended="missed"), contact(in_scope=False))
    assert told["start_chattertime"] is None


def test_a_mothers_contact_counts_for_her_child_at_the_ages_the_service_is_for(terms):
    mother = {**link("m", "sid1_" + "m" * 28), "role": "adult", "family_id": "fid1_" + "a" * 28}
    key = "rk1_" + "m" * 28
    told = ann(
        terms,
        contact("breastfeeding_peer", date(2018, 6, 1), record_key=key),
        contact("chattertime", date(2018, 6, 1), record_key=key),
        links=[link(), mother],
    )
    assert told["start_breastfeeding_peer"] == 1
    assert told["start_chattertime"] is None


def test_a_mother_and_child_at_one_session_are_one_session(terms):
    mother = {**link("m", "sid1_" + "m" * 28), "role": "adult", "family_id": "fid1_" + "a" * 28}
    theirs = contact(record_key="rk1_" + "m" * 28)
    told = ann(terms, contact(), theirs, links=[link(), mother])
    assert told["m12_dose_chattertime"] == 1


def test_a_contact_at_an_impossible_age_is_no_start_of_a_service(terms):
    assert ann(terms, contact(day=date(2016, 5, 1)))["start_chattertime"] is None


def test_a_terms_sessions_are_spread_over_its_days_and_do_not_leak_over_time_zero(terms):
    term = contact("natural_thinkers", date(2020, 4, 1), date_to=date(2020, 5, 30), sessions=60)
    told = ann(terms, term)
    assert told["m24_dose_natural_thinkers"] == 30


def test_services_out_of_play_are_known_as_used_before(terms):
    assert ann(terms, contact("baby_steps", date(2018, 6, 1)))["m12_used_baby_steps"] is True


def test_reach_splits_the_same_children_for_every_service(terms):
    wide, children = made(
        terms, contact(), persons=[person(), person("b")], links=[link(), link("b", BEN)]
    )
    names = [s.id for s in terms[1]]
    rows = check(reach(wide, children, terms[1], "ward", 9), CUBE).to_pyarrow().to_pylist()
    assert {sum(r["children"] for r in rows if r["service"] == s) for s in names} == {2}
    assert [
        r["children"] for r in rows if r["service"] == "chattertime" and r["used"] == "used"
    ] == [1]


def test_a_cube_tells_the_contacts_of_a_cell_and_its_two_largest_shares(terms):
    met = [contact(sessions=3), contact(day=date(2019, 7, 1)), contact(day=date(2024, 1, 8)),
           contact(record_key="rk1_" + "b" * 28, sessions=2)]  # fmt: skip
    links = [link(), link("b", BEN)]
    wide, children = made(terms, *met, persons=[person(), person("b")], links=links)
    rows = ibis.memtable(pa.Table.from_pylist(met, schema=empty(CONTACTS).schema))
    told = attended(rows, table(LINKS, links), children, terms[1])
    cube = with_contacts(reach(wide, children, terms[1], "ward", 9), told, children, "ward")
    found = check(cube, CUBE).to_pandas().set_index(["service", "used"])
    names = [f"{part}_contacts" for part in ("sum", "top1", "top2")]
    assert found.loc[("chattertime", "used"), names].tolist() == [6, 4, 2]  # not at five
    assert found.loc[("making_it_real", "not_used"), names].tolist() == [0, 0, 0]


def test_combinations_count_the_eligible_new_users_of_each_trial(terms):
    wide, children = made(terms, contact())
    rows = check(combinations(wide, children, terms[0], 9), CUBE).to_pyarrow().to_pylist()
    assert {(r["trial"], r["combination"]): r["children"] for r in rows}[
        ("m12", "chattertime")
    ] == 1


@settings(max_examples=4, deadline=None)
@given(
    day=st.dates(date(2020, 5, 1), date(2024, 12, 1)),
    service=st.sampled_from(["chattertime", "together_time"]),
)
def test_a_contact_after_the_last_window_changes_no_windowed_column(terms, day, service):
    before, after = ann(terms, contact()), ann(terms, contact(), contact(service, day))
    asked = [c for c in before if c.startswith("m12_")]
    assert [before[c] for c in asked] == [after[c] for c in asked]


@pytest.mark.parametrize(
    ("born", "offered"), [(date(2020, 10, 1), True), (date(2020, 11, 1), False)]
)
def test_a_service_that_closed_within_the_window_was_not_on_offer(terms, born, offered):
    told = ann(terms, persons=[person(birth_month=born)])  # it closed at the end of March 2022
    assert told["m12_offered_babies_next_steps"] is offered
