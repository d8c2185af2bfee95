"""Parquet with the same bytes from the same rows: sorted, rounded, without statistics."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leap_eval.contracts import Contract
from leap_eval.store.files import nonce, write_bytes, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POWERS = np.array([float(f"1e{e}") for e in range(-300, 301)])


def significant(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Round to significant digits, so that the last bits of another processor do not show."""
    rounded = np.array(values, dtype=np.float64)
    usual = np.isfinite(rounded) & (np.abs(rounded) > 1e-250) & (np.abs(rounded) < 1e250)
    size = np.floor(np.log10(np.abs(rounded[usual]))).astype(int)
    shift = digits - 1 - size
    up, down = _POWERS[300 + np.maximum(shift, 0)], _POWERS[300 + np.maximum(-shift, 0)]
    rounded[usual] = np.rint(rounded[usual] * up / down) / up * down
    return rounded


def arrow(table: Any, contract: Contract) -> pa.Table:
    """Return an Ibis table, a pandas frame or an Arrow table as an Arrow table.

    pandas keeps whole numbers with gaps as floats: they become whole again where the contract
    says so and they are.
    """
    if hasattr(table, "to_pyarrow"):
        return table.to_pyarrow()
    told = (
        table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    )
    for place, name in enumerate(told.column_names):
        declared = contract.column(name)
        cells = told.column(place)
        if declared and declared.kind == "int" and pa.types.is_floating(cells.type):
            gaps = pc.if_else(pc.is_nan(cells), pa.scalar(None, cells.type), cells)
            whole = pc.all(pc.equal(gaps, pc.round(gaps))).as_py()
            told = told.set_column(
                place, name, gaps.cast(pa.int64()) if whole is not False else cells
            )
    return told


def _typed(table: pa.Table, contract: Contract, digits: int) -> pa.Table:
    types = {
        "str": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "date": pa.date32(),
    }
    for place, name in enumerate(table.column_names):
        declared = contract.column(name)
        cells = table.column(place).combine_chunks()
        if declared:
            cells = cells.cast(types[declared.kind])
        if pa.types.is_floating(cells.type):
            rounded = significant(cells.to_numpy(zero_copy_only=False), digits)
            cells = pa.array(rounded, mask=np.isnan(rounded))
        table = table.set_column(place, name, cells)
    return table


def plain(table: Any, contract: Contract, digits: int) -> pa.Table:
    """Return `table` as it is written: typed, sorted by the contract's key, floats rounded."""
    typed = _typed(arrow(table, contract), contract, digits)
    key = [c for c in contract.key if c in typed.column_names]
    order = key or [c for c in typed.column_names if pa.types.is_string(typed.schema.field(c).type)]
    typed = typed.sort_by([(c, "ascending") for c in order]) if order else typed
    return typed.replace_schema_metadata(None)


def write(table: Any, place: str, contract: Contract, digits: int) -> None:
    """Write `table` at `place`, sorted by the contract's key, floats rounded to `digits`."""
    typed = plain(table, contract, digits)
    bare = as_bytes(typed)
    write_bytes(
        written(place), as_bytes(typed.replace_schema_metadata({"leap_nonce": nonce(place, bare)}))
    )


def as_bytes(table: pa.Table) -> bytes:
    """Return the table as Parquet with the facts of its schema: the same bytes each time.

    Without Arrow's own schema pyarrow writes none of those facts: nonce, key ids, rates.
    """
    buffer = io.BytesIO()
    # Statistics would repeat the smallest and largest key in clear.
    told = {"compression": "zstd", "write_statistics": False, "store_schema": False}
    with pq.ParquetWriter(buffer, table.schema, **told) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(table.schema.metadata or {})
    return buffer.getvalue()
