from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from leap_eval.disclosure import attack, cells, entries, suppress, targets, witnesses
from leap_eval.disclosure.declare import ALL, Cube, Output, Release

NEED = targets.Need(5, 5, 5)
EFFORT = suppress.Effort()


def release(counts: np.ndarray, groups: dict[str, tuple[str, ...]] | None = None) -> Release:
    names = ("row", "column", "layer")[: counts.ndim]
    at = np.indices(counts.shape).reshape(counts.ndim, -1)
    frame = pd.DataFrame({d: [f"{d[0]}{v}" for v in at[i]] for i, d in enumerate(names)})
    nodes = {d: {c: (c,) for c in sorted(frame[d].unique())} | {ALL: ()} for d in names}
    nodes["row"] |= groups or {}
    cube = Cube(frame.assign(children=counts.ravel()), names)
    return Release("now", (Output("t", "c", nodes),), {"c": cube})


def solved(counts: np.ndarray, need: targets.Need = NEED, marker: float = 1.0):
    problem = cells.collect([release(counts)], marker=marker)
    found, first = targets.targets(problem, need), targets.primary(problem, need)
    return problem, found, first, suppress.suppress(problem, found, first, EFFORT, b"draw")


SMALL = st.lists(st.sampled_from([0, 2, 3, 4, 6, 8, 9, 12, 30]), min_size=9, max_size=9).map(
    lambda told: np.array(told).reshape(3, 3)
)


def safe_by_definition(problem, found, withheld: np.ndarray) -> bool:
    return not attack.audit(problem, found, withheld)


@pytest.mark.requirement("R32")
@settings(max_examples=8, deadline=None)
@given(SMALL)
def test_the_optimum_equals_the_best_of_all_enumerated_patterns(counts: np.ndarray) -> None:
    counts[0, 1:] = (30, 40)  # few enough free cells to try every pattern
    problem = cells.collect([release(counts)])
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    free = np.flatnonzero(problem.free & ~first)
    keep = free[: max(0, len(free) - 9)]
    problem.fixed[keep] = cells.SHOWN
    free = free[len(keep) :]
    prices = []
    attacker = attack.Attacker(problem, found)
    for chosen in product((False, True), repeat=len(free)):
        pattern = first.copy()
        pattern[free[list(chosen)]] = True
        if not prices or pattern.sum() < min(prices):
            attacker.set(pattern.astype(float))
            if not attacker.opened(most=1):
                prices.append(int(pattern.sum()))
    try:
        told = suppress.suppress(problem, found, first, EFFORT, b"draw")
    except suppress.Conflict:
        assert not prices
        return
    assert int(told.withheld.sum()) == min(prices)
    assert told.method == "optimal"
    assert told.gap == 0


@pytest.mark.requirement("R31")
@settings(max_examples=15, deadline=None)
@given(SMALL, st.data())
def test_withholding_one_cell_more_never_narrows_an_interval(counts, data) -> None:
    problem = cells.collect([release(counts)])
    found = targets.targets(problem, NEED)
    free = np.flatnonzero(problem.free)
    if not len(free) or not len(found):
        return
    some = np.array(data.draw(st.lists(st.booleans(), min_size=len(free), max_size=len(free))))
    pattern = targets.primary(problem, NEED)
    pattern[free[some]] = True
    more = pattern.copy()
    more[data.draw(st.sampled_from(free.tolist()))] = True
    ends = []
    for p in (pattern, more):
        attacker = attack.Attacker(problem, found)
        attacker.set(p.astype(float))
        ends.append([(attacker.bound(r, -1.0).value, attacker.bound(r, 1.0).value)
                     for r in (found.rows[i] for i in range(len(found)))])  # fmt: skip
    for (low, high), (lower, higher) in zip(*ends, strict=True):
        assert lower <= low + 1e-6
        assert higher >= high - 1e-6


def compositions(total: int, parts: int):
    """Every way to spread so many children over so many atoms."""
    for bars in combinations(range(total + parts - 1), parts - 1):
        yield np.diff([-1, *bars, total + parts - 1]) - 1


