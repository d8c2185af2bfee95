"""The rules that notebooks keep, so that they stay something an evaluator can read."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import yaml

from leap_eval.pipeline.parameters import declared
from leap_eval.pipeline.stages import STAGES, Stage
from leap_eval.settings import Params, load_params

MOST_LINES, MOST_CELLS = 8, 25
LOGIC = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.AsyncFor,
    ast.While, ast.If, ast.Try, ast.With, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def breaches(root: Path) -> list[str]:
    """Return every broken rule of the notebooks and of dvc.yaml's lists, as lines."""
    params = load_params(root)
    found = [line for stage in STAGES for line in _notebook(root, stage, params)]
    return found + _partners(root, params)


def _notebook(root: Path, stage: Stage, params: Params) -> list[str]:
    path = root / stage.notebook
    if not path.is_file():
        return [f"{stage.notebook}: is not there; restore it from git"]
    notebook = json.loads(path.read_bytes())
    cells = notebook["cells"]
    found = [f"{stage.notebook}: has {len(cells)} cells; keep to {MOST_CELLS}"] * (
        len(cells) > MOST_CELLS
    )
    for number, cell in enumerate(cells, start=1):
        place = f"{stage.notebook}, cell {number}"
        prefix = f"{stage.number:02d}-{stage.name}-"
        if not cell.get("id", "").startswith(prefix):
            found.append(f"{place}: its id must start with {prefix}")
        if cell["cell_type"] == "code":
            found += [f"{place}: {fault}" for fault in _code(cell)]
    return found + _defaults(notebook, stage, params)


def _code(cell: dict[str, Any]) -> list[str]:
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    found = []
    if cell.get("outputs") or cell.get("execution_count"):
        found.append("is committed with outputs; run `nbstripout` on it")
    if len([line for line in source.splitlines() if line.strip()]) > MOST_LINES:
        found.append(f"has more than {MOST_LINES} lines; move logic into src/leap_eval")
    if any(line.lstrip().startswith(("%", "!")) for line in source.splitlines()):
        return [*found, "holds % or !; a stage runs Python only"]
    if any(isinstance(node, LOGIC) for node in ast.walk(ast.parse(source))):
        found.append("holds logic (def, for, if, ...); move it into src/leap_eval")
    return found


def _defaults(notebook: dict[str, Any], stage: Stage, params: Params) -> list[str]:
    # Run All on the desk and `dvc repro` must do the same thing.
    values = json.loads(params.common.model_dump_json()) | params.stages.get(stage.name, {})
    return [
        f"{stage.notebook}: {name} differs from params.yaml; make them equal"
        for name, default in declared(notebook, stage.notebook).items()
        if name in values and values[name] != default
    ]


def _partners(root: Path, params: Params) -> list[str]:
    # DVC takes no list in `deps`, so stages name each partner's file.
    told = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    wanted = {
        "link": "persons", "cohort": "persons", "exposure": "contacts", "effects": "outcomes",
    }  # fmt: skip
    found = []
    for name, stem in wanted.items():
        stage = told[name].get("do", told[name])
        lines = [f"work/ingest/{partner}/{stem}.parquet" for partner in params.partners]
        missing = [line for line in lines if line not in stage["deps"]]
        found += [f"dvc.yaml, {name}, deps: add `- {line}`" for line in missing]
    return found
