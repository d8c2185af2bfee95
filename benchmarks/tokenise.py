"""How many people a second and core become tokens: new, known, known in another file?

python benchmarks/tokenise.py FILE.csv [--people 15000]

Known: their rows were made before in this process, as a child's are who comes every quarter.
"same": the same file again; "other": nine in ten of them, in another order, so that some who
shared a compound now bear it alone. CPU seconds of `tokens.tokenise`, the better of two. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time

import linkage
from token_attack import people_of

from leap_eval import tokens
from leap_eval.tokens.forms import Tier

KEY = bytes(32)


def pace(people: list[tokens.Person], tier: Tier) -> int:
    start = time.process_time()
    tokens.tokenise(people, KEY, tier)
    return round(len(people) / (time.process_time() - start))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--people", type=int, default=15_000)
    told = parser.parse_args()
    people = people_of(linkage.read(told.file))[: told.people]
    tokens.tokenise([tokens.Person()], KEY, "A")  # loads what is loaded once
    made = {}
    for tier in ("A", "AB"):
        draw, new = random.Random(1), pace(people, tier)
        same = max(pace(people, tier) for _ in range(2))
        other = [draw.sample(people, 9 * len(people) // 10) for _ in range(2)]
        known = {"same": same, "other": max(pace(some, tier) for some in other)}
        made[tier] = {"new": new, "known": known}
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"people": len(people), **made, "peak_mib": mib}))


if __name__ == "__main__":
    main()
