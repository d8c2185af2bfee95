"""Promises of the privacy notice that no single part keeps alone: terms, scope, codes, counts."""

import re
from datetime import date

import pytest

from leap_eval.agreements import load_agreements, load_programme
from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Geography, Programme
from leap_eval.contracts import ALL
from leap_eval.intake import flow
from leap_eval.reference.ethnicity import STANDARDS, ethnicity
from leap_eval.store.delivery import Delivery
from leap_eval.tokens import load_keys

GROUPS = {"white", "mixed", "asian", "black", "other", "not_stated", "not_known"}


@pytest.fixture(scope="module")
def told(root):
    """The terms of one partner and of the programme, as plain values to change."""
    agreement = load_agreements(root)["leap_community"].model_dump(by_alias=True)
    return agreement, load_programme(root).model_dump(by_alias=True)


@pytest.mark.requirement("R02")
@pytest.mark.parametrize("missing", ["name", "ico_number", "notice_url", "notice_version"])
def test_an_agreement_names_the_controller_and_the_notice_that_families_saw(told, missing):
    controller = {k: v for k, v in told[0]["controller"].items() if k != missing}
    with pytest.raises(ValueError, match=missing):
        Agreement.model_validate(told[0] | {"controller": controller})


@pytest.mark.requirement("R04")
def test_a_service_belongs_to_one_of_the_three_strands_that_families_were_told(told):
    services = [*told[1]["services"][:1]]
    strange = [services[0] | {"strand": "leisure"}]
    Programme.model_validate(told[1] | {"services": services})
    with pytest.raises(ValueError, match="strand"):
        Programme.model_validate(told[1] | {"services": strange})


@pytest.mark.requirement("R09")
@pytest.mark.parametrize("standard", sorted(STANDARDS))
def test_every_code_of_every_standard_of_ethnic_groups_has_one_group_of_five(standard):
    assert {ethnicity(code, standard)[1] for code in STANDARDS[standard]} <= GROUPS


@pytest.mark.requirement("R09")
@pytest.mark.parametrize(
    ("text", "standard", "group"),
    [("R", "nhs2001", "asian"), ("Chinese", "census2011", "asian"), ("CHNE", "dfe", "asian"),
     ("Not stated", "nhs2001", "not_stated"), ("Unknown", "dfe", "not_known"),
     ("", "census2021", "not_known"), ("Z", "nhs2001", "not_stated"),
     ("99", "nhs2001", "not_known")],
)  # fmt: skip
def test_chinese_is_asian_everywhere_and_not_stated_is_never_not_known(text, standard, group):
    assert ethnicity(text, standard)[1] == group


def received(root, agreement, people, contacts):
    programme = load_programme(root).model_copy(update={"geography": Geography()})
    files = {"people_2019Q3.csv": people.encode(), "contacts_2019Q3.csv": contacts.encode()}
    one = Delivery("leap_community", "2019Q3", 1, date(2019, 10, 20), files)
    return flow.receive(one, agreement, programme, load_keys(None, "demo"), {})


HEAD = "visitor_id,family_id,role,first,last,dob,postcode,ethnicity,opt_in,opt_in_date,notice"
ANN = "R1,F1,child,Ann,Abe,2018-05-17,SW9 8QO,African,yes,2019-07-01,1"
CAME = "visitor_id,event,date,came\nR1,Community event,2019-07-03,yes\n"


@pytest.mark.requirement("R10")
def test_a_disability_is_filed_only_where_the_agreement_lists_it(root):
    agreed = load_agreements(root)["leap_community"]
    people = f"{HEAD},send\n{ANN},yes\n"
    without = received(root, agreed, people, CAME).tables["persons"]
    listed = agreed.model_dump(by_alias=True)
    listed["tables"]["persons"]["columns"] += (
        {"is": "disability", "column": "send", "values": {"yes": "yes"}, "purpose": "equity"},
    )
    within = received(root, Agreement.model_validate(listed), people, CAME).tables["persons"]
    assert without["disability"].to_pylist() == ["not_known"]
    assert within["disability"].to_pylist() == ["yes"]


@pytest.mark.requirement("R11")
@pytest.mark.parametrize(
    ("cell", "filed"), [("3", 1), ("0", 1), ("-1", 0), ("1.5", 0), ("3 or 4", 0)]
)
def test_the_number_of_sessions_is_a_whole_number_or_the_row_is_set_aside(root, cell, filed):
    listed = load_agreements(root)["leap_community"].model_dump(by_alias=True)
    listed["tables"]["contacts"]["columns"] += (
        {"is": "sessions", "column": "times", "purpose": "use"},
    )
    rows = [f"R1,Community event,2019-07-{day:02d},yes,{cell if day == 9 else 1}"
            for day in range(1, 31)]  # fmt: skip
    contacts = "\n".join(["visitor_id,event,date,came,times", *rows]) + "\n"
    done = received(root, Agreement.model_validate(listed), f"{HEAD}\n{ANN}\n", contacts)
    assert done.tables["contacts"].num_rows == 29 + filed


@pytest.mark.requirement("R12")
def test_no_agreement_can_list_free_text_because_no_column_is_of_that_kind(told):
    tables = told[0]["tables"]
    note = {"is": "notes", "column": "Notes", "purpose": "evaluate"}
    persons = tables["persons"] | {"columns": (*tables["persons"]["columns"], note)}
    with pytest.raises(ValueError, match="none of the things a column may be"):
        Agreement.model_validate(told[0] | {"tables": tables | {"persons": persons}})


@pytest.mark.requirement("R12")
def test_every_text_that_the_intake_may_file_is_a_code_and_never_a_sentence():
    sentence = "She is much calmer now, since her brother was born; we see the family weekly!"
    filed = [c for c in ALL if c.name in ("filed persons", "contacts", "outcomes")]
    assert len(filed) == 3
    for contract in filed:
        for name, column in contract.columns.items():
            if column.kind == "str" and not column.among and column.shape:
                assert not re.fullmatch(column.shape, sentence), (contract.name, name)
