"""What models from elsewhere say of themselves, remembered in the cache."""

from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from farm.inputs import Input, cache_folder
from farm.models import describe as describing

TORCHVISION = "torchvision"


def torchvision_names() -> Collection[str]:
    """The classifiers that the installed torchvision has."""
    return _torchvision()


def describe(name: str, parameters: Mapping[str, Any], file: Input | None) -> Mapping[str, Any]:
    """What a model from elsewhere says of itself: its preprocessing, and the `url` of its released weights.

    file: the model's own file, where it is one. Nothing for the zoo's models and a user's factory.
    """
    if file is not None:
        version = metadata.version("openvino")
        return {} if file.missing else describing.file(Path(file.path), _memos(), file.sha256, version)
    family, _, member = name.partition("/")
    if family != TORCHVISION or "factory" in parameters:
        return {}
    weights: Mapping[str, Any] = _torchvision()[member]
    released = weights.get(parameters["weights"])
    return released or {key: value for key, value in weights["DEFAULT"].items() if key != "url"}


def _torchvision() -> Mapping[str, Any]:
    return describing.torchvision(_memos(), metadata.version(TORCHVISION))


def _memos() -> Path:
    return cache_folder() / "described"
