"""Small inputs rebuilt after public reports, each by its right answer."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

CASES = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared")) / "cases"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ALONE = {"calibrations": [], "baselines": ["ir"], "accuracy_only": [{"device": "CPU"}]}

pytestmark = pytest.mark.skipif(not CASES.exists(), reason=f"no {CASES}: set FARM_SHARED")


@pytest.mark.parametrize(
    "named", [["background", *CLASSES], "classes.txt", [*range(11)]], ids=["list", "file", "numbers"]
)
def test_the_order_of_classes_is_that_which_the_model_was_trained_with(place, named):
    """A model of eleven classes, the first of which has no folder: 53 of 120 images, as the one of ten."""
    for number, name in enumerate(CLASSES, 1):
        target = place.folder / "test" / (str(number) if named == [*range(11)] else name)
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(CASES / "test" / name)
    (place.folder / "classes.txt").write_text("\n".join(["background", *CLASSES]))
    grid = place.grid(
        dataset={"name": "folder", "path": "test", "classes": named},
        models=[str(CASES / "background11.onnx")],
        **ALONE,
    )
    absent = "class 0" if named == [*range(11)] else "background"
    assert f"test images: no images of 1 of 11 classes: {absent}" in place.farm("plan", grid)
    said = place.farm("run", grid, "--engine", "inline")
    assert "0.4417" in said
    assert f"test images: no images of 1 of 11 classes: {absent}" in said


def test_a_part_of_a_folder_has_images_of_every_class(place):
    dataset = {"name": "folder", "path": str(CASES / "test"), "count": 10}
    grid = place.grid(dataset=dataset, models=[str(CASES / "trained.onnx")], **ALONE)
    place.farm("run", grid, "--engine", "inline")
    [predictions] = (place.folder / "results/quick/predictions").iterdir()
    assert pq.read_table(predictions)["label"].to_pylist() == list(range(10))


def test_a_model_with_a_second_input_gets_numbers_for_it(place):
    model = {"path": str(CASES / "two_inputs.onnx"), "inputs": {"image": "image", "scale_factor": [[1, 1]]}}
    grid = place.grid(dataset={"name": "folder", "path": str(CASES / "test")}, models=[model], **ALONE)
    place.farm("plan", grid)
    said = place.farm("run", grid, "--engine", "inline")
    (record,) = place.records().values()
    assert record["outcome"] == "ok", said
    lacking = place.grid("lacking", dataset={"name": "folder", "path": str(CASES / "test")},
                         models=[model["path"]], **ALONE)  # fmt: skip
    assert (
        "the model has 2 inputs (image, scale_factor): say what each gets, as in `inputs: {image: image"
        in place.farm("plan", lacking)
    )
