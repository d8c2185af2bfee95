"""The documentation: its commands run, its links lead somewhere, its reference is the code."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from leap_eval import cli
from leap_eval.disclosure import verify
from leap_eval.disclosure.rules import read_rules
from leap_eval.settings import load_plan

HOME = Path(__file__).parents[1]
HOW_TO = sorted((HOME / "docs/how-to").glob("*.md"))
PAGES = ("README.md", "docs/tutorial.md", *(f"docs/how-to/{page.name}" for page in HOW_TO))
# Commands that a test of their own, or CI, runs in full: the file that does.
ELSEWHERE = {
    "make findings": ".ci/run",
    "make test": ".ci/run",
    "make lab": "tests/test_desk.py",
    "dvc repro": "Makefile",
    "dvc commit -f data.dvc": "tests/test_docs.py",
    "leap-eval attack": "tests/test_docs.py",  # in full in test_whole.py: it takes half a minute
    'export PATH="$PWD/.venv/bin:$PATH"': "tests/test_docs.py",
}
SHARED = ("data", "work", "results", "release", "truth", ".leap")


def documents(root):
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def commands(text):
    """The lines of all console blocks: command, and the exit code its comment announces."""
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", text):
        for line in block.splitlines():
            command, _, comment = line.partition("  # ")
            code = re.match(r"\s*exit (\d+)", comment)
            yield command.strip(), int(code.group(1)) if code else 0


# The way of a release needs two people and a commit: test_crate.py runs the page line by line.
RELEASE = HOME / "docs/how-to/release.md"
ELSEWHERE |= dict.fromkeys((c for c, _ in commands(RELEASE.read_text())), "tests/test_crate.py")


def load(root, name):
    spec = importlib.util.spec_from_file_location(name, root / f"tools/{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.fixture(scope="module")
def clone(root, tmp_path_factory):
    """A clone with this folder's files, which shares the finished run and nothing it may change."""
    home = tmp_path_factory.mktemp("docs") / "clone"
    subprocess.run(["git", "clone", "--quiet", root, home], check=True)
    told = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True)
    for name in told.stdout.splitlines():
        if (root / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, home / name)
    for name in SHARED:
        (home / name).symlink_to(root / name)
    return home


@pytest.mark.demo
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs_as_the_page_says(root, clone, page):
    before = {p: (clone / p).read_bytes() for p in ("params.yaml", "disclosure.yaml")}
    env = os.environ | {"LEAP_ROOT": str(clone), "COLUMNS": "120"}
    for command, code in commands((root / page).read_text()):
        if command in ELSEWHERE:
            continue
        told = subprocess.run(
            command, shell=True, cwd=clone, env=env, capture_output=True, text=True, check=False
        )
        assert told.returncode == code, f"{command}\n{told.stdout}{told.stderr}"
        assert "Traceback" not in told.stderr
    read_rules((clone / "disclosure.yaml").read_text())
    load_plan(clone)
    for place, held in before.items():
        (clone / place).write_bytes(held)


def test_every_command_that_a_page_leaves_to_another_test_is_there(root):
    for command, place in ELSEWHERE.items():
        held = (root / place).read_text()
        assert all(word in held for word in command.split()), command


def test_no_page_teaches_a_command_that_no_test_runs(root):
    taught = {c for p in documents(root) for c, _ in commands(p.read_text())}
    run = {c for p in PAGES for c, _ in commands((root / p).read_text())}
    assert taught - run - set(ELSEWHERE) == set()


def test_every_verb_that_the_pages_name_exists_and_its_help_teaches(root):
    text = (root / "docs/reference/commands.md").read_text()
    verbs = re.findall(r"(?m)^## leap-eval (.+)$", text)
    pages = [p.read_text() for p in documents(root)]
    named = {m for t in pages for m in re.findall(r"`leap-eval ([a-z][a-z-]*(?: [a-z]+)?)", t)}
    known = {*verbs, *(v.split()[0] for v in verbs)}
    assert {n for n in named if n not in known and n.split()[0] not in known} == set()
    for verb in verbs:
        body = text.split(f"## leap-eval {verb}\n\n")[1].split("\n## ")[0]
        assert len(body.split("\n")[0].split()) >= 5, verb


