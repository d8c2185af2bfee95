import dataclasses
import random
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from link_world import KEYS, children, filed

from leap_eval import tokens
from leap_eval.errors import LinkError
from leap_eval.intake.filing import Copies, _probes
from leap_eval.link import assess, guild, link, plots, reports
from leap_eval.link.bias import bias
from leap_eval.link.capture import Captured, Model, captured, counted, fit, patterns
from leap_eval.link.caught import caught
from leap_eval.link.encode import Encoded
from leap_eval.link.holdout import recalibrated, share
from leap_eval.link.quality import precision, recall, warnings
from leap_eval.link.rivals import chance
from leap_eval.link.through import with_through
from leap_eval.tokens import Person, probes

MANY = children(420)
# Names that changed places; of every second child the forename is another besides.
MOVED = [(e, ln, f"{fn}{'ovic' * (n % 2)}", *at) for n, (e, fn, ln, *at) in enumerate(MANY[40:80])]
PARTNERS = {
    "trust": ("A", MANY[:330]),
    "council": ("AB", MOVED + MANY[80:]),
    "centre": ("AB", MANY[20:400]),
}


@pytest.fixture(scope="module")
def weighed():
    """The pairs that stage 02 judged: they never leave it."""
    return []


@pytest.fixture(scope="module")
def world(weighed):
    persons, linkage = filed(PARTNERS)
    persons["ethnicity_group5"] = np.where(persons["entity"].str[-1] < "4", "white", "black")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assess, "bias", lambda p, e, *a: (weighed.append(e), bias(p, e, *a))[1])
        return persons, linkage, link(persons, linkage, {"seed": 1}, KEYS.project)


def agreed(partner):
    class Basis:
        article_6, article_9 = "6(1)(a)", None

    class Agreed:
        lawful_basis, version, deidentified_by = Basis, 1, "workspace"

    Agreed.partner = partner
    return Agreed


def model_of(agree, tier="B"):
    """A reviewable model of invented shares: `agree` exact, the rest over the other levels."""
    names = {}
    for f, field in enumerate(("forename", "surname", "date", "postcode")):
        told = _labels(tier, field)
        for name in told:
            m = agree[f] if name == "exact" else (1 - agree[f]) / (len(told) - 1)
            names[field, name] = m
    return [
        {"role": "child", "tier": tier, "field": f, "level": n, "m": m}
        | {"bits": 12.0 if n == "exact" else (-4.0 if n == "else" else 6.0)}
        for (f, n), m in names.items()
    ]


def _labels(tier, field):
    from leap_eval.link import levels

    return levels.labels(tier, field)


def test_recall_is_near_the_truth_where_the_fields_err_independently():
    agree = (0.8, 0.85, 0.9, 0.75)
    model, told = model_of(agree), patterns("B")
    m = {(r["field"], r["level"]): r["m"] for r in model}
    share_of = np.ones(len(told.number))
    for f, field in enumerate(("forename", "surname", "date", "postcode")):
        cells = np.array([0.0, *(m[field, n] for n in _labels("B", field))])
        share_of *= cells[told.number[:, f] + 1]
    # Names that change places leave no surname of their own: that is no independent error.
    turned = [_labels("B", "forename").index(name) for name in ("exchanged", "crossed")]
    share_of[np.isin(told.number[:, 0], turned)] = 0.0
    counts = 20_000 * share_of
    expected = np.exp(told.terms @ fit(counts, told.blocked.astype(float), "B", m).beta)
    hidden = ~told.blocked
    assert expected[hidden].sum() == pytest.approx(counts[hidden].sum(), rel=0.15)


def test_a_pattern_counts_as_seen_only_where_a_blocking_rule_always_leads_to_it():
    told = patterns("B")
    at = {"missing": -1, "else": 0}

    def seen(*names):
        number = [
            at.get(n, _labels("B", f).index(n) if n in _labels("B", f) else None)
            for n, f in zip(names, ("forename", "surname", "date", "postcode"), strict=True)
        ]
        return bool(told.blocked[(told.number == number).all(axis=1)][0])

    assert seen("exact", "exact", "else", "else")
    assert seen("near", "else", "missing", "exact")
    assert not seen("else", "else", "exact", "else")
    assert not seen("missing", "missing", "missing", "exact")


