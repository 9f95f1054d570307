"""Dataclasses read back from the JSON that `dataclasses.asdict` gave. Knows no type of farm's own."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def decode(kind: type[T], value: Any) -> T:
    """A value of this type from its JSON form.

    kind: a dataclass whose fields are dataclasses, tuples, mappings by name, optional ones, or JSON's own types. What
    is left out has its default; what a later farm wrote besides is left out. Raises ValueError where something lacks.
    """
    return cast("T", _decoded(kind, value))


def _decoded(kind: Any, value: Any) -> Any:
    inner = [argument for argument in get_args(kind) if argument is not NoneType]
    if value is None or kind is Any:
        return value
    if is_dataclass(kind):
        try:
            given = {name: _decoded(hint, value[name]) for name, hint in _hints(cast("type", kind)) if name in value}
            return cast("type", kind)(**given)
        except TypeError as error:
            raise ValueError(f"{getattr(kind, '__name__', kind)}: {error}") from error
    if get_origin(kind) is tuple:
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        return tuple(_decoded(*item) for item in zip(kinds, value, strict=True))
    if get_origin(kind) is Mapping:
        return {name: _decoded(inner[-1], item) for name, item in value.items()}
    return _decoded(inner[0], value) if NoneType in get_args(kind) else value


@cache
def _hints(kind: Any) -> tuple[tuple[str, Any], ...]:
    """A dataclass's fields, each with its type."""
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))
