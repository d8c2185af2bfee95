"""Submissions written by hand: what is filed, what never reaches disk, what is refused and why."""

import contextlib
import io
import json
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from leap_eval.agreements import load_agreements, load_programme
from leap_eval.agreements.programme import Geography
from leap_eval.contracts import CONTACTS, FILED_PERSONS, OUTCOMES, check
from leap_eval.errors import AgreementError, KeyMissingError, StateError
from leap_eval.intake import flow, partner_side
from leap_eval.intake.partner_side import TrustKeys
from leap_eval.store import ledger, office
from leap_eval.store.delivery import Delivery
from leap_eval.tokens import load_keys
from leap_eval.tokens.keys import demo_key

KEYS = load_keys(None, "demo")
AS_AT = date(2025, 3, 31)
CANARIES = ("Zephyrine", "Quillfeather", "SW9 8QO", "07700900123", "REF-0001", "Canary Street")
PEOPLE = (
    "visitor_id,family_id,role,first,last,dob,postcode,ethnicity,opt_in,opt_in_date,notice,"
    "email,photo_ok\n"
    "REF-0001,F1,child,Zephyrine,Quillfeather,2018-05-17,SW9 8QO,African,yes,2019-07-01,1,"
    "zephyrine@home.example,07700900123 Canary Street\n"
    "REF-0002,F1,adult,Ola,Quillfeather,,SW9 8QO,Irish,yes,2019-07-01,1,,\n"
    "REF-0003,F2,child,Ann,Abe,2018-06-02,,Roma,,2019-07-01,1,,\n"
)
CONTACTS_CSV = (
    "visitor_id,event,date,came\n"
    "REF-0001,Community event,2019-07-03,yes\nREF-0001,Community event,2019-08-09,no\n"
    "REF-0003,Community event,2019-08-09,yes\nREF-0009,Community event,2019-08-09,yes\n"
)


@pytest.fixture(scope="module")
def terms(root):
    no_lookup = {"geography": Geography()}
    return load_agreements(root), load_programme(root).model_copy(update=no_lookup)


def delivery(partner="leap_community", people=PEOPLE, contacts=CONTACTS_CSV, sequence=1, **files):
    content = {
        "people_2019Q3.csv": people.encode(),
        "contacts_2019Q3.csv": contacts.encode(),
        **files,
    }
    return Delivery(partner, "2019Q3", sequence, date(2019, 10, 20), content)


def received(terms, one, before=None):
    agreements, programme = terms
    return flow.receive(one, agreements[one.partner], programme, KEYS, before or {})


def everything(folder):
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def taken(terms, *deliveries):
    agreements, programme = terms
    done = []
    for one in deliveries:
        office.deliver(one)
        done.append(flow.take(one, agreements[one.partner], programme, KEYS, AS_AT, "tester"))
    return done


@pytest.mark.requirement("R06", "R07", "R16", "R22", "R23")
def test_no_name_postcode_reference_or_unagreed_column_reaches_any_file(terms, workspace):
    taken(terms, delivery())
    kept = everything(workspace)
    assert b"rk1_" in kept
    assert [c for c in CANARIES if c.encode() in kept or c.lower().encode() in kept] == []


def test_what_is_filed_keeps_its_contracts(terms):
    tables = received(terms, delivery()).tables
    check(tables["persons"], FILED_PERSONS)
    check(tables["contacts"], CONTACTS)


@pytest.mark.requirement("R08")
def test_a_birth_date_is_filed_as_its_month_and_ages_are_differences_of_months(terms):
    tables = received(terms, delivery()).tables
    assert date(2018, 5, 1) in tables["persons"]["birth_month"].to_pylist()
    assert sorted(tables["contacts"]["age_months"].to_pylist()) == [14, 15]


@pytest.mark.requirement("R08")
def test_two_children_born_on_different_days_of_a_month_are_filed_alike(terms):
    other = PEOPLE.replace("2018-05-17", "2018-05-28")
    one, two = (received(terms, delivery(people=p)).tables["persons"] for p in (PEOPLE, other))
    assert one.drop_columns(["submission_id"]).equals(two.drop_columns(["submission_id"]))


@pytest.mark.requirement("R35")
@pytest.mark.parametrize(
    "word",
    [
        "",
        "no",
        "n",
        "assumed",
        "implied",
        "n/a",
        "opt-out not received",
        "pending",
        "unknown",
        "?",
        "maybe",
    ],
)
def test_only_an_agreed_word_is_a_positive_opt_in(terms, word):
    people = PEOPLE.replace("African,yes", f"African,{word}")
    told = received(terms, delivery(people=people)).told["tables"]
    assert told["persons"]["choice"] == 2
    assert told["contacts"]["choice"] == 3


def test_rows_received_are_the_sum_of_their_fates(terms):
    told = received(terms, delivery(people=PEOPLE + PEOPLE.splitlines()[1] + "\n")).told
    fates = ("filed", "duplicate", "refused", "choice", "past_retention")
    assert told["received"] == 8 == sum(told[f] for f in fates)
    assert told["tables"]["persons"]["duplicate"] == 1
    assert told["refused_by_rule"]["reference.unknown"] == 1


