"""farm: a distributed batch-benchmark farm for post-training quantization.

`load`, `plan`, `run`, `read` and `compare` are imported from `farm.api` when they are first used, so that
`import farm` costs nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"
__all__ = ["compare", "load", "plan", "read", "run"]


class _Package(ModuleType):
    """This package, in which `farm.plan` is the function: the package `farm.plan` is imported from, not called."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'farm' has no attribute {name!r}")
    return getattr(import_module("farm.api"), name)


sys.modules[__name__].__class__ = _Package
