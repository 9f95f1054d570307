"""What travels of a grid, and what does not."""

import pytest
import yaml

from farm.campaign import submit
from farm.campaign.submit import staged
from farm.catalog import CATALOG
from farm.errors import InputError
from farm.grid.load import load

NET = "import torch\n\ndef net():\n    return torch.nn.Flatten()\n"


@pytest.fixture
def grid(tmp_path):
    """Loads a grid of a folder with code, a model file, and more that no grid names."""
    here = tmp_path / "here"
    (here / "models" / "inner").mkdir(parents=True)
    (here / "mine" / "__pycache__").mkdir(parents=True)
    (here / "mine" / "__init__.py").write_text(NET)
    (here / "mine" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (here / "models" / "inner" / "net.onnx").write_bytes(b"onnx" * 100)
    (here / "movie.mp4").write_bytes(b"x")
    (tmp_path / "elsewhere.onnx").write_bytes(b"onnx")

    def loaded(*models):
        path = here / "mine.yaml"
        path.write_text(yaml.safe_dump({"dataset": "digits", "models": list(models), "calibrations": ["noise"]}))
        return load(path, CATALOG)

    return loaded


def names_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_code_and_files_of_the_grids_folder_travel_and_nothing_else(grid, tmp_path):
    models = [
        {"factory": "mine:net", "name": "own", "size": [8, 8]},
        "models/inner/net.onnx",
        {"path": str(tmp_path / "elsewhere.onnx"), "name": "other"},
        {"path": "../elsewhere.onnx", "name": "above"},
    ]
    with staged(grid(*models)) as folder:
        assert names_in(folder) == ["grid/mine.yaml", "grid/mine/__init__.py", "grid/models/inner/net.onnx"]
        there = load(folder / "grid" / "mine.yaml", CATALOG)
        assert [model.label for model in there.models] == [model.label for model in grid(*models).models]
    assert not folder.exists()


def test_what_is_too_large_is_named_with_what_to_do(grid, monkeypatch):
    monkeypatch.setattr(submit, "MOST_BYTES", 300)
    large = staged(grid("models/inner/net.onnx"))
    with pytest.raises(InputError, match=r"models/inner/net\.onnx \(0 MiB\).*at a URL, or in FARM_DATA"), large:
        pass
