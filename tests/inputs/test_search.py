"""Where inputs are looked for by default, and when one is known for good."""

import pytest

from farm.inputs import Input, cache_folder, default_search


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FARM_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/farm"),
        ({"XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/farm"),
    ],
)
def test_the_cache_lies_where_the_environment_says(monkeypatch, environment, expected):
    for name in ("FARM_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == expected


def test_data_lies_beside_the_grid_in_farm_data_and_in_the_package(monkeypatch, tmp_path):
    monkeypatch.delenv("FARM_DATA", raising=False)
    shipped = default_search(tmp_path / "grid.yaml").data
    assert [folder.name for folder in shipped] == ["models", "generators"]
    assert all((folder / "weights").is_dir() for folder in shipped)
    monkeypatch.setenv("FARM_DATA", str(tmp_path / "data"))
    found = default_search(tmp_path / "grid.yaml")
    assert (found.grid, found.data) == (tmp_path, (tmp_path / "data", *shipped))


@pytest.mark.parametrize(
    ("found", "settled"),
    [
        (Input(role="weights", sha256="a" * 64), True),
        (Input(role="weights", sha256="a" * 64, url="https://example.com/w.pt"), True),
        (Input(role="weights", sha256="a" * 8, url="https://example.com/w-aaaaaaaa.pt"), False),
        (Input(role="weights"), False),
        (Input(role="weights", missing="no weights"), True),
    ],
)
def test_an_input_is_settled_when_its_whole_content_is_known_or_it_never_comes(found, settled):
    assert found.settled == settled
