"""A choice's label: its name and those of its parameters that tell it apart. Written and taken apart here alone."""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from farm.shown import redacted, visible

PUNCTUATION = frozenset(",={}")


class Label(str):
    """``name``, or ``name{a=1,b=x}`` with parameters in order of their names: text that joins runs.

    >>> label = Label("noise{count=10,size=[8, 9]}")
    >>> label.name, label.parameters, label.without("count")
    ('noise', {'count': '10', 'size': '[8, 9]'}, 'noise{size=[8, 9]}')
    """

    __slots__ = ()

    @classmethod
    def of(cls, name: str, parameters: Mapping[str, object]) -> "Label":
        """The label of a name and the parameters to show; values are JSON, but plain words stand as they are.

        Secrets of addresses are left out, and no letter does what a terminal would take for a command.
        """
        return cls(visible(_joined(redacted(name), ((key, _text(parameters[key])) for key in sorted(parameters)))))

    @property
    def name(self) -> str:
        """What stands before the parameters."""
        return self.partition("{")[0]

    @property
    def parameters(self) -> dict[str, str]:
        """Parameter -> its value, as the label has it."""
        parameters, rest = {}, self.partition("{")[2].removesuffix("}")
        while rest:
            key, _, rest = rest.partition("=")
            end = _end(rest)
            parameters[key], rest = rest[:end], rest[end + 1 :]
        return parameters

    def without(self, *keys: str) -> "Label":
        """The label but for these parameters."""
        parameters = self.parameters
        if not parameters.keys() & set(keys):
            return self
        return self.having({key: text for key, text in parameters.items() if key not in keys})

    def having(self, parameters: Mapping[str, str]) -> "Label":
        """The label of this name with these parameters instead, whose values are written as they stand."""
        return Label(_joined(self.name, parameters.items()))


class CellLabels(NamedTuple):
    """A cell's labels, one an axis; a baseline's calibration is `NO_CALIBRATION`."""

    model: Label
    calibration: Label
    algorithm: Label
    device: Label


AXES = CellLabels._fields
NO_CALIBRATION = Label("-")


def _joined(name: str, parameters: Iterable[tuple[str, str]]) -> str:
    inside = ",".join(f"{key}={text}" for key, text in parameters)
    return f"{name}{{{inside}}}" if inside else name


def _text(value: object) -> str:
    value = redacted(value) if isinstance(value, str) else value
    return value if isinstance(value, str) and not PUNCTUATION & set(value) else json.dumps(value)


def _end(text: str) -> int:
    """Where the value ends that a text begins with: JSON may have commas inside, a plain word has none."""
    try:
        end = json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        end = 0
    return end if end and text[end : end + 1] in ("", ",") else len(text.partition(",")[0])
