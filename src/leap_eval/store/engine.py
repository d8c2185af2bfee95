"""The engine of stages 01 to 04, DuckDB or Spark, and what both must be asked in the same words."""

from __future__ import annotations

import os
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

from leap_eval.errors import SettingsError

if TYPE_CHECKING:
    import ibis.expr.types as ir

# One machine, plans that do not change with the data: the same rows in the same order.
SPARK = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.driver.memory": "4g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


@lru_cache(maxsize=1)
def engine() -> Any:
    """Return this process's engine, the one LEAP_ENGINE names: embedded DuckDB if it names none."""
    import ibis

    cores = os.environ.get("LEAP_ENGINE_THREADS", "2")
    if os.environ.get("LEAP_ENGINE", "duckdb") == "duckdb":
        return ibis.duckdb.connect(threads=int(cores))
    session = _session(cores)
    connection = ibis.pyspark.connect(session)
    ibis.set_backend(connection)  # tables made in memory go to it, too
    return connection


def _session(cores: str) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as missing:
        raise SettingsError(
            "params.yaml, common: engine is spark, and pyspark is not installed; "
            "`pip install leap-eval[spark]` and a Java runtime, or write duckdb"
        ) from missing
    builder = SparkSession.builder.master(f"local[{cores}]")
    for name, value in SPARK.items():
        builder = builder.config(name, value)
    for name in ("spark.sql.shuffle.partitions", "spark.default.parallelism"):
        builder = builder.config(name, cores)
    return builder.getOrCreate()


def opened(files: list[str]) -> ir.Table:
    """Open Parquet files of the same columns as one table."""
    if engine().name == "duckdb":
        return engine().read_parquet(files, union_by_name=True)
    return reduce(lambda a, b: a.union(b), [engine().read_parquet(f) for f in files])


def settled(table: ir.Table) -> ir.Table:
    """Return the table computed, so that what follows does not compute it again for each use."""
    import ibis

    if engine().name == "duckdb":
        return ibis.memtable(table.to_pyarrow())
    # A view knows the tables made in memory, which a cache alone does not find; counting fills it.
    kept = engine().create_view(ibis.util.gen_name("settled"), table).cache()
    kept.count().execute()
    return kept


def turn(by: Any, *order: Any) -> Any:
    """Return each row's place among those alike in `by`: an ordered first that all engines know."""
    import ibis

    return ibis.row_number().over(group_by=by, order_by=list(order))


def earliest(table: ir.Table, column: str) -> Any:
    """Return the aggregate: the first known cell of `column` by the table's `turn`."""
    return table[column].argmin(table["turn"], where=table[column].notnull())


def latest(table: ir.Table, column: str) -> Any:
    """Return the aggregate: the last known cell of `column` by the table's `turn`."""
    return table[column].argmax(table["turn"], where=table[column].notnull())
