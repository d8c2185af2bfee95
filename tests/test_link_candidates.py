import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from link_world import KEYS, children, filed, table

from leap_eval import tokens
from leap_eval.link import levels, link
from leap_eval.link.candidates import Comparer, candidates
from leap_eval.link.encode import encode
from leap_eval.link.holdout import compared

SYLLABLES = [a + b for a in "bdfghjklmnprstvwz" for b in "aou"]


@pytest.mark.parametrize(("other", "tier"), [("A", "A"), ("AB", "B")])
def test_candidates_are_the_very_pairs_that_the_rules_as_sql_lead_to(other, tier):
    held = children(60)
    persons, linkage = filed({"one": ("AB", held), "two": (other, held[20:])})
    nodes = encode(persons, linkage).nodes
    left, right = np.triu_indices(len(nodes), 1)
    met = compared(nodes, left, right, tier)["reached"].to_numpy(bool)
    found = set(zip(*candidates(nodes, tier), strict=True))
    assert found == set(zip(left[met], right[met], strict=True))


def test_what_more_than_a_thousand_share_leads_to_no_pair_by_itself():
    people = [tokens.Person(f"{a}{b}", None, "2019-04-01", "SW2 1AA")
              for a in SYLLABLES for b in SYLLABLES]  # fmt: skip
    names = [f"r{n:04d}" for n in range(len(people))]
    persons = pd.DataFrame({"record_key": names, "role": "child", "sex": None})
    left, _ = candidates(encode(persons, {("one", "Q1"): table(people, names, "AB")}).nodes, "B")
    assert len(people) > 1000
    assert len(left) < len(people) ** 2 / 20


def test_names_that_changed_places_are_told_once_by_the_forename():
    people = [tokens.Person("amaru", "okoye", "2019-04-01"), tokens.Person("okoye", "amaru")]
    linkage = {("one", "2019Q3"): table(people, ["a", "b"], "AB")}
    persons = pd.DataFrame({"record_key": ["a", "b"], "role": "child", "sex": None})
    pair = np.array([0]), np.array([1])
    level = Comparer(encode(persons, linkage).nodes, "B").levels(*pair).iloc[0]
    assert levels.labels("B", "forename")[level["forename"]] == "exchanged"
    assert level["surname"] == level["date"] == -1


def test_a_column_beyond_the_usual_fields_is_learnt_from_like_the_others():
    held = children(200)
    persons, linkage = filed({"one": ("AB", held), "two": ("AB", held[50:])})
    place = {entity: f"place {n % 7}" for n, (entity, *_) in enumerate(held)}
    for (partner, period), told in list(linkage.items()):
        mine = persons.loc[persons["partner"] == partner, "entity"]
        cells = pa.array([tokens.token(KEYS.link, "place", place[e]) for e in mine])
        linkage[partner, period] = told.append_column("extra_place", cells)
    made = link(persons, linkage, {"draws": 1}, KEYS.project)
    bits = {r["level"]: r["bits"] for r in made.model["levels"] if r["field"] == "extra_place"}
    assert bits["exact"] > 2 > 0 > bits["else"]
