"""What of a plan is put into the store, so that hosts that lack it have it too."""

from dataclasses import replace

import pytest

from farm.campaign.listener import Listener
from farm.campaign.shipping import shipped
from farm.errors import InputError
from farm.inputs import HashMemo, Input, ship
from farm.inputs.ship import unpacked
from farm.plan import Plan
from farm.store import Store, names
from tests.conftest import stage


@pytest.fixture
def sent(tmp_path):
    """Ships a plan of one stage with these inputs; gives them as they stand in it then, and what was said."""
    store = Store(str(tmp_path / "store"))

    def send(**files):
        one, said = replace(stage("evaluate", "0" * 64), files=files), []
        plan = shipped(Plan(stages={one.uri: one}), {one.uri}, store, Listener(say=said.append))
        return plan.stages[one.uri].files, said, store

    return send


def a_file(tmp_path, content="weights"):
    path = tmp_path / "net.bin"
    path.write_text(content)
    return Input(role="weights", path=str(path), sha256=HashMemo(None).content(path))


def test_a_file_of_this_host_goes_to_the_store_once(sent, tmp_path):
    file = a_file(tmp_path)
    files, said, store = sent(weights=file, again=replace(file, role="again"))
    assert [one.shipped for one in files.values()] == [True, True]
    content = store.files.content(names.shipped(file.sha256))
    assert unpacked(file, content, tmp_path / "cache").path != file.path
    assert said == [f"shipped 1 input, {len(content) / 2**20:.1f} MiB of them new to the store"]
    assert sent(weights=file)[1] == ["shipped 1 input, 0.0 MiB of them new to the store"]


def test_what_comes_from_an_address_or_lacks_here_too_stays_as_it_is(sent):
    there = Input(role="weights", path="/nowhere/w.pt", url="https://example.com/w.pt", sha256="0" * 64)
    lacking = Input(role="images", missing="no images")
    files, said, _ = sent(weights=there, images=lacking)
    assert files == {"weights": there, "images": lacking}
    assert said == []


def test_what_is_too_large_is_said_and_left_to_the_nodes(sent, tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "MOST_BYTES", 3)
    files, said, _ = sent(weights=a_file(tmp_path))
    assert not files["weights"].shipped
    assert len(said) == 1
    assert "so it is not shipped: let it lie at the same path on every node, or name a URL" in said[0]


def test_what_has_changed_since_it_was_hashed_is_refused(sent, tmp_path):
    file = a_file(tmp_path)
    (tmp_path / "net.bin").write_text("others")
    with pytest.raises(InputError, match=r"net\.bin has changed since the run was planned: run it again"):
        sent(weights=file)
