"""The sentences a page may say of an estimate."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType

from leap_eval.settings.params import read_yaml


@cache
def wording() -> MappingProxyType[str, str]:
    """Return every template by its key, such as `service_b_better`."""
    text = files("leap_eval.reference").joinpath("wording.yaml").read_text(encoding="utf-8")
    return MappingProxyType(dict(read_yaml(text, "reference/wording.yaml")["templates"]))
