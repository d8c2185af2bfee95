from datetime import date

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_eval.contracts import ALL, COHORT, CUBE, DRAWS, check
from leap_eval.errors import ContractError

ANN, BEN = "sid1_" + "a" * 28, "sid1_" + "b" * 28
RECORD = "rk1_" + "c" * 28


def draws(**changes):
    row = {"draw": 1, "record_key": RECORD, "study_id": ANN} | changes
    return pd.DataFrame([row])


def refusal(table, contract=DRAWS):
    with pytest.raises(ContractError) as refused:
        check(table, contract)
    return str(refused.value)


@pytest.mark.parametrize("form", [pd.DataFrame, pa.Table.from_pandas, ibis.memtable])
def test_a_table_that_keeps_its_contract_comes_back_as_it_came(form):
    table = form(draws())
    assert check(table, DRAWS) is table


def test_a_missing_column_is_named_by_the_contracts_own_word():
    assert "study_id: is missing" in refusal(draws().drop(columns="study_id"))


def test_a_surplus_column_is_told_by_its_place_because_a_lost_header_makes_a_row_the_names():
    told = refusal(draws().assign(Amara=1))
    assert "column 4: not in the contract" in told
    assert "Amara" not in told


def test_a_wrong_type_is_told_with_both_types():
    assert "draw: must be int, is str" in refusal(draws(draw="one"))


def test_a_repeated_key_is_counted_but_never_shown():
    told = refusal(pd.concat([draws(), draws()]))
    assert "draw, record_key: repeat (1 rows)" in told
    assert RECORD not in told


@given(st.text(min_size=4, max_size=30).filter(lambda t: not t.startswith("sid1_")))
def test_no_message_ever_quotes_a_cell_of_the_table(cell):
    told = refusal(draws(study_id=cell))
    assert told == (
        "draws breaks its contract; mend the step that made it:\n"
        "  study_id: must be the pseudonym of one person in this project (1 are not)"
    )


def test_a_float_that_is_not_a_number_breaks_a_rule_although_nan_exceeds_zero_for_the_engine():
    cube = pd.DataFrame({"ward": ["a"], "children": [1], "families": [1], "partners": [1]})
    check(cube, CUBE)
    assert "children: must be" in refusal(cube.assign(children=[-1]), CUBE)


def test_a_column_known_by_the_shape_of_its_name_is_held_to_its_family():
    assert COHORT.column("m12_x_deprivation").kind == "float"
    assert COHORT.column("m12_eligible").kind == "bool"
    assert COHORT.column("favourite_colour") is None


def test_a_date_column_that_holds_text_is_refused():
    table = pd.DataFrame({"a": [date(2020, 1, 1)]})
    assert "must be" in refusal(table.rename(columns={"a": "draw"}))


def test_every_contract_tells_what_a_row_and_each_column_means():
    assert all(c.row and all(column.meaning for column in c.columns.values()) for c in ALL)
