"""What may stand on a page: blocks that name a released table, and checked prose."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leap_eval.errors import PageError
from leap_eval.findings.release import Release
from leap_eval.reference.labels import labels

MIME = "application/vnd.leap.block+json"
Kind = Literal[
    "headlines", "flow", "reach_map", "reach", "reach_groups", "sums", "upset", "forest", "synergy",
    "dose", "breadth", "equity", "gaps", "love", "checks", "quality", "withheld", "methods",
    "glossary", "limits", "provenance", "downloads",
]  # fmt: skip
NO_OUTPUT = {"withheld", "methods", "glossary", "limits", "provenance", "downloads"}
OUTPUTS = {  # what a kind may show; one that this release lacks leaves a sentence
    "flow": ("flow",), "reach_map": ("reach-ward",), "reach": ("reach",),
    "reach_groups": ("reach-group", "reach-imd"), "love": ("balance",), "checks": ("checks",),
    "sums": ("score-ward", "contacts-imd"),
    "upset": ("combinations-m12", "combinations-m24"),
    "quality": ("data-quality", "linkage-quality", "linkage-bias"),
    **dict.fromkeys(
        ("headlines", "forest", "synergy", "dose", "breadth", "equity", "gaps"), ("effects",)
    ),
}  # fmt: skip
PER_OUTCOME = {"forest", "synergy", "dose", "breadth", "equity"}
OPTION = r"^[a-z0-9_]{0,40}$"


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    kind: Kind
    output: str = Field(pattern=r"^[a-z0-9-]{0,40}$")
    option: str = Field(pattern=OPTION)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page: its kind, the released output it shows, one option from the plan."""

    kind: str
    output: str = ""
    option: str = ""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        told = {"kind": self.kind, "output": self.output, "option": self.option}
        return {MIME: told, "text/plain": f"{self.kind} {self.output} {self.option}".strip()}


@dataclass(frozen=True, slots=True)
class Prose:
    """A markdown cell, by its place in the notebook."""

    text: str
    cell: int = field(default=0)


def read_blocks(
    notebook: dict[str, Any], release: Release, audience: str
) -> tuple[Block | Prose, ...]:
    """Return what a page may show of an executed notebook; all else is dropped unread."""
    told: list[Block | Prose] = []
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "markdown":
            told.append(Prose(_text(cell["source"]), number))
        elif cell["cell_type"] == "code":
            told += [
                _block(data, number, release, audience)
                for output in cell.get("outputs", [])
                if output.get("output_type") in ("display_data", "execute_result")
                for data in [output.get("data", {}).get(MIME)]
                if data is not None
            ]
    return tuple(told)


def every_block(release: Release, audience: str) -> tuple[Block, ...]:
    """Return every block that may stand on this audience's page."""
    told = [Block(kind) for kind in sorted(NO_OUTPUT)]
    for kind, outputs in OUTPUTS.items():
        options = sorted(labels()["outcome"]) if kind in PER_OUTCOME else [""]
        shown = [o for o in outputs if o in release.ids(audience)]
        told += [Block(kind, output, option) for output in shown for option in options]
    return tuple(told)


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _block(data: Any, number: int, release: Release, audience: str) -> Block:
    plain = json.loads(data) if isinstance(data, str) else data
    try:
        told = _Told.model_validate(plain)
    except ValidationError:
        told = None
    place = f"notebooks/08_findings.ipynb, cell {number}"
    if told is None:
        raise PageError(f"{place}: not a block of a page; use the functions of findings.blocks")
    if told.kind in NO_OUTPUT:
        _kept(told.output == told.option == "", f"{place}: a block about the page names no table")
        return Block(told.kind)
    allowed = OUTPUTS[told.kind]
    _kept(
        told.output in allowed,
        f"{place}: this kind of block shows one of {', '.join(allowed)}",
    )
    if told.output in release.outputs:
        _kept(
            told.output in release.ids(audience)
            and release.outputs[told.output].line["verdict"] != "fail",
            f"{place}: shows a table that is not in this release for this audience; "
            f"it may be one of {', '.join(release.ids(audience))}",
        )
    options = set(labels()["outcome"]) if told.kind in PER_OUTCOME else {""}
    _kept(told.option in options, f"{place}: the option of a block must be an outcome of the plan")
    return Block(told.kind, told.output, told.option)


def _kept(holds: bool, rule: str) -> None:
    if not holds:
        raise PageError(rule)


def headlines() -> Block:
    """The findings by grade, in the order of the plan."""
    return Block("headlines", "effects")


def flow() -> Block:
    """Who is counted, from records sent to children studied."""
    return Block("flow", "flow")


def reach_map() -> Block:
    """Children known to the programme, ward by ward, as squares."""
    return Block("reach_map", "reach-ward")


def reach() -> Block:
    """Children who used each service."""
    return Block("reach", "reach")


def reach_groups(output: str) -> Block:
    """Whom each service reaches: `reach-group` or `reach-imd`."""
    return Block("reach_groups", output)


def sums(output: str) -> Block:
    """Means or totals beside their counts: `score-ward` or `contacts-imd`."""
    return Block("sums", output)


def upset(trial: str) -> Block:
    """The combinations of services that families used in one trial."""
    return Block("upset", f"combinations-{trial}")


def forest(outcome: str) -> Block:
    """Differences on one outcome with joint and pointwise limits and grades."""
    return Block("forest", "effects", outcome)


def synergy(outcome: str) -> Block:
    """Pairs of services that go with more or less than both alone."""
    return Block("synergy", "effects", outcome)


def dose(outcome: str) -> Block:
    """Differences on one outcome by how much of a service children had."""
    return Block("dose", "effects", outcome)


def breadth(outcome: str) -> Block:
    """Differences on one outcome by how many services children started."""
    return Block("breadth", "effects", outcome)


def equity(outcome: str) -> Block:
    """Differences on one outcome within groups of children."""
    return Block("equity", "effects", outcome)


def gaps() -> Block:
    """Where one group differs from everybody else, over all outcomes."""
    return Block("gaps", "effects")


def love() -> Block:
    """How alike the groups were before and after weighting."""
    return Block("love", "balance")


def checks() -> Block:
    """The robustness checks in words."""
    return Block("checks", "checks")


def quality(output: str) -> Block:
    """Data quality: `data-quality`, `linkage-quality` or `linkage-bias`."""
    return Block("quality", output)


def withheld() -> Block:
    """How many cells of each table are withheld, and why."""
    return Block("withheld")


def methods() -> Block:
    """How the differences were found, with formulae."""
    return Block("methods")


def glossary() -> Block:
    """The words of the page, explained."""
    return Block("glossary")


def limits() -> Block:
    """Limits, rights, whom to ask."""
    return Block("limits")


def provenance() -> Block:
    """Where each number comes from."""
    return Block("provenance")


def downloads() -> Block:
    """The released tables and their dictionary, inside the page."""
    return Block("downloads")
