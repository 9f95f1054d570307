"""Faults in words: did-you-mean, and pydantic's complaints as ours. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from farm.grid.lines import YamlPath
from farm.suggest import did_you_mean

Complain = Callable[[YamlPath, str], None]
M = TypeVar("M", bound=BaseModel)


def check(model: type[M], raw: Mapping[str, object], path: YamlPath, complain: Complain) -> M | None:
    """The checked values, or None after complaining of every fault."""
    try:
        return model.model_validate(_tuples(raw))
    except ValidationError as error:
        for details in error.errors():
            complain((*path, *details["loc"]), _sentence(details, model))
        return None


def _sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    if details["type"] == "extra_forbidden":
        return f"unknown parameter{did_you_mean(str(details['loc'][-1]), _fields(model, details['loc']))}"
    if details["type"] == "missing":
        return "missing"
    mapping = details["type"] in ("model_type", "dict_type")
    message = "must be a mapping" if mapping else f"{details['msg'][0].lower()}{details['msg'][1:]}"
    return f"{message}, not {details['input']!r:.60}"


def _fields(model: type[BaseModel], location: tuple[str | int, ...]) -> Iterable[str]:
    for part in location[:-1]:
        inner = model.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ()
        model = inner
    return model.model_fields


def _tuples(value: object) -> object:
    """YAML's lists as tuples, so that strict checks take them and nothing can change later."""
    if isinstance(value, Mapping):
        return {str(key): _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
