"""What runs must be what its key says, and on which cores."""

import re
from dataclasses import replace

import pytest

from farm.engine import Work, process
from farm.engine.process import _brought, _cores
from farm.errors import DataError, EngineError
from farm.host.topology import Core
from farm.inputs import HashMemo, Input
from farm.plan import Stage
from farm.store import Store
from tests.engine.conftest import bag


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model of two files, as it was planned."""
    monkeypatch.setenv("FARM_CACHE", str(tmp_path / "cache"))
    path, beside = tmp_path / "net.xml", tmp_path / "net.bin"
    path.write_text("layers")
    beside.write_text("weights")
    content = HashMemo(None).content(path, beside=[beside])
    return Input(role="model", path=str(path), sha256=content, beside=(str(beside),))


def needing(**files):
    stage = Stage(kind="export", key="0", label="net", parameters=bag(), inputs={}, files=files, libraries={})
    return Work(stage=stage, function="", store=Store("memory://none"), session="")


def test_a_file_that_is_as_it_was_planned_may_be_used(model):
    _brought(needing(model=model))


@pytest.mark.parametrize("name", ["net.xml", "net.bin"])
def test_a_file_that_has_changed_since_or_one_beside_it_is_refused(model, tmp_path, name):
    (tmp_path / name).write_text("others")
    with pytest.raises(DataError, match=rf"{re.escape(model.path)} has changed since the run was planned, or .* host"):
        _brought(needing(model=model))


@pytest.mark.parametrize("name", ["net.xml", "net.bin"])
def test_a_file_that_is_not_on_this_host_is_told_by_its_path(model, tmp_path, name):
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"{re.escape(model.path)} is not on this host, or cannot be read: let it lie"):
        _brought(needing(model=model))


def test_a_users_code_is_what_was_hashed_when_the_run_was_planned(model, tmp_path):
    module = tmp_path / "nets.py"
    module.write_text("KERNEL = 3")
    content = HashMemo(None).content(module)
    code = Input(role="factory", path=str(tmp_path), sha256=content, beside=(str(module),), code=True)
    _brought(needing(factory=code))
    module.write_text("KERNEL = 5")
    with pytest.raises(DataError, match=f"{re.escape(str(module))} has changed since the run was planned"):
        _brought(needing(factory=code))


def test_what_was_just_downloaded_is_not_checked_again(tmp_path):
    (tmp_path / "net.bin").write_text("weights")
    fetched = Input(role="weights", path=str(tmp_path / "net.bin"), sha256="0" * 64, url="https://example.com/w.pt")
    _brought(needing(weights=fetched))


def test_a_host_with_other_libraries_does_no_stage():
    work = needing()
    work = replace(work, stage=replace(work.stage, libraries={"nncf": "1.0.0"}))
    with pytest.raises(EngineError, match=r"has nncf \d.*, not 1\.0\.0: install the same"):
        _brought(work)


FAST = tuple(Core(node=0, cpus=(number,)) for number in range(6))
SLOW = tuple(Core(efficient=True, node=0, cpus=(number,)) for number in range(6, 10))


@pytest.mark.parametrize(
    ("exclusive", "cores", "per_node", "lent", "count"),
    [
        (False, 1, 1, FAST + SLOW, 1),
        (False, None, 1, FAST + SLOW, None),
        (True, None, 1, FAST, None),
        (True, 4, 1, FAST, 4),
        (True, 4, 2, FAST, 4),
        (True, None, 2, FAST, 3),
        (True, None, 4, FAST, 1),
        (True, None, 6, FAST, 1),
        (True, None, 9, FAST, 1),
    ],
)
def test_a_measurement_is_lent_cores_of_one_kind_all_of_them_or_its_part(
    maker, monkeypatch, exclusive, cores, per_node, lent, count
):
    monkeypatch.setattr(process, "host_cores", lambda: FAST + SLOW)
    assert _cores(maker.work("fine", exclusive=exclusive, cores=cores, per_node=per_node)) == (lent, count)
