"""Time and portrait of the pretend LEAP; one JSON line.

python benchmarks/world.py --seeds 2015:2018 --children 15000 --scenario demo
"""

import argparse
import json
import resource
import time

from leap_eval.synthetic import draw, planted, portrait, records


def main() -> None:
    """Draw each seed, and print what it took and what it looks like."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--seeds", default="2015:2018")
    ask.add_argument("--children", type=int, default=15_000)
    ask.add_argument("--scenario", default="demo")
    told = ask.parse_args()
    first, last = map(int, told.seeds.split(":"))
    begun, cpu, figures = time.monotonic(), time.process_time(), {}
    for seed in range(first, last):
        world = draw(planted(told.scenario), seed, told.children)
        figures[seed] = portrait(world, records(world))
    print(
        json.dumps(
            {
                "seconds": round(time.monotonic() - begun, 1),
                "cpu_seconds": round(time.process_time() - cpu, 1),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "portrait": figures,
            }
        )
    )


main()
