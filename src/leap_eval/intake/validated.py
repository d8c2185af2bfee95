"""Builds terms that were validated before: in a trust's kit it stands in for pydantic.

The kit's agreement and programme were read strictly when the kit was made; a machine with plain
Python needs no validator to build them again from the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from types import UnionType
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

Method = TypeVar("Method")


@dataclass(frozen=True, slots=True)
class Field:
    """What a model says of one of its fields; rules were checked before."""

    default: Any = ...
    alias: str | None = None
    pattern: str | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None


class BaseModel:
    """A model built from the words of its validated dump."""

    def __init__(self, **told: Any) -> None:
        """Give each field its value, or the default of its class."""
        for name, hint in get_type_hints(type(self)).items():
            given = getattr(type(self), name, ...)
            field = given if isinstance(given, Field) else Field(given)
            value = told.get(name, told.get(field.alias or name, ...))
            setattr(self, name, field.default if value is ... else built(hint, value))

    @classmethod
    def model_validate(cls, told: dict[str, Any]) -> Self:
        """Return the model of these words."""
        return cls(**told)


def built(hint: Any, value: Any) -> Any:
    """Return a value of a dump as its field's type asks: dates, tuples and parts are built."""
    kind, parts = get_origin(hint), get_args(hint)
    if value is None or kind in (Union, UnionType):
        return None if value is None else built(parts[0], value)
    if kind is tuple:
        return tuple(built(parts[0], one) for one in value)
    if kind is dict:
        return {key: built(parts[1], one) for key, one in value.items()}
    if hint is date:
        return date.fromisoformat(value)
    whole = isinstance(hint, type) and issubclass(hint, BaseModel)
    return hint.model_validate(value) if whole else value


def ConfigDict(**told: Any) -> dict[str, Any]:  # noqa: N802 - pydantic's name
    """Return the rules of a model, which were checked before."""
    return told


def AfterValidator(rule: Any) -> Any:  # noqa: N802 - pydantic's name
    """Return a rule that was checked before."""
    return rule


def model_validator(**_: Any) -> Callable[[Method], Method]:
    """Leave a rule over a whole model as it is: it was checked before."""
    return lambda method: method
