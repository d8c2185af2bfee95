"""The table of stages: the one place that names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leap_eval.errors import StageError

# What the desk shares with the stages' rooms, so that the same cell gives the same output.
SHARED = {
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "SOURCE_DATE_EPOCH": "0",
    "MATPLOTLIBRC": str(Path(__file__).parent / "matplotlibrc"),
}
EXPLORE_KERNEL = "leap-explore"


@dataclass(frozen=True, slots=True)
class Stage:
    """One room of the house: its number, the list it runs over, what it may open."""

    name: str
    number: int
    item: str | None  # the word of one run's item; its list in params.yaml is the plural
    keys: bool
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def notebook(self) -> str:
        """The notebook's place: number = order, name = idea."""
        return f"notebooks/{self.number:02d}_{self.name}.ipynb"

    def executed(self, item: str | None) -> str:
        """The place of the executed notebook."""
        return f"work/notebooks/{self.number:02d}_{self.name}{f'-{item}' if item else ''}.ipynb"


STAGES = (
    Stage(
        "ingest",
        1,
        "partner",
        False,
        ("data/extracts", "agreements"),
        ("work/ingest", "results/ingest"),
    ),
    Stage(
        "link",
        2,
        None,
        True,
        ("data/linkage", "work/ingest", "agreements"),
        ("work/link", "results/link"),
    ),
    Stage("cohort", 3, None, False, ("work/ingest", "work/link"), ("work", "results/cubes")),
    Stage(
        "exposure",
        4,
        None,
        False,
        ("work/ingest", "work/link", "work/cohort.parquet"),
        ("work", "results/cubes"),
    ),
    Stage(
        "design",
        5,
        None,
        False,
        ("work/cohort.parquet", "work/exposure.parquet"),
        ("work", "results/design"),
    ),
    Stage(
        "effects",
        6,
        "outcome",
        False,
        ("work/ingest", "work/link", "work/design.parquet", "results/design"),
        ("results/effects", "results/cubes"),
    ),
    Stage(
        "disclose", 7, None, False, ("results", ".leap/releases"), ("release", "results/disclosure")
    ),
    Stage("findings", 8, "audience", False, ("release",), ("release",)),
)


def stage(name: str) -> Stage:
    """Return the stage of this name, or say which there are."""
    found = next((s for s in STAGES if s.name == name), None)
    if found is None:
        raise StageError(
            f"leap-eval run: {name} is no stage; there are {', '.join(s.name for s in STAGES)}"
        )
    return found


def exploratory(notebook: dict[str, Any]) -> bool:
    """Tell whether a notebook is one of `leap-eval explore`: never a stage, never a page."""
    metadata = notebook.get("metadata", {})
    kernel = metadata.get("kernelspec", {}).get("name")
    status = metadata.get("leap", {}).get("status")
    return bool(kernel == EXPLORE_KERNEL or status == "exploratory")
