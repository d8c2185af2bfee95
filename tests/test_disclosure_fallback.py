"""Programmes too large to search: what examples clear is safe, and nothing else is let through."""

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import disclose_world as world
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from leap_eval.disclosure import (
    attack,
    cells,
    entries,
    examples,
    fallback,
    gate,
    raised,
    suppress,
    targets,
    verify,
)
from leap_eval.disclosure.declare import ALL, Cube, Output, Release

NEED = targets.Need(5, 5, 5)


@pytest.fixture
def large(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call every problem large that has an older release."""
    monkeypatch.setattr(fallback, "LARGE", 0)
    monkeypatch.syspath_prepend(str(root / "benchmarks"))


def drawn(seed: int):
    import programmes

    told = Namespace(
        seed=2, releases=3, outputs=2, children=200, threshold=5, programmes=1, wide=False
    )
    made, counts, insider = programmes.programme(seed, told)
    own = {"p": {"service": ("s0",)}} if insider else {}
    done: list[Release] = []
    for release in made:
        done.append(programmes.release_(done, release, NEED, own)[0])
    return done, counts, insider, own


def protected(seed: int):
    """Return the last release of a programme as a problem, and what the fallback makes of it."""
    done, _, _, own = drawn(seed)
    last = Release(done[-1].name, done[-1].outputs, done[-1].cubes)
    problem = cells.collect([*done[:-1], last], insiders=own)
    first, more = targets.primary(problem, NEED), targets.targets(problem, NEED, groups=False)
    return problem, *fallback.protect(problem, NEED, first, more, b"draw")


@pytest.mark.requirement("R31", "R32")
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
@pytest.mark.usefixtures("large")
def test_an_attacker_of_its_own_gets_nothing_out_of_a_pattern_made_of_examples(seed) -> None:
    import programmes

    done, counts, insider, _ = drawn(seed)
    for recovered in programmes.judged(done, counts, 5, insider):
        assert recovered.exact == 0
        assert recovered.below == 0


@pytest.mark.requirement("R31")
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
@pytest.mark.usefixtures("large")
def test_every_group_that_examples_clear_unnamed_is_safe_when_it_is_named(seed) -> None:
    problem, pattern, _ = protected(seed)
    assert pattern.method == "fallback"
    every = targets.targets(problem, NEED)
    assert not attack.audit(problem, every, pattern.withheld)
    shown = ~pattern.withheld & problem.free
    assert not (pattern.primary & shown).any()


@pytest.mark.usefixtures("large")
def test_whole_tables_agree_with_every_page_and_stand_for_every_small_group() -> None:
    for seed in range(3):
        problem, pattern, audits = protected(seed)
        found, shown = fallback.whole(problem, audits, NEED)
        tables = shown.tables.toarray()
        sums = tables @ problem.cells.T.toarray()
        ends = np.where(pattern.withheld[:, None], problem.hidden, problem.shown)
        assert (tables >= 0).all()
        assert ((sums >= ends[:, 0]) & (sums <= ends[:, 1])).all()
        told = tables @ found.rows.T.toarray()
        at = np.arange(len(found))
        low, high = told[shown.low, at], told[shown.high, at]
        closed = ~shown.open
        assert closed.any()
        assert (high >= found.upper)[closed].all()
        assert (high - low >= found.width)[closed].all()


@pytest.mark.requirement("R31")
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_group_goes_unnamed_only_if_one_of_its_atoms_is_raised_far_enough(seed) -> None:
    problem = cells.collect([three_way(seed)])
    reach = problem.atoms + np.random.default_rng(seed).integers(0, 10, len(problem.atoms))
    every = targets.targets(problem, NEED)
    far = np.maximum(NEED.upper, every.truth + NEED.width)
    firm = [max(reach[list(row)]) < to for row, to in zip(members(every), far, strict=True)]
    named = examples.small(problem, reach, NEED)
    assert set(members(named)) == {m for m, f in zip(members(every), firm, strict=True) if f}


def members(found: targets.Targets) -> list[tuple[int, ...]]:
    return [tuple(row) for row in found.rows.tolil().rows]


def three_way(seed: int) -> Release:
    """Return three tables of two dimensions each over children told apart by three."""
    names, shape = ("area", "age", "service"), (4, 3, 4)
    at = np.indices(shape).reshape(3, -1)
    codes = {d: [f"{d[:2]}{v}" for v in at[i]] for i, d in enumerate(names)}
    counts = np.random.default_rng(seed).poisson(6, at.shape[1])
    nodes = {d: {c: (c,) for c in sorted(set(told))} | {ALL: ()} for d, told in codes.items()}
    pairs = [names[:2], names[1:], names[::2]]
    outputs = [Output("-".join(p), "c", {d: nodes[d] for d in p}) for p in pairs]
    return Release(
        "now", tuple(outputs), {"c": Cube(pd.DataFrame(codes).assign(children=counts), names)}
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_groups_that_no_page_notices_are_spared_the_search_and_the_optimum_stays(seed) -> None:
    problem = cells.collect([three_way(seed)])
    first, every = targets.primary(problem, NEED), targets.targets(problem, NEED)
    fewer = fallback.wanted(problem, NEED, spared=True)
    assert len(fewer) < len(every)
    told = [suppress.suppress(problem, f, first, suppress.Effort(), b"x") for f in (every, fewer)]
    assert told[0].cost == told[1].cost
    assert not attack.audit(problem, every, told[1].withheld)


def test_a_marker_that_tells_too_well_is_a_conflict_that_names_its_table() -> None:
    """Of five children one left: four are withheld, and "not zero" tells one to five of them."""
    done: list[Release] = []
    for quarter, few in enumerate((5, 4)):
        frame = pd.DataFrame({"area": ["a", "b"], "children": [few, 30]})
        nodes = {"area": {"a": ("a",), "b": ("b",), ALL: ()}}
        release = Release(f"q{quarter}", (Output("t", "c", nodes),), {"c": Cube(frame, ("area",))})
        problem = cells.collect([*done, release])
        done.append(entries.after(release, problem, np.zeros(len(problem.truth), bool)))
    every, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    assert suppress.blocked(problem, every).outputs == ("t",)
    with pytest.raises(suppress.Conflict) as told:
        fallback.protect(problem, NEED, first, every, b"draw")
    assert told.value.outputs == ("t",)


def test_a_box_raises_one_place_and_no_margin_of_two_notices() -> None:
    grid = np.random.default_rng(3).poisson(4, (4, 5, 3)).astype(float)
    raised_, there = 0, np.ones(grid.shape, bool)
    for at in np.ndindex(*grid.shape):
        move = raised.boxed(grid, there, at, grid[at] + 5)
        if move is not None:
            raised_ += 1
            assert move[at] == 5
            assert (grid + move >= 0).all()
            assert all(np.abs(move.sum(axis=axis)).max() == 0 for axis in range(3))
    assert raised_ > 10


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_move_is_cut_to_the_part_that_every_page_allows(seed) -> None:
    problem = cells.collect([three_way(seed)])
    withheld = problem.truth < 12
    free = examples.room(problem, withheld, examples.readers(problem)[-1])
    chance = np.random.default_rng(seed)
    moves = sparse.csc_matrix(chance.integers(-9, 9, (len(problem.atoms), 6)) * 1.0)
    told = examples.shortened(problem, free, moves).toarray()
    assert (problem.atoms[:, None] + told >= -1e-6).all()
    sums = problem.cells @ told
    assert ((sums >= free.low[:, None] - 1e-5) & (sums <= free.high[:, None] + 1e-5)).all()


def after_one(home: Path) -> tuple[gate.Released, Path]:
    """Return a release through the gate after another, and the ledger of that."""
    first = world.vetted()
    book = world.ledger([first], home / "ledger.jsonl")
    lines = [json.loads(line) for line in book.read_text().splitlines()]
    before = gate.Before(lines, {lines[0]["name"]: first.kept.sealed})
    return world.vetted(many=640, name="2025-q2", before=before), book


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("proven", [True, False])
def test_a_certificate_speaks_of_integers_only_where_whole_tables_prove_all(
    proven: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(*told: Any) -> Any:
        found, shown = real(*told)
        return found, replace(shown, open=shown.open | ~np.full(len(found), proven))

    real = fallback.whole
    monkeypatch.setattr(fallback, "whole", whole)
    tables = [o for o in after_one(tmp_path)[0].manifest["outputs"] if o["kind"] == "table"]
    said = {o["certificate"]["attackers"][0].split(",")[0] for o in tables}
    assert said == {"linear and integer" if proven else "linear"}


@pytest.mark.usefixtures("large")
def test_a_release_too_large_to_search_is_looked_at_by_people_and_gives_nobody_away(
    tmp_path: Path,
) -> None:
    second, book = after_one(tmp_path)
    assert second.kept.line["solver"]["method"] == "fallback"
    tables = [o for o in second.manifest["outputs"] if o["kind"] == "table"]
    assert all("unproven" in o["choices"] for o in tables)
    assert {o["verdict"] for o in tables} == {"review"}
    home = world.laid(second, tmp_path / "release")
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/witnesses.npz").write_bytes(second.kept.witnesses)
    asked = verify.attack(home, ledger=book, integer=True, evidence=tmp_path / "evidence")
    told = next(t for t in asked if isinstance(t, verify.Verdict))
    assert told.tried > 100
    assert not told.recovered
    assert not told.broken


def test_a_search_spared_of_safe_groups_shows_the_same_and_proves_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = world.vetted()
    monkeypatch.setattr(fallback, "DEAR", 0)
    spared = world.vetted()
    tables = {name: data for name, data in spared.files.items() if name != "manifest.json"}
    assert tables == {name: data for name, data in plain.files.items() if name != "manifest.json"}
    home = world.laid(spared, tmp_path / "release")
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/witnesses.npz").write_bytes(spared.kept.witnesses)
    asked = verify.attack(home, evidence=tmp_path / "evidence")
    told = next(t for t in asked if isinstance(t, verify.Verdict))
    assert not told.recovered
    assert not told.broken
    assert {o["verdict"] for o in spared.manifest["outputs"]} == {
        o["verdict"] for o in plain.manifest["outputs"]
    }
