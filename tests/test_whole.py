"""The whole house after one run: nothing stale, nothing leaked, all that was promised."""

import io
import json
import re
import subprocess

import pyarrow.parquet as pq
import pytest

from leap_eval.disclosure.verify import Verdict, attack
from leap_eval.reference.labels import wards
from leap_eval.settings import load_params
from leap_eval.store import ledger

pytestmark = pytest.mark.demo
IDENTIFYING = ["reference", "forename", "surname", "mother", "mother_surname", "nhs", "upn"]
WORD = r"\w[\w'’/-]*"
HOMES = ("data", "work", "results", "release", ".leap/office")


def decoded(path):
    """Return all that a file says, Parquet opened: compression would hide a name."""
    if path.suffix != ".parquet":
        return path.read_bytes().decode("utf-8", "ignore")
    table = pq.read_table(io.BytesIO(path.read_bytes()))
    text = [c for c in table.column_names if str(table.schema.field(c).type) == "string"]
    return "\n".join(v for c in text for v in table.column(c).unique().to_pylist() if v)


@pytest.fixture(scope="module")
def kept(root):
    files = [f for home in HOMES for f in sorted((root / home).rglob("*")) if f.is_file()]
    return {f.relative_to(root).as_posix(): decoded(f) for f in files}


@pytest.fixture(scope="module")
def planted(root):
    """Every name, reference, NHS number and UPN that partners wrote, of seven letters or more."""
    people = pq.read_table(root / "truth/people.parquet", columns=IDENTIFYING).to_pandas()
    words = {w for column in people for w in people[column].unique() if w and len(w) >= 7}
    # A ward may bear a name that a person bears, too: St Leonard's, Thornton.
    return words - {part.rstrip("s").title() for ward in wards() for part in ward.split("_")}


@pytest.mark.requirement("R06", "R23", "R24")
def test_nothing_that_partners_wrote_of_a_person_is_found_in_anything_that_was_kept(kept, planted):
    assert len(planted) > 10_000
    assert {p for p, text in kept.items() if planted & set(re.findall(WORD, text))} == set()


@pytest.mark.requirement("R07")
def test_no_whole_postcode_is_found_in_anything_that_was_kept(kept):
    whole = re.compile(r"\b(?:SW|SE)\d{1,2} ?\d[A-Z]{2}\b")
    assert [place for place, text in kept.items() if whole.search(text)] == []


@pytest.mark.requirement("R22")
def test_every_inbox_is_empty_and_the_ledger_of_the_intake_holds(root):
    office = root / ".leap/office"
    assert [f for f in (office / "inbox").rglob("*") if f.is_file()] == []
    assert ledger.verify(office / "ledger.jsonl") > 600


@pytest.mark.requirement("R21")
def test_the_trusts_submission_that_carried_identifiers_was_refused_as_an_incident(root):
    told = ledger.lines(root / ".leap/office/ledger.jsonl")
    incidents = [(line["partner"], line["period"]) for line in told if line["event"] == "incident"]
    assert ("southbank_minds", "2021Q2") in incidents


@pytest.mark.requirement("R32")
def test_an_attacker_who_shares_no_code_with_the_gate_recovers_no_small_group(root):
    verdict = [told for told in attack(root / "release") if isinstance(told, Verdict)][-1]
    assert verdict.tried > 500
    assert not verdict.recovered, verdict.recovered[:5]
    assert verdict.broken == ()


@pytest.mark.requirement("R31")
def test_there_is_a_page_and_a_pdf_for_every_audience_each_below_its_budget(root):
    for audience in load_params(root).audiences:
        for kind in ("html", "pdf"):
            size = (root / f"release/findings-{audience}.{kind}").stat().st_size
            assert 20_000 < size <= 700_000


@pytest.mark.requirement("R42", "R43", "R47")
def test_every_page_names_whom_to_ask_and_loads_nothing_from_anywhere(root):
    for page in sorted((root / "release").glob("findings-*.html")):
        text = page.read_text()
        assert "DataProtection@example.org" in text
        assert "Pretend data: no real child" in text
        assert "default-src 'none'" in text
        assert not re.search(r"<script|<iframe|<link|src=\"http|url\((?!#)", text)


def test_every_estimate_carries_its_plan_its_grade_and_its_status(root):
    for outcome in load_params(root).outcomes:
        table = pq.read_table(root / f"results/effects/{outcome}.parquet").to_pandas()
        assert len(table) >= 5
        assert table[["plan_hash", "grade", "status", "wording_key"]].notna().all().all()


def test_nothing_is_stale_after_a_run(root):
    told = subprocess.run(
        ["dvc", "status", "--json"], cwd=root, capture_output=True, text=True, check=True
    )
    stale = json.loads(told.stdout)
    assert [stage for stage in stale if stage != "data.dvc"] == []


@pytest.mark.requirement("R29")
def test_git_tracks_no_row_no_result_and_no_release(root):
    told = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True)
    homes = ("data/", "work/", "results/", "release/", "truth/", ".leap/")
    assert [f for f in told.stdout.splitlines() if f.startswith(homes)] == []
