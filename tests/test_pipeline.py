"""The runner on notebooks of its own: what goes in, what comes out, what is refused."""

import json
import subprocess
import sys

import nbformat
import pytest

from leap_eval.errors import (
    ContractError,
    LeakError,
    LeapError,
    MissingInputError,
    StageError,
)
from leap_eval.pipeline.parameters import declared, parameters
from leap_eval.pipeline.room import environment
from leap_eval.pipeline.run import run_stage
from leap_eval.pipeline.stages import STAGES, stage
from leap_eval.settings import load_params

PURPOSE = ["purpose:evaluate"]


@pytest.fixture
def notebook(workspace):
    """Return a function that makes notebooks/03_cohort.ipynb out of code cells."""

    def make(*sources, values="seed = 2015", tags=PURPOSE):
        cells = [nbformat.v4.new_markdown_cell("# Cohort", metadata={"tags": tags})]
        cells.append(nbformat.v4.new_code_cell(values, metadata={"tags": ["parameters"]}))
        cells += [nbformat.v4.new_code_cell(source) for source in sources]
        for number, cell in enumerate(cells, start=1):
            cell["id"] = f"03-cohort-{number:02d}"
        made = nbformat.v4.new_notebook(cells=cells)
        made.metadata.kernelspec = {"name": "leap", "display_name": "leap"}
        (workspace / "notebooks").mkdir(exist_ok=True)
        nbformat.write(made, workspace / "notebooks/03_cohort.ipynb")
        return workspace

    return make


def outputs(workspace, name="03_cohort"):
    ran = nbformat.read(workspace / f"work/notebooks/{name}.ipynb", as_version=4)
    return [o for c in ran.cells if c.cell_type == "code" for o in c.outputs]


def test_one_run_executes_the_notebook_with_the_parameters_of_the_workspace(notebook):
    workspace = notebook("print(seed)", values="seed = 1")
    record = run_stage("cohort", root=workspace)
    assert record.notebook == "work/notebooks/03_cohort.ipynb"
    assert outputs(workspace)[0].text == "2015\n"


def test_two_runs_at_different_times_give_the_same_bytes(notebook):
    cells = (
        "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])",
        "object()",
        "import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')",
    )
    workspace = notebook(*cells)
    place = workspace / "work/notebooks/03_cohort.ipynb"
    run_stage("cohort", root=workspace)
    first = place.read_bytes()
    run_stage("cohort", root=workspace)
    assert place.read_bytes() == first
    assert b"image/svg+xml" in first
    assert b"image/png" not in first


def test_a_warning_names_its_file_but_no_folder_that_another_clone_lacks(notebook):
    workspace = notebook(
        "import warnings\nwarnings.warn_explicit('odd', UserWarning, '/a/b.py', 3)"
    )
    run_stage("cohort", root=workspace)
    assert outputs(workspace)[0].text == "b.py:3: UserWarning: odd\n"


def test_every_figure_is_shown_as_a_drawing_made_by_pyplot_or_not_and_with_words_alone(notebook):
    words = "from matplotlib.figure import Figure\nf = Figure()\nf.text(0.5, 0.5, 'alone')\nf"
    workspace = notebook(words, "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])")
    run_stage("cohort", root=workspace)
    shown = [o["data"] for o in outputs(workspace)]
    assert [set(data) for data in shown] == [{"image/svg+xml"}] * 2
    assert "alone" in shown[0]["image/svg+xml"]


@pytest.mark.requirement("R24")
def test_a_childs_row_is_never_displayed_even_when_a_cell_asks_for_it(notebook):
    workspace = notebook("import pandas as pd\npd.DataFrame({'study_id': ['Ann'], 'age': [3]})")
    run_stage("cohort", root=workspace)
    assert outputs(workspace)[0]["data"] == {"text/plain": "row-level: not displayed"}


@pytest.mark.requirement("R24")
@pytest.mark.parametrize("leak", ["'rk1_' + 'a' * 28", "'SW9 8QQ'", "'999 123 4567'"])
def test_an_output_with_the_shape_of_an_identifier_fails_the_stage(notebook, leak):
    workspace = notebook(f"print({leak})")
    with pytest.raises(LeakError, match="never a row"):
        run_stage("cohort", root=workspace)
    assert not (workspace / "work/notebooks").exists()


def test_an_unforeseen_error_tells_type_and_place_but_never_its_message(notebook):
    workspace = notebook("raise ValueError('Amara Okafor')")
    with pytest.raises(StageError) as failed:
        run_stage("cohort", root=workspace)
    assert "ValueError; report this line" in str(failed.value)
    assert "Amara" not in str(failed.value)
    assert (
        b"Amara Okafor: " not in (workspace / "work/notebooks/03_cohort.failed.ipynb").read_bytes()
    )


