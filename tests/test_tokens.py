from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leap_eval import tokens
from leap_eval.errors import KeyMissingError, SubmissionError
from leap_eval.tokens import Person, forms, near, normalise

KEYS = tokens.load_keys(None, "demo")
ZOE = Person("Zoë", "O'Brien-Okafor", "2019-04-01", "SW9 8QO", nhs_number="999 000 0018")
names = st.text(st.characters(categories=["L", "M", "Zs", "Pd"]), max_size=20)


def made(person, tier="AB"):
    return tokens.tokenise([person], KEYS.link, tier).to_pylist()[0]


@pytest.mark.requirement("R21")
@pytest.mark.parametrize(
    ("kind", "values", "transit", "kept"),
    [
        ("name", ["zoe"], "tk1_6h2hybcla3bhly2drx7xxstr4ui4", "390c347105d212eaa4413daf177c89cd"),
        (
            "f_l",
            ["zoe", "obrienokafor"],
            "tk1_27m2qx74lcz2lwvah2lfhibd5ino",
            "89aae0d5468a370c5352f96970cb8f74",
        ),
        (
            "nhs",
            ["9990000018"],
            "tk1_guqmnsn5coxuxbzad73qgsxvwyc6",
            "8a04c19498ba1eee767401511d6dbb59",
        ),
    ],
)
def test_published_known_answers_hold_in_transit_and_at_rest(kind, values, transit, kept):
    raw = tokens.token(KEYS.link, kind, *values)
    assert tokens.to_text("tk1", raw) == transit
    assert tokens.rest(KEYS.store, kind, raw).hex() == kept


def test_the_published_record_key_and_study_id_are_made():
    key = tokens.record_key("borough_council", "H0012345", KEYS.record)
    assert key == "rk1_bcicgwpi6w4udcxdhjoi5dywrmzo"
    assert tokens.study_id(key, KEYS.project) == "sid1_be6yzda5mgwnug2zra2djh2uier2"


def test_the_ids_of_the_public_demo_keys_are_the_published_ones():
    ids = [tokens.key_id(k) for k in (KEYS.link, KEYS.store, KEYS.record, KEYS.project)]
    assert ids == ["a08bf53c", "34eb6000", "17f8b812", "432caea7"]


def test_a_person_typed_two_ways_gives_the_same_tokens():
    other = Person("ZOE", "obrien okafor", "20190401", "sw98qo", nhs_number="9990000018")
    assert made(other) == made(ZOE)


@pytest.mark.requirement("R21", "R23")
def test_tier_a_holds_no_token_of_one_field_alone():
    only_name = made(Person(forename="Zoë"), "A")
    assert not [c for c, v in only_name.items() if v and not c.startswith("has_")]
    assert not {"fn", "ln", "dob", "pc"} & set(only_name)


def test_without_the_key_no_token_can_be_made_again():
    assert tokens.token(b"x" * 32, "name", "zoe") != tokens.token(KEYS.link, "name", "zoe")


def test_exchanged_names_and_a_swapped_date_meet_the_right_ones():
    turned = made(Person("O'Brien-Okafor", "Zoë", "2019-01-04", "SW9 8QO"))
    assert turned["l_f"] == made(ZOE)["f_l"]
    assert made(Person("Zoë", "Okafor", "2019-01-04"))["f_sw"] == made(ZOE)["f_q"]


def test_a_guardians_mark_equals_the_mark_of_that_adult():
    child = Person(
        "Ann", "Abe", "2020-02-02", "SW9 8QO", guardian_forename="Zoë", guardian_surname="Abe"
    )
    assert made(child)["g_flp"] == made(Person("Zoë", "Abe", None, "SW9 8QO"))["flp"]


@pytest.mark.parametrize("text", ["Baby", "TWIN ONE", "baby boy", "Not known", "XXX", ""])
def test_a_placeholder_is_a_missing_forename_and_not_a_different_one(text):
    assert normalise.name(text, forename=True) in (None,) or text == "Not known"


def test_a_nickname_meets_its_full_form():
    liz, elizabeth = (made(Person(f, "Abe", "2020-02-02"))["fn_nick"] for f in ("Liz", "Elizabeth"))
    assert liz == elizabeth


