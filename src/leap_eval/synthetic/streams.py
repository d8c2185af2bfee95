"""Every random number comes from here: one named stream per drawn quantity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def stream(seed: int, name: str, borough: int = 0) -> np.random.Generator:
    """Return the stream of a name: no other name, order or process can shift it."""
    digest = hashlib.sha256(name.encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4))
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(*words, borough)))
    )


@dataclass(frozen=True, slots=True)
class Luck:
    """The luck of one borough: draws by name, whole columns at a time."""

    seed: int
    borough: int = 0

    def uniform(self, name: str, *shape: int) -> Floats:
        """Return uniform numbers in [0, 1)."""
        return stream(self.seed, name, self.borough).random(shape)

    def normal(self, name: str, *shape: int) -> Floats:
        """Return standard normal numbers, made from uniform ones."""
        return np.asarray(ndtri(np.clip(self.uniform(name, *shape), 1e-12, 1 - 1e-12)))

    def exponential(self, name: str, *shape: int) -> Floats:
        """Return exponential numbers of mean 1."""
        return -np.log1p(-self.uniform(name, *shape))

    def true(self, name: str, chance: Floats | float, *shape: int) -> NDArray[np.bool_]:
        """Return true with the given chance."""
        return np.asarray(self.uniform(name, *shape) < chance)
