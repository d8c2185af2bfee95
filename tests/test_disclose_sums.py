"""Sums and means at the gate: an attacker who adds up never gets near a withheld one."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import disclose_world as world
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from leap_eval.disclosure import gate, magnitude, summed, sums
from leap_eval.disclosure.rules import preset
from leap_eval.disclosure.verify import Verdict, attack
from leap_eval.errors import DisclosureError

RANGE = (0, 60)


def cubes(seed=1, many=600, rates=(0.3, 0.12, 0.1), lone=0):
    """The cubes of made-up children, with their scores by ward and contacts by group."""
    draw = np.random.default_rng(seed)
    table = world.children(seed, many, rates)
    made = world.frames(table)
    table["score"] = draw.integers(0, 61, many)
    table["recorded"] = np.where(draw.random(many) < 0.7, "yes", "no")
    table.loc[table["recorded"] == "no", "score"] = 0
    told = table.groupby(["ward", "recorded"], as_index=False).agg(
        children=("score", "size"), **_sums("score", "communication")
    )
    told = told.rename(columns={"recorded": "recorded_communication"})
    made["score_communication"] = told.assign(families=told["children"], partners=9)
    met = {s: np.where(table[s], 1 + draw.poisson(6, many), 0) for s in world.SERVICES}
    if lone:
        first = table.index[table["chattertime"] & (table["ethnicity_group5"] == "black")][0]
        met["chattertime"][first] = lone
    parts = []
    for service, n in met.items():
        reached = table.assign(n=n)[table[service]]
        sums = reached.groupby("ethnicity_group5", as_index=False).agg(**_sums("n", "contacts"))
        parts.append(sums.assign(service=service, used="used"))
    keys = ["ethnicity_group5", "service", "used"]
    reach = made["reach_group"].merge(pd.concat(parts), on=keys, how="left")
    made["reach_group"] = reach.fillna(0.0)
    return made


def _sums(column, of):
    largest = [lambda v: v.max(), lambda v: v.nlargest(2).sum() - v.max()]
    told = {"sum": "sum", "top1": largest[0], "top2": largest[1]}
    return {f"{k}_{of}": (column, how) for k, how in told.items()}


def proposal(name="2025-q1", rules=None):
    made = world.proposal(name, rules)
    apart = bool(rules and rules.rounding)  # where counts are rounded sums have no margins
    made = made.mean(
        "score-ward", cube="score_communication", rows=("ward", "recorded"), of="communication",
        each=RANGE, margins=() if apart else ("ward",), why="how children do",
    )  # fmt: skip
    return made.total(
        "contacts-group", cube="reach_group", rows=("ethnicity_group5", "service"), of="contacts",
        each=(1, float("inf")), margins=() if apart else ("ethnicity_group5",), why="reach",
    )  # fmt: skip


def vetted(told, name="2025-q1", rules=None, before=None):
    return gate.vet(proposal(name, rules), told, before or gate.Before(), b"secret", world.OWN)


def table(released, name, measure):
    text = released.files[f"tables/{name}.csv"].decode()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return {tuple(r[:2]): (r[3], r[-1]) for r in rows if r[2] == measure}


@pytest.fixture(scope="module")
def told():
    return cubes()


@pytest.fixture(scope="module")
def released(told):
    return vetted(told)


def test_a_sum_and_its_count_are_shown_or_withheld_together(released):
    for name, measure in (("score-ward", "mean"), ("contacts-group", "total")):
        counts, sums = (table(released, name, m) for m in ("children", measure))
        assert {k for k, v in counts.items() if v[0]} == {k for k, v in sums.items() if v[0]}
        assert {m for _, m in sums.values()} <= {"", "c"}


def test_a_shown_mean_and_a_shown_total_are_those_of_the_children(told, released):
    scores = told["score_communication"].set_index(["ward", "recorded_communication"])
    for key, (value, _) in table(released, "score-ward", "mean").items():
        if value and key[0] != "all":
            row = scores.loc[key]
            assert value == f"{row['sum_communication'] / row['children']:.1f}"
    whole = told["reach_group"].query("used == 'used'").groupby("service")["sum_contacts"].sum()
    for (group, service), (value, _) in table(released, "contacts-group", "total").items():
        if value and group == "all":
            assert int(value) == whole[service]


def hand(truth, many, hidden):
    """Two groups, `many` children each between 0 and 60, and their sum, which is shown."""
    told = np.array([*truth, sum(truth)], float)
    return sums.Sums(
        (("t", "a"), ("t", "b"), ("t", "all")), np.arange(3),
        sparse.csr_matrix([[1.0, 0], [0, 1], [1, 1]]), told, np.stack([told, told], axis=1),
        ("", "", ""), np.zeros(3, bool), np.array(hidden), np.zeros(2), 60.0 * np.array(many),
        np.array(truth, float),
    )  # fmt: skip


def test_the_range_of_one_child_tells_a_large_sum_as_worked_by_hand():
    """The one child of b adds 0 to 60, so a lies within 60: more than 10 % of 590, less of 650."""
    hidden, every = np.array([True, True, False]), np.ones(3, bool)
    assert not hand((590, 5), (10, 1), hidden).narrow(hidden, every, 10)
    told = hand((650, 5), (11, 1), hidden).narrow(hidden, every, 10)
    assert list(told) == [0]
    assert told[0][2]  # the total is what tells it
    assert not hand((650, 5), (11, 1), every).narrow(every, every, 10)


@pytest.mark.parametrize(
    ("parts", "p", "nk"),
    [
        ((50, 30, 20), False, False),  # 20 left: 40 % of the largest; the two are 80 %
        ((80, 15, 5), True, True),  # 5 left: 6 % of 80; the two are 95 %
        ((45, 45, 10), False, True),  # 10 left: 22 % of 45; the two are 90 %
        ((500, 4, 3), True, True),
    ],
)
def test_dominance_is_the_handbooks_by_both_of_its_rules(parts, p, nk):
    asked = [sum(parts)], [parts[0]], [parts[1]], preset("exact")
    assert magnitude.guessed(*asked)[0] == p
    assert magnitude.leans(*asked)[0] == nk


def interval(told, released, target):
    """A linear attacker of his own: contacts of one service by group, at least 1 from each."""
    frame = told["reach_group"].query("used == 'used'").set_index(["ethnicity_group5", "service"])
    counts = [int(frame.loc[(g, target[1]), "children"]) for g in world.GROUPS]
    equal, right = [], []
    for (group, service), (value, _) in table(released, "contacts-group", "total").items():
        if value and service == target[1]:
            equal.append([float(group in (g, "all")) for g in world.GROUPS])
            right.append(float(value))
    aim = np.array([float(g == target[0]) for g in world.GROUPS])
    told = [
        linprog(s * aim, A_eq=equal or None, b_eq=right or None,
                bounds=[(n, None if n else 0) for n in counts])
        for s in (1, -1)
    ]  # fmt: skip
    assert told[0].status == 0
    return told[0].fun, np.inf if told[1].status == 3 else -told[1].fun


@pytest.mark.requirement("R32")
@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(60, 900), st.floats(0.02, 0.5), st.sampled_from((0, 900))
)
def test_a_linear_attacker_never_gets_a_withheld_total_within_p_percent(seed, many, rate, lone):
    told = cubes(seed, many, (max(rate, 0.2), rate, 0.1), lone)
    assume(told["reach_group"]["ethnicity_group5"].nunique() == len(world.GROUPS))
    released = vetted(told)
    frame = told["reach_group"].query("used == 'used'").set_index(["ethnicity_group5", "service"])
    for key, (value, _) in table(released, "contacts-group", "total").items():
        if not value and key[0] != "all" and frame.loc[key, "children"] > 0:
            low, high = interval(told, released, key)
            assert high - low > 0.10 * frame.loc[key, "sum_contacts"]


def test_a_total_that_leans_on_one_child_is_withheld_though_its_count_is_large():
    told = cubes(lone=5000)
    n = told["reach_group"].set_index(["ethnicity_group5", "service", "used"])["children"]
    assert n["black", "chattertime", "used"] >= 10
    shown = table(vetted(told), "contacts-group", "total")
    assert shown["black", "chattertime"] == ("", "c")
    # Its complement in the row goes too, or the total would give it back.
    assert sum(shown[g, "chattertime"][0] == "" for g in (*world.GROUPS, "all")) >= 2


def test_a_total_that_tells_what_every_child_had_is_withheld():
    told = cubes()
    reach = told["reach_group"]
    once = (reach["service"] == "chattertime") & (reach["ethnicity_group5"] == "black")
    for column in ("top1_contacts", "top2_contacts"):
        reach.loc[once & (reach["used"] == "used"), column] = 1.0
    reach.loc[once & (reach["used"] == "used"), "sum_contacts"] = reach["children"]
    assert table(vetted(told), "contacts-group", "total")["black", "chattertime"] == ("", "c")


@pytest.mark.parametrize("name", ["hes", "opensafely", "midpoint6", "ten_five"])
def test_where_counts_are_rounded_no_mean_has_a_decimal_and_no_small_cell_a_mean(told, name):
    rules = preset(name)
    shown = table(vetted(told, rules=rules), "score-ward", "mean")
    n = told["score_communication"].set_index(["ward", "recorded_communication"])["children"]
    assert all("." not in v for v, _ in shown.values())
    assert all(n[k] >= rules.threshold for k, (v, _) in shown.items() if v and k[0] != "all")


@pytest.mark.requirement("R32")
def test_a_later_release_never_gives_back_a_sum_that_an_earlier_one_withheld(tmp_path, told):
    first = vetted(told)
    line = json.loads(json.dumps(first.kept.line)) | {"hash": "0" * 64}
    later = vetted(told, "2025-q2", before=gate.Before([line], {"2025-q1": first.kept.sealed}))
    for name, measure in (("score-ward", "mean"), ("contacts-group", "total")):
        assert table(later, name, measure) == table(first, name, measure)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
@example(seed=7653, more=17)  # where a service stood still in one group, the margins cross
def test_children_who_join_leave_no_withheld_sum_of_either_release_in_sight(seed, more):
    """Both releases pooled by the verifier, who knows the ledger and each child's range."""
    told = vetted(cubes(seed, 300))
    with tempfile.TemporaryDirectory() as home:
        book = world.ledger([told], Path(home) / "ledger.jsonl")
        lines = [json.loads(line) for line in book.read_text().splitlines()]
        before = gate.Before(lines, {"2025-q1": told.kept.sealed})
        later = vetted(cubes(seed, 300 + more), "2025-q2", before=before)
        found = verdict(world.laid(later, Path(home) / "release"), ledger=book)
    assert not found.recovered
    assert not found.broken


