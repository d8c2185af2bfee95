"""Solve the monthly log hazards so that each service reaches its target; print theta.yaml.

python tools/calibrate_uptake.py > /tmp/theta.yaml   # then into synthetic/scenarios/
"""

import sys

import numpy as np

from leap_eval.synthetic.planted import planted
from leap_eval.synthetic.uptake import NEVER
from leap_eval.synthetic.world import draw


def main(rounds: int = 14) -> None:
    """Iterate log ratios over two worlds."""
    p = planted("demo")
    for turn in range(rounds):
        begun = np.mean(
            [(draw(p, seed).starts != NEVER).sum(axis=0) for seed in (2015, 2016)], axis=0
        )
        target = np.array([s.target for s in p.services.values()])
        step = np.log(target / np.maximum(begun, 1))
        sys.stderr.write(
            f"round {turn}: worst {np.abs(step).max():.3f}, "
            f"{dict(zip(p.services, begun.astype(int).tolist(), strict=True))}\n"
        )
        theta = {s: round(t + 1.2 * d, 4) for (s, t), d in zip(p.theta.items(), step, strict=True)}
        p = p.model_copy(update={"theta": theta})
    sys.stdout.write("# Solved by tools/calibrate_uptake.py: monthly log hazard of each service.\n")
    sys.stdout.write("".join(f"{s}: {t}\n" for s, t in p.theta.items()))


main()
