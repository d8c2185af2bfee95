import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_eval.disclosure import attack, cells, entries, suppress, targets
from leap_eval.disclosure.cliques import _intervals
from leap_eval.disclosure.declare import ALL, Cube, Output, Release, Told
from leap_eval.errors import DisclosureError

NEED = targets.Need(5, 5, 5)
EFFORT = suppress.Effort()
WARDS = ("north", "south", "east", "west")


def reach(used: dict[tuple[str, str], int], size: int = 40, by: str = "ward", codes=WARDS) -> Cube:
    rows = [
        (code, service, u, n)
        for code in codes
        for service in ("talk", "food")
        for u, n in (("used", used[code, service]), ("not_used", size - used[code, service]))
    ]
    frame = pd.DataFrame(rows, columns=[by, "service", "used", "children"])
    return Cube(frame, (by, "service"), membership="service")


USED = {(w, s): 6 + 5 * i + j for i, w in enumerate(WARDS) for j, s in enumerate(("talk", "food"))}
BY_WARD = {"ward": {w: (w,) for w in WARDS} | {ALL: ()},
           "service": {"talk": ("talk",), "food": ("food",), ALL: ()}}  # fmt: skip


def flat(counts: dict[str, int], nodes: dict[str, tuple[str, ...]], name: str) -> Release:
    cube = Cube(pd.DataFrame({"ward": list(counts), "children": list(counts.values())}), ("ward",))
    return Release(name, (Output("t", "c", {"ward": nodes}),), {"c": cube})


def test_services_split_the_same_children_and_never_add_up() -> None:
    problem = cells.collect(
        [Release("r", (Output("reach", "reach", BY_WARD),), {"reach": reach(USED)})]
    )
    told = {k: problem.truth[i] for k, i in problem.names.items()}
    assert told["reach", "north", ALL] == 40
    assert told["reach", ALL, ALL] == 160
    assert told["reach", ALL, "talk"] == sum(USED[w, "talk"] for w in WARDS)
    assert np.abs(problem.ties @ problem.atoms).max() == 0
    assert problem.ties.shape[0] == len(WARDS)


def test_tables_of_the_same_children_that_disagree_are_refused() -> None:
    thirds = {(c, s): 30 for c in ("most", "least") for s in ("talk", "food")}
    by_third = {"third": {c: (c,) for c in ("most", "least")}, "service": {"talk": ("talk",)}}
    outputs = (Output("a", "reach", BY_WARD), Output("b", "thirds", by_third))
    cubes = {"reach": reach(USED), "thirds": reach(thirds, 80, "third", ("most", "least"))}
    with pytest.raises(DisclosureError, match="disagree on a total"):
        cells.collect([Release("r", outputs, cubes)])


@pytest.mark.parametrize(("change", "words"), [
    (lambda f: f.assign(children=-1), "whole and 0 or more"),
    (lambda f: f.assign(children=1.5), "whole and 0 or more"),
    (lambda f: pd.concat([f, f]), "stands twice"),
    (lambda f: f.drop(columns="ward"), "is not there"),
])  # fmt: skip
def test_a_cube_that_cannot_be_counts_is_refused_by_name(change, words: str) -> None:
    told = reach(USED)
    cube = replace(told, counts=change(told.counts))
    with pytest.raises(DisclosureError, match=words):
        cells.collect([Release("r", (Output("reach", "reach", BY_WARD),), {"reach": cube})])


def test_a_finest_code_that_a_later_grouping_splits_is_refused() -> None:
    old = flat({"a": 20, "b": 30}, {"a": ("a",), "b": ("b",)}, "r1")
    new = flat({"a1": 9, "a2": 11, "b": 30}, {"a1": ("a1",), "a2": ("a2",), "b": ("b",)}, "r2")
    with pytest.raises(DisclosureError, match="finest code that is no longer named"):
        cells.collect([old, new])


def test_sealed_counts_that_contradict_what_was_shown_are_refused() -> None:
    old = replace(flat({"a": 20}, {"a": ("a",)}, "r1"), told={("t", "a"): Told(21, 21)})
    with pytest.raises(DisclosureError, match="contradicts the counts sealed"):
        cells.collect([old, flat({"a": 20}, {"a": ("a",)}, "r2")])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_presence_intervals_add_up_to_the_count_of_every_release(history: list[int]) -> None:
    cut = _intervals(np.array(history, float))
    for release, count in enumerate(history):
        assert sum(n for a, b, n in cut if a <= release <= b) == count
    assert cut[0][:2] == (0, len(history) - 1)
    assert all(n > 0 for *_, n in cut[1:])


@pytest.mark.requirement("R32")
def test_a_ward_boundary_moved_by_a_few_children_is_a_target_of_both_releases() -> None:
    finest = {"n1": 40, "sliver": 3, "s1": 60, "e": 50}
    old = {"north": ("n1", "sliver"), "south": ("s1",), "east": ("e",)}
    new = {"north": ("n1",), "south": ("s1", "sliver"), "east": ("e",)}
    first = flat(finest, old, "r1")
    problem = cells.collect([first])
    told = entries.after(first, problem, np.zeros(len(problem.truth), bool))
    both = cells.collect([told, flat(finest, new, "r2")])
    found = targets.targets(both, NEED)
    assert 3.0 in found.truth
    assert not targets.primary(both, NEED).any()
    nothing = np.zeros(len(both.truth), bool)
    assert attack.audit(both, found, nothing)
    pattern = suppress.suppress(both, found, nothing, suppress.Effort(), b"draw")
    assert {both.names["t", w] for w in ("north", "south")} <= set(np.flatnonzero(pattern.withheld))