def verdict(home, **asked):
    return next(told for told in attack(home, **asked) if isinstance(told, Verdict))


@pytest.mark.requirement("R32")
def test_the_verifier_tries_every_withheld_sum_and_recovers_none(tmp_path):
    made = vetted(cubes(lone=5000))
    home = world.laid(made, tmp_path / "release")
    hidden = [k for k, (_, m) in table(made, "contacts-group", "total").items() if m == "c"]
    counts = verdict(world.laid(world.vetted(), tmp_path / "counts")).tried
    told = verdict(home)
    assert hidden
    assert told.tried > counts
    assert not told.recovered
    assert not told.broken


@pytest.mark.requirement("R32")
def test_the_verifier_catches_a_total_that_gives_a_withheld_one_back(tmp_path):
    told = cubes(lone=5000)
    home = world.laid(vetted(told), tmp_path / "release")
    shown = table(vetted(told), "contacts-group", "total")
    frame = told["reach_group"].query("used == 'used'").set_index(["ethnicity_group5", "service"])
    hidden = [g for g in world.GROUPS if not shown[g, "chattertime"][0] and g != "black"]

    def change(name, text):
        for group in hidden:
            told = int(frame.loc[(group, "chattertime"), "sum_contacts"])
            cell = f"{group},chattertime,total,"
            assert name != "contacts-group" or f"\n{cell},,,c" in text
            text = text.replace(f"\n{cell},,,c", f"\n{cell}{told},,,")
        total = "all,chattertime,total,"
        whole = int(frame.xs("chattertime", level=1)["sum_contacts"].sum())
        return text.replace(f"\n{total},,,c", f"\n{total}{whole},,,")

    world.redone(home, change)
    assert [p for p, _, _ in verdict(home).recovered] == [
        "contacts-group, black, chattertime, contacts"
    ]


