from datetime import date

import ibis
import pyarrow as pa
import pytest

from leap_eval.contracts import CONTACTS, FILED_PERSONS, OUTCOMES, PERSONS, check
from leap_eval.ingest import ingest, missing_periods
from leap_eval.store.rows import Filed, empty

ANN, BEN = "rk1_" + "a" * 28, "rk1_" + "b" * 28
AS_AT = date(2020, 3, 31)
SUBMISSION = {"partner": "leap_community", "received": 10, "refused": 1, "choice": 2}


def row(contract, **told):
    """Return a row of a contract: what is not told is null, or the emptiest word."""
    whole = dict.fromkeys(contract.columns) | {"period": "2019Q3"}
    plain = {
        "record_key": ANN,
        "partner": "leap_community",
        "role": "child",
        "ethnicity_group5": "not_known",
        "home_language": "not_known",
        "disability": "not_known",
        "collected_on": date(2019, 10, 1),
        "submission_id": "a" * 16,
        "row": 2,
        "sessions": 1,
        "attended": "attended",
        "in_scope": True,
        "in_window": True,
    }
    return whole | {k: v for k, v in plain.items() if k in whole} | told


def table(contract, *rows):
    schema = empty(contract).schema.append(pa.field("period", pa.string()))
    return ibis.memtable(pa.Table.from_pylist(list(rows), schema=schema))


def ingested(persons=(), contacts=(), outcomes=()):
    told = {**SUBMISSION, "period": "2019Q3", "shared_on": "2019-10-01"}
    tables = (
        table(FILED_PERSONS, *persons),
        table(CONTACTS, *contacts),
        table(OUTCOMES, *outcomes),
    )
    return ingest(Filed(*tables, ("2019Q3",), (told,)), AS_AT)


def person(**told):
    return row(FILED_PERSONS, **told)


def contact(**told):
    day = {
        "service": "community_events",
        "date_from": date(2019, 7, 3),
        "date_to": date(2019, 7, 3),
    }
    return row(CONTACTS, **(day | told))


def people(*rows, outcomes=()):
    told = ingested(rows, outcomes=outcomes).persons
    return {r["record_key"]: r for r in check(told, PERSONS).to_pyarrow().to_pylist()}


def test_the_first_telling_of_a_fact_leads_because_it_can_be_dated():
    later = person(need_level=2, imd_decile=3, collected_on=date(2020, 1, 5), row=9)
    ann = people(person(need_level=1), later)[ANN]
    assert (ann["need_level"], ann["need_level_on"]) == (1, date(2019, 10, 1))
    assert (ann["imd_decile"], ann["area_on"]) == (3, date(2020, 1, 5))


def test_a_word_for_not_known_never_hides_what_another_submission_knows():
    told = person(home_language="other", collected_on=date(2020, 1, 5))
    assert people(person(), told)[ANN]["home_language"] == "other"


def test_a_reviews_date_and_its_finding_come_from_one_row_the_earliest():
    first = person(review_on_12=date(2018, 12, 20), concern_12=True)
    again = person(review_on_12=date(2019, 2, 20), concern_12=False, collected_on=date(2020, 1, 5))
    dateless = person(concern_12=False, collected_on=date(2018, 1, 5))
    ann = people(first, again, dateless)[ANN]
    assert (ann["review_on_12"], ann["concern_12"]) == (date(2018, 12, 20), True)


def test_a_family_that_did_not_say_at_first_is_heard_when_it_does():
    later = person(disability="yes", collected_on=date(2020, 1, 5))
    ann = people(person(disability="not_stated"), later)[ANN]
    assert (ann["disability"], ann["disability_on"]) == ("yes", date(2020, 1, 5))
    assert people(person(disability="not_stated"))[ANN]["disability"] == "not_stated"


def test_weight_at_birth_is_background_and_comes_from_the_results_of_the_birth():
    born = row(
        OUTCOMES, instrument="birth", item="weight_g", measured_on=date(2018, 5, 1), value=3200.0
    )
    assert people(person(), outcomes=[born])[ANN]["birthweight_g"] == 3200


def test_a_contact_sent_in_two_periods_is_one_contact():
    again = contact(period="2019Q4", row=7, submission_id="b" * 16, collected_on=date(2020, 1, 5))
    told = ingested([person()], [contact(), again])
    (one,) = check(told.contacts, CONTACTS).to_pyarrow().to_pylist()
    assert one["submission_id"] == "a" * 16
    assert told.quality["duplicates"] == 1


def test_two_frameworks_of_one_assessment_stay_two_instruments():
    results = [
        row(OUTCOMES, instrument=i, item="gld", measured_on=date(2019, 6, 1), value=1.0)
        for i in ("eyfsp@2012", "eyfsp@2021")
    ]
    told = ingested([person()], outcomes=results).outcomes.to_pyarrow().to_pylist()
    assert sorted(r["instrument"] for r in told) == ["eyfsp@2012", "eyfsp@2021"]


def test_a_quarter_that_was_never_sent_is_named():
    assert missing_periods(("2018Q4", "2019Q1", "2019Q4")) == ["2019Q2", "2019Q3"]


def test_the_share_of_children_who_are_alone_is_counted_as_it_is():
    twin = {
        "birth_month": date(2018, 5, 1),
        "area": "X01000001",
        "sex": "f",
        "ethnicity_group5": "white",
    }
    same = [person(record_key=k, **twin) for k in (ANN, BEN)]
    assert ingested(same).quality["unique_share"] == 0.0
    assert ingested([person(**twin)]).quality["unique_share"] == 1.0


@pytest.mark.requirement("R16")
def test_the_quality_sheet_holds_shares_and_no_pseudonym():
    quality = ingested([person()], [contact(in_scope=False)]).quality
    assert quality["no_consent_share"] == 0.2
    assert quality["out_of_scope_share"] == 1.0
    assert "rk1_" not in str(quality)


def test_two_submissions_of_one_day_and_row_are_told_apart_by_their_names():
    first, second = person(), person(submission_id="b" * 16)
    for both in ([first, second], [second, first]):
        (ann,) = ingested(persons=both).persons.to_pyarrow().to_pylist()
        assert ann["submission_id"] == "a" * 16
