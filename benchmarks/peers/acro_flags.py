"""What ACRO says of tables: runs in an environment of its own, reads JSON, writes JSON.

ACRO pins pandas below ours, so `benchmarks/disclosure.py --acro` calls this file with
another interpreter (`make bench-acro` builds it). In: {"threshold", "tables": [{"name", "rows",
"columns", "values" or null, "how", "suppress"}]}. Out: {name: {"flags", "shown"}}.
"""

import json
import logging
import sys
import warnings

import pandas as pd

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

from acro import ACRO  # noqa: E402 - after its noise is switched off

CHECKS = {"MinimumThresholdCheck": "threshold", "PPercentCheck": "p", "NKCheck": "nk"}


def asked(session: ACRO, table: dict) -> dict:
    """Return ACRO's flags, cell by cell, and the table it would let out."""
    rows, columns = (pd.Series(table[k], name=k) for k in ("rows", "columns"))
    values = None if table["values"] is None else pd.Series(table["values"], dtype=float)
    shown = session.crosstab(rows, columns, values=values, aggfunc=table["how"])
    outcome = session.results.get_index(-1).outcome
    flags = {
        f"{row}|{column}": sorted(
            w for c, w in CHECKS.items() if c in str(outcome.loc[row, column])
        )
        for row in outcome.index
        for column in outcome.columns
    }
    cells = shown.stack(future_stack=True)
    told = {f"{a}|{b}": None if pd.isna(v) else float(v) for (a, b), v in cells.items()}
    return {"flags": flags, "shown": told}


def main() -> None:
    """Answer every table of the question on stdin."""
    question = json.load(sys.stdin)
    made = {}
    for table in question["tables"]:
        session = ACRO(suppress=table["suppress"])
        session.sdc_checks.risk_appetite["safe_threshold"] = question["threshold"]
        made[table["name"]] = asked(session, table)
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
