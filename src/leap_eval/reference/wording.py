"""The sentences that may be said of an estimate."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from leap_eval.reference.labels import read


@cache
def wording() -> MappingProxyType[str, str]:
    """Return every template of an estimate by its key, such as `service_b_better`."""
    return MappingProxyType(dict(read("wording.yaml")["templates"]))