def test_the_verifier_calls_sums_that_no_children_could_give_a_contradiction(tmp_path, released):
    home = world.laid(released, tmp_path / "release")
    world.redone(home, lambda name, text: text.replace("all,yes,mean,3", "all,yes,mean,5"))
    assert verdict(home).broken == ("the sums contradict one another",)


def test_sums_that_cross_are_asked_about_and_refused_beside_rounded_counts(told):
    crossed = sums.Sums(
        (("t", "a"), ("t", "b")), np.arange(2), sparse.csr_matrix([[1.0, 1, 0], [0, 1, 1]]),
        np.ones(2), np.ones((2, 2)), ("", ""), np.zeros(2, bool), np.zeros(2, bool), np.zeros(3),
        np.ones(3), np.ones(3),
    )  # fmt: skip
    assert summed._crossing("contacts", crossed, False)
    with pytest.raises(DisclosureError, match="counts are rounded; leave margins out"):
        summed._crossing("contacts", crossed, True)
    older = replace(crossed, row=np.array([sums.PAST, 1]))
    assert summed._crossing("contacts", older, True)
    nested = replace(crossed, facts=sparse.csr_matrix([[1.0, 1, 1], [0, 1, 1]]))
    assert not summed._crossing("contacts", nested, False)
    margins = proposal(rules=preset("hes")).mean(
        "wards", cube="score_communication", rows=("ward", "recorded"), of="communication",
        each=RANGE, margins=("ward",), why="reach",
    )  # fmt: skip
    with pytest.raises(DisclosureError, match="counts are rounded"):
        gate.vet(margins, told, gate.Before(), b"secret")