def test_letters_typed_for_digits_in_a_postcode_are_mended_by_their_place():
    assert normalise.postcode("SW9 8Q0") == normalise.postcode("SW9 8QO") == "SW98QO"
    assert normalise.postcode("SEI 1AB") == "SE11AB"


@pytest.mark.parametrize("bad", ["9990000019", "1111111111", "999000001", "99900000187"])
def test_an_nhs_number_with_a_wrong_check_digit_gives_no_token(bad):
    assert normalise.nhs_number(bad) is None


def test_an_impossible_date_keeps_its_digits_because_two_partners_may_copy_one_slip():
    assert normalise.birth_date("1933-02-31") == "19330231"
    assert normalise.birth_date("1900-01-01") is None


@given(names)
def test_normalising_twice_changes_nothing(text):
    first = normalise.name(text)
    assume(first is not None and first.whole)
    again = normalise.name(first.whole)
    assert again.whole == first.whole


@given(st.text("abcdefgh", min_size=2, max_size=13), st.data())
def test_values_one_edit_apart_always_share_an_element(value, data):
    place = data.draw(st.integers(0, len(value) - 1))
    edited = data.draw(
        st.sampled_from([value[:place] + value[place + 1 :], value[:place] + "z" + value[place:]])
    )
    assume(edited)
    assert set(near.of("name", value)) & set(near.of("name", edited))


@given(st.text("abcdefgh", min_size=2, max_size=13))
def test_two_neighbouring_letters_exchanged_still_share_an_element(value):
    turned = [value[:i] + b + a + value[i + 2 :] for i, (a, b) in enumerate(pairwise(value))]
    assert all(set(near.of("name", value)) & set(near.of("name", t)) for t in turned)


def test_lists_have_one_length_so_that_they_do_not_tell_how_long_a_name_is():
    short, long = (
        made(Person("Al", "Abe", "2020-02-02")),
        made(Person("Maximiliana", "Abe", "2020-02-02")),
    )
    assert len(short["fd_l"]) == len(long["fd_l"]) == 16


def test_a_trusts_canonical_text_comes_back_as_the_same_tokens():
    table = tokens.tokenise([ZOE, Person()], KEYS.link, "A")
    assert tokens.from_canonical(tokens.to_canonical(table)).equals(table)


def test_two_check_characters_catch_damage_in_nearly_every_place_and_quote_nothing():
    text, caught = tokens.to_text("tk1", bytes(range(16))), 0
    damages = [text[:i] + c + text[i + 1 :] for i in range(4, 32) for c in "abcd" if c != text[i]]
    for damaged in damages:
        try:
            tokens.from_text(damaged)
        except SubmissionError as refused:
            caught += damaged not in str(refused)
    assert caught >= len(damages) - 1


def test_at_rest_tokens_are_keyed_again_and_list_elements_cut():
    table = tokens.tokenise([ZOE], KEYS.link, "AB")
    kept = tokens.at_rest(table, KEYS.store)
    assert kept.schema.equals(tokens.schema("AB", "rest"))
    assert kept["f_l"][0] != table["f_l"][0]
    assert {len(e) for e in kept["fd_l"][0].as_py()} == {8}


@pytest.mark.requirement("R28")
def test_a_live_programme_never_runs_on_the_public_demo_keys(tmp_path):
    for name in ("link", "store", "record", "project"):
        (tmp_path / name).write_text(getattr(KEYS, name).hex())
        (tmp_path / name).chmod(0o600)
    with pytest.raises(KeyMissingError, match="demo key"):
        tokens.load_keys(tmp_path, "live")


@pytest.mark.requirement("R28")
def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "project").write_text("a" * 64)
    (tmp_path / "project").chmod(0o644)
    with pytest.raises(KeyMissingError, match="chmod 600"):
        tokens.load_keys(tmp_path, "live", names=("project",))


def test_chance_agreement_rates_are_told_only_of_a_thousand_people_or_more():
    people = [
        Person("abcdefghij"[i % 10] * 3, f"Sur{i}", f"20{i % 20:02d}-01-0{i % 9 + 1}")
        for i in range(1200)
    ]
    assert tokens.rates(people[:999], 1) == {}
    assert tokens.rates(people, 1)["f"] == pytest.approx(1 / 10, rel=0.1)


