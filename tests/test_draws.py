from datetime import date

import ibis
from test_cohort import ANN, AS_AT, BEN, key, link, person, table
from test_cohort import contact as visit

from leap_eval.agreements import load_programme
from leap_eval.cohort import cohort
from leap_eval.contracts import COHORT, CONTACTS, EXPOSURE, LINKS, PERSONS, check
from leap_eval.draws import LOOSE, STRICT, drawn
from leap_eval.exposure import attended, exposure
from leap_eval.settings.plan import load_plan

CAT = "sid1_" + "c" * 28
MUM, AUNT = "sid1_" + "m" * 28, "sid1_" + "n" * 28
NONE = ibis.schema({"draw": "int64", "record_key": "string", "study_id": "string"})


def told(links, *moved):
    rows = [{"draw": d, "record_key": key(r), "study_id": who} for d, r, who in moved]
    draws = ibis.memtable(rows, schema=NONE)
    return drawn(table(LINKS, links), draws).to_pyarrow().to_pylist()


def who(rows, number):
    """Records of each child or adult in a draw, by the letters of their names."""
    there = [r for r in rows if r["draw"] == number and r["present"]]
    names = sorted({r["study_id"] for r in there})
    return {n[5]: "".join(sorted(r["record_key"][4] for r in there if r["study_id"] == n))
            for n in names}  # fmt: skip


def adult(letter, study_id, family=ANN):
    return link(letter, study_id) | {"role": "adult", "family_id": "fid1_" + family[5:]}


ALL = [link("a", ANN), link("b", ANN), link("d", BEN), link("c", CAT)]


def test_a_record_that_moves_leaves_one_child_and_joins_the_other():
    rows = told(ALL, (1, "b", BEN), (2, "b", ANN))
    assert who(rows, 0) == {"a": "ab", "b": "d", "c": "c"}
    assert who(rows, 1) == {"a": "a", "b": "bd"}
    assert who(rows, 2) == {}


def test_a_child_that_a_draw_dissolves_stands_there_as_not_present():
    rows = told(ALL, (1, "d", ANN))
    assert who(rows, 1) == {"a": "abd"}
    assert {r["study_id"] for r in rows if not r["present"]} == {BEN + "@1"}


def test_a_record_that_joins_another_child_joins_that_childs_family():
    (row,) = [r for r in told(ALL, (3, "b", BEN)) if r["draw"] == 3 and r["record_key"] == key("b")]
    assert row["family_id"] == "fid1_" + BEN[5:] + "@3"


def test_sure_links_only_and_doubtful_links_too_are_two_more_draws():
    apart = ALL[1] | {"study_id_strict": CAT[:-1] + "d", "study_id_loose": BEN}
    rows = told([ALL[0], apart, *ALL[2:]])
    assert who(rows, STRICT) == {"a": "a", "c": "b"}
    assert who(rows, LOOSE) == {"a": "a", "b": "bd"}


def test_an_adults_record_that_moves_touches_the_children_of_both_families():
    adults = [adult("m", MUM), adult("n", AUNT, BEN)]
    rows = told([*ALL, *adults], (1, "n", MUM))
    assert who(rows, 1) == {"a": "ab", "b": "d", "m": "mn"}
    assert who(told([*ALL, *adults], (1, "n", AUNT)), 1) == {}


def test_stages_03_and_04_tell_each_draw_apart_and_leave_the_best_links_alone(root):
    plan, services = load_plan(root), load_programme(root).services
    persons = table(PERSONS, [person("a"), person("b"), person("d")])
    met = table(CONTACTS, [visit(date(2019, 2, 1), letter) for letter in "ad"]
                + [visit(date(2019, 6, 3), "b", service="chattertime")])  # fmt: skip
    plain = table(LINKS, ALL[:3])
    moved = ibis.memtable([{"draw": 1, "record_key": key("b"), "study_id": BEN}], schema=NONE)
    every = drawn(plain, moved)
    children = check(cohort(persons, met, every, plan, AS_AT), COHORT)
    wide = check(exposure(attended(met, every, children, services), children, services, plan),
                 EXPOSURE)  # fmt: skip
    combination = {
        (r["study_id"], r["draw"]): r["m12_g6_combination"] for r in wide.to_pyarrow().to_pylist()
    }
    assert combination == {
        (ANN, 0): "chattertime", (BEN, 0): "none", (ANN, 1): "none", (BEN, 1): "chattertime",
    }  # fmt: skip
    alone = cohort(persons, met, plain, plan, AS_AT)
    best = children.filter(children.draw == 0)
    assert best.select(*alone.columns).to_pyarrow().equals(alone.to_pyarrow())
