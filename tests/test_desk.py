"""The desk: it tells the truth about the pipeline, and looking changes nothing."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time

import nbformat
import pytest
from nbclient import NotebookClient

from leap_eval.desk import explore, page, state
from leap_eval.desk.state import Run, _reasons, _waiting
from leap_eval.errors import PageError, SettingsError, StageError
from leap_eval.findings.exporter import story
from leap_eval.pipeline.kernel import STAMP, WATERMARK, stamped
from leap_eval.pipeline.progress import _bar
from leap_eval.pipeline.run import run_stage
from leap_eval.pipeline.stages import STAGES, exploratory, stage

BROWSER = "tests/browser"


def runs(**standings):
    return tuple(Run(stage(name), None, told, seconds=40.0) for name, told in standings.items())


def test_content_that_only_dvcs_cache_lacks_makes_no_run_stale():
    changes = [{"changed outs": {"work/cohort.parquet": "not in cache"}}]
    assert _reasons(changes) == ()


def test_a_stale_run_names_what_changed_and_which_keys_of_params():
    changes = [
        {
            "changed deps": {
                "src/leap_eval/link": "modified",
                "params.yaml": {"link.seed": "modified"},
            }
        },
        "changed command",
    ]
    assert _reasons(changes) == ("its command", "params.yaml: link.seed", "src/leap_eval/link")


def test_what_follows_a_stale_stage_waits_and_what_precedes_it_does_not():
    told = _waiting(runs(cohort="up to date", exposure="stale", design="up to date"))
    assert [r.standing for r in told] == ["up to date", "stale", "waits"]


def test_the_summary_says_what_to_do_and_how_long_it_took_last_time():
    told = page.summary(runs(cohort="up to date", exposure="stale", design="waits"))
    assert told == (
        "1 of 3 runs are up to date. `dvc repro` brings the other 2 up to date; "
        "they took 1 min 20 s last time."
    )


def test_a_workspace_in_which_nothing_ran_is_told_the_first_command():
    assert "`make findings`" in page.summary(runs(cohort="not run yet"))


@pytest.mark.demo
def test_the_start_page_links_all_eight_notebooks_and_every_link_leads_somewhere(root):
    told = page.page(state(root), root)
    links = re.findall(r"\]\(([^)]+)\)", told)
    home = (root / page.PLACE).parent
    # The folder of the start page is made with the page: before that `..` leads nowhere.
    assert [link for link in links if not os.path.exists(os.path.normpath(home / link))] == []
    assert all(any(link.endswith(s.notebook) for link in links) for s in STAGES)


@pytest.mark.demo
def test_a_changed_parameter_shows_as_stale_with_its_name_and_all_that_follows_waits(
    root, tmp_path
):
    shown = {r.name: r for r in state(copied(root, tmp_path, "seed: 2015", "seed: 2016"))}
    assert shown["link"].standing == "stale"
    assert any("common" in why for why in shown["link"].why)
    assert shown["disclose"].standing in ("stale", "waits")


def copied(root, to, before, after):
    """A workspace that shares the results of `root` and differs in one line of params.yaml."""
    for name in ("dvc.yaml", "dvc.lock", "data.dvc", "programme.yaml", "disclosure.yaml",
                 "people.yaml", "requirements.lock", ".dvcignore"):  # fmt: skip
        shutil.copy(root / name, to)
    for name in ("data", "work", "results", "release", "src", "notebooks", "agreements"):
        (to / name).symlink_to(root / name)
    text = (root / "params.yaml").read_text()
    assert before in text
    (to / "params.yaml").write_text(text.replace(before, after))
    subprocess.run(["git", "init", "--quiet"], cwd=to, check=True)
    subprocess.run(["dvc", "init", "--quiet"], cwd=to, check=True)
    return to


def test_an_exploratory_notebook_is_made_once_and_never_over_another(workspace):
    place = explore.begin("my_question", workspace)
    assert (
        nbformat.read(place, as_version=4).cells[0].source.startswith("# EXPLORATORY: my question")
    )
    with pytest.raises(SettingsError, match="is there already"):
        explore.begin("my_question", workspace)


@pytest.mark.parametrize("name", ["../notebooks/01_ingest", "A", "", "x" * 60, "a b"])
def test_an_exploratory_notebook_stays_in_its_own_folder(workspace, name):
    with pytest.raises(SettingsError, match="lower-case letters"):
        explore.begin(name, workspace)
    assert not (workspace / "explore").exists()


@pytest.mark.parametrize("mark", ["kernelspec", "leap"])
def test_the_stage_runner_and_the_pages_refuse_an_exploratory_notebook(workspace, mark):
    notebook = explore.template("sneaked")
    notebook["metadata"] = {mark: notebook["metadata"][mark]}
    (workspace / "notebooks").mkdir()
    (workspace / "notebooks/03_cohort.ipynb").write_text(json.dumps(notebook))
    with pytest.raises(StageError, match="exploratory"):
        run_stage("cohort", root=workspace)
    with pytest.raises(PageError, match="exploratory"):
        story(notebook, None, "leap", {})


def test_no_stages_notebook_is_exploratory(root):
    assert not any(exploratory(json.loads((root / s.notebook).read_bytes())) for s in STAGES)


def test_whatever_an_exploratory_notebook_shows_carries_its_stamp():
    svg = {"image/svg+xml": "<svg></svg>"}
    assert stamped(svg)["image/svg+xml"] == f"<svg>{WATERMARK}</svg>"
    assert STAMP in stamped({"text/html": "<table></table>"})["text/html"]
    assert stamped({"text/plain": "3"})["text/plain"].startswith(STAMP)


@pytest.mark.demo
def test_the_exploratory_template_runs_on_the_finished_pipeline_with_every_output_stamped(root):
    notebook = nbformat.reads(json.dumps(explore.template("try_it")), as_version=4)
    told = {"metadata": {"path": str(root)}}
    NotebookClient(notebook, kernel_name="leap-explore", resources=told).execute()
    shown = [o.data for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert len(shown) == 2
    assert STAMP in shown[0]["text/html"]
    assert WATERMARK in shown[1]["image/svg+xml"]


@pytest.mark.requirement("R24")
def test_no_way_of_asking_for_a_childs_row_shows_one_on_the_desk(root):
    row = "'sid1_' + 'a' * 28"
    asked = [
        f"print({row})",
        f"[{row}]",
        f"import pandas as pd\nchild = pd.DataFrame({{'study_id': [{row}], 'age': [3]}})\nchild",
        "print(child)",
        "child.set_index('study_id')",
        "child.study_id",
        "import sys\nprint(child, file=sys.stderr)",
        f"raise ValueError({row})",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in asked]
    notebook = nbformat.v4.new_notebook(cells=cells)
    told = {"metadata": {"path": str(root)}}
    NotebookClient(notebook, kernel_name="leap", resources=told, allow_errors=True).execute()
    outputs = [json.dumps(c.outputs) for c in notebook.cells]
    assert [o for o in outputs if "sid1_a" in o] == []
    assert all("row-level: not displayed" in o for o in outputs[:-1])
    assert "report this line" in outputs[-1]


def test_a_long_loop_on_the_desk_shows_how_far_it_is_in_words_too():
    assert _bar("rounds <1>", 3, 40) == (
        '<label><progress value="3" max="40"></progress> rounds &lt;1&gt;: 3 of 40</label>'
    )


def test_every_committed_notebook_is_what_the_desk_saves_and_the_git_filter_keeps(root):
    for one in STAGES:
        held = (root / one.notebook).read_text(encoding="utf-8")
        again = nbformat.writes(nbformat.reads(held, as_version=4), version=4) + "\n"
        assert held == again, f"{one.notebook}: save it from the desk once"


def kept(root):
    """All files the pipeline made, and the notebooks: what looking must not change."""
    homes = ("notebooks", "data", "work", "results", "release")
    files = [f for home in homes for f in (root / home).rglob("*") if f.is_file()]
    desk = root / "work/desk"
    return {f: (f.stat().st_size, f.stat().st_mtime_ns if f.suffix != ".ipynb" else f.read_bytes())
            for f in files if desk not in f.parents}  # fmt: skip


@pytest.fixture(scope="module")
def lab(root):
    """JupyterLab as `make lab` starts it, on a free port, ended afterwards."""
    ready = shutil.which("node") and shutil.which("chromium")
    if not (ready and (root / BROWSER / "node_modules").is_dir()):
        if os.environ.get("CI"):
            pytest.fail(
                "chromium, node or tests/browser/node_modules is missing; run `make browser`"
            )
        pytest.skip("chromium or tests/browser/node_modules is missing; run `make browser`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--config=jupyter/jupyter_server_config.py",
               "--no-browser", "--allow-root", "--expose-app-in-browser", f"--port={port}",
               f"--IdentityProvider.token={token}"]  # fmt: skip
    server = subprocess.Popen(
        command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _answering(port)
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:  # a kernel that does not end must not fail the tests
            server.kill()
            server.wait()


def _answering(port):
    for _ in range(450):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("JupyterLab did not start in 90 seconds")


def seen(root, lab, *places):
    """What the browser tells of each place, as it gets there."""
    command = ["node", "desk.js", *lab, "-", *places]
    told = subprocess.run(command, cwd=root / BROWSER, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    return [json.loads(line) for line in told.stdout.splitlines()]


@pytest.mark.demo
def test_the_start_page_opens_in_jupyterlab_and_its_links_open_notebooks(root, lab):
    (root / page.PLACE).parent.mkdir(mode=0o700, exist_ok=True)
    (root / page.PLACE).write_text(page.page(state(root), root))
    (told,) = seen(root, lab, page.PLACE)
    assert told["title"].startswith("The evaluator's desk")
    assert told["opened"] == "notebooks/01_ingest.ipynb"


@pytest.mark.demo
@pytest.mark.requirement("R24", "R49")
def test_run_all_in_a_real_browser_shows_results_without_a_row_and_leaves_no_output_on_disk(
    root, lab
):
    before = kept(root)
    # The long ones first: two run at a time.
    notebooks = sorted(STAGES, key=lambda s: s.name not in ("link", "effects", "disclose"))
    shown = seen(root, lab, *(s.notebook for s in notebooks))
    assert {s["notebook"] for s in shown} == {s.notebook for s in STAGES}
    for one in shown:
        assert one["errors"] == [], one["notebook"]
        assert one["shown"] >= one["outputs"] >= 1, one["notebook"]
        assert (one["rows"], one["outside"], one["boxes"]) == (False, 0, 0), one["notebook"]
    changed = [
        p.relative_to(root).as_posix() for p, was in kept(root).items() if before.get(p) != was
    ]
    assert changed == []
    desk = [root / "work/desk", *(f for f in (root / "work/desk").rglob("*") if f.is_dir())]
    assert [f for f in desk if f.stat().st_mode & 0o077] == []


def test_a_result_of_the_pipeline_cannot_be_saved_over_from_the_desk(root):
    config = {}
    source = (root / "jupyter/jupyter_server_config.py").read_text().partition("\nc = ")[0]
    exec(source, config)  # noqa: S102 - the configuration is a program, and ours
    model = {"type": "notebook", "content": nbformat.v4.new_notebook()}
    with pytest.raises(config["HTTPError"], match="made by the pipeline"):
        config["keep_clean"](model, path="work/notebooks/03_cohort.ipynb")
    config["keep_clean"](model, path="work/desk/mine.ipynb")


def nbval(root, place):
    """Re-run an executed notebook and compare, as `make nbval` does with all of them."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        str(place),
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    env = os.environ | {"LEAP_PROGRESS": os.devnull, "LEAP_ROOT": str(root)}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)


@pytest.mark.demo
def test_an_executed_notebook_runs_again_to_the_same_outputs_and_a_changed_one_is_caught(
    root, tmp_path
):
    ran = root / "work/notebooks/01_ingest-milk_and_more.ipynb"
    told = nbval(root, ran)
    assert told.returncode == 0, told.stdout[-2000:]
    changed = ran.read_text().replace("</td>", "1</td>", 1)
    assert changed != ran.read_text()
    (tmp_path / ran.name).write_text(changed)
    assert nbval(root, tmp_path / ran.name).returncode == 1
