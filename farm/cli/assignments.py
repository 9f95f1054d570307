"""Parameters given as `--param KEY=VALUE`, and what help says of them. Knows YAML's scalars, not what they are of."""

import json
from typing import Any

import yaml
from rich.markup import escape

from farm.errors import InputError
from farm.spec import Parameters


def meanings(parameters: type[Parameters]) -> str:
    """Each parameter with its default, as one types it, and its meaning: a line each, for a help text.

    One without a default that is a number or a word says in its meaning what it is by default.
    """
    lines = []
    for name, field in parameters.model_fields.items():
        default = field.default if isinstance(field.default, str) else json.dumps(field.default, separators=(",", ":"))
        given = name if field.default is None else f"{name}={default}"
        lines.append(f"{given}: {field.description}")
    return escape("\n".join(lines))


def assignments(param: list[str]) -> dict[str, Any]:
    """``KEY=VALUE``, each value read as in a grid file. Raises InputError for one that cannot be."""
    values = {}
    for text in param:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--param {text}: write KEY=VALUE")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--param {text}: {value!r} cannot be read as a YAML value; put it in quotes") from error
    return values
