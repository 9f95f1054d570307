"""One axis entry in YAML, as the choices it stands for. Lists expand here. Pure."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import PurePath
from typing import Generic, TypeGuard, TypeVar

from pydantic.fields import FieldInfo

from farm.grid.cell import Pattern
from farm.grid.choice import Choice
from farm.grid.faults import Complain, check
from farm.grid.label import NO_CALIBRATION, Label
from farm.grid.lines import YamlPath
from farm.spec import MODEL_FILES, Parameters, Spec, squared, way_in
from farm.suggest import did_you_mean

MOST_CHOICES = 10_000  # that an entry stands for

C = TypeVar("C", bound=Choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis(Generic[C]):
    """How an axis is read: what its entries become, its table, and what one of them is called.

    family: the part of a name that the table has, where names are open (``GPU.0``, ``torchvision/resnet50``).
    members: the names that there are in a family after its slash.
    """

    kind: type[C]
    table: Mapping[str, Spec]
    noun: str
    family: re.Pattern[str] | None = None
    members: Mapping[str, Callable[[], Collection[str]]] = field(default_factory=dict)

    @property
    def custom(self) -> tuple[str, ...]:
        """The parameters that make an entry the user's own, whose name is then free: `factory`, `path`."""
        return tuple(name for name, spec in self.table.items() if name in spec.parameters.model_fields)

    def custom_by(self, parameters: Collection[str]) -> str:
        """The parameter that makes an entry the user's own; empty if it is none."""
        return next((key for key in self.custom if key in parameters), "")


def choices(entry: object, path: YamlPath, axis: Axis[C], complain: Complain) -> list[C]:
    """The choices an entry stands for: two of ``{seed: [0, 1]}``. Every fault is complained of."""
    named = _name_and_parameters(entry, path, axis, complain)
    if named is None:
        return []
    name, raw = named
    custom = axis.custom_by(raw)
    spec = axis.table[custom] if custom else _spec(name, path, axis, complain)
    if spec is None:
        return []
    lists = {key: value for key, value in raw.items() if _expands(value, spec.parameters.model_fields.get(key))}
    if (count := math.prod(map(len, lists.values()))) > MOST_CHOICES:
        complain(path, f"its lists make {count:,} choices, more than {MOST_CHOICES:,}: name fewer")
        return []
    chosen = []
    for combination in product(*(lists.get(key, [value]) for key, value in raw.items())):
        values = dict(zip(raw, combination, strict=True))
        parameters = check(spec.parameters, values, path, complain)
        if parameters is not None:
            full_name = name or _name_of(custom, str(values[custom]))
            shown = lists.keys() - {custom} if custom else _telling(parameters)
            label = Label.of(full_name, {key: value for key, value in parameters if key in shown})
            chosen.append(axis.kind(name=full_name, label=label, spec=spec, parameters=parameters))
    return chosen


def pattern(entry: object, path: YamlPath, there: tuple[Choice, ...], complain: Complain) -> Pattern | None:
    """What an `exclude` means on one axis; a name that no choice there has is a fault."""
    if isinstance(entry, Mapping):
        name = str(entry["name"]) if "name" in entry else None
        given = {str(key): tuple(v) if isinstance(v, list) else v for key, v in entry.items() if key != "name"}
        raw = {key: squared(value) if key == "size" else value for key, value in given.items()}
    else:
        name, raw = str(entry), {}
    if name is None and not raw:
        complain(path, "needs `name:` or parameters of what is meant")
        return None
    if name == NO_CALIBRATION and path[-1] == "calibration" and not raw:
        return Pattern(name=name, parameters={})
    named = [choice for choice in there if name in (None, choice.name, choice.label)]
    if name is not None and not named:
        names = sorted({choice.name for choice in there} | {choice.label for choice in there})
        complain(path, f"{name!r} is not on this axis{did_you_mean(name, names)}")
        return None
    keys = list(dict.fromkeys(key for choice in named for key in type(choice.parameters).model_fields))
    for key in raw:
        if key not in keys:
            complain((*path, key), f"unknown parameter{did_you_mean(key, keys)}")
    meaning = Pattern(name=name, parameters=raw)
    if all(key in keys for key in raw) and not any(meaning.matches(choice) for choice in there):
        complain(path, "nothing on this axis has these parameters")
    return meaning


def _name_and_parameters(
    entry: object, path: YamlPath, axis: Axis[C], complain: Complain
) -> tuple[str, dict[str, object]] | None:
    if isinstance(entry, str) and entry:
        return ("", {"path": entry}) if "path" in axis.table and entry.lower().endswith(MODEL_FILES) else (entry, {})
    if not isinstance(entry, Mapping):
        complain(path, f"{entry!r} must be a name or a mapping with `name`")
        return None
    raw = {str(key): value for key, value in entry.items()}
    if axis.custom_by(raw) and "name" not in raw:
        return "", raw
    name = raw.pop("name", None)
    if not isinstance(name, str) or not name or not name.isprintable():
        text = f"needs `name:`, the {axis.noun}'s name"
        complain(path, f"{text}, in letters that can be printed" if isinstance(name, str) and name else text)
        return None
    return name, raw


def _spec(name: str, path: YamlPath, axis: Axis[C], complain: Complain) -> Spec | None:
    family = axis.family.match(name) if axis.family is not None else None
    key = family.group() if family else name
    names = [entry for entry in axis.table if entry not in (*axis.custom, *axis.members)]
    if key in axis.members and (family is not None and name != key):
        members = [f"{key}/{member}" for member in axis.members[key]()]
        names = members if name not in members else [key]
    if key not in names:
        if "path" in axis.table and (how := way_in(name)):
            complain(path, f"{name!r}: {how}")
            return None
        words = did_you_mean(name, names)
        if "path" in axis.table and key not in axis.members and ("." in name or not words.endswith("?")):
            words += f"{'' if words.endswith('?') else ';'} {_beside(axis)}"
        complain(path, f"unknown {axis.noun} {name!r}{words}")
        return None
    return axis.table[key]


def _beside(axis: Axis[C]) -> str:
    """What names there are beside those of the table."""
    members = "".join(f"{member}/NAME, " for member in axis.members)
    return f"Or {members}a file ({', '.join(MODEL_FILES)}), or a `factory` with its `weights`"


def _name_of(custom: str, value: str) -> str:
    """``classifier`` of the factory ``my_models:classifier`` and of the path ``models/classifier.onnx``."""
    return PurePath(value).stem if custom == "path" else value.rpartition(":")[2]


def _expands(value: object, field: FieldInfo | None) -> TypeGuard[list[object]]:
    """Whether a list stands for several choices; that of a list-valued parameter must be a list of lists."""
    if not isinstance(value, list) or not value:
        return False
    takes_list = field is not None and "tuple" in str(field.annotation)
    return all(isinstance(item, list) for item in value) if takes_list else True


def _telling(parameters: Parameters) -> set[str]:
    """What a label shows: parameters that are not at their default; some always, at their default too, or never."""
    fields = type(parameters).model_fields
    always = {key for key, field in fields.items() if field.json_schema_extra == {"shown": True}}
    return (always | parameters.model_dump(exclude_defaults=True).keys()) - unshown(parameters)


def unshown(parameters: Parameters) -> set[str]:
    """The parameters that no label shows, such as the names of a thousand classes."""
    fields = type(parameters).model_fields
    return {key for key, field in fields.items() if field.json_schema_extra == {"shown": False}}
