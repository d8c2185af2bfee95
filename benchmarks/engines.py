"""Both engines on the same data: do stages 01 to 04 give the same tables, and how long?

    python benchmarks/engines.py [--partners healthy_table ...] [--stages ingest link ...]

Needs a finished run of the workspace, `pip install leap-eval[spark]` and a Java runtime. Each
engine works in a process of its own, as in the pipeline. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from typing import Any

from leap_eval import cohort, exposure, ingest
from leap_eval.agreements import load_programme
from leap_eval.contracts import (
    COHORT,
    CONTACTS,
    DRAWS,
    EDGES,
    EXPOSURE,
    LINKS,
    OUTCOMES,
    PERSONS,
    Contract,
)
from leap_eval.link import link
from leap_eval.settings import load_params
from leap_eval.settings.plan import load_plan
from leap_eval.store import parquet, root, rows
from leap_eval.store.keys import project_key

ENGINES = ("duckdb", "spark")
STAGES = ("ingest", "link", "cohort", "exposure")


def digest(table: Any, contract: Contract) -> str:
    """Return the SHA-256 of the table as it would be written."""
    told = parquet.plain(table, contract, rows.DIGITS)
    return hashlib.sha256(parquet.as_bytes(told)).hexdigest()


def ingested(partners: list[str]) -> dict[str, str]:
    """Run stage 01 for some partners."""
    as_at, found = load_params(root()).common.as_at, {}
    for partner in partners:
        sent = ingest.ingest(rows.filed(partner), as_at)
        told = {"persons": PERSONS, "contacts": CONTACTS, "outcomes": OUTCOMES}
        found |= {f"{partner}/{n}": digest(getattr(sent, n), c) for n, c in told.items()}
        found[f"{partner}/quality"] = aggregate(sent.quality)
    return found


def aggregate(told: Any) -> str:
    """Return the SHA-256 of a report of aggregates."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def linked(_partners: list[str]) -> dict[str, str]:
    """Run stage 02 on all partners: persons come from the engine, the rest is in memory."""
    persons, settings = rows.union("persons", PERSONS), {"seed": load_params(root()).common.seed}
    told = link(persons, rows.linkage(), settings, project_key(), rows.probes())
    tables = {"links": LINKS, "edges": EDGES, "draws": DRAWS}
    found = {n: digest(parquet.arrow(getattr(told, n), c), c) for n, c in tables.items()}
    reports = {n: aggregate(getattr(told, n)) for n in ("model", "quality", "bias")}
    return found | {f"link {n}": told for n, told in reports.items()}


def studied(_partners: list[str]) -> dict[str, str]:
    """Run stage 03 on the best links of the workspace; other draws take Spark too long."""
    plan, as_at = load_plan(root()), load_params(root()).common.as_at
    told = rows.union("persons", PERSONS), rows.union("contacts", CONTACTS)
    return {
        "cohort": digest(cohort.cohort(*told, rows.read("link/links", LINKS), plan, as_at), COHORT)
    }


def exposed(_partners: list[str]) -> dict[str, str]:
    """Run stage 04 on the cohort of the workspace."""
    plan, services = load_plan(root()), load_programme(root()).services
    children, contacts = rows.read("cohort", COHORT), rows.union("contacts", CONTACTS)
    links = rows.read("link/links", LINKS)
    told = exposure.attended(contacts, links, children, services)
    return {"exposure": digest(exposure.exposure(told, children, services, plan), EXPOSURE)}


def child(stages: list[str], partners: list[str]) -> dict[str, Any]:
    """Run the stages on this process's engine."""
    work = dict(zip(STAGES, (ingested, linked, studied, exposed), strict=True))
    seconds, tables = {}, {}
    for stage in stages:
        began = time.monotonic()
        tables |= work[stage](partners)
        seconds[stage] = round(time.monotonic() - began, 1)
    return {"tables": tables, "seconds": seconds}


def asked(engine: str, options: list[str]) -> dict[str, Any]:
    """Run this file once more on one engine, and return what it tells."""
    print(f"{engine} ...", file=sys.stderr)
    env = os.environ | {"LEAP_ENGINE": engine}
    command = [sys.executable, "-W", "ignore", __file__, "--child", *options]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Compare the engines, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partners", nargs="+", default=["healthy_table"])
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--quick", action="store_true", help="stage 01 alone")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    stages = ["ingest"] if told.quick else told.stages
    if told.child:
        print(json.dumps(child(stages, told.partners)))
        return
    options = ["--partners", *told.partners, "--stages", *stages]
    both = {engine: asked(engine, options) for engine in ENGINES}
    one, two = (both[e]["tables"] for e in ENGINES)
    differ = sorted(name for name in one if one[name] != two.get(name))
    seconds = {e: both[e]["seconds"] for e in ENGINES}
    print(json.dumps({"tables": len(one), "differ": differ, "seconds": seconds}))


if __name__ == "__main__":
    main()
