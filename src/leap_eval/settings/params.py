"""params.yaml: lists, common values, one section per stage; unknown and doubled keys refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from leap_eval.errors import SettingsError

NAME = r"^[a-z][a-z0-9_]{1,40}$"
MOST_BYTES = 200_000
STAGES = ("ingest", "link", "cohort", "exposure", "design", "effects", "disclose", "findings")


_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C: ten times faster


class UniqueLoader(_SAFE):  # type: ignore[misc]
    """The safe loader, refusing doubled keys: the second would silently win."""


def _mapping(loader: UniqueLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    keys = [loader.construct_object(k, deep=True) for k, _ in node.value]
    doubled = sorted({str(k) for k in keys if keys.count(k) > 1})
    if doubled:
        raise SettingsError(
            f"line {node.start_mark.line + 1}: {', '.join(doubled)} stands twice; keep one"
        )
    return dict(yaml.constructor.SafeConstructor.construct_mapping(loader, node, deep))


UniqueLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class Common(BaseModel):
    """The values that several stages share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_at: date
    engine: Literal["duckdb", "spark"]
    seed: int = Field(ge=0, le=2**32 - 1)


class Params(BaseModel):
    """All of params.yaml; `plan` and `plan_frozen` are read by `settings.plan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partners: tuple[str, ...] = Field(min_length=1)
    outcomes: tuple[str, ...] = Field(min_length=1)
    audiences: tuple[str, ...] = Field(min_length=1)
    common: Common
    plan: dict[str, Any]
    plan_frozen: list[dict[str, Any]] = []
    stages: dict[str, dict[str, Any]]

    @field_validator("partners", "outcomes", "audiences")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        import re

        if len(set(names)) < len(names):
            raise ValueError("a name stands twice; keep one")
        if not all(re.fullmatch(NAME, n) for n in names):
            raise ValueError("a name has lower-case letters, digits and _ only")
        return names


def read_yaml(text: str, place: str) -> Any:
    """Read YAML by the safe loader; doubled keys and broken syntax become a SettingsError."""
    if len(text.encode()) > MOST_BYTES:
        raise SettingsError(f"{place}: is larger than {MOST_BYTES // 1000} kB; shorten it")
    trouble = ""
    try:
        return yaml.load(text, UniqueLoader)  # a subclass of the safe loader
    except SettingsError as doubled:
        trouble = f"{place}, {doubled}"
    except yaml.YAMLError as broken:
        mark = getattr(broken, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        trouble = f"{place}{line}: is not well-formed YAML; mend the indentation or quotes there"
    raise SettingsError(trouble)


def load_params(root: Path) -> Params:
    """Read params.yaml; every finding at once, as key, rule."""
    path = root / "params.yaml"
    if not path.is_file():
        raise SettingsError("params.yaml: is not there; go to the workspace, or set LEAP_ROOT")
    raw = read_yaml(path.read_text(encoding="utf-8"), "params.yaml")
    if not isinstance(raw, dict):
        raise SettingsError("params.yaml: must be a mapping of keys; see docs/reference")
    stages = {name: raw.pop(name) or {} for name in STAGES if name in raw}
    findings: list[str] = []
    try:
        return Params(**raw, stages=stages)
    except ValidationError as broken:
        findings = [
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in broken.errors(include_input=False)
        ]
    raise SettingsError("params.yaml:\n  " + "\n  ".join(findings))
