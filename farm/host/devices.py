"""OpenVINO devices and their properties. Knows no models."""

from collections.abc import Mapping
from typing import Any

import openvino as ov

COMPOUND = ("AUTO", "HETERO", "MULTI")
HINT = "PERFORMANCE_HINT"


def configured(device: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for in the form that a device takes it: ``compile_model``'s config.

    device: such as ``CPU``, ``GPU.1`` or ``AUTO:GPU,CPU``. asked: properties by their names; those that a
    device does not have are left out. A compound device hands them on to its members.
    """
    core = ov.Core()
    family, _, members = device.partition(":")
    if family not in COMPOUND:
        return _taken(core, device, asked)
    said = [name.partition("(")[0] for name in members.split(",") if name]
    named = [name for name in said if not name.startswith("-")]
    others = (name for name in core.available_devices if f"-{name}" not in said)
    inner = {name: _taken(core, name, asked) for name in named or others}
    return {**({HINT: asked[HINT]} if HINT in asked else {}), "DEVICE_PROPERTIES": inner}


def _taken(core: ov.Core, device: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    supported = set(core.get_property(device.partition(":")[0], "SUPPORTED_PROPERTIES"))
    return {name: value for name, value in asked.items() if name in supported}