def test_an_expected_error_of_a_cell_keeps_its_kind_and_its_words(notebook):
    workspace = notebook(
        "from leap_eval.errors import ContractError", "raise ContractError('a: b; c')"
    )
    with pytest.raises(ContractError, match="cohort, cell 5: a: b; c"):
        run_stage("cohort", root=workspace)


@pytest.mark.requirement("R30", "R49")
@pytest.mark.parametrize(
    "way_out",
    [
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import os\nos.system('true')",
        "import subprocess\nsubprocess.run(['true'])",
        "open('data/extracts/healthy_table/2019Q3/persons.parquet')",
        "open('.leap/office/inbox/healthy_table/x.csv')",
        "open('release/x.csv', 'w')",
    ],
)
def test_a_notebook_that_tries_to_leave_its_room_fails(notebook, way_out):
    with pytest.raises(StageError, match="cohort:"):
        run_stage("cohort", root=notebook(way_out))


@pytest.mark.requirement("R13")
@pytest.mark.parametrize("tags", [[], ["purpose:marketing"]])
def test_a_notebook_without_a_known_purpose_refuses_to_run(notebook, tags):
    with pytest.raises(StageError, match="purpose:ID"):
        run_stage("cohort", root=notebook("print(1)", tags=tags))


def test_a_stage_without_its_notebook_says_so(workspace):
    with pytest.raises(MissingInputError, match="restore it from git"):
        run_stage("cohort", root=workspace)


def test_a_stage_that_is_none_is_told_those_there_are():
    with pytest.raises(StageError, match="ingest, link, cohort"):
        stage("cohorts")


def values(workspace, section, cell="seed = 1\nthreshold = 0.5"):
    text = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(text.replace("cohort: {}", f"cohort: {section}"))
    told = declared({"cells": [{"metadata": {"tags": ["parameters"]}, "source": cell}]}, "nb")
    return parameters(stage("cohort"), None, params=load_params(workspace), declared=told)


def test_parameters_come_from_the_stages_section_and_the_common_names_it_declares(workspace):
    assert values(workspace, "{threshold: 1}") == {"threshold": 1, "seed": 2015}


def test_an_unknown_parameter_is_told_with_those_the_notebook_declares(workspace):
    with pytest.raises(StageError, match=r"thresold is not declared by .* seed, threshold"):
        values(workspace, "{thresold: 1}")


def test_a_missing_parameter_is_told_by_its_name(workspace):
    with pytest.raises(StageError, match="threshold is missing"):
        values(workspace, "{}")


def test_a_parameter_whose_name_is_code_is_refused(workspace):
    with pytest.raises(StageError, match="lower-case letters"):
        values(workspace, "{'a=1;import os': 1}")


def test_a_parameter_of_another_type_than_its_default_is_refused(workspace):
    with pytest.raises(StageError, match="must be float, is str"):
        values(workspace, "{threshold: high}")


@pytest.mark.parametrize("cell", ["x = open('a')", "import os", "x = y", "f()"])
def test_the_parameters_cell_holds_literals_and_nothing_that_runs(workspace, cell):
    with pytest.raises(StageError, match="literal"):
        values(workspace, "{}", cell)


def test_an_item_that_params_does_not_list_is_refused_with_the_list(notebook, workspace):
    notebook()
    (workspace / "notebooks/03_cohort.ipynb").rename(workspace / "notebooks/08_findings.ipynb")
    with pytest.raises(LeapError, match="leap, partners, funder"):
        run_stage("findings", "public", root=workspace)


def test_outcomes_are_opened_by_stage_06_and_by_no_stage_before_it():
    before = [s for s in STAGES if s.number < 6 and s.name != "ingest"]
    assert not [r for s in before for r in s.reads if "outcomes" in r]


@pytest.mark.parametrize(
    ("place", "said", "words"),
    [
        ("data/extracts/rows.ipynb", "go\n", "is not its own"),
        ("work/notebooks/08_findings-leap.ipynb", "", "did not end"),
    ],
)
def test_the_maker_of_a_page_opens_no_file_of_another_stage_and_waits_for_the_runners_word(
    workspace, place, said, words
):
    (workspace / place).parent.mkdir(parents=True)
    (workspace / place).write_text("{}")
    (workspace / "release").mkdir()
    (workspace / "release/manifest.json").write_text("{}")
    room = environment(stage("findings"), "leap", workspace, workspace)
    outs = [str(workspace / f"release/leap.{kind}") for kind in ("html", "pdf")]
    command = [sys.executable, "-m", "leap_eval.findings", place, "release", "leap", *outs]
    told = subprocess.run(
        command, cwd=workspace, env=room, input=said, capture_output=True, text=True, check=False
    )
    assert told.returncode == 21
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not any((workspace / out).exists() for out in outs)


def test_the_journal_of_runs_holds_the_clock_so_that_no_result_has_to(notebook):
    workspace = notebook("print(1)")
    run_stage("cohort", root=workspace)
    assert json.loads((workspace / "work/runs.jsonl").read_text())["stage"] == "cohort"