@pytest.mark.requirement("R36")
def test_the_receipt_says_what_to_mend_by_row_and_rule_and_quotes_no_value(terms, workspace):
    taken(terms, delivery())
    text = (office.office() / "outbox/leap_community/2019Q3-1.txt").read_text()
    assert "Without consent: 33 % of people." in text
    assert "rows 5: no person row has this reference" in text
    assert "2 columns are not in our agreement" in text
    assert "DataProtection@example.org" in text
    assert "REF-0009" not in text


@pytest.mark.requirement("R22")
def test_the_raw_file_is_destroyed_and_the_ledger_says_so(terms, workspace):
    taken(terms, delivery())
    assert list((office.office() / "inbox/leap_community").iterdir()) == []
    assert ledger.verify(office.ledger_place()) == 2
    assert [line["event"] for line in ledger.lines(office.ledger_place())] == ["received", "filed"]


def test_a_ledger_whose_line_was_changed_is_found_at_that_line(terms, workspace):
    taken(terms, delivery())
    path = office.ledger_place()
    path.write_text(path.read_text().replace("2019Q3", "2019Q2", 1))
    with pytest.raises(Exception, match="line 1"):
        ledger.verify(path)


def test_the_same_content_again_is_a_replay_and_files_nothing(terms, workspace):
    assert [r.verdict for r in taken(terms, delivery(), delivery())] == ["filed", "identical"]


def test_a_higher_sequence_replaces_a_period_and_an_older_one_is_refused(terms, workspace):
    newer = delivery(sequence=3, contacts=CONTACTS_CSV.splitlines()[0] + "\n")
    done = taken(terms, delivery(), newer, delivery(sequence=2, people=PEOPLE.replace("F1", "F7")))
    assert [r.verdict for r in done] == ["filed", "filed", "refused"]
    assert not (workspace / "data/extracts/leap_community/2019Q3/contacts.parquet").exists()


def test_two_receptions_of_the_same_file_give_the_same_bytes(
    terms, workspace, tmp_path, monkeypatch
):
    taken(terms, delivery())
    first = everything(workspace / "data")
    monkeypatch.setenv("LEAP_ROOT", str(tmp_path / "other"))
    taken(terms, delivery())
    assert everything(tmp_path / "other/data") == first


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"people": PEOPLE.replace("visitor_id", "id")}, "header.missing"),
        ({"people": PEOPLE.replace("Ola", '"Ola')}, "file.quote"),
        ({"people": PEOPLE.replace("Ola,", "")}, "file.ragged"),
        ({"people": PEOPLE.replace("last", "first")}, "header.twice"),
        ({"people": PEOPLE.replace("Ola", "O\x00la")}, "file.control"),
        ({"notes.txt": b"hello"}, "file.unclaimed"),
        ({"people_2019Q3.csv": "naïve".encode("cp1252")}, "file.encoding"),
        ({"people_2019Q3.csv": b"PK\x03\x04"}, "file.format"),
        ({"people": PEOPLE.replace("SW9 8QO", "SW9 8QQ")}, "leak.demo"),
    ],
)
def test_a_faulty_file_is_refused_whole_by_its_rule_and_nothing_is_filed(terms, changed, rule):
    done = received(terms, delivery(**changed))
    assert (done.verdict, done.rule) == ("refused", rule)
    assert done.tables == {}
    assert "Quillfeather" not in flow.rule_words(done)


def trust_keys(partner):
    return TrustKeys(
        demo_key("link"), demo_key(f"person {partner}"), flow.signing_key(partner, "demo")
    )


RIVERSIDE = (
    "HospNo,FamilyNo,NHSNo,Role,Forename,Surname,MotherForename,MotherSurname,DOB,DueDate,Sex,Postcode,"
    "EthnicCategory,Lang,Multiple,Parity\n"
    "H1,F1,9990000018,B,Zephyrine,Quillfeather,Ola,Quillfeather,2018-05-17,2018-05-20,2,SW9 8QO,"
    "N,ENG,1,0\n"
)


BIRTH = b"HospNo,Measure,Item,MeasuredOn,Value\nH1,BIRTH,WEIGHT,2018-05-17,3200\n"


def trust_delivery():
    people = {"people_2019Q3.csv": RIVERSIDE.encode()}
    outcomes = {"outcomes_2019Q3.csv": BIRTH}
    return Delivery("riverside_hospital", "2019Q3", 1, date(2019, 10, 20), people | outcomes)


def sent(terms):
    agreements, programme = terms
    agreement = agreements["riverside_hospital"]
    keys = trust_keys("riverside_hospital")
    return partner_side.pseudonymise(
        trust_delivery(), agreement, programme, keys, date(2019, 10, 1)
    )


