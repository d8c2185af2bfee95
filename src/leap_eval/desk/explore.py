"""Exploratory notebooks: stamped as what they are, and refused where findings are made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from leap_eval.errors import SettingsError
from leap_eval.pipeline.stages import EXPLORE_KERNEL
from leap_eval.store.files import write_bytes

NAME = r"[a-z][a-z0-9_]{1,40}"
FOLDER = "explore"
TITLE = """# EXPLORATORY: {title}

**Nobody has checked what stands here, and nothing of it may leave the room.** Outcomes have been
seen, so a difference found here is an idea for a plan, never a finding. `leap-eval run` and the
findings pages refuse this notebook, and every figure and table it shows is stamped."""
CELLS = (
    "## What do I want to know?\n\nOne question, and what I expect, before looking.",
    """from leap_eval.contracts import COHORT
from leap_eval.settings import load_params, load_plan
from leap_eval.store import root, rows, totals

params, plan = load_params(root()), load_plan(root())""",
    "## Look at groups, never at a child\n\nA table with a person's pseudonym does not display; "
    "count first. Small groups stay in this room, too.",
    """best = rows.frame("cohort", COHORT).query("draw == 0")   # the best links, not their draws
ward = best["ward"].fillna("not known")
counts = ward.value_counts().rename_axis("ward").reset_index(name="children")
totals.look(counts, "children by ward")""",
    """import matplotlib.pyplot as plt

plt.figure(figsize=(7.2, 5.6))
plt.barh(counts["ward"], counts["children"])
plt.title("Children by ward");""",
    "## What would make a finding of it\n\nWrite the comparison into `plan` of `params.yaml`, "
    "run `leap-eval plan freeze --why …`, then `dvc repro`. Because outcomes have been opened, "
    "the plan will stand as *amended*, and the pages say so.",
)


def begin(name: str, root: Path) -> Path:
    """Write explore/NAME.ipynb from the template, and return its place; never over another."""
    if not re.fullmatch(NAME, name):
        raise SettingsError("leap-eval explore: a name has lower-case letters, digits and _ only")
    place = root / FOLDER / f"{name}.ipynb"
    if place.exists():
        raise SettingsError(f"{FOLDER}/{name}.ipynb: is there already; open it, or choose a name")
    write_bytes(
        place,
        (json.dumps(template(name), sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode(),
    )
    return place


def template(name: str) -> dict[str, Any]:
    """Return an exploratory notebook about `name`, without outputs."""
    sources = (TITLE.format(title=name.replace("_", " ")), *CELLS)
    return {
        "cells": [_cell(source, number) for number, source in enumerate(sources, start=1)],
        "metadata": {
            "kernelspec": {
                "display_name": "leap (exploratory)",
                "language": "python",
                "name": EXPLORE_KERNEL,
            },
            "language_info": {"name": "python"},
            "leap": {"status": "exploratory"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(source: str, number: int) -> dict[str, Any]:
    text = source.startswith(("#", "**"))
    cell: dict[str, Any] = {
        "cell_type": "markdown" if text else "code",
        "id": f"explore-{number:02d}",
        "metadata": {},
        "source": source.splitlines(keepends=True),
    }
    return cell if text else cell | {"execution_count": None, "outputs": []}
