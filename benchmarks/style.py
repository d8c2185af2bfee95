"""The measured half of the style sheet (docs/quality.md): sizes, names, types, comments.

    python benchmarks/style.py [--package src/leap_eval] [--tests tests] [--notebooks notebooks]

Point it at another project for its column. Non-empty .py files; nested functions too; no
self or cls; public = no leading underscore; p90 = the sorted value at floor(0.9 n). One JSON line.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef


def p90(values: list[int]) -> int:
    """Return the sorted value at floor(0.9 n), 0 of none."""
    return sorted(values)[int(0.9 * len(values))] if values else 0


def sources(folder: Path) -> dict[Path, str]:
    """Return every non-empty Python file below a folder."""
    found = {p: p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*.py"))}
    return {p: text for p, text in found.items() if text.strip()}


def functions(text: str) -> list[Function]:
    """Return every function of a file, nested ones too."""
    return [n for n in ast.walk(ast.parse(text)) if isinstance(n, Function)]


def docstring_lines(node: Any) -> int:
    """Return how many lines the docstring of a node takes."""
    told = ast.get_docstring(node, clean=False)
    return told.count("\n") + 1 if told else 0


def lines(one: Function) -> int:
    """Return the lines of a function less its docstring."""
    return (one.end_lineno or one.lineno) - one.lineno + 1 - docstring_lines(one)


def arguments(one: Function) -> list[ast.arg]:
    """Return the arguments of a function but self and cls."""
    told = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
    told += [a for a in (one.args.vararg, one.args.kwarg) if a]
    return [a for a in told if a.arg not in ("self", "cls")]


def typed(one: Function) -> bool:
    """Tell whether every argument and the result carry a type."""
    return one.returns is not None and all(a.annotation for a in arguments(one))


def public(text: str) -> Iterator[Any]:
    """Yield the public functions, classes and methods of a file."""
    for node in ast.parse(text).body:
        if isinstance(node, (Function, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                methods = [n for n in node.body if isinstance(n, Function)]
                yield from (n for n in methods if not n.name.startswith("_"))


def comments(text: str) -> int:
    """Return how many comments a file holds."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def code_lines(text: str) -> int:
    """Return the lines of a file that are neither blank nor a comment."""
    told = [line.strip() for line in text.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in told)


def package(folder: Path) -> dict[str, Any]:
    """Measure a package."""
    texts = list(sources(folder).values())
    every = [one for text in texts for one in functions(text)]
    open_names = [one for text in texts for one in public(text)]
    sizes, taken = [len(t.splitlines()) for t in texts], [len(arguments(f)) for f in every]
    long, told = [lines(f) for f in every], [docstring_lines(n) for n in open_names]
    return {
        "modules": len(texts),
        "module_lines_median": median(sizes),
        "module_lines_max": max(sizes),
        "function_lines_median": median(long),
        "function_lines_p90": p90(long),
        "functions_over_40": sum(n > 40 for n in long),
        "arguments_p90": p90(taken),
        "arguments_max": max(taken),
        "public_with_docstring": round(sum(map(bool, told)) / len(told), 3),
        "docstring_lines_median": median([n for n in told if n]),
        "docstring_lines_p90": p90([n for n in told if n]),
        "fully_typed": round(sum(map(typed, every)) / len(every), 3),
        "comments_per_100": round(100 * sum(map(comments, texts)) / sum(map(code_lines, texts)), 1),
        "lines": sum(sizes),
    }


def tests(folder: Path, source_lines: int) -> dict[str, Any]:
    """Measure the tests."""
    texts = list(sources(folder).values())
    ours = [f for text in texts for f in functions(text) if f.name.startswith("test_")]
    words = [len(re.findall(r"[^_]+", f.name)) - 1 for f in ours]
    total = sum(len(t.splitlines()) for t in texts)
    return {
        "tests": len(ours),
        "test_to_source_lines": round(total / source_lines, 2),
        "test_lines_median": median(lines(f) for f in ours),
        "words_in_a_tests_name": median(words),
    }


def notebooks(folder: Path) -> dict[str, Any]:
    """Measure the notebooks."""
    told = [json.loads(p.read_bytes())["cells"] for p in sorted(folder.glob("*.ipynb"))]
    code = [c for cells in told for c in cells if c["cell_type"] == "code"]
    sizes = [len("".join(c["source"]).splitlines()) for c in code]
    return {
        "notebooks": len(told),
        "cell_lines_median": median(sizes),
        "cell_lines_max": max(sizes),
        "cells_with_outputs": sum(bool(c["outputs"]) for c in code),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, default=Path("src/leap_eval"))
    parser.add_argument("--tests", type=Path, default=Path("tests"))
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    parser.add_argument("--quick", action="store_true", help="as it is: it takes a second")
    asked = parser.parse_args()
    measured = package(asked.package)
    measured |= tests(asked.tests, measured["lines"]) | notebooks(asked.notebooks)
    print(json.dumps(measured))
