from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from link_world import KEYS, children, filed

from leap_eval.contracts import DRAWS, EDGES, LINKS, check
from leap_eval.errors import LinkError
from leap_eval.link import link
from leap_eval.link.decide import cluster

MANY = children(300)
PARTNERS = {
    "trust": ("A", MANY[:220]),
    "council": ("AB", MANY[60:]),
    "centre": ("AB", MANY[30:260]),
}


def linked(persons, linkage, **settings):
    return link(persons, linkage, settings, KEYS.project)


def f1(links, persons):
    named = links.merge(persons[["record_key", "entity"]], on="record_key")
    found, true = (
        {p for _, g in named.groupby(c)["record_key"] for p in combinations(sorted(g), 2)}
        for c in ("study_id", "entity")
    )
    return 2 * len(found & true) / (len(found) + len(true))


@pytest.fixture(scope="module")
def world():
    persons, linkage = filed(PARTNERS)
    return persons, linkage, linked(persons, linkage)


def test_children_seen_by_three_partners_of_both_tiers_are_found_again(world):
    persons, _, made = world
    assert f1(made.links, persons) >= 0.97


def test_every_record_is_exactly_once_in_the_links_and_tables_keep_their_contracts(world):
    persons, _, made = world
    for table, contract in ((made.links, LINKS), (made.edges, EDGES), (made.draws, DRAWS)):
        check(table, contract)
    assert sorted(made.links["record_key"]) == sorted(persons["record_key"])


def test_the_same_input_in_another_order_gives_the_same_links(world):
    persons, linkage, made = world
    shuffled = persons.sample(frac=1, random_state=1)
    again = linked(shuffled, dict(reversed(linkage.items())))
    pd.testing.assert_frame_equal(again.links, made.links)


def test_the_estimated_precision_and_recall_need_no_label_and_lie_near_the_truth(world):
    assert world[2].quality["precision"]["value"] > 0.95
    assert world[2].quality["recall"]["value"] > 0.95


@pytest.mark.requirement("R21")
def test_reports_and_tables_hold_no_token_and_no_key_of_a_partner(world):
    _, linkage, made = world
    told = repr(made.model) + repr(made.quality) + repr(made.bias)
    assert "rk1_" not in told
    assert linkage["trust", "2019Q3"]["f_l"][0].as_py().hex() not in told


def test_one_partner_alone_is_all_single_and_quality_says_so():
    persons, linkage = filed({"council": ("AB", MANY[:40])})
    made = linked(persons, linkage)
    assert set(made.links["band"]) == {"single"}
    assert made.quality["precision"]["value"] is None


def test_a_record_without_tokens_stays_as_a_single_one_with_its_flag():
    persons, linkage = filed({"council": ("AB", MANY[:20]), "centre": ("AB", MANY[:20])})
    linkage.pop(("centre", "2019Q3"))
    links = linked(persons, linkage).links.set_index("partner").loc["centre"]
    assert set(links["flags"]) == {"no_tokens"}


def test_twins_of_one_partner_stay_two_children():
    twins = [("t1", "Ada", "Okafor", "2018-02-02", "SW1 1AA"),
             ("t2", "Ravi", "Okafor", "2018-02-02", "SW1 1AA")]  # fmt: skip
    persons, linkage = filed({"council": ("AB", [*MANY, *twins]), "trust": ("A", [*MANY, *twins])})
    links = linked(persons, linkage).links.merge(persons[["record_key", "entity"]])
    ids = links[links["entity"].isin(["t1", "t2"])].groupby("entity")["study_id"].agg(set)
    assert not ids["t1"] & ids["t2"]


def test_a_postcode_that_changed_between_periods_still_counts():
    before = children(60)
    moved = [(*c[:4], "SE5 9ZZ") for c in before]
    persons, linkage = filed({"council": ("AB", before), "centre": ("AB", before)}, seed=5)
    _, later = filed({"council": ("AB", moved)}, seed=5)
    linkage["council", "2020Q1"] = later["council", "2019Q3"]
    assert f1(linked(persons, linkage).links, persons) >= 0.95


def test_one_record_with_two_sets_of_tokens_in_a_period_is_refused():
    persons, linkage = filed({"council": ("AB", MANY[:3])})
    table = linkage["council", "2019Q3"]
    keys = table["record_key"].to_pylist()
    twice = table.set_column(table.column_names.index("record_key"), "record_key",
                             [[keys[0], keys[0], keys[2]]])  # fmt: skip
    with pytest.raises(LinkError, match=r"council/2019Q3.*two sets"):
        linked(persons, {("council", "2019Q3"): twice})


def test_a_family_key_shared_at_one_partner_makes_one_family():
    persons, linkage = filed({"council": ("AB", MANY[:30])})
    persons["family_key"] = [persons["record_key"][0]] * 2 + [None] * 28
    families = linked(persons, linkage).links.set_index("record_key")["family_id"]
    assert families[persons["record_key"][0]] == families[persons["record_key"][1]]
    assert families.nunique() == 29


def test_the_best_edge_wins_where_two_records_of_a_partner_want_the_same_one():
    edges = pd.DataFrame(
        {
            "a": [0, 0],
            "b": [1, 2],
            "score": [3.0, 9.0],
            "barred": False,
            "twin": False,
            "tier": "B",
            "same_partner": False,
        }
    )
    assert cluster(edges, np.array([0, 1, 1])).tolist() == [0, 1, 0]


def test_pairs_left_out_because_both_records_have_better_change_nobodys_study_id(monkeypatch):
    held = children(120)
    # Brothers and sisters: another forename and date, the surname and home of the first.
    held += [(f"s_{a[0]}", b[1], a[2], b[3], a[4]) for a, b in pairwise(held)]
    persons, linkage = filed({f"p{n}": ("AB", held[10 * n :]) for n in range(4)})
    made = linked(persons, linkage)
    monkeypatch.setattr("leap_eval.link.edges.BEATEN", np.inf)
    whole = linked(persons, linkage)
    ids = ["record_key", "study_id", "study_id_strict", "study_id_loose"]
    pd.testing.assert_frame_equal(made.links[ids], whole.links[ids])
    count = [sum(s["pairs"] for s in one.quality["scores"]) for one in (made, whole)]
    assert count[0] < count[1]