def whole_intervals(problem, found, withheld: np.ndarray, total: int):
    """The ends of each target over every whole table that agrees with the pages."""
    tables = np.array(list(compositions(total, len(problem.atoms))))
    told = tables @ problem.cells.toarray().T
    low = np.where(withheld, problem.hidden[:, 0], problem.shown[:, 0])
    high = np.where(withheld, problem.hidden[:, 1], problem.shown[:, 1])
    moved = tables[((told >= low) & (told <= high)).all(axis=1)] @ found.rows.toarray().T
    return moved.min(axis=0), moved.max(axis=0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=8, max_size=8), st.data())
def test_whole_witnesses_reach_as_far_as_brute_force_over_all_tables(told, data) -> None:
    counts = np.array(told).reshape((2, 4) if data.draw(st.booleans()) else (2, 2, 2))
    problem = cells.collect([release(counts)], zeros=False)
    found = targets.targets(problem, targets.Need(3, 3, 2))
    pattern = np.array([data.draw(st.booleans()) for _ in problem.truth]) & (problem.truth > 0)
    pattern[problem.names[("t", *(ALL,) * counts.ndim)]] = False
    if not len(found):
        return
    least, most = whole_intervals(problem, found, pattern, int(counts.sum()))
    enough = (most >= found.upper) & (most - least >= found.width)
    shown = witnesses.find(problem, found, pattern, 200)
    assert (shown.open == ~enough).all()
    assert shown.unsafe[~enough].all()


@pytest.mark.requirement("R31")
def test_every_witness_agrees_with_every_page_and_moves_its_target() -> None:
    counts = np.random.default_rng(4).poisson(6, (4, 3, 3))
    problem, found, _, pattern = solved(counts)
    shown = witnesses.find(problem, found, pattern.withheld, 500)
    tables = shown.tables.toarray()
    low = np.where(pattern.withheld, problem.hidden[:, 0], problem.shown[:, 0])
    high = np.where(pattern.withheld, problem.hidden[:, 1], problem.shown[:, 1])
    told = tables @ problem.cells.toarray().T
    assert not shown.open.any()
    assert (tables >= 0).all()
    assert ((told >= low) & (told <= high)).all()
    ends = tables @ found.rows.toarray().T
    most, least = (ends[at, np.arange(len(found))] for at in (shown.high, shown.low))
    assert (most >= found.upper).all()
    assert (most - least >= found.width).all()


def test_a_marker_that_says_not_zero_costs_cells_and_is_reckoned_with() -> None:
    counts = np.array([[3, 9, 20, 4], [20, 2, 9, 30], [6, 30, 3, 20], [12, 6, 20, 3]])
    problem, found, _, pattern = solved(counts)
    silent = solved(counts, marker=0.0)[3]
    assert silent.withheld.sum() <= pattern.withheld.sum()
    attacker = attack.Attacker(problem, found)
    attacker.set(pattern.withheld.astype(float))
    assert all(attacker.bound(found.rows[i], 1.0).value >= 5 - 1e-6 for i in range(len(found)))


def test_exactness_alone_leaves_cells_known_to_be_small() -> None:
    counts = np.random.default_rng(7).poisson(7, (8, 6))
    exact, interval = targets.Need(5, 0, 1), NEED
    problem, _, _, pattern = solved(counts, exact)
    assert attack.audit(problem, targets.targets(problem, interval, False), pattern.withheld)


def test_an_unsafe_pattern_never_leaves_whatever_the_effort() -> None:
    counts = np.random.default_rng(3).poisson(5, (6, 5))
    problem = cells.collect([release(counts)])
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    for effort in (suppress.Effort(1, 0), suppress.Effort(2, 1, 1), suppress.Effort(60, 0)):
        told = suppress.suppress(problem, found, first, effort, b"draw")
        assert safe_by_definition(problem, found, told.withheld)
        assert told.bound <= told.cost
        assert (told.method == "optimal") == (told.gap == 0)


def test_groups_that_nothing_can_hide_are_a_conflict_that_names_the_cells_in_the_way() -> None:
    told = release(np.array([[3, 40], [50, 60]]))
    keys = frozenset(told.outputs[0].keys()) - {("t", "r0", "c0")}
    problem = cells.collect([told], always_show=keys)
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    with pytest.raises(suppress.Conflict) as conflict:
        suppress.suppress(problem, found, first, EFFORT, b"draw")
    assert conflict.value.cells
    assert "t" in conflict.value.outputs


