"""The independent verifier: sound releases pass, every tampered one is caught."""

import ast
import hashlib
import inspect
import json
import sys
import tempfile
from pathlib import Path

import disclose_world as world
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_eval.disclosure.verify import Verdict, attack


def verdict(home, **asked):
    return next(told for told in attack(home, **asked) if isinstance(told, Verdict))


def sound(told):
    return not told.recovered and not told.broken


@pytest.fixture(scope="module")
def released():
    return world.vetted()


@pytest.fixture
def home(released, tmp_path):
    return world.laid(released, tmp_path / "release")


@pytest.fixture
def kept(released, tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/witnesses.npz").write_bytes(released.kept.witnesses)
    return tmp_path / "evidence"


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("integer", [False, True])
def test_a_sound_release_gives_no_group_away_to_any_attacker(home, integer):
    told = verdict(home, integer=integer)
    assert told.tried > 100
    assert sound(told), told


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_small_number_put_back_is_found(tmp_path, seed):
    home = world.laid(world.vetted(seed), tmp_path / "release")
    world.redone(home, world.revealed(seed))
    told = verdict(home)
    assert any(0 < low <= high < 10 for _, low, high in told.recovered) or told.broken


def test_numbers_that_do_not_add_up_are_called_a_contradiction(home):
    world.redone(
        home,
        lambda name, text: text.replace(
            "linked_children,children,600", "linked_children,children,601"
        ),
    )
    assert verdict(home).broken == ("the numbers contradict one another",)


def test_a_changed_a_missing_and_a_stray_file_are_each_named(home):
    (home / "tables/reach.csv").write_text("changed")
    (home / "tables/flow.csv").unlink()
    (home / "tables/extra.csv").write_text("x")
    named = [b.split(":")[0] for b in verdict(home).broken]
    assert named == ["tables/extra.csv", "tables/flow.csv", "tables/reach.csv"]


def test_a_forged_or_cut_ledger_is_named_by_its_line(released, home, tmp_path):
    book = world.ledger([released, released], tmp_path / "ledger.jsonl")
    assert sound(verdict(home, ledger=book))
    lines = book.read_text().splitlines()
    forged = json.loads(lines[0]) | {"rules": "1" * 64}
    book.write_text("\n".join([json.dumps(forged, sort_keys=True), lines[1]]))
    assert "ledger, line 1" in verdict(home, ledger=book).broken[0]
    book.write_text(lines[1])
    assert "ledger, line 1" in verdict(home, ledger=book).broken[0]


def test_a_release_that_ignored_an_earlier_one_is_caught_with_the_ledger(tmp_path):
    """Two tables, each safe alone: a ward boundary moved, three children are the difference."""
    first, second = (_moved(n) for n in (0, 1))
    home = world.laid(second, tmp_path / "release")
    assert sound(verdict(home))
    book = world.ledger([first], tmp_path / "ledger.jsonl")
    manifest = json.loads((home / "manifest.json").read_text())
    manifest["ledger_head"] = json.loads(book.read_text())["hash"]
    (home / "manifest.json").write_text(json.dumps(manifest))
    told = verdict(home, ledger=book)
    assert [(low, high) for _, low, high in told.recovered if low == high == 3]


class _Told:
    def __init__(self, files, page):
        self.files, self.kept = files, self
        self.line = {"name": "2024-q4", **page}


def _moved(number):
    """Return a release of two wards whose border a street of three children crosses."""
    codes = {"a": ["a", "street"] if number else ["a"], "b": ["b"] if number else ["b", "street"]}
    values = {"a": 43 if number else 40, "b": 50 if number else 53}
    view = {"cube": "ward", "dimensions": ["ward"], "nodes": {"ward": codes}}
    cube = {"population": "children", "dimensions": ["ward"], "membership": "",
            "codes": {"ward": ["a", "b", "street"]}}  # fmt: skip
    tells = {"marker": [1, None], "upper": 10, "rounding": None, "sums": False, "secret": []}
    same = {"as_at": "2025-03-31", "children": "93"}
    page = {"population": same, "cubes": {"ward": cube}, "views": {"ward": view}, "tells": tells}
    text = "ward,measure,value,low,high,marker\n"
    text += "".join(f"{w},children,{n},,,\n" for w, n in values.items())

    line = {"id": "ward", "file": "tables/ward.csv", "views": ["ward"], "dimensions": ["ward"],
            "sha256": hashlib.sha256(text.encode()).hexdigest()}  # fmt: skip
    manifest = {**page, "name": "2025-q1", "threshold": 10, "ledger_head": "0" * 64,
                "outputs": [line]}  # fmt: skip
    files = {"tables/ward.csv": text.encode(), "manifest.json": json.dumps(manifest).encode()}
    cells = [[[w], n, n, False] for w, n in values.items()]
    return _Told(files, {**page, "outputs": [{"id": "ward", **view, "cells": cells}]})


def test_the_verifier_uses_nothing_but_the_standard_library_numpy_and_scipy():
    own = Path(inspect.getsourcefile(attack))
    named = set()
    for path in (own, own.with_name("reading.py"), own.with_name("witnessed.py")):
        tree = ast.parse(path.read_text())
        named |= {n.names[0].name for n in ast.walk(tree) if isinstance(n, ast.Import)}
        named |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    ours = {n for n in named if n.startswith("leap_eval")}
    assert ours <= {"leap_eval.disclosure", "leap_eval.disclosure.reading"}
    roots = {n.partition(".")[0] for n in named - ours}
    assert roots <= set(sys.stdlib_module_names) | {"numpy", "scipy"}


def test_every_witness_is_checked_and_a_moved_one_is_named(home, kept):
    assert sound(verdict(home, evidence=kept))
    with np.load(kept / "witnesses.npz") as told:
        arrays = {name: told[name] for name in told.files}
    arrays["tables"][1:, 0] += 1
    np.savez(kept / "witnesses.npz", **arrays)
    assert "evidence: a witness contradicts the pages" in verdict(home, evidence=kept).broken


def test_witnesses_that_lie_too_close_together_prove_nothing(home, kept):
    with np.load(kept / "witnesses.npz") as told:
        arrays = {name: told[name] for name in told.files}
    arrays["most"] = arrays["least"]
    np.savez(kept / "witnesses.npz", **arrays)
    assert any("too close" in broken for broken in verdict(home, evidence=kept).broken)


@pytest.mark.requirement("R32")
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000), many=st.integers(40, 900),
    rates=st.tuples(*[st.floats(0, 0.6)] * 3),
)  # fmt: skip
def test_whatever_the_children_no_attacker_recovers_a_small_group(seed, many, rates):
    with tempfile.TemporaryDirectory() as folder:
        home = world.laid(world.vetted(seed, many, rates), Path(folder) / "release")
        for integer in (False, True):
            assert sound(verdict(home, integer=integer))
