"""Sign-off and the release archive: two people, no lifted fail, the same bytes, nothing cut."""

import io
import json
import shutil
import subprocess
import zipfile

import disclose_world as world
import pytest
from typer.testing import CliRunner

from leap_eval.cli import _register, app, release
from leap_eval.disclosure import gate, signoff
from leap_eval.disclosure.rules import read_rules
from leap_eval.disclosure.signoff import Decision
from leap_eval.disclosure.verify import attack
from leap_eval.errors import DisclosureError, StorageError
from leap_eval.store import archive, totals

NAME = "2025-q1"


@pytest.fixture(scope="module")
def released():
    return world.vetted()


@pytest.fixture
def house(root, tmp_path, monkeypatch, released):
    """A workspace with a checked release, a page, and nothing exported yet."""
    monkeypatch.setenv("LEAP_ROOT", str(tmp_path))
    monkeypatch.setenv("LEAP_NONCE_KEY", "secret")
    (tmp_path / "notebooks").mkdir()
    for name in ("programme.yaml", "people.yaml", "notebooks/08_findings.ipynb"):
        shutil.copy(root / name, tmp_path / name)
    lay(released)
    (tmp_path / "release/findings-leap.html").write_text("<p>made up</p>")
    return tmp_path


def lay(released):
    totals.write_release(released.files)
    archive.write_evidence(released.kept.witnesses, released.kept.line, released.kept.sealed)


def said(asked, **changes):
    told = {
        o["id"]: Decision(verdict="fail" if o["verdict"] == "fail" else "pass", why="read it")
        for o in asked.outputs
    }
    return told | {k.replace("_", "-"): v for k, v in changes.items()}


def judged(**changes):
    signoff.request(NAME, "ann")
    for who in ("ben", "cleo"):
        asked = signoff.opened(NAME)
        signoff.decide(asked, who, said(asked, **changes))
    return signoff.opened(NAME)


@pytest.mark.requirement("R31")
def test_two_different_people_let_a_release_out_and_their_reasons_stay(house):
    place = signoff.export(judged())
    with zipfile.ZipFile(house / place) as told:
        assert {"manifest.json", "tables/reach.csv", "findings-leap.html", "signed.json"} <= set(
            told.namelist()
        )
        signed = json.loads(told.read("signed.json"))
    assert [d["by"] for d in signed["decisions"]] == ["ben", "cleo"]
    line = archive.lines()[-1]
    assert line["name"] == NAME
    assert line["decisions"][0]["outputs"]["reach"] == {"verdict": "pass", "why": "read it"}


@pytest.mark.requirement("R31")
def test_nothing_leaves_on_one_signature(house):
    signoff.request(NAME, "ann")
    asked = signoff.decide(signoff.opened(NAME), "ben", said(signoff.opened(NAME)))
    with pytest.raises(DisclosureError, match="1 of 2 people"):
        signoff.export(asked)
    assert not list(house.rglob("*.zip"))
    assert archive.lines() == []


@pytest.mark.requirement("R31")
@pytest.mark.parametrize("who", ["ann", "ben"])
def test_neither_the_requester_nor_the_first_approver_is_the_second(house, who):
    signoff.request(NAME, "ann")
    signoff.decide(signoff.opened(NAME), "ben", said(signoff.opened(NAME)))
    with pytest.raises(DisclosureError, match="two different people"):
        signoff.decide(signoff.opened(NAME), who, said(signoff.opened(NAME)))


def test_a_fail_of_the_machine_cannot_be_lifted_but_confirmed(house):
    manifest = json.loads((house / "release/manifest.json").read_text())
    manifest["outputs"][1]["verdict"] = "fail"
    (house / "release/manifest.json").write_text(json.dumps(manifest))
    asked = signoff.request(NAME, "ann")
    passes = {"reach": Decision(verdict="pass", why="looks fine")}
    with pytest.raises(DisclosureError, match="reach: the machine says fail"):
        signoff.decide(asked, "ben", said(asked) | passes)
    assert signoff.decide(asked, "ben", said(asked)).decisions