def test_the_secret_draw_moves_the_pattern_and_never_its_price() -> None:
    counts = np.random.default_rng(11).poisson(9, (9, 7))
    problem = cells.collect([release(counts)])
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    told = [suppress.suppress(problem, found, first, EFFORT, d) for d in (b"a", b"b", b"c", b"a")]
    assert len({p.withheld.sum() for p in told}) == 1
    assert (told[0].withheld == told[3].withheld).all()
    assert len({p.withheld.tobytes() for p in told}) > 1


def test_hidden_groups_of_no_table_are_targets_and_stay_unknown() -> None:
    counts = np.random.default_rng(2).poisson(4, (4, 3, 3))
    whole = release(counts)
    nodes = whole.outputs[0].nodes
    pairs = [("row", "column"), ("row", "layer"), ("column", "layer")]
    outputs = tuple(Output("-".join(p), "c", {d: nodes[d] for d in p}) for p in pairs)
    problem = cells.collect([Release("now", outputs, whole.cubes)])
    found = targets.targets(problem, NEED)
    assert found.why.count("group") > 10
    first = targets.primary(problem, NEED)
    told = suppress.suppress(problem, found, first, EFFORT, b"draw")
    assert not attack.audit(problem, found, told.withheld)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dives_in_a_three_way_table_bracket_the_optimum_proven_without_them(seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(9, (4, 3, 3))
    names = ["a", "b", "c"]
    at = np.indices(counts.shape).reshape(3, -1)
    frame = pd.DataFrame({d: [f"c{v}" for v in at[i]] for i, d in enumerate(names)})
    nodes = {d: {c: (c,) for c in sorted(frame[d].unique())} | {ALL: ()} for d in names}
    cube = Cube(frame.assign(children=counts.ravel()), tuple(names))
    problem = cells.collect([Release("r", (Output("t", "c", nodes),), {"c": cube})])
    found, first = targets.targets(problem, NEED, groups=False), targets.primary(problem, NEED)
    assert first.any()
    proof = suppress.Effort(dives=0, deep_gap=0.0, mip_rounds=300)
    best = suppress.suppress(problem, found, first, proof, b"draw")
    dived = suppress.suppress(problem, found, first, EFFORT, b"draw")
    assert best.method == "optimal"
    assert dived.bound <= best.cost <= dived.cost <= best.cost / 0.97 + 1e-6
    assert not attack.audit(problem, found, dived.withheld)


@pytest.mark.requirement("R31")
def test_leaving_out_what_old_cells_add_up_to_leaves_the_attacker_as_strong() -> None:
    chance = np.random.default_rng(5)
    counts, done = chance.integers(0, 9, (4, 3)), []
    for number, cut in enumerate((1, 2, 3, 2)):
        bands = {"low": tuple(f"r{i}" for i in range(cut))}
        bands |= {"high": tuple(f"r{i}" for i in range(cut, 4))}
        asked = replace(release(counts, bands), name=f"r{number}")
        problem = cells.collect([*done, asked])
        found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
        hidden = suppress.suppress(problem, found, first, suppress.Effort(), b"x").withheld
        done.append(entries.after(asked, problem, hidden))
        counts = counts + chance.integers(0, 2, counts.shape)
    attacker = attack.Attacker(problem, found)
    assert len(attack.telling(problem)) < len(problem.truth)
    attacker.set(hidden.astype(float))
    low, high = attacker.interval
    facts = np.vstack([problem.cells.toarray(), -problem.cells.toarray()])
    ends = np.concatenate([high, -low])
    real = np.isfinite(ends)
    far = [(0, n + attack.FAR) for n in problem.atoms]
    for row, sense in product(found.rows, (1.0, -1.0)):
        whole = linprog(-sense * row.toarray().ravel(), facts[real], ends[real], bounds=far)
        assert attacker.bound(row, sense).value == pytest.approx(-sense * whole.fun, abs=1e-5)
