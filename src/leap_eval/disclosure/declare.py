"""What is declared: cubes of counts, tables over them, and what a release said of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Key = tuple[str, ...]
Nodes = Mapping[str, Mapping[str, tuple[str, ...]]]
ALL = "all"


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Counts of children at the finest codes; cubes of one population count the same children."""

    counts: pd.DataFrame
    dimensions: tuple[str, ...]
    membership: str = ""  # a dimension whose codes a child may have many of; beside it: `used`
    population: str = "children"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a table tells beside its counts: the sum or the mean of what each child contributes."""

    of: str  # the cube holds sum_OF, top1_OF and top2_OF
    mean: bool
    low: float  # what one child can contribute, at least and at most
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """A table: the product of its nodes, each a set of finest codes (none: every code)."""

    id: str
    cube: str
    nodes: Nodes
    skip: frozenset[Key] = frozenset()
    measure: Measure | None = None

    def keys(self) -> list[Key]:
        """Return the key of every published cell, in the order of its nodes."""
        every = ((self.id, *nodes) for nodes in product(*self.nodes.values()))
        return [key for key in every if key not in self.skip]


@dataclass(frozen=True, slots=True)
class Told:
    """What a page said of a cell: its value, its rounding's interval, or its marker's."""

    low: float
    high: float
    withheld: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """Outputs over cubes, and what was told of them; nothing yet of the one to be solved."""

    name: str
    outputs: tuple[Output, ...]
    cubes: Mapping[str, Cube]
    told: Mapping[Key, Told] = field(default_factory=dict)
    sums: Mapping[Key, Told] = field(default_factory=dict)  # of those shown
