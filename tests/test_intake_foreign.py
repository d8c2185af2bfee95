"""Files nobody here wrote: a school census and an Annex A list that share far too much."""

import csv
import io
import os
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from leap_eval.agreements import load_agreement, load_programme
from leap_eval.agreements.programme import Geography
from leap_eval.contracts import FILED_PERSONS, check
from leap_eval.intake import flow
from leap_eval.store import office
from leap_eval.store.delivery import Delivery
from leap_eval.tokens import load_keys

FIXTURES = Path(__file__).parent / "fixtures"
AGREED_TO = ("role", "consent", "consent_date", "notice")  # a service must ask; these files do not
OPTED_IN = ("pupil", "Yes", "2020-09-01", "1")
CENSUS = [
    [
        "pupilonrolltableid",
        "NativeId",
        "dob",
        "surname",
        "forename",
        "middlenames",
        "upn",
        "sex",
        "uniquelearnernumber",
        "language",
        "address",
    ],
    [
        "0002e-7ca",
        "SCH1",
        "2018-Apr-25 00:00:00",
        "SURCANARY",
        "FORCANARY",
        "MIDCANARY",
        "UPNCANARY",
        "M",
        "ULNCANARY",
        "ENG",
        "1 Canary Street",
    ],
]
ANNEX = [
    ["Child Unique ID", "Gender", "Ethnicity", "Date of Birth", "Age", "Allocated Worker"],
    [9000001, "b) Female", "a) WBRI", date(2019, 1, 25), 1.9, "Worker Canary"],
]


def as_csv(rows):
    told = io.StringIO()
    csv.writer(told, lineterminator="\n").writerows(rows)
    return told.getvalue().encode()


def as_workbook(rows):
    book, told = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "List 1"
    for row in rows:
        book.active.append(list(row))
    book.save(told)
    return told.getvalue()


def opted_in(rows):
    return [[*row, *(AGREED_TO if i == 0 else OPTED_IN)] for i, row in enumerate(rows)]


def taken(root, partner, data, name):
    one = Delivery(partner, "2024Q4", 1, date(2025, 1, 20), {name: data})
    programme = load_programme(root).model_copy(update={"geography": Geography()})
    terms = {partner: load_agreement(FIXTURES, partner)}
    keys, day = load_keys(None, "demo"), date(2025, 3, 31)
    office.deliver(one)
    return flow.take(one, terms[one.partner], programme, keys, day, "tester")


def census(root, rows):
    return taken(root, "school_census", as_csv(rows), "pupilonroll_2024Q4.csv")


def annex(root, rows):
    return taken(root, "annex_a", as_workbook(rows), "annex_a_2024Q4.xlsx")


def on_disk(workspace):
    return b"".join(p.read_bytes() for p in sorted(workspace.rglob("*")) if p.is_file())


def filed_columns(workspace, partner):
    (path,) = (workspace / "data/extracts" / partner).rglob("persons.parquet")
    return check(pq.read_table(path), FILED_PERSONS)


@pytest.mark.requirement("R08", "R16", "R23")
@pytest.mark.parametrize(
    ("partner", "send", "rows"), [("school_census", census, CENSUS), ("annex_a", annex, ANNEX)]
)
def test_an_over_sharing_file_leaves_only_agreed_and_degraded_columns(
    root, workspace, partner, send, rows
):
    assert send(root, opted_in(rows)).verdict == "filed"
    (person,) = filed_columns(workspace, partner).to_pylist()
    assert person["birth_month"].day == 1
    kept = on_disk(workspace).lower()
    assert b"canary" not in kept
    assert str(rows[1][0]).encode() not in kept


@pytest.mark.requirement("R16")
def test_a_column_that_is_missing_refuses_a_census_whole_and_names_it(root, workspace):
    done = census(root, [row[1:] for row in opted_in(CENSUS)])
    assert (done.verdict, done.rule) == ("refused", "header.missing")
    assert not (workspace / "data").exists()


@pytest.mark.requirement("R34", "R35")
def test_a_census_that_asked_nobody_for_consent_is_refused_for_want_of_it(root, workspace):
    done = census(root, CENSUS)
    assert (done.verdict, done.rule) == ("refused", "header.missing")


SAMPLES = os.environ.get("LEAP_SAMPLES")


@pytest.mark.skipif(not SAMPLES, reason="LEAP_SAMPLES names no folder of samples")
@pytest.mark.requirement("R16", "R23")
def test_a_real_sample_of_a_census_leaves_no_name_on_disk(root, workspace):
    (path,) = Path(SAMPLES).glob("*autumn_pupilonroll.csv")
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))[:2001]
    done = census(root, opted_in(rows))
    assert done.verdict == "filed", (done.rule, done.place)
    kept = on_disk(workspace)
    shut = [rows[0].index(c) for c in ("surname", "forename", "middlenames", "upn")]
    assert [r[c] for r in rows[1:] for c in shut if len(r[c]) > 6 and r[c].encode() in kept] == []
    print(filed_columns(workspace, "school_census").num_rows, "rows filed")


@pytest.mark.skipif(not SAMPLES, reason="LEAP_SAMPLES names no folder of samples")
@pytest.mark.requirement("R16", "R23")
def test_a_real_sample_of_an_annex_list_leaves_no_reference_on_disk(root, workspace):
    (path,) = Path(SAMPLES).glob("*Annex_A_2024_Jan.xlsx")
    rows = list(openpyxl.load_workbook(path)["List 1"].iter_rows(values_only=True))
    done = annex(root, opted_in([row for row in rows if row[0]]))
    assert done.verdict == "filed", (done.rule, done.place)
    kept = on_disk(workspace)
    assert [row[0] for row in rows if row[0] and str(row[0]).encode() in kept] == []
    print(filed_columns(workspace, "annex_a").num_rows, "rows filed")
