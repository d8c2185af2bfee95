"""The reference pages, made from the code itself.

`python tools/reference.py --write` writes docs/reference/*.md; without it the command
fails when a page is out of step. A test does the same.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from leap_eval import cli, contracts, errors
from leap_eval.agreements import agreement, people, programme
from leap_eval.disclosure import rules
from leap_eval.pipeline.stages import STAGES
from leap_eval.settings import params, plan

ROOT = Path(__file__).parents[1]
HOME = ROOT / "docs/reference"
SAMPLES = {
    "params.yaml": ("params.yaml",),
    "programme.yaml and people.yaml": ("programme.yaml",),
    "disclosure.yaml": ("disclosure.yaml",),
}
LIMITS = {
    "ge": "at least", "gt": "above", "le": "at most", "lt": "below", "pattern": "of the form",
    "min_length": "length at least", "max_length": "length at most",
}  # fmt: skip
NOTE = "Made from the code by `python tools/reference.py --write`; change the code, not this page."


def pages() -> dict[str, str]:
    """Return every reference page by its file name."""
    return {
        "commands.md": commands(),
        "params.md": settings(
            "params.yaml",
            "What evaluators may turn. Unknown and doubled keys are refused. Besides these keys "
            f"there is one section a stage ({', '.join(s.name for s in STAGES)}) whose names are "
            "the parameters that the stage's notebook declares.",
            (params.Params, params.Common, plan.Plan, plan.Frozen),
        ),
        "agreements.md": settings(
            "agreements/PARTNER.yaml",
            "Who may share what, on which basis, and how each column is read. A column `is` one of "
            f"{_words(agreement.CONTENT)}, or an identifier, which is used for keyed tokens in "
            f"memory and never filed: {_words(agreement.IDENTIFIERS)}.",
            (agreement.Agreement,),
        ),
        "programme.md": settings(
            "programme.yaml and people.yaml",
            "What the programme is, and who may do what. Every command reads the state first.",
            (programme.Programme, people.People),
        ),
        "disclosure.md": settings(
            "disclosure.yaml",
            "The rules of release. A key written there may only be stricter than its default.",
            (rules.Rules,),
        ),
        "tables.md": tables(),
        "errors.md": exits(),
    }


def commands() -> str:
    """Return the page of all verbs, as their own help tells them."""
    if not cli.app.registered_commands:
        cli._register()
    group = typer.main.get_command(cli.app)
    told = [_verb(f"leap-eval {name}", verb) for name, verb in sorted(_verbs(group))]
    lead = f"{NOTE}\n\nResults go to stdout, messages to stderr. [Exit codes](errors.md)"
    return "\n\n".join(["# Commands", lead, *told]) + "\n"


def _verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, verb in group.commands.items():
        if hasattr(verb, "commands"):
            yield from _verbs(verb, f"{before}{name} ")
        elif not verb.hidden:
            yield f"{before}{name}", verb


def _verb(name: str, verb: Any) -> str:
    rows = []
    for one in verb.params:
        if one.name != "help":
            option = one.opts[0].startswith("-")
            what = ", ".join(one.opts) if option else one.name.upper()
            silent = one.required or one.default in (None, False)
            default = "" if silent else f" (default {one.default})"
            rows.append(
                f"| `{what}` | {'required' if one.required else ''} | {one.help}{default} |"
            )
    table = ["", "| | | |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"## {name}", "", inspect.cleandoc(verb.help or ""), *table])


def settings(title: str, lead: str, models: tuple[type[BaseModel], ...]) -> str:
    """Return the page of a file that people write: every block and its keys."""
    sample = "\n".join(f.read_text() for f in (ROOT / n for n in SAMPLES.get(title, ())))
    told = [line for model in _all(models) for line in _model(model, sample)]
    return "\n".join([f"# {title}", "", NOTE, "", lead, *told]) + "\n"


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _all(models: tuple[type[BaseModel], ...]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for model in models:
        inner = [m for f in model.model_fields.values() for m in _models(f.annotation)]
        found += [m for m in (model, *_all(tuple(inner))) if m not in found]
    return found


def _models(told: Any) -> list[type[BaseModel]]:
    if isinstance(told, type) and issubclass(told, BaseModel):
        return [told]
    return [m for part in typing.get_args(told) for m in _models(part)]


def _model(model: type[BaseModel], sample: str) -> list[str]:
    doc = inspect.cleandoc(model.__doc__ or "")
    rows = [_key(model, name, field, sample) for name, field in model.model_fields.items()]
    head = ["| key | what it is | default | remark |", "|---|---|---|---|"]
    return ["", f"## {model.__name__}", "", doc, "", *head, *rows]


def _key(model: type[BaseModel], name: str, field: FieldInfo, sample: str) -> str:
    kind = ", ".join([_kind(field.annotation), *filter(None, map(_limit, field.metadata))])
    required = field.is_required()
    default = "required" if required else _plain(field.get_default(call_default_factory=True))
    remark = _remark(name, inspect.getsource(model)) or _remark(field.alias or name, sample)
    return f"| `{field.alias or name}` | {_cell(kind)} | {_cell(default)} | {_cell(remark)} |"


def _remark(name: str, text: str) -> str:
    """Return the comment that stands behind a key in the code or in the committed file."""
    found = re.search(rf"(?m)^ *{name}:.*?  +# (.+?)(?: \.\.\.)?$", text)
    return found.group(1) if found else ""


def _limit(part: Any) -> str:
    found = [f"{words} {told}" for k, words in LIMITS.items() if (told := getattr(part, k, None))]
    return ", ".join(found)


def _kind(told: Any) -> str:
    arguments = typing.get_args(told)
    origin = typing.get_origin(told)
    if origin is typing.Literal:
        return " \\| ".join(map(str, arguments))
    if origin is typing.Annotated:
        return ", ".join([_kind(arguments[0]), *filter(None, map(_limit, arguments[1:]))])
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_kind(a) for a in arguments if a is not type(None))
    if origin is tuple:
        return (
            ("list of " + _kind(arguments[0]))
            if Ellipsis in arguments
            else f"{len(arguments)} values"
        )
    if origin is dict:
        return f"{_kind(arguments[1])} by name"
    if origin is list:
        return "list of " + _kind(arguments[0])
    if isinstance(told, type) and issubclass(told, BaseModel):
        return f"[{told.__name__}](#{told.__name__.lower()})"
    names = {str: "text", int: "whole number", float: "number", bool: "yes or no", dict: "keys"}
    return names.get(told, getattr(told, "__name__", str(told)))


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "its own defaults"
    if isinstance(value, (tuple, dict)) and not value:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value) or "empty"


def _cell(text: str) -> str:
    return text if "\\|" in text else text.replace("|", "\\|")


def tables() -> str:
    """Return the data dictionary: every table that crosses a stage, column by column."""
    lead = "A table is whole or refused; a message counts breaches, it quotes none."
    return "\n\n".join([f"# Tables\n\n{NOTE}\n\n{lead}", *map(_table, contracts.ALL)]) + "\n"


def _table(one: contracts.Contract) -> str:
    where = "It holds rows of people." if one.personal else "It holds no person."
    key = f"Its key is {', '.join(f'`{k}`' for k in one.key)}. " if one.key else ""
    lead = f"{one.row[:1].upper()}{one.row[1:]}. {key}{where}"
    columns = [*one.columns.items(), *one.families]
    rows = [f"| `{_cell(name)}` | {c.kind} | {_cell(_meaning(c))} |" for name, c in columns]
    head = ["| column | type | meaning |", "|---|---|---|"]
    return "\n".join([f"## {one.name}", "", lead, "", *head, *rows])


def _meaning(column: contracts.Column) -> str:
    low, high = column.low, column.high
    parts = [
        column.meaning,
        f"one of {', '.join(column.among)}" if column.among else "",
        f"at least {low:g}" if low is not None else "",
        f"at most {high:g}" if high is not None else "",
        "may be missing" if column.null else "",
    ]
    return "; ".join(filter(None, parts))


def exits() -> str:
    """Return the exit codes, one a kind of trouble."""
    kinds = sorted(
        (k for _, k in inspect.getmembers(errors, inspect.isclass)), key=lambda k: k.exit_code
    )
    told = [
        "# Exit codes", "", NOTE, "",
        "A message says the place, the rule and the remedy; it never quotes partner data.", "",
        "| code | kind | when |", "|---|---|---|",
        "| 0 | | Done. |",
        "| 1 | | Unforeseen: file, line and type are told; report them. |",
        "| 2 | | The command was typed wrongly. |",
        *(f"| {k.exit_code} | `{k.__name__}` | {k.__doc__} |" for k in kinds),
    ]  # fmt: skip
    return "\n".join(told) + "\n"


def stale() -> list[str]:
    """Name the pages that are not what the code says."""
    held = {n: (HOME / n).read_text() if (HOME / n).is_file() else "" for n in pages()}
    return [name for name, text in pages().items() if held[name] != text]


if __name__ == "__main__":
    if "--write" in sys.argv:
        HOME.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            (HOME / name).write_text(text, encoding="utf-8")
    if old := stale():
        print(f"docs/reference: {', '.join(old)}: run `python tools/reference.py --write`")
        sys.exit(1)
