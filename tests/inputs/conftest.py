import hashlib
import os
import time
from pathlib import Path

import pytest

from farm.inputs import SearchPath

LONG_AGO = time.time() - 3600


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def old(path: Path, content: bytes) -> Path:
    """A file that was last changed an hour ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.fixture
def search(tmp_path):
    found = SearchPath(grid=tmp_path / "grid", data=(tmp_path / "data", tmp_path / "shipped"), cache=tmp_path / "cache")
    for folder in (found.grid, *found.data):
        folder.mkdir()
    return found
