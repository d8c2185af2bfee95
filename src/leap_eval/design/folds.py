"""Folds that keep families together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def folds(
    family: npt.NDArray[np.str_], seed: int, k: int = 5, repeats: int = 1
) -> npt.NDArray[np.int8]:
    """Deal whole families into `k` folds, once per repeat: (repeats, n).

    Siblings share a home: one in training and one held out would leak.
    """
    names, place = np.unique(np.asarray(family, dtype=str), return_inverse=True)
    dealt = np.empty((repeats, len(place)), dtype=np.int8)
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(len(names))
        dealt[repeat] = (order % k)[place]
    return dealt
