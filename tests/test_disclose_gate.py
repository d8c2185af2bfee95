"""Declare, collect, solve once: what is refused when declared, what is shown, what is certified."""

import base64
import hashlib
import json
import subprocess

import disclose_world as world
import pandas as pd
import pytest
import yaml

from leap_eval.disclosure import gate
from leap_eval.disclosure.rules import PRESETS, preset, read_rules
from leap_eval.errors import DisclosureError
from leap_eval.store import files


@pytest.fixture(scope="module")
def released():
    return world.vetted()


@pytest.fixture(scope="module")
def truth():
    cubes = world.frames(world.children())
    return cubes["reach"][cubes["reach"]["used"] == "used"].set_index(["ward", "service"])[
        "children"
    ]


def table(released, name):
    text = released.files[f"tables/{name}.csv"].decode()
    return [line.split(",") for line in text.splitlines()[1:]]


def test_every_small_cell_is_withheld_and_every_shown_one_is_true(released, truth):
    shown = {(w, s): (value, marker) for w, s, _, value, _, _, marker in table(released, "reach")}
    for (ward, service), n in truth.items():
        value, marker = shown[ward, service]
        assert (value, marker) == ("", "c") if 0 < n < 10 else value in ("", str(n))


def test_primary_and_secondary_cells_carry_the_same_marker(released):
    assert {row[-1] for row in table(released, "reach")} == {"", "c"}


def test_a_share_is_shown_only_where_both_its_counts_are(released):
    rows = table(released, "reach-group")
    counts = {(g, s): value for g, s, m, value, *_ in rows if m == "children"}
    shares = {(g, s): value for g, s, m, value, *_ in rows if m == "share"}
    assert shares
    assert all(bool(v) == bool(counts[k] and counts[k[0], "all"]) for k, v in shares.items())


def test_nothing_public_tells_which_cell_was_withheld_first(released):
    text = json.dumps(released.manifest).lower()
    assert not [w for w in ("primary", "secondary", "bound", "objective", "gap") if w in text]


def test_each_output_carries_a_certificate_of_its_bytes_and_rules(released):
    for line in released.manifest["outputs"]:
        certificate = line["certificate"]
        assert certificate["content"] == line["sha256"]
        assert len(certificate["evidence"]) == 64
        assert (certificate["cells"], certificate["verdict"]) == (line["cells"], line["verdict"])


def test_the_same_declaration_gives_the_same_bytes(released):
    assert world.vetted().files == released.files


def test_the_evaluator_sees_at_once_why_and_what_coarser_table_would_pass(released):
    told = released.choices.set_index("output")
    reach = told.loc["reach"]
    assert reach["withheld"] == reach["small_themselves"] + reach["to_protect_others"] > 0
    assert "together" in reach["smallest_coarsening"]
    assert told.loc["flow", "smallest_coarsening"] == "none needed"


def test_a_class_of_people_is_not_told_by_a_zero():
    told = world.vetted(rates=(0.3, 0.12, 0.0))
    rows = [r for r in table(told, "reach") if r[1] == "dv_groups" and r[0] != "all"]
    assert {r[-1] for r in rows} == {"c"}


def test_a_zero_of_another_service_is_shown():
    told = world.vetted(rates=(0.3, 0.0, 0.1))
    rows = [r for r in table(told, "reach") if r[1] == "making_it_real"]
    assert {r[3] for r in rows} == {"0"}


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"exact"}))
def test_every_preset_gives_a_release_that_shows_counts_its_way(name):
    told = world.vetted(rules=preset(name))
    shown = [int(r[2]) for r in table(told, "reach-ward") if r[2]]
    bases = {"hes": 5, "ten_five": 5, "opensafely": 5}
    assert shown
    assert all(n % bases.get(name, 1) == 0 for n in shown)
    assert name != "midpoint6" or all(n % 6 == 3 for n in shown)


def test_totals_under_opensafely_are_the_sums_of_the_cells_beside_them():
    told = world.vetted(many=4000, rules=preset("opensafely"))
    rows = {(g, s): v for g, s, m, v, *_ in table(told, "reach-group") if m == "children"}
    for service in world.SERVICES:
        parts = [rows[g, service] for g in world.GROUPS]
        if all(parts):
            assert rows["all", service] == str(sum(map(int, parts)))


def test_a_stricter_partner_raises_the_threshold_for_all():
    rules = read_rules("stricter: {childrens_centres: {threshold: 16}}")
    shown = [int(r[3]) for r in table(world.vetted(rules=rules), "reach") if r[3]]
    assert min(n for n in shown if n > 0) >= 16


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c["reach"].assign(children=-c["reach"]["children"]), "whole and 0 or more"),
        (lambda c: c["reach"].assign(children=c["reach"]["children"] + 0.5), "whole and 0 or more"),
        (lambda c: pd.concat([c["reach"], c["reach"].head(1)]), "stands twice"),
        (lambda c: c["reach"].assign(children=c["reach"]["children"] + 1), "disagree on a total"),
    ],
)
def test_a_cube_that_cannot_be_true_is_refused(spoil, words):
    cubes = world.frames(world.children())
    cubes["reach"] = spoil(cubes)
    with pytest.raises(DisclosureError, match=words):
        gate.vet(world.proposal(), cubes, gate.Before(), b"secret")


def test_combinations_of_more_children_than_the_flow_has_are_refused():
    cubes = world.frames(world.children())
    cubes["combinations"] = cubes["combinations"].assign(children=400)
    with pytest.raises(DisclosureError, match="are more than m12_eligible"):
        gate.vet(world.proposal(), cubes, gate.Before(), b"secret")


