"""Keep the code each stage depends on in step with what its notebook really imports.

`python tools/closure.py` prints the stages whose `deps` in dvc.yaml are out of step and
exits 1; `--write` mends them. Code deps are the import closure of the notebook and of
the runner, so that rewording a page does not link all children again.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from functools import lru_cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
BEGIN = "# code: the import closure (python tools/closure.py --write)"
END = "# end of code"
RUNNER = ("leap_eval.pipeline.run", "leap_eval.pipeline.kernel", "leap_eval.pipeline.engine")
PAGES = "leap_eval.findings.__main__"


@lru_cache(maxsize=1)
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("leap_eval")


def imported(notebook: Path) -> set[str]:
    """Return the modules of leap_eval that a notebook's cells import."""
    names = set()
    for cell in json.loads(notebook.read_bytes())["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        for node in ast.walk(ast.parse(source)) if cell["cell_type"] == "code" else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leap_eval"):
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
    return {name for name in names if name in graph().modules}


def closure(notebook: Path) -> list[str]:
    """Return the packages and modules whose change may change what the notebook does."""
    start = imported(notebook) | set(RUNNER)
    if notebook.name.startswith("08"):
        start.add(PAGES)
    modules = set(start)
    for name in start:
        modules |= graph().find_upstream_modules(name)
    parents = {
        ".".join(name.split(".")[:n]) for name in modules for n in range(1, name.count(".") + 1)
    }
    return sorted(set().union(*map(_places, modules | parents)))


def _places(module: str) -> set[str]:
    # A package counts as one: its folder holds the data its modules read, and the lock stays short.
    # Reference is a shelf: a stage depends on the lists it reads, so that a sentence of the
    # page is of no concern to the linkage.
    parts = module.split(".")
    top = "/".join(parts[:2])
    if top == "leap_eval":
        return {"src/leap_eval/__init__.py"}
    if parts[1] == "reference" and len(parts) > 2:
        shelf = "src/leap_eval/reference"
        source = (ROOT / shelf / f"{parts[2]}.py").read_text(encoding="utf-8")
        lists = re.findall(r'"([a-z0-9_]+\.(?:yaml|txt))"', source)
        return {f"{shelf}/{name}" for name in (f"{parts[2]}.py", *lists)}
    if parts[1] == "reference":
        return {"src/leap_eval/reference/__init__.py"}
    return {f"src/{top}" if (ROOT / "src" / top).is_dir() else f"src/{top}.py"}


def mended(text: str) -> str:
    """Return dvc.yaml with every block of code deps as the imports have it."""
    found = re.split(r"(?m)^(  [a-z]+:)$", text)
    for place in range(1, len(found) - 1, 2):
        name = found[place].strip(" :")
        notebooks = sorted((ROOT / "notebooks").glob(f"[0-9][0-9]_{name}.ipynb"))
        if notebooks:
            found[place + 1] = _block(found[place + 1], closure(notebooks[0]))
    return "".join(found)


def _block(stage: str, files: list[str]) -> str:
    def lines(match: re.Match[str]) -> str:
        indent = match.group(1)
        body = "".join(f"{indent}- {file}\n" for file in files)
        return f"{indent}{BEGIN}\n{body}{indent}{END}\n"

    return re.sub(rf"( *){re.escape(BEGIN)}\n(?:.*\n)*?\1{re.escape(END)}\n", lines, stage)


if __name__ == "__main__":
    path = ROOT / "dvc.yaml"
    before = path.read_text(encoding="utf-8")
    after = mended(before)
    if "--write" in sys.argv:
        path.write_text(after, encoding="utf-8")
    elif before != after:
        missing = sorted(set(after.splitlines()) ^ set(before.splitlines()))
        print("dvc.yaml is out of step; run `python tools/closure.py --write`:", *missing, sep="\n")
        sys.exit(1)
