"""The findings notebook as papermill leaves it, made without a kernel."""

import json
from pathlib import Path

from leap_eval.findings import blocks

ROOT = Path(__file__).parents[1]
FACTS = {
    "contact": "DataProtection@example.org",
    "starts": "2015-04-01",
    "ends": "2025-03-31",
    "state": "demo",
}


def executed(audience="leap"):
    """Run the notebook's cells by hand, and keep what they display."""
    notebook = json.loads((ROOT / "notebooks/08_findings.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = _shown("".join(cell["source"]))
    return notebook


def _shown(source):
    told = []
    for line in source.splitlines():
        text = (
            line.removeprefix("display(").removesuffix(")") if line.startswith("display(") else line
        )
        if text.startswith("blocks."):
            told.append(output(eval(text, {"blocks": blocks})))  # noqa: S307 - our own committed notebook
    return told


def output(block):
    return {"output_type": "display_data", "metadata": {}, "data": block._repr_mimebundle_()}


def code(*outputs):
    return {"cell_type": "code", "metadata": {}, "source": "", "outputs": list(outputs)}


def prose(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def notebook(*cells):
    return {"cells": [prose("# title"), *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
