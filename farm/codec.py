"""Dataclasses and times as JSON, and read back from it. Knows no type of farm's own."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def members(value: Any) -> dict[str, Any]:
    """A dataclass's fields but for those that are None, as ``default`` of a JSON encoder. Raises TypeError of others.

    What is None is left out, so that a field which a later farm adds changes no key.
    """
    if not is_dataclass(value):
        raise TypeError(f"a {type(value).__name__} has no place in JSON")
    named = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {name: member for name, member in named if member is not None}


def encode(value: Any, indent: int | None = None) -> str:
    """JSON of a value that may hold dataclasses and times."""
    return json.dumps(value, indent=indent, default=_plain)


def iso(time: datetime) -> str:
    """A time as text wherever there are no timestamps."""
    return time.isoformat(timespec="milliseconds")


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else members(value)


def differences(name: str, was: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """What differs between two values of JSON, down to the single entries of mappings, and under which name."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*now, *was)):
            yield from differences(f"{name}.{key}".strip("."), was.get(key), now.get(key))
    elif was != now:
        yield name, was, now


def decode(kind: type[T], value: Any) -> T:
    """A value of this type from its JSON form.

    kind: a dataclass whose fields are dataclasses, times, tuples, mappings by name, optional ones, or JSON's own types.
    What lacks has its default; what a later farm wrote besides is left out. Raises ValueError where something lacks
    that has none.
    """
    return cast("T", _decoder(cast("Any", kind))(value))


def _as_it_is(value: Any) -> Any:
    return value


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of this type; built once a type, for plans of many thousand stages."""
    if is_dataclass(kind):
        return _dataclass(cast("type", kind))
    inner = [_decoder(argument) for argument in get_args(kind) if argument not in (NoneType, ...)]
    if all(make is _as_it_is for make in inner) and get_origin(kind) is not tuple:
        return datetime.fromisoformat if kind is datetime else _as_it_is
    if get_origin(kind) is Mapping:
        return lambda value: {name: inner[-1](item) for name, item in value.items()}
    if get_origin(kind) is tuple:
        many = ... in get_args(kind)
        return lambda value: tuple(
            make(item) for make, item in zip(inner * len(value) if many else inner, value, strict=True)
        )
    if NoneType in get_args(kind):
        return lambda value: None if value in (None, "") else inner[0](value)  # "": no time, of an older farm
    return _as_it_is  # one of several classes, which the caller has already made


def _dataclass(kind: type) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    makers = {field.name: _decoder(hints[field.name]) for field in fields(kind)}

    def make(value: Mapping[str, Any]) -> Any:
        try:
            return kind(**{name: makers[name](member) for name, member in value.items() if name in makers})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{kind.__name__}: {error}") from error

    return make