def test_a_pattern_no_rule_promises_is_led_to_as_often_as_links_show_it():
    # Forenames a letter apart; half of them begin alike, which one rule asks for beside the date.
    draw, count = np.random.default_rng(2), 2000
    alike = draw.random(count) < 0.5
    at = {f: _labels("B", f).index for f in ("forename", "surname", "date", "postcode")}
    edges = pd.DataFrame({
        "a": np.arange(count), "b": np.arange(count) + count, "tier": "B", "accepted": True,
        "same_partner": False, "through": False, "forename": at["forename"]("near"),
        "surname": at["surname"]("exact"), "date": at["date"]("exact"),
        "postcode": at["postcode"]("exact"),
    })  # fmt: skip
    keys = [
        "dob",
        "dob_md",
        "dob_near",
        "dob_yd",
        "dob_ym",
        "fn",
        "fn_1",
        "fn_3",
        "fn_near",
        "fn_x",
    ]
    keys += ["ln", "ln_3", "ln_near", "ln_x", "pc", "pc_district", "pc_near"]
    one = {c: np.tile(np.arange(1, count + 1), 2) for c in keys}
    one["fn_3"] = np.r_[np.arange(count), np.where(alike, np.arange(count), -1 - np.arange(count))]
    lists = [c for c in keys if "near" in c]
    nodes = pa.table({c: [[v] for v in one[c]] if c in lists else one[c] for c in keys})
    members = pd.DataFrame({"node": np.arange(2 * count), "record": np.arange(2 * count)})
    told = caught(edges, Encoded(nodes, members, {}, 0, 0), 1)["B"]
    number = [at["forename"]("near"), 0, at["date"]("near"), 0]
    assert told[(patterns("B").number == number).all(axis=1)] == pytest.approx(0.5, abs=0.08)


def test_a_rival_that_surely_belongs_to_somebody_else_does_not_compete():
    edges = pd.DataFrame({"a": [0, 0, 1], "b": [2, 3, 3], "score": [3.0, 3.0, 20.0],
                          "accepted": [True, False, True], "s": 0, "t": 1})  # fmt: skip
    assert chance(edges)[0] == pytest.approx(8 / 9, abs=0.001)


def test_a_child_registered_twice_at_a_partner_does_not_compete_with_itself():
    edges = pd.DataFrame({"a": [0, 0], "b": [1, 2], "score": [9.0, 9.0],
                          "accepted": [True, True], "s": 0, "t": 1})  # fmt: skip
    assert (chance(edges) > 0.99).all()


def test_two_records_that_only_a_third_partner_joins_are_a_pair_that_was_found():
    edges = pd.DataFrame({"a": [0, 1, 0], "b": [1, 2, 3], "s": [0, 1, 0], "t": [1, 2, 2],
                          "tier": "B", "accepted": [True, True, False], "probability": 0.9,
                          "same_partner": False})  # fmt: skip
    links = pd.DataFrame({"study_id": ["x", "x", "x", "y"], "role": "child", "probability": 0.9})
    made = with_through(edges, links, np.array([0, 1, 2, 2]))
    (pair,) = made[made["through"]].itertuples()
    assert (pair.a, pair.b, pair.accepted, pair.probability) == (0, 2, True, 0.81)
    assert len(made) == 4


def test_precision_is_the_mean_probability_and_its_interval_holds_doubt_about_all_weights():
    told = precision(pd.DataFrame({"probability": [0.99] * 2000}), 1)
    assert told["value"] == 0.99
    assert told["low"] < 0.97 < 0.995 < told["high"]


def test_the_interval_of_recall_reaches_as_far_as_ways_apart_beyond_their_own_errors():
    draws = np.random.default_rng(1).normal(0.99, 0.0003, 500)
    seen = Captured(990.0, 1000.0, draws, {})

    def width(*others):
        told = recall(seen, list(others))
        assert told["value"] == 0.99
        return told["high"] - told["low"]

    def way(value, error):
        ends = {"low": value - 2 * error, "high": value + 2 * error}
        return {"measure": "recall", "value": value, **ends, "method": "way"}

    alone = width()
    assert width({**way(0.9, 0.001), "measure": "block recall"}) == alone
    assert width({**way(0.9, 0.001), "value": None}) == alone
    assert width(way(0.9903, 0.001)) == alone  # as near as its own error lets it be
    assert width(way(0.98, 0.02)) == alone
    # Two ways d apart, both sure: their spread is d / sqrt(2), as a sample of two tells it.
    assert width(way(0.985, 0.0001)) == pytest.approx(2 * 1.96 * 0.005 / 2**0.5, rel=0.1)


def test_two_ways_to_tell_recall_that_differ_by_more_than_a_point_and_a_half_are_a_warning():
    near, far = ({"measure": "recall", "value": v, "method": str(v)} for v in (0.97, 0.95))
    assert not warnings([near, {**far, "value": 0.96}])
    assert warnings([near, far]) == ["recall: 0.95 lies below 0.97 by more than 1.5 points"]


