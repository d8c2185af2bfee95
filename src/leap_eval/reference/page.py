"""The sentences a page may say of itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from leap_eval.reference.labels import read


def page() -> MappingProxyType[str, Any]:
    """Return what a page says of itself: sentences, glossary, methods."""
    return read("page.yaml")
