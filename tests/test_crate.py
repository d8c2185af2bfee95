"""The release crate says where every file comes from, and a stranger can check it."""

import hashlib
import io
import json
import re
import shlex
import shutil
import subprocess
import zipfile

import disclose_world as world
import pytest
import yaml
from typer.testing import CliRunner

from leap_eval.cli import _register, app
from leap_eval.disclosure import signoff
from leap_eval.disclosure.signoff import Decision
from leap_eval.errors import DisclosureError, MissingInputError
from leap_eval.pipeline.provenance import commits_of, locked
from leap_eval.store import archive, totals

NAME = "2025-q1"


def git(home, *words):
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    command = ["git", *author, *words]
    return subprocess.run(command, cwd=home, check=True, capture_output=True, text=True).stdout


def commit(home, words):
    """Commit dvc.lock as DVC would write it for the release that lies there."""
    held = [p for p in sorted((home / "release").rglob("*")) if p.is_file()]
    outs = [
        {"path": p.relative_to(home).as_posix(), "md5": hashlib.md5(p.read_bytes()).hexdigest()}
        for p in held
    ]
    (home / "dvc.lock").write_text(yaml.safe_dump({"stages": {"disclose": {"outs": outs}}}))
    git(home, "add", "dvc.lock")
    git(home, "commit", "--quiet", "-m", words)
    return git(home, "rev-parse", "HEAD").strip()


@pytest.fixture(scope="module")
def released():
    digests = dict.fromkeys(("plan_hash", "lock_hash"), "0" * 64)
    return world.vetted(as_at="2025-03-31", **digests)


WAY = (
    "leap-eval release request 2025-q1",
    "leap-eval release check 2025-q1 --as demo_lead --decisions lead.yaml",
    "leap-eval release check 2025-q1 --as demo_officer --decisions officer.yaml",
    "leap-eval release export 2025-q1",
    "leap-eval crate 2025-q1",
    "leap-eval provenance release/findings-leap.html",
)


@pytest.fixture
def unsigned(root, tmp_path, monkeypatch, released):
    """A workspace with a release that nobody has judged; its dvc.lock is committed."""
    monkeypatch.setenv("LEAP_ROOT", str(tmp_path))
    monkeypatch.setenv("LEAP_NONCE_KEY", "secret")
    for name in ("programme.yaml", "people.yaml", "params.yaml", "notebooks/08_findings.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    shutil.copytree(root / "agreements", tmp_path / "agreements")
    totals.write_release(released.files)
    archive.write_evidence(released.kept.witnesses, released.kept.line, released.kept.sealed)
    (tmp_path / "release/findings-leap.html").write_text("<p>made up</p>")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "the run")
    return tmp_path


@pytest.fixture
def house(unsigned):
    """The same workspace after two people judged the release and it was exported."""
    signoff.request(NAME, "ann")
    for who in ("ben", "cleo"):
        asked = signoff.opened(NAME)
        told = {
            o["id"]: Decision(verdict="fail" if o["verdict"] == "fail" else "pass", why="read it")
            for o in asked.outputs
        }
        signoff.decide(asked, who, told)
    signoff.export(signoff.opened(NAME))
    return unsigned


def leap(*words):
    if not app.registered_commands:
        _register()
    return CliRunner().invoke(app, list(words))


def opened(data):
    with zipfile.ZipFile(io.BytesIO(data)) as told:
        return {name: told.read(name) for name in told.namelist()}


def made(house):
    told = leap("crate", NAME)
    assert told.exception is None, told.output
    return opened((house / told.output.strip()).read_bytes())


def graph(files):
    return {e["@id"]: e for e in json.loads(files["ro-crate-metadata.json"])["@graph"]}


@pytest.mark.requirement("R31")
def test_the_page_on_releases_leads_from_the_request_to_the_provenance_line_by_line(
    root, unsigned, monkeypatch
):
    page = (root / "docs/how-to/release.md").read_text()
    blocks = re.findall(r"(?ms)^```console\n(.*?)^```", page)
    assert tuple(line for block in blocks for line in block.splitlines()) == WAY
    monkeypatch.chdir(unsigned)
    outputs = json.loads((unsigned / "release/manifest.json").read_text())["outputs"]
    for name in ("lead.yaml", "officer.yaml"):
        told = {o["id"]: {"verdict": "pass", "why": "read every cell"} for o in outputs}
        (unsigned / name).write_text(yaml.safe_dump(told))
    for line in WAY:
        told = leap(*shlex.split(line)[1:])
        assert told.exception is None, (line, told.output, told.exception)
    assert "release/findings-leap.html" in told.output
    assert (unsigned / archive.HOME / "2025-q1.crate.zip").is_file()


@pytest.mark.requirement("R31")
def test_a_crate_holds_the_signed_files_untouched_and_names_each_with_its_digest(house):
    files = made(house)
    signed = opened((house / archive.HOME / f"{NAME}.zip").read_bytes())
    assert {n: d for n, d in files.items() if n != "ro-crate-metadata.json"} == signed
    told = graph(files)
    assert {n: told[n]["sha256"] for n in signed} == {
        n: hashlib.sha256(d).hexdigest() for n, d in signed.items()
    }
    assert {part["@id"] for part in told["./"]["hasPart"]} == set(signed)