def test_probabilities_are_bent_to_the_held_out_truth_only_from_200_pairs_on():
    draw = np.random.default_rng(1)
    p = draw.uniform(0.5, 1, 4000)
    labelled = pd.DataFrame({"probability": p, "true": draw.random(4000) < p**3})
    links = pd.DataFrame({"probability": [0.9, 0.9], "same_id": [False, True]})
    bent = recalibrated(links, labelled)["probability"]
    assert bent[0] == pytest.approx(0.9**3, abs=0.08)
    assert bent[1] == 0.9
    assert recalibrated(links, labelled[:199]) is links
    assert share("recall", 150, 199, "way")["value"] is None


FOUR = ("forename", "surname", "date", "postcode")
TURNED = ("exchanged", "crossed")


def dirty_pairs(seed, model, count=12_000):
    """True pairs of two files; in a third of them each field is wrong with .27, else with .03."""
    draw = np.random.default_rng(seed)
    dirty = draw.random(count) < 1 / 3
    wrong, levels = np.where(dirty, 0.27, 0.03), {}
    for field in FOUR:
        m = [r["m"] for r in model if r["field"] == field]  # from else up to exact
        other = draw.choice(len(m) - 1, count, p=np.array(m[:-1]) / sum(m[:-1]))
        levels[field] = np.where(draw.random(count) < wrong, other, len(m) - 1)
    # Where names changed places the forename has told of both.
    turned = [_labels("B", "forename").index(n) for n in TURNED]
    levels["surname"] = np.where(np.isin(levels["forename"], turned), -1, levels["surname"])
    edges = pd.DataFrame(levels).assign(a=np.arange(count), b=np.arange(count) + count, tier="B")
    edges = edges.assign(probability=1.0, accepted=True, same_partner=False, through=False)
    at = np.ravel_multi_index([edges[f] + 1 for f in FOUR], patterns("B").shape)
    people = pd.DataFrame({
        "role": "child", "missing": 0, "partner": np.repeat(["x", "y"], count), "sex": "f",
        "ethnicity_group5": np.tile(np.where(dirty, "black", "white"), 2),
        "home_language": np.tile(np.where(draw.random(count) < 0.5, "english", "other"), 2),
    })  # fmt: skip
    return edges, people, dirty, Model(model).exposure("B")[at] > 0


def test_a_gap_of_five_points_is_flagged_and_repaired_to_one_and_no_other_group_is():
    model = model_of((0.9,) * 4)
    for row in model:  # most of what is wrong is wrong altogether
        if row["level"] != "exact":
            most = row["level"] == "else"
            row["m"] = 0.075 if most else 0.025 / (len(_labels("B", row["field"])) - 2)
    left, before = [], []
    for seed in range(1, 7):
        edges, people, dirty, found = dirty_pairs(seed, model)
        made = bias(people, edges[found].reset_index(drop=True), Model(model), seed, 0.02)
        flags = {(g["dimension"], g["group"]): g["flag"] for g in made.report["groups"]}
        assert flags["ethnicity_group5", "black"] == "gap"
        assert flags["home_language", "other"] == flags["home_language", "english"] == ""
        assert made.weight.min() >= 1
        assert made.weight.max() <= 3
        weight = found * (made.weight[: len(found)] + made.weight[len(found) :]) / 2
        before.append(found[~dirty].mean() - found[dirty].mean())
        left.append(abs(weight[~dirty].mean() - weight[dirty].mean()))
    assert np.mean(before) == pytest.approx(0.05, abs=0.01)
    assert np.mean(left) <= 0.01


@pytest.mark.parametrize("tier", ["A", "B"])
def test_no_pair_of_the_invented_district_shows_levels_that_the_model_holds_impossible(
    world, weighed, tier
):
    edges = weighed[0][~weighed[0]["through"]]
    told = patterns(tier)
    edges = edges[edges["tier"] == tier]
    at = np.ravel_multi_index([edges[f] + 1 for f in FOUR], told.shape)
    turned = edges["forename"].isin(_labels(tier, "forename").index(n) for n in TURNED)
    assert turned.sum() > 10
    assert told.possible[at].all()
    # A name in the other's place and the same postcode: a rule of tier B leads to every such pair.
    near = turned & (edges["postcode"] == told.shape[3] - 2)
    assert told.blocked[at[near.to_numpy()]].all()


