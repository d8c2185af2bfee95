"""The sentences a page may say: of an estimate, and of itself."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from leap_eval.settings.params import read_yaml


def wording() -> MappingProxyType[str, str]:
    """Return every template of an estimate by its key, such as `service_b_better`."""
    return MappingProxyType(dict(_read("wording.yaml")["templates"]))


def page() -> MappingProxyType[str, Any]:
    """Return what a page says of itself: sentences, glossary, methods."""
    return _read("page.yaml")


@cache
def _read(name: str) -> MappingProxyType[str, Any]:
    text = files("leap_eval.reference").joinpath(name).read_text(encoding="utf-8")
    return MappingProxyType(dict(read_yaml(text, f"reference/{name}")))