def test_every_link_of_every_page_leads_to_a_file(root):
    wrong = [
        f"{page.relative_to(root)}: {link}"
        for page in documents(root)
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert wrong == []


def test_every_page_of_the_documentation_is_found_from_its_index(root):
    index = (root / "docs/README.md").read_text()
    pages = [p.relative_to(root / "docs").as_posix() for p in documents(root)[1:]]
    assert [p for p in pages if p not in index and "decisions/" not in p and p != "README.md"] == []


def test_the_reference_says_what_the_code_says(root):
    assert load(root, "reference").stale() == [], "run `python tools/reference.py --write`"


def test_the_register_of_promises_holds_all_fifty_and_each_unproven_one_says_what_it_awaits(root):
    tool = load(root, "requirements")
    assert list(tool.promises()) == [f"R{n:02d}" for n in range(1, 51)]
    assert [f for f in tool.faults() if "no test" in f] == []


def test_the_page_of_promises_names_the_tests_that_carry_the_marks(root):
    tool = load(root, "requirements")
    shown = re.findall(r"(?m)^\| (R\d\d) \|.*$", tool.PAGE.read_text())
    assert shown == list(tool.promises())
    rows = dict(re.findall(r"(?m)^\| (R\d\d) (\|.*)$", tool.PAGE.read_text()))
    for one, tests in tool.marked().items():
        held = sorted(re.findall(r"`(test_[^`]+)`", rows[one]))
        assert held == tests, f"{one}: run `make requirements`"


@pytest.mark.parametrize(
    ("tests", "outcomes", "stands"),
    [
        ([], {}, "unproven"),
        (["a"], {"a": "passed"}, "proven"),
        (["a", "b"], {"a": "passed", "b": "failed"}, "broken"),
        (["a", "b"], {"a": "passed"}, "not run"),
        (["a"], {"a": "skipped"}, "not run"),
    ],
)
def test_a_promise_is_proven_only_when_every_test_with_its_mark_passed(
    root, tests, outcomes, stands
):
    assert load(root, "requirements").result(tests, outcomes) == stands


def test_every_path_that_the_quality_page_offers_as_evidence_exists(root):
    text = (root / "docs/quality.md").read_text()
    folder = r"(?:src|tests|docs|notebooks|tools|benchmarks|\.ci)/[^`*]+"
    places = re.findall(rf"`({folder}|[\w.-]+\.(?:yaml|md|toml|lock))`", text)
    assert len(places) >= 18
    assert [p for p in places if not (root / p).exists()] == []
    assert len(re.findall(r"(?m)^\| \d+ \| .+ \| (?:met|part|not) \| .+ \|$", text)) == 30 + 18


def test_data_that_were_filed_are_recorded_without_losing_their_two_remotes(root, tmp_path):
    """`dvc commit -f data.dvc`, as the pages teach; `dvc add data` would lose both."""
    for name in ("extracts", "linkage"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "one.txt").write_text("a row")
    shutil.copy(root / "data.dvc", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for command in ("dvc init --quiet", "dvc commit -f data.dvc"):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    told = yaml.safe_load((tmp_path / "data.dvc").read_text())
    assert [(o["path"], o["remote"], o["nfiles"]) for o in told["outs"]] == [
        ("data/extracts", "restricted", 1),
        ("data/linkage", "identity", 1),
    ]
    assert "meta" in told


@pytest.mark.parametrize(("recovered", "code"), [((), 0), ((("x", 1.0, 1.0),), 1)])
def test_leap_eval_attack_tells_the_verdict_and_fails_on_a_recovered_group(
    tmp_path, monkeypatch, recovered, code
):
    (tmp_path / "manifest.json").write_text('{"outputs": []}')
    monkeypatch.setattr(verify, "attack", lambda *_: iter([verify.Verdict(7, recovered, ())]))
    if not cli.app.registered_commands:
        cli._register()
    told = CliRunner().invoke(cli.app, ["attack", str(tmp_path)])
    assert (told.exit_code, "7 groups attacked" in told.output) == (code, code == 0)