ROW = {"trial": "m12", "measure": "ess", "value": "320", "low": "", "high": "", "marker": ""}
RIDDLE = base64.b64encode(b"rk1_abcdefgh 2019-04-11").decode()


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda p: p.table("reach", cube="reach", rows=("ward",), why="again"), "declared twice"),
        (lambda p: p.table("wards", cube="reach-whole", rows=("ward",), why=" "), "`why` is empty"),
        (lambda p: p.table("Wards", cube="reach", rows=("ward",), why="reach"), "an output's id"),
        (lambda p: p.table("qx7f", cube="reach", rows=("ward",), why="reach"), "an output's id"),
        (lambda p: p.quality("notes", [ROW], why=RIDDLE), "must be plain English"),
        (lambda p: p.quality("notes", [ROW], title="ab " * 60, why="reach"), "more than 120"),
        (lambda p: p.quality("notes", [ROW], title="Zyxgf of wards", why="reach"), "word 1"),
        (lambda p: p.quality("notes", [ROW], title="wArDs", why="reach"), "word 1"),
        (lambda p: p.quality("notes", [ROW], why="reach", order="by size"), "order is not for"),
        (lambda p: p.quality("notes", [ROW], why="reach", audiences=("press",)), "audiences must"),
        (lambda p: p.quality("notes", [{**ROW, "value": "0.123456"}], why="reach"), "significant"),
        (lambda p: p.quality("notes", [{**ROW, "trial": RIDDLE}], why="reach"), "no code"),
        (lambda p: p.quality("notes", [{**ROW, "measure": "leverage"}], why="reach"), "measure"),
        (lambda p: p.quality("notes", [{**ROW, "measure": "p90"}], why="reach"), "measure"),
        (lambda p: p.figure("wards", table="wards", kind="reach_map"), "no declared table"),
        (lambda p: p.figure("wards", table="reach", kind="scatter"), "kind must be one of"),
        (lambda p: p.figure("wards", table="reach", kind="reach", colours=["#01e2f3"]), "colours"),
        (lambda p: p.table("wards", cube="rech", rows=("ward",), why="reach"), "no cube rech"),
        (lambda p: p.table("wards", cube="reach", rows=("ward",), why="reach"), "the dimensions"),
    ],
)  # fmt: skip
def test_what_is_no_plain_output_is_refused_before_anything_is_solved(declare, words):
    def asked():
        return gate.vet(declare(world.proposal()), cubes, gate.Before(), b"secret")

    cubes = world.frames(world.children())
    with pytest.raises(DisclosureError, match=words):
        asked()


def test_more_outputs_or_cells_than_the_budget_allows_are_refused():
    with pytest.raises(DisclosureError, match=r"budget\.outputs"):
        world.proposal(rules=read_rules("budget: {outputs: 4}"))
    with pytest.raises(DisclosureError, match=r"budget\.cells"):
        world.vetted(rules=read_rules("budget: {cells: 40}"))


def test_a_figure_names_a_released_table_and_a_kind_of_the_closed_list(released):
    told = world.proposal().figure("map", table="reach-ward", kind="reach_map")
    made = gate.vet(told, world.frames(world.children()), gate.Before(), b"secret", world.OWN)
    assert made.manifest["figures"] == [{"id": "map", "table": "reach-ward", "kind": "reach_map"}]


def test_a_changed_byte_or_a_stray_file_is_never_opened(released):
    spoiled = {**released.files, "tables/reach.csv": b"changed"}
    with pytest.raises(DisclosureError, match=r"tables/reach\.csv"):
        gate.open_release(spoiled)
    with pytest.raises(DisclosureError, match=r"tables/more\.csv"):
        gate.open_release({**released.files, "tables/more.csv": b"x"})


@pytest.mark.requirement("R32")
def test_only_the_gate_makes_a_release(root):
    told = subprocess.run(
        ["git", "grep", "-l", "Released(", "--", "src"], cwd=root, capture_output=True, text=True
    )
    assert told.stdout.split() == ["src/leap_eval/disclosure/gate.py"]


@pytest.mark.requirement("R32")
def test_no_count_up_to_a_million_is_recoverable_from_the_committed_lock(root):
    """A file that held one count, in any plain form, would be found by its md5 in a second."""
    lock = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    told = {o["md5"]: o["path"] for s in lock.values() for o in s.get("outs", [])}
    hidden = {m for m, path in told.items() if path.startswith(("results/", "work/"))}
    assert len(hidden) > 40
    guesses = (f"{n}{end}" for n in range(1_000_001) for end in ("", "\n"))
    assert not hidden & {
        hashlib.md5(g.encode(), usedforsecurity=False).hexdigest() for g in guesses
    }


def test_a_written_count_is_found_from_its_md5_only_by_whoever_has_the_key(tmp_path, monkeypatch):
    """The attacker knows the code, the place and all counts to 1,000, but not the nonce's key."""
    monkeypatch.setenv("LEAP_ROOT", str(tmp_path))

    def written(n, key):
        monkeypatch.setenv("LEAP_NONCE_KEY", key)
        files.write_json("results/link/count.json", {"children": n})
        return hashlib.md5(
            (tmp_path / "results/link/count.json").read_bytes(), usedforsecurity=False
        ).hexdigest()

    told = written(417, "secret")
    assert told not in {written(n, "") for n in range(1000)}
    assert told in {written(n, "secret") for n in range(410, 420)}
