"""The engine counts the breaches of a contract: no message can quote a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from leap_eval.contracts.declare import Column, Contract
from leap_eval.errors import ContractError

if TYPE_CHECKING:
    import ibis.expr.types as ir

AnyTable = TypeVar("AnyTable")


def check(table: AnyTable, contract: Contract) -> AnyTable:
    """Return `table` as it came, or raise with a line for each broken column.

    Takes an Ibis table, a pandas frame or an Arrow table.
    """
    asked = _asked(table)
    broken = _names(asked, contract) or _cells(asked, contract) + _repeats(asked, contract)
    if broken:
        heading = f"{contract.name} breaks its contract; mend the step that made it:"
        raise ContractError("\n  ".join([heading, *broken]))
    return table


def _asked(table: Any) -> ir.Table:
    import ibis

    return table if isinstance(table, ibis.Table) else ibis.memtable(table)


def _kind(dtype: Any) -> str:
    for kind, test in (
        ("bool", dtype.is_boolean()),
        ("int", dtype.is_integer()),
        ("float", dtype.is_floating() or dtype.is_decimal()),
        ("date", dtype.is_date()),
        ("str", dtype.is_string()),
    ):
        if test:
            return kind
    return "timestamp" if dtype.is_timestamp() else "other"


def _names(table: ir.Table, contract: Contract) -> list[str]:
    schema = table.schema()
    broken = [f"{c}: is missing" for c in contract.columns if c not in schema]
    for place, (name, dtype) in enumerate(schema.items(), start=1):
        column = contract.column(name)
        # A surplus column is told by its place: a lost header makes a child's row the names.
        if column is None:
            broken.append(f"column {place}: not in the contract")
        elif _kind(dtype) != column.kind and not dtype.is_null():
            broken.append(f"{name}: must be {column.kind}, is {_kind(dtype)}")
    return broken


def _good(cells: Any, column: Column) -> Any:
    # A rule of its own: a bare literal would not be a column and could not be counted.
    rules = [cells.notnull()]
    if column.kind == "float":
        rules.append(~cells.cast("float64").isnan())
    if column.among:
        rules.append(cells.isin(column.among))
    if column.shape:
        rules.append(cells.re_search(column.shape))
    if column.low is not None:
        rules.append(cells >= column.low)
    if column.high is not None:
        rules.append(cells <= column.high)
    good = rules[0]
    for rule in rules[1:]:
        good = good & rule
    return good | cells.isnull() if column.null else good.fill_null(False)


def _cells(table: ir.Table, contract: Contract) -> list[str]:
    declared = {name: contract.column(name) for name in table.columns}
    dtypes = table.schema()
    counts = {
        name: (
            table[name].isnull() if dtypes[name].is_null() else ~_good(table[name], column)
        ).sum()
        for name, column in declared.items()
        if column is not None and not (dtypes[name].is_null() and column.null)
    }
    # One count per column is all that leaves the engine: there is no cell to quote.
    found = table.aggregate(**counts).to_pyarrow().to_pylist()[0] if counts else {}
    return [f"{c}: must be {declared[c].meaning} ({n} are not)" for c, n in found.items() if n]  # type: ignore[union-attr]


def _repeats(table: ir.Table, contract: Contract) -> list[str]:
    if not contract.key:
        return []
    keys = table.select(*contract.key)
    repeats = int(table.count().to_pyarrow().as_py()) - int(
        keys.distinct().count().to_pyarrow().as_py()
    )
    return [f"{', '.join(contract.key)}: repeat ({repeats} rows)"] if repeats else []
