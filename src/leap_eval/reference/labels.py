"""Codes in plain words, places of wards, and what figures declare."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from leap_eval.settings.params import read_yaml


@cache
def read(name: str) -> MappingProxyType[str, Any]:
    """Return one list of the shelf by its file name."""
    text = files("leap_eval.reference").joinpath(name).read_text(encoding="utf-8")
    return MappingProxyType(dict(read_yaml(text, f"reference/{name}")))


def labels() -> MappingProxyType[str, Any]:
    """Return plain words by kind of code and code."""
    return read("labels.yaml")


def wards() -> MappingProxyType[str, Any]:
    """Return each ward's square as column and row."""
    return read("wards.yaml")


def figures() -> MappingProxyType[str, Any]:
    """Return the closed list of figures with limits, ticks and classes."""
    return read("figures.yaml")
