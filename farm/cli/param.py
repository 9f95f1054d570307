"""The option `--param KEY=VALUE`, and what help says of the parameters. Knows YAML's scalars, not what they are of."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import yaml
from rich.markup import escape

from farm.errors import InputError
from farm.grid.faults import check
from farm.spec import Parameters

P = TypeVar("P", bound=Parameters)


def meanings(parameters: type[Parameters]) -> str:
    """Each parameter with its default, as one types it, or without one that is None, and its meaning: a line each."""
    lines = []
    for name, field in parameters.model_fields.items():
        default = field.default if isinstance(field.default, str) else json.dumps(field.default, separators=(",", ":"))
        given = name if field.default is None else f"{name}={default}"
        lines.append(f"{given}: {field.description}")
    return escape("\n".join(lines))


def assignments(param: list[str] | None) -> dict[str, Any]:
    """``KEY=VALUE``, each value read as in a grid file. Raises InputError for one that cannot be."""
    values = {}
    for text in param or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--param {text}: write KEY=VALUE")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--param {text}: {value!r} cannot be read as a YAML value; put it in quotes") from error
    return values


def checked(kind: type[P], values: Mapping[str, Any], prefix: str) -> P:
    """The parameters, checked. prefix: of each fault. Raises InputError with all of them."""
    faults: list[str] = []
    parameters = check(
        kind, values, (), lambda path, text: faults.append(f"{prefix}{'.'.join(map(str, path))}: {text}")
    )
    if parameters is None:
        raise InputError("\n".join(faults))
    return parameters
