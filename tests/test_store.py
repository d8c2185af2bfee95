import hashlib
import json
import os

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_eval.contracts import DRAWS
from leap_eval.errors import ContractError, MissingInputError, StorageError
from leap_eval.store import files, rows, totals
from leap_eval.store.parquet import significant

KEYS = ["rk1_" + letter * 28 for letter in "cab"]
STUDY = "sid1_" + "a" * 28
DRAWN = pd.DataFrame({"draw": [1, 1, 1], "record_key": KEYS, "study_id": [STUDY] * 3})


def test_the_same_rows_in_another_order_give_the_same_bytes(workspace):
    rows.write(DRAWN, "one", DRAWS)
    rows.write(DRAWN.sample(frac=1, random_state=1), "two", DRAWS)
    one, two = (pq.read_table(workspace / f"work/{n}.parquet") for n in ("one", "two"))
    assert one.equals(two)
    assert one.column("record_key").to_pylist() == sorted(KEYS)


def test_a_row_level_file_keeps_no_statistics_that_repeat_a_key_in_clear(workspace):
    rows.write(DRAWN, "draws", DRAWS)
    group = pq.ParquetFile(workspace / "work/draws.parquet").metadata.row_group(0)
    assert all(group.column(i).statistics is None for i in range(group.num_columns))


@pytest.mark.requirement("R20")
def test_folders_that_hold_rows_are_closed_to_everybody_else(workspace):
    rows.write(DRAWN, "link/draws", DRAWS)
    assert (workspace / "work/link").stat().st_mode & 0o077 == 0


def test_a_table_that_breaks_its_contract_is_never_written(workspace):
    with pytest.raises(ContractError):
        rows.write(DRAWN.assign(study_id="Ann"), "draws", DRAWS)
    assert not (workspace / "work").exists()


def test_a_stage_run_before_its_input_exists_is_told_which_stage_makes_it(workspace):
    with pytest.raises(
        MissingInputError, match=r"work/link/draws\.parquet is not there; run `dvc repro link`"
    ):
        rows.read("link/draws", DRAWS)


def test_a_missing_data_folder_names_the_two_ways_to_fill_it(workspace):
    with pytest.raises(MissingInputError, match="leap-eval demo"):
        rows.filed("story_doorstep")
    with pytest.raises(MissingInputError, match="leap-eval receive"):
        rows.linkage()


def test_a_write_that_fails_leaves_what_was_there_and_no_half_of_the_new(workspace, monkeypatch):
    place = workspace / "results/a.json"
    totals.write_json({"n": 1}, "a")
    before = place.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StorageError, match="what was there stays"):
        totals.write_json({"n": 2}, "a")
    assert place.read_bytes() == before
    assert [p.name for p in place.parent.iterdir()] == ["a.json"]


def test_a_count_cannot_be_found_again_from_the_hash_of_its_file(workspace, monkeypatch):
    monkeypatch.setenv("LEAP_NONCE_KEY", "not known to the attacker")
    totals.write_json(7, "count")
    told = hashlib.md5((workspace / "results/count.json").read_bytes()).hexdigest()
    monkeypatch.setenv("LEAP_NONCE_KEY", "a guess")
    for guess in range(50):
        totals.write_json(guess, "count")
        assert hashlib.md5((workspace / "results/count.json").read_bytes()).hexdigest() != told


def test_the_size_of_a_result_tells_nothing_finer_than_four_kibibytes(workspace):
    totals.write_json(list(range(7)), "a")
    assert (workspace / "results/a.json").stat().st_size % 4096 == 0
    assert totals.read_json("a") == list(range(7))


def test_not_a_number_cannot_be_written_as_json(workspace):
    with pytest.raises(ValueError, match="not JSON compliant"):
        totals.write_json(float("nan"), "a")


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e200, max_value=1e200))
)
def test_rounding_keeps_nine_digits_and_is_stable_when_repeated(values):
    once = significant(np.array(values), 9)
    assert np.allclose(once, values, rtol=1e-8, atol=1e-250)
    assert np.array_equal(significant(once, 9), once)


def test_rounding_hides_the_last_bits_in_which_two_processors_differ():
    a, b = np.array([0.1 + 0.2, 1e5 / 3]), np.array([0.3, 1e5 / 3 * (1 + 2e-16)])
    assert np.array_equal(significant(a, 10), significant(b, 10))


def test_a_table_with_a_persons_column_is_never_looked_at():
    with pytest.raises(StorageError, match="never displayed"):
        totals.look(DRAWN)


def test_a_table_that_is_looked_at_says_the_same_bytes_each_time():
    shown = [
        totals.look(pd.DataFrame({"a": [1.23456, None]}), "<b>")._repr_html_() for _ in range(2)
    ]
    assert shown[0] == shown[1]
    assert "&lt;b&gt;" in shown[0]
    assert "1.235" in shown[0]


def test_a_release_cannot_be_written_outside_its_folder(workspace):
    with pytest.raises(StorageError, match="below release/"):
        totals.write_release({"../data/x.csv": b""})


def test_a_cube_comes_back_from_its_file_as_it_went_in(workspace):
    cube = pd.DataFrame(
        {"ward": ["a", "b"], "children": [11, 0], "families": [9, 0], "partners": [2, 0]}
    )
    totals.write_cube(cube, "reach")
    assert totals.read_cube("reach").equals(cube)


def test_the_workspace_is_found_from_any_folder_below_it(workspace, monkeypatch):
    monkeypatch.delenv("LEAP_ROOT")
    (workspace / "notebooks").mkdir()
    monkeypatch.chdir(workspace / "notebooks")
    assert files.root() == workspace


def test_a_folder_outside_any_workspace_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("LEAP_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="LEAP_ROOT"):
        files.root()


def test_json_is_written_with_sorted_keys_whatever_their_order(workspace):
    files.write_json("work/a.json", {"b": 1, "a": 2})
    assert list(json.loads((workspace / "work/a.json").read_text())) == ["a", "b"]
