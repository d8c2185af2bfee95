"""A stranger's table as the benchmark reads it: hierarchies, markers, totals, one clear error."""

import pytest

from leap_eval.disclosure import cells


@pytest.fixture(autouse=True)
def _benchmarks(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))


ROWS = ["region,county,kind,n", "a,1,x,12", "a,1,y,30", "b,1,x,7", "b,1,y,9", "c,2,x,40", "c,2,y,0"]


def told(tmp_path, rows, dims="region,kind", hierarchy=""):
    import disclosure_csv

    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows) + "\n")
    return disclosure_csv.read(path, dims, "n", hierarchy)


def test_a_hierarchy_adds_a_node_for_each_coarser_code_that_is_not_told_already(tmp_path):
    release, _, facts = told(tmp_path, ROWS, hierarchy="region<county")
    problem = cells.collect([release])
    assert problem.truth[problem.names["t0", "county 1", "x"]] == 19
    assert ("t0", "county 2", "x") not in problem.names
    assert facts == {"markers": 0, "rows": 6}


def test_a_marker_is_an_unknown_cell_and_no_sum_that_covers_it_is_asked_about(tmp_path):
    release, _, facts = told(tmp_path, [*ROWS[:3], "b,1,x,c", *ROWS[4:]])
    problem = cells.collect([release])
    assert facts["markers"] == 1
    assert ("t0", "b", "x") not in problem.names
    assert ("t0", "all", "x") not in problem.names
    assert problem.truth[problem.names["t0", "all", "y"]] == 39


def test_two_tables_of_the_same_children_share_their_cells(tmp_path):
    release, _, _ = told(tmp_path, ROWS, dims="region,kind;county,kind")
    problem = cells.collect([release])
    assert problem.names["t0", "all", "x"] == problem.names["t1", "all", "x"]
    assert problem.truth[problem.names["t1", "1", "x"]] == 19


def test_totals_in_the_file_are_margins_and_no_codes(tmp_path):
    release, _, facts = told(tmp_path, [*ROWS, "Total,Total,x,59"])
    assert facts["rows"] == 6
    assert "Total" not in release.outputs[0].nodes["region"]


@pytest.mark.parametrize(
    ("rows", "asked", "words"),
    [
        ([*ROWS, "d,2,x,-3"], {}, "line 8, column n: must be a number, 0 or more"),
        ([*ROWS, "d,2,x,many"], {}, "line 8, column n: must be a number"),
        ([*ROWS, "d,2,x,2.5"], {}, "line 8, column n: a count must be whole"),
        ([*ROWS, "Total,Total,x,60"], {}, "line 8: a total that its parts do not add up to"),
        (ROWS, {"dims": "region,sex"}, "has no column sex; it has region, county, kind, n"),
        ([*ROWS, "a,2,x,5"], {"hierarchy": "region<county"}, "stands in several of county"),
        (["region,county,kind,n", "Total,Total,x,5"], {}, "holds totals alone"),
    ],
)
def test_a_damaged_file_gets_one_clear_error_with_its_line(tmp_path, rows, asked, words):
    import disclosure_csv

    with pytest.raises(disclosure_csv.RefusedError, match=words):
        told(tmp_path, rows, **asked)