def test_the_estimates_lie_near_the_truth_of_the_invented_district(world):
    persons, _, made = world
    told = made.links.merge(persons[["record_key", "entity"]], on="record_key")

    def pairs(c):
        both = told.merge(told, on=c)
        both = both[(both["record_key_x"] < both["record_key_y"])]
        return both[both["partner_x"] != both["partner_y"]]

    found, true = pairs("study_id"), pairs("entity")
    precision_ = (found["entity_x"] == found["entity_y"]).mean()
    recall_ = (true["study_id_x"] == true["study_id_y"]).mean()
    assert made.quality["precision"]["value"] == pytest.approx(precision_, abs=0.01)
    assert made.quality["recall"]["value"] == pytest.approx(recall_, abs=0.015)
    assert made.links["link_weight"].between(1, 3).all()


@pytest.mark.requirement("R21")
def test_reports_hold_aggregates_alone_and_every_guild_item_has_an_answer(world):
    _, _, made = world
    sheet = guild(made.quality, made.bias, made.model, {p: agreed(p) for p in PARTNERS})
    assert all(one["answer"] for one in sheet)
    assert "rk1_" not in repr(sheet) + repr(made.quality) + repr(made.bias)


def test_a_guild_item_without_its_facts_fails_the_stage_by_its_name(world):
    _, _, made = world
    with pytest.raises(LinkError, match=r"GUILD report lacks provision_1, provision_2"):
        guild(made.quality, made.bias, made.model, {"council": agreed("council")})


def test_every_figure_and_table_of_the_notebook_is_drawn_from_the_reports(world):
    _, _, made = world
    quality = made.quality | {"probes": {"kinds": [{"kind": "typo", "probes": 9, "found": 0.8}]}}
    figures = [plots.waterfall(made.model, quality), plots.weights(made.model, "child")]
    figures += [f(quality) for f in (plots.scores, plots.sizes, plots.overlap, plots.thresholds)]
    figures += [plots.flow(quality), plots.probes(quality), plots.forest(made.bias)]
    assert all(figure.axes for figure in figures)
    assert len(reports.methods(quality)) >= 4
    assert reports.flagged(made.bias) is not None


def people_with_slips(count):
    draw = random.Random(3)
    return [
        Person(c[1] + "-ann", c[2], c[3], c[4], nhs_number="9990000018")
        for c in children(count, seed=draw.randrange(99))
    ]


def test_probes_are_two_per_cent_damaged_copies_chosen_by_the_key_alone():
    people = people_with_slips(4000)
    made = probes(people, KEYS.link)
    assert 50 <= len(made) <= 110
    assert [dataclasses.astuple(p) for p in probes(people, KEYS.link)] == [
        dataclasses.astuple(p) for p in made
    ]
    assert {p.place for p in probes(people, KEYS.store)} != {p.place for p in made}
    for probe in made:
        assert probe.person != people[probe.place]
        assert probe.person.nhs_number is None
        assert set(probe.kind.split("+")) <= set(tokens.SLIPS)


def test_damaged_copies_are_looked_for_and_never_enter_the_links(monkeypatch):
    monkeypatch.setattr(sys.modules["leap_eval.tokens.probes"], "SHARE", 0.9)
    persons, linkage = filed({"council": ("AB", MANY), "centre": ("AB", MANY[:300])})
    people = [Person(*child[1:]) for child in MANY]
    made = probes(people, KEYS.link)
    rested = tokens.at_rest(tokens.tokenise([p.person for p in made], KEYS.link, "AB"), KEYS.store)
    keys = persons.loc[persons["partner"] == "council", "record_key"].tolist()
    copies = Copies([keys[p.place] for p in made], [p.kind for p in made], rested)
    tried = {("council", "2019Q3"): _probes(copies, {k: k for k in keys}, "AB", "s")}
    linked = link(persons, linkage, {"seed": 1}, KEYS.project, tried)
    told = next(m for m in linked.quality["methods"] if m["method"] == "seeded probes")
    assert told["value"] > 0.9
    assert linked.quality["probes"]["probes"] == len(made)
    assert set(linked.links["record_key"]) == set(persons["record_key"])


def test_captured_counts_what_was_seen_even_where_the_model_expects_less(world):
    _, _, made = world
    edges = pd.DataFrame({"a": [0], "b": [1], "tier": "B", "probability": [1.0],
                          "accepted": [True], "through": False, "forename": 0, "surname": 0,
                          "date": [4], "postcode": [0]})  # fmt: skip
    found = captured(counted(edges), Model(made.model["levels"]), 1)
    assert found.total >= found.found == 1.0
