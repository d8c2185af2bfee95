import subprocess
import sys

import pytest

from leap_eval.cli import _place
from leap_eval.errors import MissingInputError, SettingsError, StageError


def leap(*words):
    command = [sys.executable, "-c", "from leap_eval.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "cohorts"), StageError.exit_code, "there are ingest"),
        (("run", "cohort", "--item", "leap"), MissingInputError.exit_code, "is not there"),
        (("check", "data"), MissingInputError.exit_code, "leap-eval demo"),
        (("run",), 2, "Missing argument"),
        (("dance",), 2, "No such command"),
    ],
)
def test_bad_input_ends_in_one_message_and_its_own_exit_code(workspace, words, code, says):
    told = leap(*words)
    assert told.returncode == code
    assert says in told.stderr
    assert "Traceback" not in told.stderr


def test_a_folder_that_is_no_workspace_is_told_where_to_go(tmp_path, monkeypatch):
    monkeypatch.delenv("LEAP_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    told = leap("run", "cohort")
    assert "params.yaml" in told.stderr
    assert "Traceback" not in told.stderr


def test_an_unknown_parameter_in_params_is_told_before_anything_runs(workspace):
    path = workspace / "params.yaml"
    path.write_text(path.read_text() + "\nthresold: 1\n")
    told = leap("run", "cohort")
    assert told.returncode == SettingsError.exit_code
    assert "thresold" in told.stderr


def test_an_unforeseen_error_tells_file_line_and_type_but_not_its_message():
    def fail():
        raise ValueError("Amara Okafor")

    with pytest.raises(ValueError, match="Amara") as caught:
        fail()
    told = _place(caught.value)
    assert "ValueError; report this line" in told
    assert "Amara" not in told


def test_help_teaches_what_each_verb_is_for():
    told = leap("--help")
    assert told.returncode == 0
    assert "make findings" in told.stdout
    assert "Run one STAGE" in told.stdout
