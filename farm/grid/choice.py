"""One axis entry in YAML, as the choices it stands for. Lists expand here. Pure."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import PurePath
from typing import Any

from pydantic.fields import FieldInfo

from farm.grid.cell import NO_CALIBRATION, SEED, Choice, Pattern
from farm.grid.faults import Complain, validate
from farm.grid.lines import YamlPath
from farm.spec import Spec
from farm.suggest import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How an axis is read: its table, and what it is called.

    own: the parameters that make an entry the user's own (`factory`, `path`), whose name is then free.
    family: the part of a name that the table knows, where names are open (``GPU.0``, ``torchvision/resnet50``).
    members: the names that there are in a family after its slash. files: a plain name that ends so is a `path`.
    """

    table: Mapping[str, Spec]
    noun: str
    own: tuple[str, ...] = ()
    family: re.Pattern[str] | None = None
    members: Mapping[str, Callable[[], Collection[str]]] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def choices(entry: Any, path: YamlPath, axis: Axis, complain: Complain) -> list[Choice]:
    """The choices an entry stands for; every fault is complained of."""
    named = _name_and_parameters(entry, path, axis, complain)
    if named is None:
        return []
    said, raw = named
    spec = _spec(said, raw, path, axis, complain)
    if spec is None:
        return []
    found = []
    own = _own(raw, axis)
    lists = {key for key, value in raw.items() if _expands(value, spec.parameters.model_fields.get(key))}
    for one in _expanded(raw, spec):
        checked = validate(spec.parameters, one, path, complain)
        if checked is not None:
            name = said or _own_name(own, str(one[own]))
            shown = lists - {own} if own else None
            parameters = {key: getattr(checked, key) for key in type(checked).model_fields}
            unseeded = {key: value for key, value in parameters.items() if key != SEED}
            found.append(
                Choice(
                    name=name,
                    label=_label(name, parameters, spec, shown),
                    source=_label(name, unseeded, spec, shown),
                    spec=spec,
                    parameters=parameters,
                )
            )
    return found


def pattern(entry: Any, path: YamlPath, known: tuple[Choice, ...], complain: Complain) -> Pattern | None:
    """What an `exclude` means on one axis; a name that no choice has is a fault."""
    if isinstance(entry, Mapping):
        name = str(entry["name"]) if "name" in entry else None
        raw = {str(key): tuple(v) if isinstance(v, list) else v for key, v in entry.items() if key != "name"}
    else:
        name, raw = str(entry), {}
    if name is None and not raw:
        complain(path, "needs `name:` or parameters of what is meant")
        return None
    if name == NO_CALIBRATION and path[-1] == "calibration" and not raw:
        return Pattern(name=name, parameters={})
    meant = [choice for choice in known if name in (None, choice.name, choice.label)]
    if name is not None and not meant:
        names = sorted({choice.name for choice in known} | {choice.label for choice in known})
        complain(path, f"{name!r} is not on this axis{did_you_mean(name, names)}")
        return None
    there = list(dict.fromkeys(key for choice in meant for key in choice.parameters))
    for key in raw:
        if key not in there:
            complain((*path, key), f"unknown parameter{did_you_mean(key, there)}")
    found = Pattern(name=name, parameters=raw)
    if all(key in there for key in raw) and not any(found.matches(choice) for choice in known):
        complain(path, "nothing on this axis has these parameters")
    return found


def _name_and_parameters(
    entry: Any, path: YamlPath, axis: Axis, complain: Complain
) -> tuple[str, dict[str, Any]] | None:
    if isinstance(entry, str) and entry:
        return ("", {"path": entry}) if axis.files and entry.lower().endswith(axis.files) else (entry, {})
    if not isinstance(entry, Mapping):
        complain(path, f"{entry!r} must be a name or a mapping with `name`")
        return None
    raw = {str(key): value for key, value in entry.items()}
    if _own(raw, axis) and "name" not in raw:
        return "", raw
    name = raw.pop("name", None)
    if not isinstance(name, str) or not name or not name.isprintable():
        complain(path, f"needs `name:`, the {axis.noun}'s name")
        return None
    return name, raw


def _spec(name: str, raw: Mapping[str, Any], path: YamlPath, axis: Axis, complain: Complain) -> Spec | None:
    own = _own(raw, axis)
    if own:
        return axis.table[own]
    family = axis.family.match(name) if axis.family is not None else None
    key = family.group() if family else name
    known = [each for each in axis.table if each not in (*axis.own, *axis.members)]
    if key in axis.members and (family is not None and name != key):
        members = [f"{key}/{member}" for member in axis.members[key]()]
        known = members if name not in members else [key]
    if key not in known:
        complain(path, f"unknown {axis.noun} {name!r}{did_you_mean(name, known)}")
        return None
    return axis.table[key]


def _own(raw: Mapping[str, Any], axis: Axis) -> str:
    """The parameter that makes an entry the user's own; empty if it is none."""
    return next((key for key in axis.own if key in raw), "")


def _own_name(own: str, value: str) -> str:
    """``classifier`` of the factory ``my_models:classifier`` and of the path ``models/classifier.onnx``."""
    return PurePath(value).stem if own == "path" else value.rpartition(":")[2]


def _expanded(raw: Mapping[str, Any], spec: Spec) -> Iterator[dict[str, Any]]:
    """``{seed: [0, 1]}`` as ``{seed: 0}`` and ``{seed: 1}``; a list-valued parameter takes a list of lists."""
    fields = spec.parameters.model_fields
    values = [value if _expands(value, fields.get(key)) else [value] for key, value in raw.items()]
    for combination in product(*values):
        yield dict(zip(raw, combination, strict=True))


def _expands(value: Any, field: FieldInfo | None) -> bool:
    if not isinstance(value, list) or not value:
        return False
    takes_list = field is not None and "tuple" in str(field.annotation)
    return all(isinstance(item, list) for item in value) if takes_list else True


def _label(name: str, parameters: Mapping[str, Any], spec: Spec, lists: set[str] | None) -> str:
    """``name{its non-default parameters}``; of a user's own model, whose name is free, only those in `lists`."""
    fields = spec.parameters.model_fields
    said = [
        f"{key}={_text(value)}"
        for key, value in sorted(parameters.items())
        if (_is_said(fields[key], value) if lists is None else key in lists)
    ]
    return f"{name}{{{','.join(said)}}}" if said else name


def _is_said(field: FieldInfo, value: Any) -> bool:
    """Whether a label tells a parameter: no default, or one that a reader of tables should see (`shown`)."""
    extra = field.json_schema_extra
    shown = isinstance(extra, Mapping) and bool(extra.get("shown"))
    return shown or field.is_required() or bool(value != field.get_default())


def _text(value: Any) -> str:
    plain = isinstance(value, str) and not set(value) & set(",={}")
    return str(value) if plain else json.dumps(value)
