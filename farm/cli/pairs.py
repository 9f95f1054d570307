"""Parameters given as `--param KEY=VALUE`. Knows YAML's scalars, not what they are of."""

from typing import Any

import yaml

from farm.errors import InputError


def pairs(param: list[str]) -> dict[str, Any]:
    """``KEY=VALUE``, each value read as in a grid file. Raises InputError for one that cannot be."""
    found = {}
    for text in param:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--param {text}: write KEY=VALUE")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--param {text}: {value!r} cannot be read as a YAML value; put it in quotes") from error
    return found
