"""Means that cross: a second attacker, given counts and sums at once, learns of no small group."""

import json
from itertools import pairwise, product

import disclose_world as world
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from leap_eval.disclosure import crossed, gate
from leap_eval.disclosure.rules import preset
from leap_eval.disclosure.sums import Sums
from leap_eval.disclosure.verify import Verdict, attack

CODES = tuple(product(("oval", "princes", "stockwell", "vassall"), "0123"))
NODES = (*dict.fromkeys(w for w, _ in CODES), "all"), (*"0123", "all")
LEAST, MOST = 0, 60  # of one child's score


def scored(seed, about=32, again=0.0):
    """Return children by quarter: groups stand still or grow, some are all tested `again`."""
    draw, told = np.random.default_rng(seed), [pd.DataFrame() for _ in range(3)]
    for code in CODES:
        few, many = draw.integers(3, 12), draw.integers(20, 60)
        scores = np.array([])
        for q in range(3):
            joined = (0, draw.integers(10, 25), draw.integers(1, 10))
            joined = draw.choice(joined, p=(0.6, 0.3, 0.1))
            new = (few if draw.random() < 0.2 else many) if q == 0 else joined
            if draw.random() < again:
                scores = _drawn(draw, draw.uniform(5, 55), len(scores))
            scores = np.append(scores, _drawn(draw, about, new))
            rows = pd.DataFrame({"ward": code[0], "age_band": code[1], "score": scores})
            told[q] = pd.concat([told[q], rows])
    return told


def _drawn(draw, about, many):
    return np.clip(np.round(draw.normal(about, 12 if about < 50 else 4, many)), LEAST, MOST)


def retested():
    """Return two quarters of the same children: nine of them score much less the second time.

    The sums of their ward differ by 360, six times what one child can score.
    """
    many = {code: 10 + i % 3 for i, code in enumerate(CODES)} | {("oval", "0"): 5, ("oval", "1"): 9}
    told = []
    for again in (50, 10):
        each = {code: again if code == ("oval", "1") else 30 for code in CODES}
        rows = [(*code, each[code] + i % 2) for code in CODES for i in range(many[code])]
        told.append(pd.DataFrame(rows, columns=["ward", "age_band", "score"]))
    return told


def cube(children):
    """Count these children as stage 06 counts them; all of them have a result."""
    made = children.assign(recorded_language="yes").groupby(
        ["ward", "age_band", "recorded_language"], as_index=False
    )
    made = made["score"].agg(
        children="size", sum_language="sum", top1_language="max",
        top2_language=lambda v: v.nlargest(2).sum() - v.max(),
    )  # fmt: skip
    return {"score": made.assign(families=made["children"], partners=9)}


def programme(quarters, means=3):
    """Release the mean score by ward and age, with both margins; after `means`, counts alone."""
    lines, sealed, released = [], {}, []
    for number, children in enumerate(quarters):
        name = f"2025-q{number + 1}"
        asked = gate.Proposal(name, preset("exact"), {"state": "demo", "as_at": name})
        words = {"cube": "score", "rows": ("ward", "age_band", "recorded"), "why": "how they do"}
        words["margins"] = ("ward", "age_band")
        measure = {"of": "language", "each": (LEAST, MOST)}
        asked = (
            asked.mean("score", **words, **measure)
            if number < means
            else asked.table("score", **words)
        )
        before = gate.Before(list(lines), dict(sealed))
        released.append(gate.vet(asked, cube(children), before, b"secret", {}))
        kept = released[-1].kept
        lines.append(json.loads(json.dumps(kept.line)) | {"hash": "0" * 64})
        sealed[name] = kept.sealed
    return released


def page(released):
    """Return what a reader sees: (ward, age, measure) -> text, none where it is withheld."""
    rows = released.files["tables/score.csv"].decode().splitlines()[1:]
    return {(r[0], r[1], r[3]): r[4] for r in (row.split(",") for row in rows)}


class Second:
    """An attacker who shares nothing with the gate: a count and a sum for each code and quarter.

    He reads the pages alone, and is granted besides which groups stood still, in number and in
    sum, and which grew.
    """

    def __init__(self, quarters, pages):
        told = [c.groupby(["ward", "age_band"])["score"].agg(["size", "sum"]) for c in quarters]
        self.truth = np.array([[t.loc[code] for code in CODES] for t in told]).transpose(2, 0, 1)
        self.many, self.quarters, rows = self.truth[0].size, range(len(pages)), []
        for q, (i, code) in product(self.quarters, enumerate(CODES)):
            n = self.group(q, *code)
            rows += [(self.sum(n) - LEAST * n, 0, np.inf), (MOST * n - self.sum(n), 0, np.inf)]
            if q:
                grown, (old, now) = n - self.group(q - 1, *code), self.truth[:, q - 1 : q + 1, i].T
                rows.append((grown, 0, np.inf if now[0] > old[0] else 0))
                rows += [(self.sum(grown), 0, 0)] if (old == now).all() else []
        for q, told in enumerate(pages):
            for (ward, age, measure), value in told.items():
                group, n = self.group(q, ward, age), told[ward, age, "children"]
                if measure == "children":
                    rows.append((group, float(n or 1), float(n or np.inf)))
                elif value:
                    low, high = (int(n) * (float(value) + e) for e in (-0.05, 0.05))
                    rows.append((self.sum(group), low, high))
        row, low, high = zip(*rows, strict=True)
        self.facts = LinearConstraint(np.array(row), low, high)

    def group(self, q, ward, age):
        """Return the children of a node in a quarter as a row; their sums stand behind them."""
        row = np.zeros(2 * self.many)
        inside = [i for i, (w, a) in enumerate(CODES) if ward in (w, "all") and age in (a, "all")]
        row[q * len(CODES) + np.array(inside)] = 1
        return row

    def sum(self, group):
        return np.roll(group, self.many)

    def breaches(self):
        """Return the small groups (of a quarter, or grown since) whose number he narrows down."""
        told = [[self.group(q, *node) for q in self.quarters] for node in product(*NODES)]
        aims = [row for rows in told for row in (*rows, *(b - a for a, b in pairwise(rows)))]
        counts, found = np.append(self.truth[0].ravel(), np.zeros(self.many)), []
        for row in (r for r in aims if 0 < r @ counts < 10):
            low, high = self._least(row), -self._least(-row)
            if high < 10 - 1e-6 or high - low < 10 - 1e-6:
                found.append((int(row @ counts), low, high))
        return found

    def _least(self, cost):
        whole = np.repeat([1, 0], self.many)
        told = milp(cost, integrality=whole, bounds=Bounds(0, 1e5), constraints=self.facts)
        assert told.status == 0
        return told.fun