def test_a_crate_keeps_the_musts_of_the_ro_crate_specification(house):
    body = json.loads(made(house)["ro-crate-metadata.json"])
    told = {e["@id"]: e for e in body["@graph"]}
    assert body["@context"] == "https://w3id.org/ro/crate/1.3/context"
    assert len(told) == len(body["@graph"]), "an @id stands twice"
    descriptor, home = told["ro-crate-metadata.json"], told["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.3"}
    assert descriptor["@type"] == "CreativeWork"
    assert home["@type"] == "Dataset"
    assert {"name", "description", "datePublished", "license"} <= set(home)
    assert all({"@id", "@type", "name"} <= set(e) for e in told.values())
    asked = {r for e in told.values() for r in references(e)}
    assert {a for a in asked if a not in told and not a.startswith("https:")} == set()
    reached, new = set(), {"ro-crate-metadata.json"}
    while new:
        reached |= new
        new = {r for n in new for r in references(told[n]) if r in told} - reached
    assert reached == set(told), "an entity that nothing leads to"


def references(entity):
    """The ids that an entity points to; nothing is nested deeper."""
    for value in entity.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                assert set(one) == {"@id"}
                yield one["@id"]


@pytest.mark.requirement("R29", "R31")
def test_a_crate_tells_all_five_safes_without_the_name_of_a_person(house):
    files = made(house)
    told = graph(files)
    assert told["#software"]["version"] == git(house, "rev-parse", "HEAD").strip()
    lock = hashlib.sha256((house / "dvc.lock").read_bytes()).hexdigest()
    assert told["#sha256-dvc.lock"]["value"] == lock
    assert told["#sign-off-2"]["agent"] == {"@id": "#approver-2"}
    assert told["#data-riverside_hospital"]["version"] == "1"
    assert told["#purpose-evaluate"]["description"] == "until 2025-09-30"
    assert "state demo" in told["#setting"]["description"].lower()
    text = files["ro-crate-metadata.json"].decode()
    assert [who for who in ("ann", "ben", "cleo") if f'"{who}"' in text] == []


def test_a_crate_made_again_after_other_commits_has_the_same_bytes(house):
    first = made(house)
    (house / "notes.txt").write_text("later")
    git(house, "add", "notes.txt")
    git(house, "commit", "--quiet", "-m", "later")
    assert made(house) == first


@pytest.mark.requirement("R31")
@pytest.mark.parametrize("what", ["tables/reach.csv", "signed.json"])
def test_a_zip_with_a_byte_changed_since_the_sign_off_gets_no_crate(house, what):
    place = house / archive.HOME / f"{NAME}.zip"
    files = opened(place.read_bytes())
    files[what] = files[what].replace(b"read it", b"waved through") + b"\n"
    if what == "signed.json":
        assert b"waved through" in files[what]
    place.write_bytes(signoff.zipped(files))
    told = leap("crate", NAME)
    assert isinstance(told.exception, DisclosureError)
    assert "not what was signed" in str(told.exception)
    assert not list(house.rglob("*.crate.zip"))


def test_a_release_that_was_never_exported_gets_no_crate(house):
    told = leap("crate", "2030-q9")
    assert "release export 2030-q9" in str(told.exception)


def test_a_lock_that_is_not_committed_or_lists_other_bytes_gets_no_crate(house):
    held = (house / "dvc.lock").read_bytes()
    (house / "dvc.lock").write_bytes(held + b"\n")
    assert "commit it" in str(leap("crate", NAME).exception)
    (house / "release/findings-leap.html").write_text("<p>another run</p>")
    commit(house, "another run")
    told = leap("crate", NAME)
    assert isinstance(told.exception, DisclosureError)
    assert "findings-leap.html not as in the committed dvc.lock" in str(told.exception)


def test_provenance_names_every_commit_that_brought_these_bytes_and_no_other(house):
    page = house / "release/findings-leap.html"
    first = locked(house).id
    old = page.read_bytes()
    page.write_text("<p>another run</p>")
    second = commit(house, "another run")
    assert [c.id for c in commits_of(page.read_bytes(), root=house)] == [second]
    assert first in [c.id for c in commits_of(old, root=house)]
    assert second not in [c.id for c in commits_of(old, root=house)]
    told = leap("provenance", str(page))
    assert told.output.split() == [second, locked(house).on, "release/findings-leap.html"]


def test_provenance_of_a_crate_goes_through_its_files_and_names_what_no_commit_made(house):
    made(house)
    place = house / archive.HOME / f"{NAME}.crate.zip"
    told = leap("provenance", str(place))
    assert told.exception is None
    assert "release/tables/reach.csv" in told.output
    files = opened(place.read_bytes()) | {"tables/reach.csv": b"forged"}
    place.write_bytes(signoff.zipped(files))
    told = leap("provenance", str(place))
    assert isinstance(told.exception, MissingInputError)
    assert "tables/reach.csv: no commit's dvc.lock" in str(told.exception)


@pytest.mark.parametrize("what", ["no file", "no clone"])
def test_provenance_without_a_file_or_a_history_is_told_in_one_line(house, tmp_path, what):
    file = house / "release/manifest.json"
    shutil.rmtree(house / ".git")
    told = leap("provenance", str(file if what == "no clone" else house / "gone.html"))
    assert isinstance(told.exception, MissingInputError)