@pytest.mark.requirement("R32")
def test_two_children_who_joined_between_releases_stay_unknown() -> None:
    codes = {c: (c,) for c in ("a", "b", "c")} | {ALL: ()}
    first = flat({"a": 40, "b": 50, "c": 60}, codes, "r1")
    problem = cells.collect([first])
    told = entries.after(first, problem, np.zeros(len(problem.truth), bool))
    second = flat({"a": 42, "b": 50, "c": 60}, codes, "r2")
    both = cells.collect([told, second])
    found = targets.targets(both, NEED)
    assert 2.0 in found.truth
    strict = cells.collect([told, second], always_show=frozenset({("t", ALL)}))
    with pytest.raises(suppress.Conflict) as conflict:
        suppress.suppress(strict, targets.targets(strict, NEED), np.zeros(len(strict.truth), bool),
                          suppress.Effort(), b"draw")  # fmt: skip
    assert conflict.value.outputs == ("t",)
    pattern = suppress.suppress(both, found, targets.primary(both, NEED), suppress.Effort(), b"d")
    assert pattern.withheld[both.names["t", "a"]]
    assert pattern.withheld[both.names["t", ALL]]


def test_a_cell_that_did_not_change_is_the_same_cell_and_stays_as_it_was_shown() -> None:
    codes = {c: (c,) for c in ("a", "b", "c")}
    first = flat({"a": 40, "b": 3, "c": 60}, codes, "r1")
    problem = cells.collect([first])
    withheld = problem.truth == 3
    both = cells.collect(
        [entries.after(first, problem, withheld), flat({"a": 40, "b": 3, "c": 61}, codes, "r2")]
    )
    assert both.fixed[both.names["t", "a"]] == cells.SHOWN
    assert both.fixed[both.names["t", "b"]] == cells.WITHHELD
    assert both.fixed[both.names["t", "c"]] == cells.FREE


def test_a_ledger_line_and_its_sealed_counts_give_back_the_release() -> None:
    release = Release("r", (Output("reach", "reach", BY_WARD),), {"reach": reach(USED)})
    problem = cells.collect([release])
    withheld = problem.truth < 10
    line = {"name": "r", **entries.line(release, problem, withheld)}
    line = json.loads(json.dumps(line, sort_keys=True))
    back = entries.earlier([line], {"r": entries.seal(release.cubes)}, "other")[0]
    assert back.told == entries.after(release, problem, withheld).told
    assert entries.earlier([line], {}, "r") == ()
    again = cells.collect([back, release])
    assert (again.fixed != cells.FREE).all()
    nothing = targets.targets(again, targets.Need(2, 2, 1))
    repeated = suppress.suppress(again, nothing, again.fixed == cells.WITHHELD, EFFORT, b"draw")
    assert (repeated.withheld == (again.fixed == cells.WITHHELD)).all()
    assert (again.truth == problem.truth).all()
    with pytest.raises(DisclosureError, match="sealed counts"):
        entries.earlier([line], {}, "other")


def test_a_partner_that_knows_its_own_cells_learns_nothing_of_the_others() -> None:
    codes = {s: (s,) for s in ("talk", "food", "swim", "play")} | {ALL: ()}
    wards = {w: (w,) for w in WARDS} | {ALL: ()}
    counts = np.random.default_rng(5).poisson(9, 16)
    counts[:4] = 3  # of talk one, and of the others three
    rows = [(w, s) for w in WARDS for s in codes if s != ALL]
    frame = pd.DataFrame(rows, columns=["ward", "service"]).assign(children=counts)
    release = Release("r", (Output("t", "c", {"ward": wards, "service": codes}),),
                      {"c": Cube(frame, ("ward", "service"))})  # fmt: skip
    problem = cells.collect([release], insiders={"p": {"service": ("talk",)}})
    found, first = targets.targets(problem, NEED), targets.primary(problem, NEED)
    pattern = suppress.suppress(problem, found, first, suppress.Effort(), b"draw")
    insider = attack.Attacker(problem, found, "p")
    insider.set(pattern.withheld.astype(float))
    assert not insider.opened()
    assert len(insider.aims) < len(found)
    alone = cells.collect([release])
    blind = suppress.suppress(
        alone, targets.targets(alone, NEED), first, suppress.Effort(), b"draw"
    )
    assert pattern.cost >= blind.cost


@pytest.mark.requirement("R31", "R32")
@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000))
def test_an_attacker_of_its_own_gets_nothing_out_of_a_random_programme(seed: int) -> None:
    import programmes

    told = Namespace(
        seed=1, releases=2, outputs=1, children=120, threshold=5, programmes=1, wide=False
    )
    releases, counts, insider = programmes.programme(seed, told)
    own = {"p": {"service": ("s0",)}} if insider else {}
    done: list[Release] = []
    for release in releases:
        done.append(programmes.release_(done, release, NEED, own)[0])
    for recovered in programmes.judged(done, counts, 5, insider):
        assert recovered.exact == 0
        assert recovered.below == 0


@pytest.mark.requirement("R32")
def test_the_attacker_of_its_own_does_break_releases_protected_one_by_one() -> None:
    import programmes

    broken = 0
    for seed in range(4):
        told = Namespace(
            seed=1, releases=2, outputs=1, children=150, threshold=5, programmes=1, wide=False
        )
        releases, counts, _ = programmes.programme(seed, told)
        alone = [programmes.release_([], r, NEED, {})[0] for r in releases]
        broken += sum(r.exact + r.below for r in programmes.judged(alone, counts, 5, False))
    assert broken > 0


@pytest.fixture(autouse=True)
def _benchmarks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
