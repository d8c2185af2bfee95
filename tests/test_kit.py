"""The offline kit: what a trust reads, approves and runs with plain Python alone."""

import csv
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import jellyfish
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_world import children

from leap_eval.agreements import load_agreement, load_programme
from leap_eval.cli import intake
from leap_eval.errors import AgreementError, LeapError, SettingsError
from leap_eval.intake import canonical, partner_side
from leap_eval.intake.flow import signing_key
from leap_eval.intake.kit import MODULES, kit
from leap_eval.tokens import sounds
from leap_eval.tokens.keys import demo_key

HOME = Path(__file__).parents[1]
SOUNDS = [line.split() for line in (HOME / "tests/vectors/sounds-1.txt").read_text().splitlines()]
ODD = ["Zoë", "Łucja", "Mary-Ann", "baby", "محمد", "李", "O’Brien", "Lamb", "", "X"]
# Whatever opens a connection, starts a program or writes outside one folder ends the run.
WATCH = """
import os, runpy, sys
kit, out, sys.argv = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[1:2] + sys.argv[3:]
def watch(event, args):
    if event.split(".")[0] in ("socket", "subprocess", "urllib", "ftplib", "smtplib", "http"):
        os.abort()
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if (writes or event in ("os.rename", "os.mkdir")) and not str(args[0]).startswith(out):
        os.abort()
sys.addaudithook(watch)
runpy.run_path(kit, run_name="__main__")
"""
WHEN = ("--period", "2019Q3", "--opt-out-applied-on", "2019-10-01")


def people(count):
    draw = random.Random(4)
    for number, (_, forename, surname, day, _place) in enumerate(children(count)):
        first = draw.choice(ODD) if draw.random() < 0.2 else forename
        last = draw.choice(ODD) + "-ann" if draw.random() < 0.1 else surname
        yield f"H{number}", f"F{number // 2}", first, last, day, f"SW{number % 9} {number % 7}MO"


def hospital(place):
    heads = ["HospNo", "FamilyNo", "NHSNo", "Role", "Forename", "Surname", "DOB", "Postcode"]
    with (place / "people_2019Q3.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(heads)
        out.writerows([r, f, "9990000018", "B", *more] for r, f, *more in people(1_100))
    contacts = "HospNo,Clinic,ApptDate,Attended\nH1,Caseload midwife,2018-05-01,5\n"
    (place / "contacts_2019Q3.csv").write_text(contacts)


def minds(place):
    book = openpyxl.Workbook()
    sheets = {name: book.create_sheet(name) for name in ("People", "Contacts", "Outcomes")}
    sheets["People"].append(["Ref", "Role", "First name", "Last name", "D.O.B.", "Postcode"])
    for ref, _, first, last, day, home in people(40):
        born = "/".join(reversed(day.split("-")))
        sheets["People"].append([ref, "Infant", first, last, born, home])
    sheets["Contacts"].append(["Ref", "Team", "Date", "Seen"])
    sheets["Outcomes"].append(["Ref", "Scale", "Date", "Total"])
    sheets["Outcomes"].append(["H1", "WEMWBS before", "02/03/2019", 44])
    book.save(place / "all.xlsx")


def keys_of(partner, place):
    place.mkdir()
    made = {"link": demo_key("link"), "person": demo_key(f"person {partner}")}
    for name, key in (made | {"signing": signing_key(partner, "demo")}).items():
        (place / name).write_text(key.hex())
        (place / name).chmod(0o600)
    return place


@pytest.fixture(scope="module")
def kits(tmp_path_factory):
    home = tmp_path_factory.mktemp("kits")
    for partner in ("riverside_hospital", "southbank_minds"):
        data = kit(load_agreement(HOME, partner), load_programme(HOME))
        (home / f"{partner}.pyz").write_bytes(data)
    return home


def bare(*words):
    """Run Python with nothing installed, nothing of this folder, and an empty environment."""
    plain = getattr(sys, "_base_executable", sys.executable)
    blank = {"SYSTEMROOT": os.environ["SYSTEMROOT"]} if os.name == "nt" else {}
    asked = [plain, "-I", "-S", *map(str, words)]
    return subprocess.run(asked, env=blank, capture_output=True, text=True, check=False)


@pytest.mark.requirement("R21")
@pytest.mark.parametrize(
    ("partner", "own"), [("riverside_hospital", hospital), ("southbank_minds", minds)]
)
def test_a_bare_python_makes_of_the_kit_the_very_bytes_that_pseudonymise_makes(
    kits, tmp_path, partner, own
):
    raw = tmp_path / "raw"
    raw.mkdir()
    own(raw)
    files, keys = sorted(raw.iterdir()), keys_of(partner, tmp_path / "keys")
    here, there = tmp_path / "here", tmp_path / "there"
    run = ("-c", WATCH, kits / f"{partner}.pyz", there, "--keys", keys, "--out", there)
    done = bare(*run, *WHEN, *files)
    assert (done.returncode, done.stderr) == (0, "")
    terms, programme = load_agreement(HOME, partner), load_programme(HOME)
    errand = partner_side.Errand(files, keys, here, "2019Q3", "2019-10-01")
    partner_side.carry_out(errand, terms, programme, programme.as_at)
    made = {p.name: p.read_bytes() for p in here.iterdir()}
    assert made == {p.name: p.read_bytes() for p in there.iterdir()}
    assert made["persons_2019Q3.csv"].count(b"tk1_") > 1_000


def test_the_watch_over_the_kit_would_see_a_connection_and_a_stray_file(tmp_path):
    for words in ("import socket; socket.socket()", f"open({str(tmp_path / 'x')!r}, 'w')"):
        (tmp_path / "bad.py").write_text(words)
        assert bare("-c", WATCH, tmp_path / "bad.py", tmp_path / "out").returncode != 0


def test_the_kit_tells_the_500_pinned_names_as_they_were_told_when_stored(kits):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from leap_eval.tokens.sounds import metaphone, soundex\n"
        "for w in sys.argv[2:]: print(w, metaphone(w) or '-', soundex(w))"
    )
    words = [word for word, _, _ in SOUNDS]
    done = bare("-c", code, kits / "riverside_hospital.pyz", *words)
    assert [line.split() for line in done.stdout.splitlines()] == SOUNDS
    assert len(SOUNDS) == 500


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12))
def test_names_sound_as_an_outside_library_hears_them(word):
    assert sounds.metaphone(word) == jellyfish.metaphone(word)
    assert sounds.soundex(word) == jellyfish.soundex(word)


