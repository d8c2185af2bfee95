import json

import pandas as pd
import pytest
from link_world import KEYS, children, filed, table

from leap_eval import tokens
from leap_eval.errors import LinkError
from leap_eval.link import link

SOME = children(60)
TWO = {"council": ("AB", SOME), "centre": ("AB", SOME)}


def linked(persons, linkage, **settings):
    return link(persons, linkage, settings, KEYS.project).links


def test_a_token_column_that_is_missing_is_named_with_its_partner_and_period():
    persons, linkage = filed(TWO)
    linkage["centre", "2019Q3"] = linkage["centre", "2019Q3"].drop_columns(["f_q"])
    with pytest.raises(LinkError, match=r"centre/2019Q3: has no column f_q"):
        linked(persons, linkage)


@pytest.mark.requirement("R28")
def test_tokens_made_under_two_keys_never_meet():
    persons, linkage = filed(TWO)
    for (partner, _), held in linkage.items():
        facts = {"key_ids": json.dumps({"link": partner}), "norm_version": "1"}
        linkage[partner, "2019Q3"] = held.replace_schema_metadata(facts)
    with pytest.raises(LinkError, match="different keys"):
        linked(persons, linkage)


def test_a_partner_whose_file_is_empty_leaves_the_others_linked():
    persons, linkage = filed({**TWO, "trust": ("A", [])})
    assert (linked(persons, linkage)["band"] != "single").mean() > 0.9


def test_a_partner_with_one_row_is_linked_like_any_other():
    persons, linkage = filed({**TWO, "trust": ("A", SOME[:1])})
    links = linked(persons, linkage).merge(persons[["record_key", "entity"]])
    assert links.loc[links["entity"] == "c0", "study_id"].nunique() == 1


def test_records_without_any_identifier_stay_single_and_say_so():
    nobody = [(f"n{i}", None, None, None, None) for i in range(30)]
    persons, linkage = filed(TWO)
    keys = [tokens.record_key("trust", n[0], KEYS.record) for n in nobody]
    linkage["trust", "2019Q3"] = table([tokens.Person() for _ in nobody], keys, "AB")
    added = persons.head(30).assign(record_key=keys, partner="trust")
    both = pd.concat([persons, added], ignore_index=True)
    links = linked(both, linkage).set_index("partner").loc["trust"]
    assert set(links["band"]) == {"single"}
    assert set(links["flags"]) == {"no_tokens"}


def test_ten_thousand_identical_records_never_become_one_child():
    same = ("Ada", "Okafor", "2018-02-02", "SW1 1AA")
    persons, linkage = filed(TWO)
    keys = [tokens.record_key("trust", str(i), KEYS.record) for i in range(10_000)]
    linkage["trust", "2019Q3"] = table([tokens.Person(*same)] * len(keys), keys, "AB")
    added = persons.head(1).loc[[0] * len(keys)].assign(record_key=keys, partner="trust")
    both = pd.concat([persons, added], ignore_index=True)
    links = linked(both, linkage, within="strict")
    assert links[links["partner"] == "trust"]["study_id"].nunique() == len(keys)
    assert (links[links["partner"] != "trust"]["band"] != "single").mean() > 0.9
