"""`farm get`: a model as it was made, and nothing else that lies beside it."""

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import Place
from tests.results.conftest import Bench

INT8 = "resnet20/noise/default/CPU"


def ir(folder):
    (folder / "model.xml").write_text("<net/>")
    (folder / "model.bin").write_bytes(bytes(256))


@pytest.fixture
def place(tmp_path, files):
    """A place where a grid was run, by hand."""
    bench = Bench(tmp_path, str(tmp_path / "results"), files.grid())
    bench.done(INT8, "quantize", files=[ir])
    bench.all_done(INT8)
    made = Place(tmp_path)
    made.farm("gather")
    return made


@pytest.fixture
def artefact(place):
    """The folder of the int8 model's files."""
    (path,) = place.folder.glob("results/store/quantize/*/*/*/model.bin")
    return path.parent


def change_manifest(artefact, **changes):
    path = artefact.parent / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_strangers_code_beside_a_model_is_not_handed_over(place, artefact):
    files = json.loads((artefact.parent / "manifest.json").read_text())["files"]
    (artefact / "numpy.py").write_text("<net/>")
    change_manifest(artefact, files=files | {"numpy.py": files["model.xml"]})
    place.farm("get", INT8, "model")
    names = {path.name for path in (place.folder / "model").iterdir()}
    assert names == {"model.xml", "model.bin", "preprocessing.json", "quantization.json", "record.json", "infer.py"}


def test_a_model_that_was_changed_is_not_handed_over_and_no_folder_is_made(place, artefact):
    (artefact / "model.bin").write_bytes(bytes(255) + b"x")
    said = place.farm("get", INT8, "model", code=2)
    assert f"damaged: {artefact / 'model.bin'}: it is not what its manifest says" in said
    assert not (place.folder / "model").exists()


def test_a_copy_that_is_another_folder_is_not_handed_over(place, artefact):
    change_manifest(artefact, copy="../../../../../quick")
    assert "is no plain name of a file; remove it, and run the grid again" in place.farm("get", INT8, "model", code=2)


def test_the_example_says_what_it_lacks(place):
    place.farm("get", INT8, "model")
    for arguments, text in (((), "usage: python infer.py IMAGE"), (("none.png",), "none.png: no such file")):
        command = [sys.executable, "-P", place.folder / "model" / "infer.py", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr.strip()) == (1, text)
