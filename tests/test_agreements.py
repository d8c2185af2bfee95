"""The terms: strict to read, and unable to say what the privacy notice forbids."""

from datetime import date

import pytest

from leap_eval.agreements import load_agreement, load_agreements, load_people, load_programme
from leap_eval.agreements.agreement import Agreement, in_force, review_due
from leap_eval.errors import AgreementError, LeapError

BASES = [("6(1)(f)", "9(2)(h)"), ("6(1)(e)", "9(2)(a)"), ("6(1)(a)", "9(2)(a)"), ("6(1)(e)", None)]


def told(root, partner):
    return load_agreement(root, partner).model_dump(by_alias=True)


def copy_of(root, tmp_path, change):
    (tmp_path / "agreements").mkdir()
    text = (root / "agreements/leap_community.yaml").read_text(encoding="utf-8")
    (tmp_path / "agreements/leap_community.yaml").write_text(change(text), encoding="utf-8")
    return tmp_path


def test_every_service_of_the_programme_has_a_word_in_its_partners_agreement(root):
    agreements = load_agreements(root)
    for service in load_programme(root).services:
        column = agreements[service.partner].tables["contacts"].column("service")
        assert service.id in column.values.values(), service.id


@pytest.mark.requirement("R33")
@pytest.mark.parametrize(("six", "nine"), BASES)
def test_an_nhs_trust_shares_by_public_task_and_health_care_and_by_nothing_else(root, six, nine):
    terms = told(root, "riverside_hospital") | {
        "lawful_basis": {"article_6": six, "article_9": nine}
    }
    with pytest.raises(ValueError, match="an NHS trust needs"):
        Agreement.model_validate(terms)


@pytest.mark.requirement("R34")
def test_a_service_that_shares_ethnicity_needs_explicit_consent_for_it(root):
    terms = told(root, "leap_community") | {"lawful_basis": {"article_6": "6(1)(a)"}}
    with pytest.raises(ValueError, match="special categories"):
        Agreement.model_validate(terms)


@pytest.mark.requirement("R35", "R48")
@pytest.mark.parametrize("word", ["", "assumed", "Implied", "n/a", "opt-out not received"])
def test_no_agreement_can_call_silence_a_positive_opt_in(root, word):
    terms = told(root, "leap_community") | {"consent": {"wording_version": "1", "yes": [word]}}
    with pytest.raises(ValueError, match="no positive opt-in"):
        Agreement.model_validate(terms)


@pytest.mark.requirement("R15", "R17")
def test_an_agreement_holds_from_its_first_day_to_its_review_and_not_a_day_longer(root):
    terms, due = load_agreement(root, "leap_community"), date(2025, 10, 1)
    longer = terms.model_copy(update={"term": terms.term.model_copy(update={"ends": date.max})})
    assert review_due(terms) == due
    assert in_force(terms, terms.term.starts) is None
    assert in_force(longer, due) is None
    assert "review" in in_force(longer, date(2025, 10, 2))


@pytest.mark.parametrize("added", ["version: 2\n", "extra: 1\n", "due: &a 1\n"])
def test_a_repeated_key_an_unknown_key_or_an_anchor_is_refused(root, tmp_path, added):
    with pytest.raises(LeapError, match=r"leap_community\.yaml"):
        load_agreement(copy_of(root, tmp_path, lambda text: text + added), "leap_community")


@pytest.mark.requirement("R14")
def test_an_unknown_partner_is_told_which_agreements_there_are(root):
    with pytest.raises(AgreementError, match="milk_and_more"):
        load_agreement(root, "nobody")


@pytest.mark.requirement("R27")
def test_nobody_among_the_people_is_approved_by_themselves(root):
    assert [p.id for p in load_people(root).people if p.approved_by == p.id] == []
