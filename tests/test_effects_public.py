"""The effects benchmark reads public sets of the documented form, and says what it leaves out."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import effects_public


def rows(seed, n=40):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.random(n) < 0.4, rng.normal(size=(n, 29))])


def test_files_with_and_without_a_header_row_are_read_alike(tmp_path):
    names = ["treatment", "y_factual", "y_cfactual", "mu0", "mu1", *(f"x{i}" for i in range(1, 26))]
    pd.DataFrame(rows(1)).to_csv(tmp_path / "ihdp_npci_1.csv", index=False, header=False)
    pd.DataFrame(rows(1), columns=names).to_csv(tmp_path / "ihdp_npci_2.csv", index=False)
    bare, named = effects_public.ihdp(tmp_path)
    assert np.array_equal(bare.x, named.x)
    assert bare.truth == named.truth == pytest.approx((rows(1)[:, 4] - rows(1)[:, 3]).mean())


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00,\n1", b"1,2,3\n"])
def test_a_file_of_another_form_is_named_and_the_others_are_read(tmp_path, capsys, content):
    (tmp_path / "ihdp_npci_7.csv").write_bytes(content)
    pd.DataFrame(rows(2)).to_csv(tmp_path / "ihdp_npci_8.csv", index=False, header=False)
    assert [s.name for s in effects_public.ihdp(tmp_path)] == ["ihdp_npci_8"]
    assert "ihdp_npci_7.csv" in capsys.readouterr().err


def test_an_estimator_sees_the_observed_outcome_and_never_the_other(tmp_path):
    table = pd.DataFrame({"z": [1, 0], "y0": [1.0, 2.0], "y1": [3.0, 4.0], "mu0": 0.0, "mu1": 1.0})
    table.to_csv(tmp_path / "zymu_1.csv", index=False)
    pd.DataFrame({"x_1": [0.1, 0.2], "x_2": ["A", "B"]}).to_csv(tmp_path / "x.csv", index=False)
    (one,) = effects_public.acic(tmp_path)
    assert one.y.tolist() == [3.0, 2.0]
    assert one.x.shape == (2, 2)


def test_a_folder_without_any_file_ends_with_exit_code_one(tmp_path):
    with pytest.raises(SystemExit, match="holds no ihdp_npci"):
        list(effects_public.ihdp(tmp_path))
