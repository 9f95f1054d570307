"""Where what a store holds lies, below its root.

    <kind>/<first two hex digits>/<key>/<copy>/...     an artefact's files
    <kind>/<first two hex digits>/<key>/manifest.json  written last; names the copy that counts
    attempts/<key>/<n>.json, <n>.log                   every attempt, fine or failed
    inputs/<sha256>.tar                                what only a driver had, for all hosts
    damaged/<kind>/<key>-<copy>/...                    an artefact that was no longer what it was, set aside
    claims/<key>, drivers/<name>                       who is at work on what: `farm.store.claims`

Nothing else builds these paths.
"""

import uuid

from farm.errors import DataError
from farm.files import is_plain

MANIFEST = "manifest.json"
ATTEMPTS = "attempts"


def artefact(uri: str) -> str:
    """The folder of an artefact. Raises DataError if its uri is a path that leads elsewhere."""
    kind, key = _parts(uri)
    return f"{kind}/{key[:2]}/{key}"


def manifest(uri: str) -> str:
    """The file that vouches for an artefact."""
    return f"{artefact(uri)}/{MANIFEST}"


def attempts(uri: str) -> str:
    """The folder of a stage's attempts."""
    return f"{ATTEMPTS}/{_parts(uri)[1]}"


def aside(uri: str) -> str:
    """A new folder for an artefact that is set aside."""
    return f"damaged/{uri}-{uuid.uuid4().hex[:8]}"


def shipped(sha256: str) -> str:
    """The file of an input that came with a run. sha256: of its content."""
    return f"inputs/{sha256}.tar"


def claim(uri: str) -> str:
    """The file that says which driver is at work on a stage."""
    return f"claims/{_parts(uri)[1]}"


def driver(name: str) -> str:
    """The file in which a driver says that it lives."""
    return f"drivers/{name}"


def _parts(uri: str) -> tuple[str, str]:
    """A uri's kind and key."""
    kind, _, key = uri.partition("/")
    if not (is_plain(kind) and is_plain(key)):
        raise DataError(f"{uri!r} names no artefact: it must be a kind and a key")
    return kind, key