def test_a_person_shows_nothing_of_itself_even_in_an_error_message():
    assert "Okafor" not in repr(ZOE)
    assert "Okafor" not in repr(KEYS)


def family(count):
    """Return children two by two under one roof, and one of them registered twice."""
    first = ("Ann", "Ben", "Cem", "Dot", "Eve", "Fay", "Gus", "Hal", "Ida", "Jan", "Kit")
    for number in range(count):
        last, home = f"Lee{'abcdefgh'[number // 2 % 8]}", f"SW{number // 2 % 9} 1AA"
        born = f"20{15 + number % 5}-{1 + number % 12:02d}-{1 + number % 28:02d}"
        yield Person(first[number % 11], last, born, home)


@pytest.mark.requirement("R21")
def test_no_compound_that_leaves_a_trust_stands_for_two_children_of_its_file():
    people = [*family(60), next(family(60))]
    table, bare = (tokens.tokenise(people, KEYS.link, tier) for tier in ("A", "AB"))
    assert most(bare, "l_p") > 2
    assert most(bare, "f_l") > 1
    for column in {*tokens.columns("A")[0], *tokens.columns("A")[1]} - forms.TOLD_ANYWAY:
        assert most(table, column) <= 2, column  # the child who is registered twice
    assert most(tokens.tokenise(people[:60], KEYS.link, "A"), "fd_l") == 1


def most(table, column):
    told = [c if isinstance(c, list) else [c] for c in table[column].to_pylist() if c]
    return max(Counter(mark for marks in told for mark in set(marks)).values(), default=0)


def test_of_twins_only_whole_fields_beside_the_date_tell_that_they_are_two():
    twins = [Person(f, "Lee-Smith", "2019-04-05", "SW9 8QO") for f in ("Ann", "Benedict")]
    one, two = tokens.tokenise(twins, KEYS.link, "A").select(tokens.columns("A")[0]).to_pylist()
    assert {c for c in one if one[c] and one[c] == two[c]} == {"l_q", "lf_q", "q_p"}


def test_a_compound_that_one_child_alone_bears_still_meets_that_child_elsewhere():
    ann, ben = Person("Ann", "Lee", "2019-04-01", "SW9 8QO"), Person("Ben", "Lee", None, "SW9 8QO")
    both, alone = tokens.tokenise([ann, ben], KEYS.link, "A").to_pylist(), made(ann, "A")
    same = {c for c in alone if alone[c] == both[0][c]}
    assert {"f_l", "f_q", "f_p", "flp", "f1_l_p", "q_p"} <= same
    assert "l_p" not in same
    assert both[0]["l_p"] != both[1]["l_p"]
    assert [len(e) for e in both[0]["ld_p"]] == [16] * 16
    assert tokens.tokenise([ann, ben], KEYS.link, "A").to_pylist() == both


def test_a_name_that_stands_in_the_place_of_the_other_meets_it_by_date_or_postcode():
    turned = made(Person("Amara", "Zoë", "2019-04-01", "SW9 8QO"), "A")
    assert (turned["lf_q"], turned["lf_p"]) == (made(ZOE, "A")["f_q"], made(ZOE, "A")["f_p"])
    assert turned["l_q"] != made(ZOE, "A")["f_q"]


def test_the_tokens_added_since_the_vectors_were_written_have_their_known_answers():
    raw = made(ZOE, "A")["f1_l_p"]
    assert tokens.to_text("tk1", raw) == "tk1_a6rdsmshjutrepr656o7d7jldytd"
    siblings = [Person("Ann", "Example", "2019-04-01", "SW9 8QO"),
                Person("Ben", "Example", "2018-12-24", "SW9 8QO")]  # fmt: skip
    own = tokens.tokenise(siblings, KEYS.link, "A")["l_p"].to_pylist()
    assert [tokens.to_text("tk1", raw) for raw in own] == [
        "tk1_3a3jr6eilxhctufcdx3c6byluu7i",
        "tk1_btfxkblkebjij5hrkrpyxdmebydg",
    ]