def test_a_fail_of_a_person_stops_the_export_and_the_request_stays_open(house):
    asked = judged(reach=Decision(verdict="fail", why="the wards are too small for my taste"))
    with pytest.raises(DisclosureError, match="reach failed in the eyes of an approver"):
        signoff.export(asked)
    assert signoff.opened(NAME).decisions
    assert archive.lines() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reach": Decision(verdict="review", why=" ")}, "reach: needs a reason"),
        ({"more": Decision(verdict="pass")}, "more: every output needs one decision"),
    ],
)
def test_a_judgement_without_reason_or_of_another_output_is_refused(house, change, words):
    asked = signoff.request(NAME, "ann")
    with pytest.raises(DisclosureError, match=words):
        signoff.decide(asked, "ben", said(asked) | change)


def test_a_byte_changed_after_the_request_voids_it(house):
    judged()
    (house / "release/findings-leap.html").write_text("<p>changed</p>")
    with pytest.raises(DisclosureError, match="changed since it was requested"):
        signoff.opened(NAME)


def test_an_export_repeated_gives_the_same_zip_and_one_line(house):
    asked = judged()
    first = (house / signoff.export(asked)).read_bytes()
    assert (house / signoff.export(asked)).read_bytes() == first
    assert len(archive.lines()) == 1


def test_stage_07_repeated_after_sign_off_gives_the_same_bytes(house, released):
    signoff.export(judged())
    before = gate.Before(archive.lines(), archive.sealed(archive.lines()))
    assert world.vetted(before=before).files == released.files


def test_an_export_cut_short_before_the_head_moved_is_finished_by_the_next(house):
    asked = judged()
    signoff.export(asked)
    (house / archive.HEAD).write_text(f"0 {'0' * 64}\n")
    with pytest.raises(StorageError, match="ahead of"):
        archive.lines()
    signoff.export(asked)
    assert len(archive.lines()) == 1


def forged(text):
    line = json.loads(text) | {"preset": "srs"}
    return json.dumps(line, sort_keys=True) + "\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: forged(text), "line 1: the chain is broken"),
        (lambda text: text[: len(text) // 2], "line 1: is cut or no JSON"),
        (lambda text: "", "behind"),
    ],
)
def test_a_forged_cut_or_lost_ledger_stops_the_stage_and_names_the_line(house, change, words):
    signoff.export(judged())
    book = house / archive.HOME / "ledger.jsonl"
    book.write_text(change(book.read_text()))
    with pytest.raises(StorageError, match=words):
        archive.lines()


def test_sealed_counts_that_are_missing_or_changed_stop_the_stage(house):
    signoff.export(judged())
    told = archive.lines()
    path = house / archive.HOME / f"sealed/{NAME}.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageError, match=r"sealed/2025-q1\.parquet"):
        archive.sealed(told)


