"""Which versions of libraries are installed here, and how they differ from others. Knows no purpose of them."""

import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

NONE = "none"


@cache
def version_of(distribution: str) -> str:
    """The installed version of a distribution, or of ``python``; ``none`` if it is not installed."""
    if distribution == "python":
        return sys.version.split()[0]
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return NONE


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """What this host has of these distributions."""
    return {name: version_of(name) for name in distributions}


def unlike(wanted: Mapping[str, str], installed: Mapping[str, str]) -> str:
    """Which versions differ, in words: ``nncf 3.3.0, not 3.4.0``; empty if none does.

    What a library was built for (``2.14.1+cpu``) is the host's affair. Of Python only the minor version counts.
    """
    pairs = ((name, installed.get(name, NONE), version) for name, version in wanted.items())
    return ", ".join(
        f"{name} {has}, not {wants}" for name, has, wants in pairs if _public(name, has) != _public(name, wants)
    )


def _public(name: str, version: str) -> str:
    if name == "python":
        return ".".join(version.split(".")[:2])
    return version.partition("+")[0]