def test_every_file_of_the_kit_is_the_releases_own_or_named_in_its_read_me(kits):
    with zipfile.ZipFile(kits / "riverside_hospital.pyz") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    about = held["READ-ME.txt"].decode()
    for name in MODULES:
        assert held.pop(f"leap_eval/{name}") == (HOME / "src/leap_eval" / name).read_bytes()
    assert all(name in about for name in held if name != "READ-ME.txt")
    own = {"READ-ME.txt", "__main__.py", "pydantic.py", "leap_eval/terms.json"}
    data = {f"leap_eval/reference/data/{n}.csv" for n in ("lookup", "deprivation")}
    assert set(held) == own | data | {"leap_eval/agreements/__init__.py"}
    told = json.loads(held["leap_eval/terms.json"])
    assert told["agreement"]["partner"] == "riverside_hospital"


def test_the_same_release_and_terms_make_the_same_kit_and_hold_no_key(kits, capsys, tmp_path):
    out = tmp_path / "riverside_hospital.pyz"
    intake.kit("riverside_hospital", out)
    assert out.read_bytes() == (kits / out.name).read_bytes()
    assert capsys.readouterr().out.endswith(f"  {out.name}\n")
    keys = [demo_key(n) for n in ("link", "store", "record", "project")]
    assert not [k for k in keys if k in out.read_bytes() or k.hex().encode() in out.read_bytes()]


def test_only_a_trust_gets_a_kit_and_a_service_is_told_why():
    with pytest.raises(AgreementError, match="only a trust de-identifies"):
        kit(load_agreement(HOME, "borough_council"), load_programme(HOME))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"opt_out_applied_on": "1 October"}, "must be a day"),
        ({"files": [Path("nowhere.csv")]}, "nowhere.csv: is not there"),
        ({"out": HOME}, "is not empty"),
    ],
)
def test_a_slip_at_the_trust_gets_one_message_and_nothing_is_written(tmp_path, change, says):
    told = {"files": [], "keys": keys_of("x", tmp_path / "k"), "out": tmp_path / "o"}
    told |= {"period": "2019Q3", "opt_out_applied_on": "2019-10-01"}
    errand = partner_side.Errand(**(told | change))
    terms, programme = load_agreement(HOME, "riverside_hospital"), load_programme(HOME)
    with pytest.raises(SettingsError, match=says):
        partner_side.carry_out(errand, terms, programme, programme.as_at)
    assert not (tmp_path / "o").exists()


def test_a_refused_file_ends_the_kit_with_place_rule_remedy_and_no_traceback(kits, tmp_path):
    (tmp_path / "people_2019Q3.csv").write_text("HospNo,Role,Surname\nH1,B,Quillfeather,9\n")
    keys = keys_of("riverside_hospital", tmp_path / "keys")
    done = bare(kits / "riverside_hospital.pyz", "--keys", keys, "--out", tmp_path / "out", *WHEN,
                tmp_path / "people_2019Q3.csv")  # fmt: skip
    assert done.returncode == 13
    assert "persons file, row 2" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Quillfeather" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_machine_that_makes_other_tokens_than_the_published_ones_makes_nothing(monkeypatch):
    canonical.sound()
    monkeypatch.setattr(canonical, "FICTIONAL", canonical.FICTIONAL[:2])
    with pytest.raises(LeapError, match="other tokens than the published ones"):
        canonical.sound()