def test_a_zip_holds_sorted_names_and_one_fixed_time():
    with zipfile.ZipFile(io.BytesIO(signoff.zipped({"b": b"2", "a": b"1"}))) as told:
        assert told.namelist() == ["a", "b"]
        assert {i.date_time for i in told.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_decisions_are_read_strictly_from_yaml():
    told = signoff.read_decisions("reach: {verdict: review, why: look again}", "d.yaml")
    assert told["reach"] == Decision(verdict="review", why="look again")
    with pytest.raises(DisclosureError, match="reach: verdict is pass, review or fail"):
        signoff.read_decisions("reach: {verdict: fine}", "d.yaml")


@pytest.mark.requirement("R31")
def test_the_whole_way_from_request_to_export_by_the_command_line(house):
    if not app.registered_commands:
        _register()
    decisions = house / "decisions.yaml"
    outputs = json.loads((house / "release/manifest.json").read_text())["outputs"]
    decisions.write_text("".join(f"{o['id']}: {{verdict: pass, why: read}}\n" for o in outputs))
    run = CliRunner()
    steps = [["request", NAME], *(["check", NAME, "--as", p, "--decisions", str(decisions)]
             for p in ("demo_lead", "demo_officer")), ["export", NAME]]  # fmt: skip
    for step in steps:
        told = run.invoke(app, ["release", *step])
        assert told.exit_code == 0, (step, told.output, told.exception)
    assert (house / archive.HOME / f"{NAME}.zip").is_file()


def other(children, name):
    """A later release of other children under another name, solved with all that left before."""
    before = gate.Before(archive.lines(), archive.sealed(archive.lines()))
    cubes = world.frames(children)
    return gate.vet(world.proposal(name, as_at="2025-06-30"), cubes, before, b"secret", world.OWN)


def export(name):
    signoff.request(name, "ann")
    for who in ("ben", "cleo"):
        signoff.decide(signoff.opened(name), who, said(signoff.opened(name)))
    return signoff.export(signoff.opened(name))


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("gone", [3, 7, 40])
def test_children_who_left_between_two_releases_are_told_by_neither(house, gone):
    signoff.export(judged())
    told = other(world.children().iloc[gone:], "2025-q2")
    lay(told)
    book = house / archive.HOME / "ledger.jsonl"
    evidence = house / archive.EVIDENCE
    found = list(attack(house / "release", book, evidence=evidence))[-1]
    assert (found.recovered, found.broken) == ((), ())
    # The old total stands; a new one beside it would count the few who left, so the flow yields.
    failed = [o["id"] for o in told.manifest["outputs"] if o["verdict"] == "fail"]
    assert failed == (["flow"] if gone < 10 else [])
    ways = told.conflicts.set_index(["output", "choice"])["cells_shown"]
    assert set(ways.index) == {
        (f, w) for f in failed for w in ("hold", "coarsen", "round", "withhold")
    }
    assert all(ways[f, "round"] >= ways[f, "withhold"] == 0 for f in failed)
    export("2025-q2")
    assert [line["name"] for line in archive.lines()] == [NAME, "2025-q2"]


@pytest.mark.requirement("R32")
def test_nothing_withheld_before_is_shown_later_and_nothing_shown_is_taken_back(house, released):
    signoff.export(judged())
    again = other(world.children(), "2025-q2")
    assert again.files["tables/reach.csv"] == released.files["tables/reach.csv"]


def test_a_ledger_that_contradicts_its_sealed_counts_stops_the_solve(house):
    signoff.export(judged())
    (line,) = archive.lines()
    wrong = {**line, "outputs": [_raised(o) for o in line["outputs"]]}
    before = gate.Before([wrong], archive.sealed([line]))
    cubes = world.frames(world.children())
    with pytest.raises(DisclosureError, match="contradicts the counts sealed"):
        gate.vet(world.proposal("2025-q2"), cubes, before, b"secret", world.OWN)


def _raised(output):
    cells = [
        [k, lo + 1, hi + 1, w] if not w else [k, lo, hi, w] for k, lo, hi, w in output["cells"]
    ]
    return {**output, "cells": cells}


def test_where_the_rules_say_stop_a_conflict_stops(house):
    signoff.export(judged())
    before = gate.Before(archive.lines(), archive.sealed(archive.lines()))
    cubes = world.frames(world.children().iloc[3:])
    rules = read_rules("review: {on_conflict: stop}")
    with pytest.raises(DisclosureError, match="is not enough"):
        gate.vet(world.proposal("2025-q2", rules), cubes, before, b"secret", world.OWN)


def keyed(house, person):
    """Make a key for a person and name it in allowed_signers."""
    key = house / person
    asked = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]
    subprocess.run(asked, check=True, capture_output=True)
    with open(house / "allowed_signers", "a") as file:
        file.write(f"{person} {(house / f'{person}.pub').read_text()}")
    return key


def signature(key, text):
    told = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", release.NAMESPACE, "-f", key],
        input=text.encode(), capture_output=True, check=True,
    )  # fmt: skip
    place = key.with_suffix(".sig")
    place.write_bytes(told.stdout)
    return place


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.requirement("R31")
def test_outside_a_demo_a_judgement_needs_the_approvers_own_signature(house):
    asked = signoff.request(NAME, "ann")
    mine, other_key = keyed(house, "ben"), keyed(house, "cleo")
    good, stranger = signature(mine, asked.content), signature(other_key, asked.content)
    assert "BEGIN SSH SIGNATURE" in release._signed(asked, "ben", good)
    for wrong in (None, stranger, signature(mine, "another content")):
        with pytest.raises(DisclosureError, match="sign"):
            release._signed(asked, "ben", wrong)


def test_an_approver_is_walked_through_every_output_one_by_one(house):
    if not app.registered_commands:
        _register()
    signoff.request(NAME, "demo_analyst")
    many = len(json.loads((house / "release/manifest.json").read_text())["outputs"])
    answers = "pass\nlooked at every cell\n" * many
    asked = ["release", "check", NAME, "--as", "demo_lead"]
    told = CliRunner().invoke(app, asked, input=answers)
    assert told.exit_code == 0, told.output
    assert told.output.count("since the last release: new") == many
    assert "whom each service reaches" in told.output or "(reach)" in told.output
    assert "1 judgement missing" in told.output
