"""`farm plan` foresees what must fail: the user's own images and weights that no stage could use."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from farm.data import folder as image_folder
from farm.results.cell import OF_TESTS
from farm.store import Store
from tests.generators.checkpoints import distylegan
from tests.models.files import Classifier

FOLDER = {"name": "folder", "path": "photos", "count": 4}
SET = "folder{count=4,path=photos}"
PARQUET = {"name": "parquet", "path": "table.parquet", "count": 4}
SHARDS = {"name": "shards", "path": "set", "count": 4}
GAN = {"name": "distylegan", "weights": "gan", "count": 4}


def photos(folder, classes=2, each=3):
    """An image folder."""
    for label in range(classes):
        (folder / "photos" / str(label)).mkdir(parents=True)
        for number in range(each):
            Image.new("RGB", (32, 32)).save(folder / "photos" / str(label) / f"{number}.png")


def empty(folder):
    (folder / "photos").mkdir()


def other(folder):
    pq.write_table(pa.table({"pixels": [1, 2]}), folder / "table.parquet")


def unmade(folder):
    (folder / "set").mkdir()
    (folder / "set" / "notes.txt").touch()


def text(folder):
    pq.write_table(pa.table({"img": [{"bytes": "x", "path": ""}]}), folder / "table.parquet")


def half(folder):
    (folder / "gan").mkdir()
    (folder / "gan" / "config.json").write_text("{}")


def state_dict(folder):
    (folder / "gan").write_bytes(b"weights")


@pytest.mark.parametrize(
    ("entry", "lay", "says"),
    [
        (FOLDER, empty, "photos: no images (looked for .png"),
        (FOLDER | {"count": 7}, photos, "`count: 7`, but there are only 6 images"),
        (PARQUET, other, "table.parquet: no column `img` or `image`, only ['pixels']"),
        (PARQUET, text, "table.parquet: column `img` is struct<bytes: string, path: string>, not a struct with binary"),
        (SHARDS, unmade, "set: no set.json: give a folder that `farm synth` has made"),
        (GAN, half, "gan: no generator.pt in it: give a folder with generator.pt and config.json"),
        (GAN, state_dict, "gan: not a folder: give a folder with generator.pt and config.json"),
    ],
)
def test_a_set_that_no_stage_could_open_will_fail_and_so_will_what_needs_it(place, entry, lay, says):
    lay(place.folder)
    grid = place.grid(calibrations=[{"name": "noise", "count": 16}, entry])
    said = place.farm("plan", grid)
    assert "will fail: " in said
    assert says in said
    foreseen = json.loads(place.farm("plan", grid, "--json"))
    [reason] = foreseen["will_fail"]
    assert says in reason
    assert foreseen["missing_input"] == []
    stages = foreseen["stages"]
    states = {kind: (count["waiting"], count["will_fail"], count["total"]) for kind, count in stages.items()}
    assert states == {"synthesize": (1, 1, 2), "export": (1, 0, 1), "quantize": (1, 1, 2), "evaluate": (2, 1, 3),
                      "measure": (2, 1, 3)}  # fmt: skip


def torn(path):
    path.write_bytes(Classifier().write(path).read_bytes()[:-40])


@pytest.mark.parametrize(
    ("lay", "more", "says"),
    [
        (torn, {}, "not a model that OpenVINO can read, or damaged ("),
        (lambda path: path.touch(), {}, "not a model that OpenVINO can read, or damaged ("),
        (Classifier(input="i64").write, {}, "takes i64; farm gives float32, float16 or uint8"),
        (Classifier(outputs=("a", "b")).write, {}, "several outputs (a, b): say which with `output: NAME`"),
        (Classifier(outputs=("a", "b")).write, {"output": "c"}, "no output 'c': the model has a, b"),
        (
            Classifier().write,
            {"size": 40},
            "takes [?,3,32,32], not NCHW images of 40x40 (height x width) with 3 channels",
        ),
        (Classifier().write, {"mode": "grey"}, "with 1 channel: set `size: [HEIGHT, WIDTH]`, `layout` or `mode`"),
        (Classifier(outputs=("a", "b")).write, {"output": "b"}, None),
        (Classifier().write, {}, None),
    ],
    ids=["torn", "empty", "integers", "two outputs", "another output", "size", "mode", "one of two outputs", "good"],
)
def test_a_model_that_cannot_be_exported_will_fail_as_the_run_says(place, lay, more, says):
    lay(place.folder / "model.onnx")
    grid = place.grid(models=[{"path": "model.onnx", **more}], baselines=["ir"])
    told = json.loads(place.farm("plan", grid, "--json"))
    failing = {kind: count["will_fail"] for kind, count in told["stages"].items()}
    if says is None:
        assert set(failing.values()) == {0}
        return
    assert failing == {"synthesize": 0, "export": 1, "quantize": 1, "evaluate": 2, "measure": 2}
    [reason] = told["will_fail"]
    assert says in reason
    assert reason.startswith("model: ")
    said = place.farm("run", grid, "--engine", "inline", "--no-measure", code=1).replace("\n", " ")
    assert reason.removeprefix("model: ") in said


def test_accuracy_alone_is_planned_without_measurements(place):
    grid = place.grid(calibrations=[{"name": "noise", "count": 16}])
    whole, alone = (json.loads(place.farm("plan", grid, "--json", *more)) for more in ((), ("--no-measure",)))
    assert whole["stages"].keys() - alone["stages"].keys() == {"measure"}
    assert alone["cells"] == whole["cells"]
    said = place.farm("plan", grid, "--no-measure")
    assert "measure" not in said


def test_what_failed_before_is_told_in_its_own_words(place):
    (place.folder / "broken.py").write_text("def net():\n    raise RuntimeError('no such net, said it')\n")
    grid = place.grid(models=[{"factory": "broken:net", "size": [32, 32]}], baselines=["ir"])
    assert "said it" not in place.farm("plan", grid)
    place.farm("run", grid, "--engine", "inline", "--no-measure", code=1)
    said = place.farm("plan", grid)
    message = "export net: no such net, said it (in broken.py:2, net)"
    assert [line for line in said.splitlines() if "said it" in line] == [f"failed: {message}"]
    assert json.loads(place.farm("plan", grid, "--json"))["failed"] == [message]


def test_a_run_fails_as_was_foreseen(place):
    empty(place.folder)
    grid = place.grid(calibrations=[FOLDER], baselines=[], accuracy_only=[{"device": "CPU"}])
    foreseen = next(line for line in place.farm("plan", grid).splitlines() if line.startswith("will fail: "))
    said = place.farm("run", grid, "--engine", "inline", code=1)
    assert foreseen.removeprefix("will fail: ") in said
    stages = json.loads(place.farm("plan", grid, "--json"))["stages"]
    assert (stages["synthesize"]["failed"], stages["synthesize"]["will_fail"]) == (0, 1), "and it would fail again"


@pytest.mark.parametrize(
    ("entry", "lay"),
    [(FOLDER, photos), (FOLDER | {"count": 6}, photos), (GAN, lambda folder: distylegan(folder / "gan"))],
)
def test_a_set_that_can_be_used_waits_to_be_run(place, entry, lay):
    lay(place.folder)
    said = place.farm("plan", place.grid(calibrations=[entry]))
    assert "will fail" not in said


def test_what_must_be_known_of_images_is_told_before_they_are_used(place):
    photos(place.folder)
    for number in range(1, 3):
        (place.folder / "photos" / "1" / f"{number}.png").unlink()
    dataset = {"name": "folder", "path": "photos", "count": 1}
    grid = place.grid(dataset=dataset, calibrations=[FOLDER | {"seed": seed} for seed in (0, 1)])
    notes = [
        "test images: no images of 1 of 2 classes: class 1",
        "folder{count=4,path=photos}: not balanced, for lack of images: 1 of class 1; up to 3 of each other class",
    ]
    assert [line for line in place.farm("plan", grid).splitlines() if " images" in line and "class" in line] == notes
    of_tests = f"folder{{count=4,path=photos}}: {OF_TESTS}"
    assert json.loads(place.farm("plan", grid, "--json"))["notes"] == [*notes, of_tests]
    place.farm("run", grid, "--engine", "inline", "--no-measure", code=1)  # the network tells ten classes apart
    noted = {row["calibration_note"] for row in place.records().values() if row["calibration"]}
    assert noted == {f"not balanced, for lack of images: 1 of class 1; up to 3 of each other class; {OF_TESTS}"}


def test_only_the_shards_that_there_are_too_few_images_for_will_fail(place):
    photos(place.folder, each=200)
    grid = place.grid(calibrations=[FOLDER | {"count": 600}], settings={"shard_images": 256})
    counts = json.loads(place.farm("plan", grid, "--json"))["stages"]["synthesize"]
    assert (counts["waiting"], counts["will_fail"]) == (1, 2)


def test_a_dataset_that_cannot_be_used_will_fail_every_cell(place):
    empty(place.folder)
    grid = place.grid(dataset={"name": "folder", "path": "photos"})
    stages = json.loads(place.farm("plan", grid, "--json"))["stages"]
    assert {kind: count["will_fail"] for kind, count in stages.items()} == {
        "synthesize": 0, "export": 0, "quantize": 1, "evaluate": 2, "measure": 2
    }, "a model that cannot be judged is not quantized"  # fmt: skip


@pytest.fixture
def opened(monkeypatch):
    """The image folders that are opened."""
    found, once = [], image_folder.open_folder

    def open_folder(path, *order):
        found.append(path)
        return once(path, *order)

    monkeypatch.setattr(image_folder, "open_folder", open_folder)
    return found


def test_a_set_with_too_few_images_is_opened_a_few_times_and_told_once(place, opened):
    photos(place.folder, each=400)
    grid = place.grid(calibrations=[FOLDER | {"count": 64 * 256}], settings={"shard_images": 256})
    said = place.farm("plan", grid)
    [reason] = [line for line in said.splitlines() if line.startswith("will fail: ")]
    assert "`count: 16384`, but there are only 800 images" in reason
    assert len(opened) <= 2 + 6, "the largest, the smallest, and those that halve the 64"
    opened.clear()
    counts = json.loads(place.farm("plan", grid, "--json"))["stages"]["synthesize"]
    assert (counts["waiting"], counts["will_fail"]) == (3, 61)


def test_a_set_that_cannot_be_opened_at_all_is_tried_twice(place, opened):
    empty(place.folder)
    grid = place.grid(calibrations=[FOLDER | {"count": 64 * 256}], settings={"shard_images": 256})
    counts = json.loads(place.farm("plan", grid, "--json"))["stages"]["synthesize"]
    assert (counts["waiting"], counts["will_fail"], len(opened)) == (0, 64, 2)


def test_a_dataset_is_opened_once_for_all_models_it_is_made_to_fit_and_once_for_the_others(place, opened):
    photos(place.folder)
    dataset = {"name": "folder", "path": "photos", "count": 7}
    models = [
        {"factory": "networks:tiny", "weights": "https://example.com/tiny-0123abcd.pt"},
        {"factory": "networks:twelve", "size": [16, 16], "resize": 16},
    ]
    grid = place.grid(dataset=dataset, models=models, baselines=["pytorch", "ir"])
    foreseen = json.loads(place.farm("plan", grid, "--json"))
    assert len(opened) == 2
    assert (foreseen["stages"]["evaluate"]["will_fail"], foreseen["stages"]["evaluate"]["total"]) == (6, 6)


def told_of(place, **changes):
    """What `farm plan` tells that a run then shows: each line that a stage would fail for."""
    grid = place.grid(**changes)
    foreseen = json.loads(place.farm("plan", grid, "--json"))
    return foreseen["will_fail"], {kind: count["will_fail"] for kind, count in foreseen["stages"].items()}


def test_a_model_of_other_classes_will_fail_and_is_not_quantized(place):
    photos(place.folder, classes=3)
    Classifier().write(place.folder / "net.onnx")
    dataset = {"name": "folder", "path": "photos"}
    changes = {"dataset": dataset, "models": ["net.onnx"], "baselines": []}
    [reason], counts = told_of(place, **changes)
    assert reason == (
        "net: the model tells 10 classes apart, the dataset has 3 (0, 1, 2): name all 10 in the dataset's `classes`, "
        "in the model's order"
    )
    assert counts == {"synthesize": 0, "export": 0, "quantize": 1, "evaluate": 2, "measure": 1}
    said = place.farm("run", place.grid(**changes), "--engine", "inline", "--no-measure", code=1)
    assert reason.removeprefix("net: ") in said
    assert "] quantize" not in said
    reasons, _ = told_of(place, **changes, metric="own:metric")
    assert reasons == [], "a metric of one's own may mean something else by an output"
    changes["dataset"] = dataset | {"classes": [*"0123456789"]}
    assert told_of(place, **changes)[0] == []


def test_a_dataset_of_farms_own_is_known_without_a_look(place):
    Classifier(classes=7).write(place.folder / "seven.onnx")
    Classifier(size=(28, 28)).write(place.folder / "small.onnx")
    Classifier(classes=11).write(place.folder / "eleven.onnx")
    models = ["seven.onnx", "small.onnx", {"path": "small.onnx", "name": "fitted", "resize": 28}, "eleven.onnx"]
    reasons, counts = told_of(place, models=models, baselines=[])
    assert [reason.partition(":")[0] for reason in reasons] == ["eleven", "seven", "small"]
    assert (counts["evaluate"], counts["quantize"], counts["measure"]) == (6, 3, 3)
    background = {"name": "digits", "count": 60, "classes": ["background", *"0123456789"]}
    assert told_of(place, dataset=background, models=["eleven.onnx"], baselines=[])[0] == []


def test_labels_beyond_a_models_classes_will_fail(place):
    photos(place.folder, classes=1, each=2)
    (place.folder / "labels.csv").write_text("0/0.png,3\n0/1.png,1000000\n")
    Classifier().write(place.folder / "net.onnx")
    dataset = {"name": "folder", "path": "photos", "labels": "labels.csv"}
    [reason], _ = told_of(place, dataset=dataset, models=["net.onnx"], baselines=[])
    assert reason == (
        "net: the model tells 10 classes apart, a test image's label is 1,000,000: number the classes from 0 up, or "
        "name those of the labels in `classes`"
    )


def test_images_of_another_size_than_the_models_will_fail(place):
    photos(place.folder, classes=10)
    Classifier(size=(28, 28)).write(place.folder / "net.onnx")
    dataset, models = (
        {"name": "folder", "path": "photos"},
        ["net.onnx", {"path": "net.onnx", "name": "b", "resize": 28}],
    )
    reasons, counts = told_of(place, dataset=dataset, models=models, calibrations=[FOLDER], baselines=[])
    size = "the images are 32x32 (height x width), the model takes 28x28: set the model's `resize`"
    assert [reason.partition(", or")[0] for reason in reasons] == [f"net with {SET}: {size}", f"net: {size}"]
    assert counts == {"synthesize": 0, "export": 0, "quantize": 1, "evaluate": 2, "measure": 1}


def test_all_files_that_are_no_images_are_told_and_those_that_are_not_rgb_counted(place):
    photos(place.folder, classes=10)
    Image.new("L", (32, 32)).save(place.folder / "photos" / "3" / "0.png")
    Image.new("CMYK", (32, 32)).save(place.folder / "photos" / "4" / "0.jpg")
    grid = place.grid(dataset={"name": "folder", "path": "photos"})
    note = "test images: 2 images are not in RGB: 1 CMYK, 1 grey"
    assert json.loads(place.farm("plan", grid, "--json"))["notes"] == [note]
    place.farm("run", grid, "--engine", "inline", "--no-measure")
    assert {row["dataset_note"] for row in place.records().values()} == {note.removeprefix("test images: ")}
    for name in ("1/0.png", "5/2.png"):
        (place.folder / "photos" / name).write_bytes(b"no image")
    [reason], _ = told_of(place, dataset={"name": "folder", "path": "photos"})
    assert reason.startswith("test images: ")
    assert "1/0.png: not an image that farm reads" in reason
    assert reason.endswith("5/2.png")
    assert "1 other of 31 images cannot be used: " in reason


def test_a_file_that_is_not_there_is_told_in_json_too(place):
    grid = place.grid(calibrations=[FOLDER | {"path": "nowhere"}])
    foreseen = json.loads(place.farm("plan", grid, "--json"))
    [reason] = foreseen["missing_input"]
    assert reason.startswith("no images of folder: looked for ")
    assert foreseen["will_fail"] == []
    assert f"missing input: {reason}\n" in place.farm("plan", grid)


def test_what_is_there_is_asked_at_once_and_only_of_that_how_long_it_took(place, opened, monkeypatch):
    asked = []
    for name in ("has", "manifest", "present", "listed"):
        monkeypatch.setattr(Store, name, noting(asked, name, getattr(Store, name)))
    assert "2 cells; about " in place.farm("plan", place.grid(), "--results", "memory://nothing-was-run")
    assert asked == ["listed"]
    assert "1 cell; about " in place.farm("plan", place.grid(), "--only", "algorithm=ir")


def noting(asked, name, method):
    def noted(self, *arguments):
        asked.append(name)
        return method(self, *arguments)

    return noted


@pytest.mark.parametrize("command", ["plan", "why", "get", "list"])
def test_help_shows_how_it_is_typed(place, command):
    assert f"\n farm {command} " in place.farm(command, "--help", COLUMNS="200")


def test_measurements_are_spoken_of_where_there_are_some(place):
    assert "measurements run alone" in place.farm("plan", place.grid())
    assert "measurements" not in place.farm("plan", place.grid(settings={"measure": "none"}))
