import pytest

from leap_eval.errors import SettingsError
from leap_eval.settings import load_params


def refusal(workspace, change):
    path = workspace / "params.yaml"
    path.write_text(change(path.read_text()))
    with pytest.raises(SettingsError) as refused:
        load_params(workspace)
    return str(refused.value)


def test_the_committed_parameters_are_read_whole(root):
    params = load_params(root)
    assert params.audiences == ("leap", "partners", "funder")
    assert set(params.stages) >= {"ingest", "findings"}


def test_an_unknown_key_is_refused_by_its_name(workspace):
    assert "seeed" in refusal(workspace, lambda text: text + "\nseeed: 3\n")


def test_a_key_that_stands_twice_is_refused_because_the_second_would_win(workspace):
    told = refusal(
        workspace, lambda text: text.replace("  engine: duckdb", "  seed: 1\n  engine: duckdb")
    )
    assert "seed stands twice" in told
    assert "params.yaml, line" in told


def test_an_engine_that_is_not_there_is_refused_with_those_that_are(workspace):
    told = refusal(workspace, lambda text: text.replace("engine: duckdb", "engine: oracle"))
    assert "duckdb" in told
    assert "oracle" not in told


def test_broken_yaml_is_told_by_its_line(workspace):
    assert "not well-formed" in refusal(workspace, lambda text: text + "\n  - [\n")


def test_a_missing_parameter_file_is_told_with_its_remedy(tmp_path):
    with pytest.raises(SettingsError, match="go to the workspace"):
        load_params(tmp_path)


def test_a_partner_that_stands_twice_is_refused(workspace):
    told = refusal(workspace, lambda text: text.replace("healthy_table]", "story_doorstep]"))
    assert "stands twice" in told
