import hmac
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_eval.link import decide
from leap_eval.link.decide import assigned, cluster
from leap_eval.link.prior import Prior, probability, rivals
from leap_eval.tokens import near
from leap_eval.tokens.keys import keyed
from leap_eval.tokens.normalise import date_forms


@given(st.binary(min_size=1, max_size=64), st.text(max_size=80), st.binary(max_size=200))
def test_the_quick_hmac_is_the_hmac_of_the_standard_library(key, head, told):
    assert keyed(key, told, head) == hmac.digest(key, head.encode() + told, "sha256")[:16]


@given(st.text("abcdefgh", min_size=5, max_size=10), st.data())
def test_names_two_letters_apart_share_an_element_of_the_wider_neighbourhood(name, data):
    i, j = (data.draw(st.integers(0, len(name) - 1)) for _ in range(2))
    other = "".join("z" if k in (i, j) else c for k, c in enumerate(name))
    assert set(near.of("name2", name)) & set(near.of("name2", other))


def test_a_date_told_in_part_gives_only_the_twos_whose_parts_are_told():
    assert date_forms("2019--04") == {"ym": None, "md": None, "yd": "201904"}
    assert date_forms("2019-3-") == {"ym": "201903", "md": None, "yd": None}
    assert date_forms("--") == {"ym": None, "md": None, "yd": None}


def bipartite(scores):
    rows, columns = scores.shape
    a, b = np.divmod(np.arange(scores.size), columns)
    edges = pd.DataFrame({"a": a, "b": rows + b, "score": scores.ravel()})
    return edges[edges["score"] > 0], np.repeat([0, 1], [rows, columns])


@pytest.mark.parametrize("seed", range(20))
def test_the_assignment_between_two_partners_is_the_best_of_all(seed):
    scores = np.round(np.random.default_rng(seed).normal(1, 4, (4, 5)), 3)
    edges, partner = bipartite(scores)
    person = assigned(edges, partner)
    got = sum(scores[person[4 + j], j] for j in range(5) if person[4 + j] < 4)
    gain = np.maximum(scores, 0)
    best = max(sum(gain[i, p[i]] for i in range(4)) for p in permutations(range(5), 4))
    assert got == pytest.approx(best)


def test_probability_is_the_share_of_all_possible_matchings_where_edges_form_no_ring():
    # 0-2, 0-3, 1-3: the matchings are {}, each edge alone, and {0-2, 1-3}.
    edges = pd.DataFrame({"a": [0, 0, 1], "b": [2, 3, 3]})
    one, two, three = odds = np.array([4.0, 2.0, 8.0])
    s = np.zeros(3, np.int64)
    prior = Prior(s, s + 1, np.array([2, 2]), np.zeros((2, 2)), False, rivals(edges, s, s + 1))
    total = 1 + odds.sum() + one * three
    wanted = np.array([one + one * three, two, three + one * three]) / total
    assert probability(np.log2(odds), prior) == pytest.approx(wanted, abs=1e-5)


def test_two_groups_are_not_joined_by_one_weak_pair_of_their_records():
    strong = [(0, 1, 20.0), (1, 2, 20.0), (3, 4, 20.0), (4, 5, 20.0)]
    edges = pd.DataFrame([*strong, (2, 3, 0.5)], columns=["a", "b", "score"])
    edges = edges.assign(barred=False, twin=False, tier="B", same_partner=False)
    assert cluster(edges, np.arange(6)).tolist() == [0, 0, 0, 3, 3, 3]


def test_in_a_file_with_repeats_a_chain_of_good_pairs_is_one_person():
    edges = pd.DataFrame({"a": [0, 1], "b": [1, 2], "score": [9.0, 8.0]})
    edges = edges.assign(barred=False, twin=False, tier="B", same_partner=True)
    alone = np.zeros(3, np.int64)
    assert cluster(edges, alone, free=True).tolist() == [0, 0, 0]
    assert len(set(cluster(edges, alone).tolist())) == 2


@pytest.mark.parametrize("free", [False, True])
def test_joining_sure_groups_first_gives_the_persons_that_edge_by_edge_gives(monkeypatch, free):
    random = np.random.default_rng(7)
    for _ in range(150):
        count, many = int(random.integers(4, 40)), int(random.integers(2, 6))
        partner, true = random.integers(0, many, count), random.integers(0, count // 4 + 1, count)
        a, b = np.sort(random.integers(0, count, (5 * count, 2)), axis=1)[:, :2].T
        edges = pd.DataFrame({"a": a, "b": b}).query("a < b").drop_duplicates()
        one = true[edges["a"]] == true[edges["b"]]
        score = np.where(one, random.normal(24, 10, len(edges)), random.normal(5, 10, len(edges)))
        barred = random.random(len(edges)) < 0.05
        edges = edges.assign(
            score=np.where(barred, -60, score), barred=barred, tier="B",
            twin=random.random(len(edges)) < 0.05,
            same_partner=partner[edges["a"]] == partner[edges["b"]],
        ).reset_index(drop=True)  # fmt: skip
        told = cluster(edges, partner, free)
        with monkeypatch.context() as patched:
            patched.setattr(decide, "CLEAR", np.inf)
            assert np.array_equal(told, cluster(edges, partner, free))