def unasked(monkeypatch):
    """Let sums cross and ask nobody what they tell of counts."""
    monkeypatch.setattr(crossed.Both, "guilt", lambda *_: np.zeros(1))
    monkeypatch.setattr(crossed.Both, "safe", lambda *_: True)


@pytest.mark.requirement("R32")
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from((32, 57)), st.sampled_from((0.0, 0.5)))
def test_means_by_ward_and_age_of_three_quarters_tell_of_no_small_group(seed, about, again):
    quarters = scored(seed, about, again)
    pages = [page(r) for r in programme(quarters)]
    assert not Second(quarters, pages).breaches()


@pytest.mark.requirement("R32")
def test_counts_of_a_later_quarter_open_no_group_beside_older_means_that_cross(monkeypatch):
    quarters, asked = scored(3, again=0.5), []
    guilt = crossed.Both.guilt
    monkeypatch.setattr(crossed.Both, "guilt", lambda *a: asked.append(len(a[0].at)) or guilt(*a))
    pages = [page(r) for r in programme(quarters, means=2)]
    assert asked[-1] == 1
    assert not any(measure == "mean" for *_, measure in pages[2])
    assert not Second(quarters, pages).breaches()


def test_most_means_of_every_later_quarter_are_shown_with_both_margins():
    later = [r for seed in range(3) for r in programme(scored(seed))[1:]]
    shown = [sum(bool(v) for v in page(r).values()) / len(page(r)) for r in later]
    assert min(shown) > 0.3
    assert np.mean(shown) > 0.5


@pytest.mark.requirement("R32")
def test_a_sum_that_bounds_a_withheld_count_is_withheld_and_unasked_it_would_tell(monkeypatch):
    quarters = retested()
    kept = [page(r) for r in programme(quarters)]
    assert not Second(quarters, kept).breaches()
    assert kept[1]["oval", "all", "children"]
    assert not kept[1]["oval", "all", "mean"]
    unasked(monkeypatch)
    loose = [page(r) for r in programme(quarters)]
    # 360 more than nine children's least: at least 6 of the 14 are in the one, 8 in the other.
    assert {b[1:] for b in Second(quarters, loose).breaches()} == {(1, 8), (6, 13)}


@pytest.mark.requirement("R32")
def test_the_verifier_asks_counts_and_sums_together_and_finds_what_crosses(monkeypatch, tmp_path):
    """Five score 50 among little ones who score 1; 14 of their ward score 50: 6 at most are five's.

    One more and the rest of the ward could not add the ward's sum, nor the little ones so little.
    """
    (children, _), few = retested(), {("oval", "0"): 50, ("oval", "1"): 50}
    codes = zip(children["ward"], children["age_band"], strict=True)
    children["score"] = [few.get(code, 1 if code[1] == "0" else 30) for code in codes]

    def recovered(home):
        told = attack(world.laid(programme([children])[0], home))
        return next(t for t in told if isinstance(t, Verdict))

    safe = recovered(tmp_path / "asked")
    assert safe.recovered == safe.broken == ()
    unasked(monkeypatch)
    found = {place: high for place, _, high in recovered(tmp_path / "unasked").recovered}
    assert found["score, oval, 0, yes"] < 7


def test_a_mean_once_shown_and_later_withheld_stops_no_later_release():
    verdicts = [r.manifest["outputs"][0]["verdict"] for r in programme(scored(0, about=57))]
    assert "fail" not in verdicts


def test_a_table_of_children_who_could_not_add_a_shown_sum_is_no_witness():
    """Two codes of one atom each, 0 to 60 a child: together they add 100, so one is too few."""
    ranges = sparse.csr_matrix([[0.0, 0, 1, 0], [0, 0, 0, 1], [60, 0, -1, 0], [0, 60, 0, -1]])
    told = Sums(
        (("t", "all"),), np.arange(1), sparse.csr_matrix([[1.0, 1]]), np.array([100.0]),
        np.array([[99.5, 100.5]]), ("",), np.zeros(1, bool), np.zeros(1, bool), np.zeros(2),
        np.full(2, 60.0), np.array([50.0, 50]), crossing=True, ranges=ranges,
    )  # fmt: skip
    tables = np.array([[1.0, 1], [2, 0], [1, 0], [0, 1]])
    shown = crossed._possible(told, np.zeros(1, bool), tables)
    assert shown.tolist() == [True, True, False, False]
    assert crossed._possible(told, np.ones(1, bool), tables).all()
