"""The house as a whole: floors, folders, names, notebooks, and outcomes unseen before stage 06."""

import importlib.util
import json
import re
import subprocess
import sys

import nbformat
import pytest
import yaml

from leap_eval.pipeline.lint import breaches
from leap_eval.pipeline.stages import STAGES
from leap_eval.settings import load_params

FORBIDDEN_NAMES = {"utils", "helpers", "misc", "common", "base", "manager"}
SHAPES = re.compile(r"\b(?:rk1|sid1|fid1|tk1|pp1)_[a-z2-7]{28}\b")
COMMAND = re.compile(r"^leap-eval run [a-z_]+( --item \$\{item\})?$")


@pytest.fixture(scope="module")
def dvc(root):
    told = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    return {name: stage.get("do", stage) for name, stage in told.items()}


def tracked(root):
    files = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    )
    return [root / f for f in files.stdout.splitlines() if (root / f).is_file()]


def test_one_name_gives_notebook_stage_module_and_test(root, dvc):
    for stage in STAGES:
        module = root / "src/leap_eval" / stage.name
        assert (root / stage.notebook).is_file()
        assert stage.name in dvc
        assert module.is_dir() or module.with_suffix(".py").is_file() or stage.name == "disclose"
        assert list((root / "tests").glob(f"test_{stage.name}*.py"))


def test_no_module_is_named_for_leftovers(root):
    names = {p.stem for p in (root / "src").rglob("*.py")} | {
        p.name for p in (root / "src").rglob("*")
    }
    assert not names & FORBIDDEN_NAMES


def test_notebooks_keep_their_rules_and_dvc_names_every_partners_file(root):
    assert breaches(root) == []


def test_every_command_of_the_pipeline_is_a_plain_call_of_one_stage(dvc):
    assert [s["cmd"] for s in dvc.values() if not COMMAND.match(s["cmd"])] == []


def test_nothing_before_stage_06_may_depend_on_an_outcome_file(dvc):
    early = [s.name for s in STAGES if s.number < 6 and s.name != "ingest"]
    assert not [d for name in early for d in dvc[name]["deps"] if "outcomes" in d]


def test_no_stage_depends_on_a_folder_that_holds_outcomes(dvc):
    folders = ("work", "work/ingest", "results", "release", "data")
    assert not [d for stage in dvc.values() for d in stage["deps"] if d.rstrip("/") in folders]


def test_every_out_names_the_tier_it_belongs_to(dvc):
    tiers = {"work": "work", "results": "work", "release": "release"}
    for stage in dvc.values():
        for out in stage["outs"]:
            ((place, options),) = out.items()
            assert options["remote"] == tiers[place.split("/")[0]]


def test_only_the_link_stage_depends_on_the_identity_side(dvc):
    readers = [n for n, s in dvc.items() if any(d.startswith("data/linkage") for d in s["deps"])]
    assert readers == ["link"]


def test_the_code_each_stage_depends_on_is_what_its_notebook_imports(root):
    spec = importlib.util.spec_from_file_location("closure", root / "tools/closure.py")
    closure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(closure)
    text = (root / "dvc.yaml").read_text()
    assert closure.mended(text) == text, "run `python tools/closure.py --write`"


def test_only_tests_benchmarks_tools_and_the_generator_read_the_planted_truth(root):
    allowed = ("synthetic", "cli/demo.py")
    readers = [
        p
        for p in (root / "src/leap_eval").rglob("*.py")
        if re.search(r"[\"']truth[\"'/]", p.read_text()) and not any(a in str(p) for a in allowed)
    ]
    assert readers == []


def test_importing_the_package_loads_the_standard_library_only():
    code = "import sys, leap_eval; print([m for m in sys.modules if m in ('pandas', 'numpy')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("leap_eval.ingest", ("scipy", "sklearn", "statsmodels", "matplotlib.pyplot")),
        ("leap_eval.cohort", ("scipy", "sklearn", "statsmodels")),
        ("leap_eval.exposure", ("scipy", "sklearn", "statsmodels")),
        ("leap_eval.pipeline.run", ("pandas", "numpy", "pyarrow")),
    ],
)
def test_a_stage_pays_for_no_library_it_does_not_use(module, heavy):
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_no_tracked_file_names_a_package_index_or_a_machines_own_folder(root):
    # `file` hashes and documentation addresses are fine; an index a lock was made from is not.
    index = re.compile(r"--(?:extra-)?index-url|--find-links|\"resolved\":")
    faults = [p.name for p in tracked(root) if p.suffix in {".lock", ".json", ".txt", ".toml"}]
    assert [
        n
        for n in faults
        if index.search((next(p for p in tracked(root) if p.name == n)).read_text())
    ] == []


def test_no_secret_of_a_storage_account_is_tracked(root):
    secret = re.compile(r"(?i)(connection_string|account_key|sas_token)\s*[=:]\s*\S")
    texts = [p for p in tracked(root) if p.suffix in {".yaml", ".yml", ".toml", ".py", ""}]
    assert [p.name for p in texts if secret.search(p.read_text(errors="ignore"))] == []


def test_conda_users_get_the_same_lock(root):
    told = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    assert {"pip": ["--require-hashes -r requirements.lock"]} in told
    assert "python=3.11" in told


def test_every_direct_dependency_is_in_the_lock_and_has_its_reason(root):
    text = (root / "pyproject.toml").read_text()
    block = text.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    lock = (root / "requirements.lock").read_text()
    for line in filter(None, map(str.strip, block.splitlines())):
        name = re.match(r'"([A-Za-z0-9.-]+)', line).group(1)
        assert re.search(rf"(?m)^{name.replace('.', '-')}==", lock), name
        assert "#" in line, name


@pytest.mark.demo
@pytest.mark.requirement("R24")
def test_no_executed_notebook_holds_a_pseudonym(root):
    ran = sorted((root / "work/notebooks").glob("*.ipynb"))
    params = load_params(root)
    assert len(ran) == len(params.partners) + len(params.outcomes) + len(params.audiences) + 5
    for path in ran:
        cells = nbformat.read(path, as_version=4).cells
        outputs = json.dumps([c.outputs for c in cells if c.cell_type == "code"])
        assert not SHAPES.search(outputs), path.name


@pytest.mark.demo
@pytest.mark.requirement("R20")
def test_no_folder_that_holds_rows_is_open_to_others(root):
    homes = [root / name for name in ("data", "work", "results", ".leap")]
    folders = [f for home in homes for f in [home, *home.rglob("*")] if f.is_dir()]
    assert [f for f in folders if f.stat().st_mode & 0o077] == []
