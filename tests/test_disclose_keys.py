"""Every key of disclosure.yaml acts or is refused; none is silently ignored."""

from dataclasses import replace
from typing import Literal, get_args, get_origin

import disclose_world as world
import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel
from test_disclose_rules import GOOD

from leap_eval.disclosure import attack, cells, known, magnitude, models, suppress, targets
from leap_eval.disclosure import rules as written
from leap_eval.disclosure.declare import ALL, Cube, Output, Release
from leap_eval.disclosure.rules import preset, read_rules
from leap_eval.errors import DisclosureError

NEED = targets.Need(10, 10, 10)
ELSEWHERE = {
    ("Review", "on_conflict"),  # test_where_the_rules_say_stop_a_conflict_stops
    ("Dominance", "p"), ("Dominance", "k"),  # test_a_sum_that_leans_on_one_child...
}  # fmt: skip


def chosen(part):
    """Yield (class, key) for every key that has more than one allowed value."""
    for name, field in part.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        for one in inner:
            yield from chosen(one)
        if not inner and (get_origin(field.annotation) is not Literal or len(kinds) > 2):
            yield part.__name__, name


def test_every_key_that_can_be_chosen_is_read_when_a_release_is_made(monkeypatch):
    read = set()

    def noting(self, name):
        read.add((type(self).__name__, name))
        return object.__getattribute__(self, name)

    stricter = read_rules("stricter: {childrens_centres: {threshold: 11, families: 4, min_n: 12}}")
    rounds = [preset("opensafely"), preset("midpoint6")]
    monkeypatch.setattr(written._Part, "__getattribute__", noting, raising=False)
    for rules in (stricter, *rounds):
        world.vetted(many=300, rules=rules)
    one = world.proposal(rules=stricter)
    one.table("wards", cube="reach-whole", rows=("ward",), title="Children by ward", why="reach")
    saturated = GOOD | {"rank": 900}
    models.check_estimates(pd.DataFrame([GOOD, saturated]), stricter)
    figures = ("estimate", "se", "low", "high", "band_low", "band_high", "mde80", "q", "ess",
               "evalue", "unit", "grade", "status", "reason", "wording_key")  # fmt: skip
    models.estimates({"asq": pd.DataFrame([GOOD | dict.fromkeys(figures, 0.5)])}, stricter)
    monkeypatch.undo()
    keys = set(chosen(written.Rules))
    assert len(keys) > 30
    assert keys - read <= ELSEWHERE


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("attacker: {own_records: 2}", r"attacker\.own_records"),
        ("attacker: {change: unknown}", r"attacker\.change"),
        ("summaries: {percentile_each_side: 20}", r"summaries\.percentile_each_side"),
        ("summaries: {events_per_step: 20}", r"summaries\.events_per_step"),
        ("plots: {min_bin: 20}", r"plots\.min_bin"),
        ("markers: {withheld: '*'}", r"markers\.withheld"),
    ],
)
def test_a_key_that_nothing_could_obey_is_refused_and_never_ignored(text, place):
    with pytest.raises(DisclosureError, match=place):
        read_rules(text)


def table(counts, **columns):
    rows, across = ([f"{d}{i}" for i in range(n)] for d, n in zip("ab", counts.shape, strict=True))
    frame = pd.DataFrame([(r, c) for r in rows for c in across], columns=["a", "b"])
    nodes = {"a": {c: (c,) for c in rows} | {ALL: ()}, "b": {c: (c,) for c in across} | {ALL: ()}}
    cube = Cube(frame.assign(children=counts.ravel(), **columns), ("a", "b"))
    return Release("r", (Output("t", "c", nodes),), {"c": cube})


COUNTS = np.array([[30, 41, 52], [33, 4, 61], [39, 48, 57]])


def test_a_cell_of_one_partner_alone_is_withheld_where_two_are_asked_for():
    told = table(COUNTS, families=COUNTS.ravel(), partners=[9, 9, 9, 9, 9, 9, 1, 9, 9])
    assert not cells.collect([told]).few.any()
    problem = cells.collect([told], units=(3, 2))
    assert [problem.keys[i][2:] for i in np.flatnonzero(problem.few)] == [("a2", "b0")]
    assert targets.primary(problem, NEED).sum() == 2


@pytest.mark.parametrize(("cell", "price"), [("one", 1), ("log", np.log(31)), ("count", 30)])
def test_weights_say_what_withholding_a_cell_costs_and_margins_apart(cell, price):
    rules = read_rules(f"weights: {{cell: {cell}, margin: 7}}")
    problem = known.weighted(cells.collect([table(COUNTS)]), rules)
    assert problem.weights[problem.names["t", "a0", "b0"]] == pytest.approx(price)
    cheap = known.weighted(problem, read_rules(f"weights: {{cell: {cell}}}"))
    at = problem.names["t", "a0", ALL]
    assert problem.weights[at] == pytest.approx(7 * cheap.weights[at])


def test_costlier_margins_are_withheld_less():
    counts = np.random.default_rng(5).poisson(14, (6, 5))
    problem = cells.collect([table(counts)])
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    margin = np.array([ALL in key[2:] for key in problem.keys])
    lost = []
    for weight in ("0.1", "9"):
        told = known.weighted(problem, read_rules(f"weights: {{margin: {weight}}}"))
        pattern = suppress.suppress(told, found, first, suppress.Effort(), b"draw")
        lost.append(int((pattern.withheld & margin).sum()))
    assert lost[0] > lost[1]


def test_above_the_number_of_cells_for_exactness_a_pattern_near_the_bound_will_do():
    counts = np.random.default_rng(8).poisson(12, (8, 7))
    problem = cells.collect([table(counts)])
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    for many in ((2000, 500), (10, 10)):
        effort = suppress.Effort(exact_cells=many)
        pattern = suppress.suppress(problem, found, first, effort, b"draw")
        assert not attack.audit(problem, found, pattern.withheld)
        assert pattern.gap <= (0 if many[0] > 10 else suppress.LOOSE)


def test_when_the_time_is_over_nothing_is_released_and_nothing_is_called_proven():
    counts = np.random.default_rng(8).poisson(12, (8, 7))
    problem = cells.collect([table(counts)])
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    with pytest.raises(DisclosureError, match=r"abort_after_s.*nothing is written.*unproven"):
        suppress.suppress(problem, found, first, suppress.Effort(abort_after_s=0), b"draw")


def test_a_sum_that_leans_on_one_child_is_withheld_and_stays_unknown_within_p_per_cent():
    problem, rules = cells.collect([table(COUNTS + 20)]), preset("exact")
    sums = np.array([300.0, 410, 520, 330, 240, 610, 390, 480, 570])
    top1 = np.full(9, 12.0)
    top1[4] = 230.0
    first = targets.primary(problem, NEED)
    told = magnitude.amounts(problem, sums, top1, np.full(9, 5.0), first, rules)
    leaning = [problem.keys[i][2:] for i in np.flatnonzero(told.first & ~first)]
    assert ("a1", "b1") in leaning
    found = targets.targets(problem, NEED)
    effort = suppress.Effort()
    pattern = suppress.suppress(problem, found, told.first, effort, b"draw", (told,))
    attacker = attack.Attacker(told.problem, told.found)
    attacker.set(pattern.withheld.astype(float))
    row = told.found.rows[0]
    low, high = (attacker.bound(row, sense).value for sense in (-1.0, 1.0))
    assert high - low >= 0.1 * told.found.truth[0] - 1e-6
    alone = replace(told, found=replace(told.found, width=0 * told.found.width))
    assert suppress.suppress(problem, found, first, effort, b"draw", (alone,)).cost < pattern.cost
