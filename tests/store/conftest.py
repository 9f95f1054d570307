"""A store of each kind: on a local disk, in memory, and on a real S3 server."""

import uuid

import pytest

from farm.store import Store
from tests import s3


@pytest.fixture
def local(tmp_path):
    return Store(str(tmp_path / "store"), cache=tmp_path / "cache")


@pytest.fixture(params=["local", "memory", "s3"])
def store(request, tmp_path):
    if request.param == "local":
        yield request.getfixturevalue("local")
        return
    if request.param == "s3":
        request.getfixturevalue("s3_server")
    url = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else f"s3://{s3.BUCKET}/{uuid.uuid4().hex}"
    one = Store(url, cache=tmp_path / "cache")
    yield one
    if one.files.fs.exists(one.files.root):
        one.files.fs.rm(one.files.root, recursive=True)


@pytest.fixture
def folder(tmp_path):
    """A finished stage's folder."""
    path = tmp_path / "artefact"
    path.mkdir()
    (path / "model.xml").write_text("<net/>")
    (path / "model.bin").write_bytes(bytes(range(256)))
    return path
