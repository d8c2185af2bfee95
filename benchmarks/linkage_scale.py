"""How long stage 02 takes and how much it holds when every child is known to every service.

python benchmarks/linkage_scale.py [--children 20000] [--services 25] [--share 1] [--slips .12]
       [--seed 1] [--again]

Children with names drawn by rank, and families who share surname and postcode, are known to
`--share` of the services; each record has slips of its own at `--slips`, so that a child has some
four sets of tokens. Every service is a partner of its own. Tokens are made before the clock
starts: that is the intake's work. `--again` links a second time, in a process of its own, and
compares the bytes of all that stage 02 hands on. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import linkage
import linkage_damage as damaged
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leap_eval import tokens
from leap_eval.link import link
from leap_eval.store.parquet import as_bytes
from leap_eval.store.rows import Tables
from leap_eval.synthetic.names import lists

CHUNK = 2_000


def children(count: int, draw: random.Random) -> list[dict[str, str]]:
    """Return children of invented families: one in three shares a home with another."""
    pools = sorted(p for p, kind in lists() if kind == "s")
    made: list[dict[str, str]] = []
    for number in range(count):
        pool = draw.choice(pools)
        surname, place = _ranked(lists()[pool, "s"], draw), f"SW{number % 9}{draw.randrange(9)}"
        home = f"{place}{draw.choice('CIKMOV')}{draw.choice('ABDEFGHJ')}"
        if made and draw.random() < 1 / 3:
            surname, home = made[-1]["surname"], made[-1]["postcode"]
        sex = draw.choice("fm")
        date = f"{draw.randrange(2015, 2020)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
        name = _ranked(lists()[pool, sex], draw)
        made.append({"given_name": name, "surname": surname, "date_of_birth": date,
                     "postcode": home, "sex": sex})  # fmt: skip
    return made


def _ranked(names: tuple[str, ...], draw: random.Random) -> str:
    return names[min(int(len(names) ** draw.random()), len(names)) - 1]


def district(told: argparse.Namespace, folder: Path) -> None:
    """Write persons and tokens at rest of all services to files, as the intake leaves them."""
    draw = random.Random(told.seed)
    rows = children(told.children, draw)
    homes = [r["postcode"] for r in rows]
    kept, held = list(rows), []
    for child, row in enumerate(rows):
        for service in range(told.services):
            if draw.random() < told.share:
                place = child
                if draw.random() < told.slips:
                    other = dict(row) | {"elsewhere": draw.choice(homes)}
                    damaged.slip(other, draw.choice(linkage.FIELDS), draw)
                    place = len(kept)
                    kept.append(other)
                held.append((service, child, place))
    table = _tokens(kept)
    persons = []
    for service in range(told.services):
        mine = [(child, place) for s, child, place in held if s == service]
        name = f"service_{service:02}"
        key = tokens.load_keys(None, "demo").record
        keys = [tokens.record_key(name, str(child), key) for child, _ in mine]
        named = table.take(pa.array([place for _, place in mine]))
        pq.write_table(
            named.append_column("record_key", pa.array(keys)), folder / f"{name}.parquet"
        )
        persons += [(k, name, kept[place]["sex"]) for k, (_, place) in zip(keys, mine, strict=True)]
    blank = {"role": "child", "family_key": None, "imd_decile": None}
    blank |= {"ethnicity_group5": "not_known", "home_language": "not_known"}
    columns = ["record_key", "partner", "sex"]
    pd.DataFrame(persons, columns=columns).assign(**blank).to_parquet(folder / "persons.parquet")


def _tokens(rows: list[dict[str, str]]) -> pa.Table:
    keys, people = tokens.load_keys(None, "demo"), [linkage.person(r) for r in rows]
    made = (tokens.tokenise(people[k : k + CHUNK], keys.link, "AB")
            for k in range(0, len(people), CHUNK))  # fmt: skip
    table = pa.concat_tables([tokens.at_rest(t, keys.store) for t in made])
    return table.append_column("tier", pa.array(["AB"] * len(rows)))


def one(told: argparse.Namespace) -> dict[str, Any]:
    """Link once, and tell how it went and the bytes of what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        # By a process of its own: what it held is not what stage 02 holds.
        maker = get_context("spawn").Process(target=district, args=(told, Path(folder)))
        maker.start()
        maker.join()
        persons = pd.read_parquet(Path(folder) / "persons.parquet")
        files = sorted(Path(folder).glob("service_*.parquet"))
        tables = Tables({(p.stem, "2019Q3"): p for p in files})
        start, cpu = time.perf_counter(), time.process_time()
        made = link(persons, tables, {"seed": told.seed}, tokens.load_keys(None, "demo").project)
        seconds = round(time.perf_counter() - start, 1)
    digest = hashlib.sha256()
    for frame in (made.links, made.edges, made.draws):
        digest.update(as_bytes(pa.Table.from_pandas(frame, preserve_index=False)))
    for report in (made.model, made.quality, made.bias):
        digest.update(json.dumps(report, sort_keys=True).encode())
    return {
        "children": told.children,
        "records": len(persons),
        "edges": len(made.edges),
        "people": int(made.links["study_id"].nunique()),
        "seconds": seconds,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "sha256": digest.hexdigest(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--children", type=int, default=20_000)
    parser.add_argument("--services", type=int, default=25)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--slips", type=float, default=0.12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    told = parser.parse_args()
    made = one(told)
    if told.again:
        words = [sys.executable, *(w for w in sys.argv if w != "--again")]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        second = json.loads(done.stdout.splitlines()[-1])
        made["same_bytes"] = second["sha256"] == made["sha256"]
    print(json.dumps(made))


if __name__ == "__main__":
    main()