@pytest.mark.requirement("R06", "R21")
def test_what_leaves_a_trust_holds_no_identifier_and_is_filed_whole(terms):
    leaving = sent(terms)
    text = b"".join(leaving.content.values())
    assert [c for c in (*CANARIES, "9990000018", "H1,") if c.encode() in text] == []
    done = received(terms, leaving)
    assert done.verdict == "filed"
    check(done.tables["persons"], FILED_PERSONS)
    check(done.tables["outcomes"], OUTCOMES)


@pytest.mark.requirement("R21")
@pytest.mark.parametrize("place", ["raw", "header", "cell", "name", "workbook"])
def test_an_identifier_anywhere_in_a_trusts_submission_refuses_the_whole(terms, place, workspace):
    content = dict(sent(terms).content)
    people = content["persons_2019Q3.csv"].decode()
    if place == "raw":
        content = dict(trust_delivery().content)
    elif place == "header":
        content["persons_2019Q3.csv"] = people.replace("role,", "NHSNo,", 1).encode()
    elif place == "cell":
        content["persons_2019Q3.csv"] = people.replace(",child,", ",999 000 0018,", 1).encode()
    elif place == "name":
        content["ann 9990000018.csv"] = b"x"
    else:
        book, buffer = openpyxl.Workbook(), io.BytesIO()
        book.save(buffer)
        content["persons_2019Q3.csv"] = buffer.getvalue()
    if "manifest.json" in content and place != "name":
        told = json.loads(content.pop("manifest.json"))
        told.pop("files"), told.pop("signature")
        signing = trust_keys("riverside_hospital").signing
        content["manifest.json"] = flow.canonical.manifest(told, content, signing)
    wrong = Delivery("riverside_hospital", "2019Q3", 1, date(2019, 10, 20), content)
    (done,) = taken(terms, wrong)
    assert (done.verdict, done.rule) == ("refused", "leak.nhs")
    assert not (workspace / "data").exists()
    assert ledger.lines(office.ledger_place())[-1]["event"] == "incident"


@pytest.mark.requirement("R14")
def test_a_manifest_under_another_key_or_for_another_partner_is_refused(terms):
    leaving = sent(terms)
    told = json.loads(leaving.content["manifest.json"])
    content = dict(leaving.content)
    content["manifest.json"] = json.dumps({**told, "partner": "southbank_minds"}).encode()
    forged = Delivery(leaving.partner, leaving.period, 1, leaving.shared_on, content)
    assert received(terms, forged).rule == "manifest.signature"


@pytest.mark.requirement("R01", "R21")
def test_a_child_of_a_trust_and_of_a_service_carries_the_same_tokens_at_rest(terms):
    trust = received(terms, sent(terms)).tokens.to_pylist()[0]
    community = {r["role"]: r for r in received(terms, delivery()).tokens.to_pylist()}["child"]
    assert trust["f_l"] == community["f_l"]
    assert trust["flqp"] == community["flqp"]
    assert trust["record_key"] != community["record_key"]
    assert "dob" not in trust


@pytest.mark.requirement("R15", "R17")
@pytest.mark.parametrize(
    ("day", "says"),
    [(date(2015, 3, 31), "starts"), (date(2025, 10, 2), "ended|review")],
)
def test_outside_its_term_an_agreement_takes_nothing(terms, day, says):
    agreements, programme = terms
    flow.open_to(agreements["story_doorstep"], programme, date(2015, 4, 1))
    with pytest.raises(AgreementError, match=says):
        flow.open_to(agreements["story_doorstep"], programme, day)


@pytest.mark.requirement("R45")
def test_a_closed_programme_takes_nothing_in(terms):
    agreements, programme = terms
    with pytest.raises(StateError, match="closed"):
        flow.open_to(
            agreements["story_doorstep"], programme.model_copy(update={"state": "closed"}), AS_AT
        )


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_a_kill_between_two_renames_loses_nothing_and_files_nothing_by_halves(
    terms, workspace, monkeypatch, killed_at
):
    taken(terms, delivery())
    before = everything(workspace / "data")
    newer, renames = delivery(sequence=2, people=PEOPLE.replace("F1", "F7")), []
    real = Path.rename

    def counted(self, target):
        renames.append(target)
        if len(renames) == killed_at:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "rename", counted)
    with contextlib.suppress(KeyboardInterrupt):
        taken(terms, newer)
    monkeypatch.undo()
    monkeypatch.setenv("LEAP_ROOT", str(workspace))
    agreements, programme = terms
    waiting = office.waiting("leap_community")
    done = [flow.take(d, agreements[d.partner], programme, KEYS, AS_AT, "tester") for d in waiting]
    assert [d.verdict for d in done] == (["filed"] if killed_at <= 2 else [])
    assert everything(workspace / "data") != before
    assert len(list((workspace / "data/extracts/leap_community").iterdir())) == 1


@pytest.mark.requirement("R28")
def test_a_live_programme_never_trusts_the_public_signing_key_of_the_demo(monkeypatch):
    monkeypatch.delenv("LEAP_KEYS", raising=False)
    with pytest.raises(KeyMissingError, match="LEAP_KEYS"):
        flow.signing_key("riverside_hospital", "live")
