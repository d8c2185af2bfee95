import csv
import json
import random
import subprocess
import sys

import pytest
from link_world import children, typed


@pytest.fixture
def linkage(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    import linkage

    return linkage


def written(path, rows, columns=("id", "given_name", "surname", "date_of_birth", "postcode")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return str(path)


def test_files_nobody_has_seen_are_linked_without_their_truth_and_scored_in_one_line(
    root, tmp_path
):
    draw, held = random.Random(5), children(60)
    left, right = ([(f"{side}{c[0]}", *typed(c, draw)[1:], "x") for c in held] for side in "lr")
    names = ("id", "given_name", "surname", "date_of_birth", "postcode", "shoe_size")
    told = ["--left", written(tmp_path / "l.csv", left, names)]
    told += ["--right", written(tmp_path / "r.csv", right[:50], names)]
    true = [(f"l{c[0]}", f"r{c[0]}") for c in held[:50]]
    told += ["--truth", written(tmp_path / "t.csv", true, ("left_id", "right_id"))]
    script = str(root / "benchmarks/linkage.py")
    done = subprocess.run([sys.executable, script, *told], capture_output=True, text=True)
    made = json.loads(done.stdout.splitlines()[-1])
    assert made["f1"] > 0.9
    assert made["block_recall"] >= made["recall"]
    assert "ignored shoe_size" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"id,given_name\n1,\xff\n", "UTF-8"),
        (b"id,given_name\n1,a,b\n", "more cells than the header"),
        (b"given_name\na\n", "no column id"),
        (b"id,shoe_size\n1,2\n", "none of given_name"),
        (b"id,given_name\n1,a\n1,b\n", "stands twice"),
        (b"", "no column id"),
    ],
)
def test_a_file_that_cannot_be_linked_is_refused_in_one_sentence(linkage, tmp_path, text, told):
    path = tmp_path / "odd.csv"
    path.write_bytes(text)
    with pytest.raises(SystemExit, match=told):
        linkage.read_all([str(path)], [])


def test_pairs_within_groups_are_scored_against_all_true_pairs(linkage):
    true = linkage.pairs_in(["a", "b", "c"])
    made = linkage.scored({"groups": [["a", "b"], ["c", "d"]]}, true)
    assert (made["precision"], made["recall"]) == (0.5, 0.3333)
    assert linkage.scored({"groups": []}, set())["f1"] is None
