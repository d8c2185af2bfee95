"""From params.yaml to the values of one run; nothing unknown, nothing missing, no surprise type."""

from __future__ import annotations

import ast
import keyword
import re
from datetime import date
from typing import TYPE_CHECKING, Any

from leap_eval.errors import StageError

if TYPE_CHECKING:
    from leap_eval.pipeline.stages import Stage
    from leap_eval.settings import Params

NAME = r"[a-z][a-z0-9_]{0,40}"
MOST = 30

Plain = str | int | float | bool | list[Any] | dict[str, Any] | None


def declared(notebook: dict[str, Any], place: str) -> dict[str, Plain]:
    """Return what the one cell tagged `parameters` assigns: literals only."""
    cells = [c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise StageError(f"{place}: must have one cell tagged `parameters`; it has {len(cells)}")
    source = cells[0]["source"]
    body = ast.parse(source if isinstance(source, str) else "".join(source)).body
    if len(body) > MOST or not all(_assignment(line) for line in body):
        raise StageError(
            f"{place}: the parameters cell holds up to {MOST} lines `name = literal` only"
        )
    return {line.targets[0].id: ast.literal_eval(line.value) for line in body}  # type: ignore[attr-defined]


def _assignment(line: ast.stmt) -> bool:
    simple = (
        isinstance(line, ast.Assign)
        and len(line.targets) == 1
        and isinstance(line.targets[0], ast.Name)
    )
    try:
        return simple and ast.literal_eval(line.value) is not NotImplemented  # type: ignore[attr-defined]
    except ValueError:
        return False


def parameters(
    stage: Stage, item: str | None, *, params: Params, declared: dict[str, Plain]
) -> dict[str, Plain]:
    """Return the values of one run: the stage's section, the item, the common names it declares."""
    own = dict(params.stages.get(stage.name, {}))
    common: dict[str, Any] = params.common.model_dump()
    place = f"params.yaml, {stage.name}"
    _named(own, place)
    if both := sorted(set(own) & set(common)):
        raise StageError(f"{place}: {both[0]} stands in common too; keep it in one place")
    values = own | ({stage.item: item} if stage.item else {})
    values |= {name: common[name] for name in common if name in declared}
    if unknown := sorted(set(values) - set(declared)):
        raise StageError(
            f"{place}: {unknown[0]} is not declared by {stage.notebook}; "
            f"it declares {', '.join(sorted(declared)) or 'nothing'}"
        )
    if missing := sorted(set(declared) - set(values)):
        raise StageError(f"{place}: {missing[0]} is missing; {stage.notebook} declares it")
    plain = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }
    for name in plain:
        _typed(name, plain[name], declared[name], place)
    return plain


def _named(own: dict[str, Any], place: str) -> None:
    import builtins

    # papermill quotes values, not names: a name is code.
    for name in own:
        if not re.fullmatch(NAME, str(name)) or keyword.iskeyword(name) or hasattr(builtins, name):
            raise StageError(f"{place}: a parameter name has lower-case letters, digits and _ only")


def _typed(name: str, value: Plain, default: Plain, place: str) -> None:
    number = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
    if type(value) is not type(default) and not number:
        raise StageError(
            f"{place}: {name} must be {type(default).__name__}, is {type(value).__name__}"
        )