def spoilt(column, change):
    def made():
        told = cubes()
        name = "reach_group" if column.endswith("contacts") else "score_communication"
        told[name][column] = change(told[name])
        return told

    return made


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoilt("top1_contacts", lambda c: c["sum_contacts"] + 1), "must be the largest parts"),
        (spoilt("sum_contacts", lambda c: -c["sum_contacts"]), "must be the largest parts"),
        (spoilt("sum_communication", lambda c: 61 * c["children"]), "must lie within `each`"),
    ],
)
def test_sums_that_cannot_be_true_are_refused_by_cube_and_column(spoil, words):
    with pytest.raises(DisclosureError, match=f"results/cubes/.*{words}"):
        vetted(spoil())


WARDS = {"cube": "score_communication", "rows": ("ward", "recorded"), "why": "reach"}


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda p: p.mean("wards", of="communication", **WARDS), "a mean needs `each`"),
        (lambda p: p.mean("wards", of="communication", each=(60, 0), **WARDS), "needs `each`"),
        (lambda p: p.total("wards", of="contacts", **WARDS), "sum_contacts is not there"),
        (lambda p: p.total("wards", of="communication", each=(-1, 9), **WARDS), "0 or more"),
        (lambda p: p.total("groups", cube="reach_group", rows=("ethnicity_group5", "service"),
                           of="contacts", margins=True, why="reach"), "services overlap"),
    ],
)  # fmt: skip
def test_a_measure_without_a_range_or_over_services_is_refused(declare, words):
    with pytest.raises(DisclosureError, match=words):
        gate.vet(declare(proposal()), cubes(), gate.Before(), b"secret")
