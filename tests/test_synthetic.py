import csv
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml

from leap_eval.contracts import CONTACTS, LINKS, OUTCOMES, PERSONS, check
from leap_eval.errors import SettingsError
from leap_eval.reference.geography import invented
from leap_eval.synthetic import contrast, draw, planted, records, tables
from leap_eval.synthetic.places import deprivation_csv, postcodes_csv
from leap_eval.synthetic.uptake import NEVER
from leap_eval.synthetic.workbook import workbook
from leap_eval.tokens import load_keys, nhs_number


@pytest.fixture(scope="module")
def world():
    return draw(planted("demo"), 2015, 4000)


@pytest.fixture(scope="module")
def held(world):
    return records(world)


def test_services_come_from_the_programme_with_its_partners_and_ages():
    told = yaml.safe_load(Path("programme.yaml").read_text(encoding="utf-8"))["services"]
    ours = planted("demo").services
    assert {s["id"]: (s["partner"], tuple(s["months"])) for s in told} == {
        name: (s.partner, s.months) for name, s in ours.items()
    }


def test_no_postcode_of_the_pretend_borough_can_exist_anywhere():
    codes = [row["postcode"] for row in csv.DictReader(postcodes_csv().splitlines())]
    assert len(set(codes)) == 4000
    assert all(invented(code) for code in codes)


def test_the_committed_geography_is_the_one_the_borough_is_drawn_from():
    home = resources.files("leap_eval.reference") / "data"
    assert (home / "postcodes.csv").read_text() == postcodes_csv()
    assert (home / "deprivation.csv").read_text() == deprivation_csv()


def test_every_health_number_lies_in_the_test_range_and_is_well_formed(held):
    numbers = set(held.people.nhs) - {""}
    assert all(n.startswith("999") and nhs_number(n) for n in numbers)


def test_the_same_seed_draws_the_same_borough_and_another_one_does_not(world):
    again = draw(planted("demo"), 2015, 4000)
    other = draw(planted("demo"), 2016, 4000)
    assert (again.starts == world.starts).all()
    assert (other.starts != world.starts).any()


def test_each_service_reaches_about_as_many_children_as_it_was_planted_to():
    big = draw(planted("demo"), 2020)
    begun = (big.starts != NEVER).sum(axis=0)
    target = np.array([s.target for s in big.planted.services.values()])
    assert (np.abs(begun - target) <= np.maximum(0.05 * target, 4 * np.sqrt(target))).all()


def test_the_clean_tables_keep_the_contracts_of_the_first_stages(world, held):
    made = tables(world, load_keys(None, "demo"), held)
    for table, contract in zip(
        (made.persons, made.contacts, made.outcomes, made.links),
        (PERSONS, CONTACTS, OUTCOMES, LINKS),
        strict=True,
    ):
        check(table, contract)


def test_without_planted_effects_every_true_contrast_is_exactly_zero():
    null = draw(planted("null"), 2015, 2000)
    for outcome in ("asq3_communication", "asqse2_total"):
        assert contrast(null, outcome, ("chattertime", "making_it_real")).reported == 0.0


def test_the_planted_synergy_makes_the_named_pair_better_than_either_alone(world):
    pair = contrast(world, "asq3_communication", ("chattertime", "making_it_real")).value
    each = [
        contrast(world, "asq3_communication", (s,)).value for s in ("chattertime", "making_it_real")
    ]
    assert pair > sum(each) > 0


def test_a_record_keeps_about_the_planted_share_of_each_error(held):
    surname = held.people.dirt.str.contains("other_surname")[held.people.child].mean()
    events = held.people[held.people.partner == "leap_community"]
    assert surname == pytest.approx(0.047, rel=0.15)
    assert events.dirt.str.contains("no_birth").mean() == pytest.approx(0.18, rel=0.15)


def test_a_scenario_nobody_built_is_refused_with_the_list_of_those_that_exist():
    with pytest.raises(SettingsError, match="demo, null"):
        planted("traps.bowling")


def test_a_workbook_carries_no_clock_and_gives_the_same_bytes_twice():
    cells = {"People": [["Ref"], ["A1"]]}
    assert workbook(cells) == workbook(cells)
