"""OpenVINO devices and their properties. Knows no models."""

from collections.abc import Mapping

import openvino as ov

COMPOUND = ("AUTO", "HETERO", "MULTI")
HINT = "PERFORMANCE_HINT"


def configured(device: str, properties: Mapping[str, object]) -> dict[str, object]:
    """Properties in the form that a device takes them: ``compile_model``'s config.

    device: such as ``CPU``, ``GPU.1`` or ``AUTO:GPU,CPU``. Properties that it does not have are left out. A compound
    device hands them on to its members.
    """
    core = ov.Core()
    family, _, members = device.partition(":")
    if family not in COMPOUND:
        return _taken(core, device, properties)
    parts = [name.partition("(")[0] for name in members.split(",") if name]
    named = [name for name in parts if not name.startswith("-")]
    others = (name for name in core.available_devices if f"-{name}" not in parts)
    inner = {name: _taken(core, name, properties) for name in named or others}
    return {**({HINT: properties[HINT]} if HINT in properties else {}), "DEVICE_PROPERTIES": inner}


def _taken(core: ov.Core, device: str, properties: Mapping[str, object]) -> dict[str, object]:
    supported = set(core.get_property(device.partition(":")[0], "SUPPORTED_PROPERTIES"))
    return {name: value for name, value in properties.items() if name in supported}
