"""Dataclasses and times as JSON, and read back from it. Knows no type of farm's own."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import NoneType
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

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


def now() -> datetime:
    """The time, to the millisecond, as it is written down."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


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

    kind: a dataclass whose fields are dataclasses, times, tuples, mappings by name, optional ones, JSON's own types, or
    classes of which the caller has made values. What lacks has its default; what a later farm wrote besides is left
    out. Raises ValueError where something lacks that has none, or is of another type.
    """
    return cast("T", _decoder(cast("Any", kind))(value))


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of this type; built once a type, for plans of many thousand stages."""
    if is_dataclass(kind):
        return _dataclass(cast("type", kind))
    origin, arguments = get_origin(kind), get_args(kind)
    inner = [_decoder(argument) for argument in arguments if argument not in (NoneType, ...) and origin is not Literal]
    if origin is Literal:
        return _checked(f"one of {', '.join(map(str, arguments))}", lambda value: value in arguments)
    if origin is Mapping:
        return lambda value: {name: inner[-1](item) for name, item in _mapping(value).items()}
    if origin is tuple:
        many = ... in arguments
        return lambda value: tuple(
            make(item) for make, item in zip(inner * len(_sequence(value)) if many else inner, value, strict=True)
        )
    if NoneType in arguments:
        empty = (None, "") if datetime in arguments else (None,)  # "": no time, of an older farm
        return lambda value: None if value in empty else inner[0](value)
    return JSON[kind] if kind in JSON else _checked(f"a {getattr(kind, '__name__', kind)}", _member(kind))


def _checked(what: str, fits: Callable[[Any], bool]) -> Callable[[Any], Any]:
    """What gives a value as it is, if it fits."""

    def check(value: Any) -> Any:
        if not fits(value):
            raise ValueError(f"{value!r:.80} is not {what}")
        return value

    return check


def _member(kind: Any) -> Callable[[Any], bool]:
    """Whether a value, made by the caller, is of a class or of one of several."""
    return lambda value: isinstance(value, kind)


def _is_int(value: Any, bits: int = 63) -> bool:
    return type(value) is int and -(2**bits) <= value < 2**bits  # what a column can hold


def _time(value: Any) -> datetime:
    time = datetime.fromisoformat(value) if isinstance(value, str) else None
    if time is None or time.tzinfo is None:
        raise ValueError(f"{value!r:.80} is not a time with its zone")
    return time


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.80} is not a text")  # noqa: TRY004 - of what a file holds
    if not value.isascii():
        value.encode()  # half a character, as JSON may have it, is none
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r:.80} is not a mapping")  # noqa: TRY004
    for name in value:
        _text(name)
    return value


_sequence = _checked("a list", lambda value: isinstance(value, list | tuple))
JSON: Mapping[Any, Callable[[Any], Any]] = {
    Any: lambda value: value,
    object: lambda value: value,
    str: _text,
    int: _checked("a whole number", _is_int),
    float: _checked("a number", lambda value: type(value) is float or _is_int(value, 53)),
    bool: _checked("true or false", lambda value: isinstance(value, bool)),
    datetime: _time,
}


def _dataclass(kind: type) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    makers = {field.name: _decoder(hints[field.name]) for field in fields(kind)}

    def make(value: Any) -> Any:
        at, made = kind.__name__, {}
        try:
            for name, member in _mapping(value).items():
                if name in makers:
                    at = f"{kind.__name__}.{name}"
                    made[name] = makers[name](member)
            at = kind.__name__
            return kind(**made)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{at}: {error}") from error

    return make
