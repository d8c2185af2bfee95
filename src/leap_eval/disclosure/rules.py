"""disclosure.yaml: the risk appetite, in one place; a key may only be stricter than its default."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leap_eval.errors import DisclosureError
from leap_eval.settings.params import read_yaml


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Models(_Part):
    """When a model's output may leave."""

    min_df: int = Field(default=10, ge=10)
    min_n: int = Field(default=10, ge=10)
    min_level: int = Field(default=10, ge=10)
    round_n: int = Field(default=10, ge=5)


class Effort(_Part):
    """How long to search: counted in rounds and nodes, never in seconds."""

    rounds: int = Field(default=40, ge=1, le=500)
    nodes: int = Field(default=400, ge=0)
    gap: float = Field(default=0.02, ge=0, le=0.5)


class Rules(_Part):
    """All of disclosure.yaml."""

    preset: Literal["exact"] = "exact"
    threshold: int = Field(default=10, ge=5)
    families: int = Field(default=3, ge=1)
    zero: Literal["show"] = "show"
    upper: int = 10
    width: int = 10
    models: Models = Models()
    effort: Effort = Effort()
    withheld: Literal["c"] = "c"

    @model_validator(mode="after")
    def _protects(self) -> Self:
        if self.upper < self.threshold or self.width < 1:
            raise ValueError(
                f"upper must be at least the threshold {self.threshold}, width at least 1"
            )
        return self


def read_rules(text: str) -> Rules:
    """Read disclosure.yaml; unknown keys and weaker values are refused, each named."""
    raw = read_yaml(text, "disclosure.yaml") or {}
    lines: list[str] = []
    try:
        return Rules.model_validate(raw)
    except ValidationError as broken:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or 'whole'}: {e['msg']}"
            for e in broken.errors(include_input=False)
        ]
    raise DisclosureError("\n  ".join(["disclosure.yaml:", *lines]))


def rules_hash(rules: Rules) -> str:
    """Return the SHA-256 that names these rules on every release."""
    return hashlib.sha256(rules.model_dump_json().encode()).hexdigest()
