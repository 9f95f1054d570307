"""A grid of detectors, from images with boxes to a page."""

import json
import re
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.cli.conftest import Place
from tests.models.files import write_detector

COUNT, CLASSES = 24, ("cat", "dog")
YOLO = {"name": "yolo", "path": "images", "boxes": "labels", "classes": list(CLASSES)}
DETECTOR = {"path": "detector.onnx", "decode": "yolox", "resize": "letterbox", "position": "corner", "scale": 1 / 255}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with images of one bright box each, their annotations, a detector, and the command in it."""
    place = Place(tmp_path_factory.mktemp("detect"))
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (place.folder / folder).mkdir()
    for index in range(COUNT):
        pixels = rng.integers(0, 60, (40, 64, 3), np.uint8)
        left, top, width, height = rng.integers(0, 30), rng.integers(0, 15), rng.integers(8, 30), rng.integers(8, 20)
        pixels[top : top + height, left : left + width, index % 2] = 250
        Image.fromarray(pixels).save(place.folder / f"images/{index:02}.png")
        box = (left + width / 2) / 64, (top + height / 2) / 40, width / 64, height / 40
        (place.folder / f"labels/{index:02}.txt").write_text(f"{index % 2} {' '.join(map(str, box))}\n")
    write_detector(place.folder / "detector.onnx", batch="N")
    return place


def grid(place, name="detect", **changes):
    said = {
        "dataset": YOLO, "models": [DETECTOR], "accuracy_only": [{"device": "CPU"}],
        "calibrations": [{**YOLO, "count": 16}, {"name": "noise", "count": 16, "seed": [0, 1]}], **changes,
    }  # fmt: skip
    return place.grid(name, **said)


@pytest.fixture(scope="module")
def run(scene):
    path = grid(scene)
    return scene.farm("run", path, "--engine", "inline"), path


def test_a_grid_of_detectors_runs_whole_and_is_judged_by_mean_average_precision(scene, run):
    said, path = run
    assert "mAP" in said
    rows = scene.records("detect")
    assert {row["outcome"] for row in rows.values()} == {"ok"}
    assert {row["metric"] for row in rows.values()} == {"map"}
    (ir,) = (row for row in rows.values() if row["algorithm"] == "ir")
    figures = json.loads(ir["figures"])
    assert figures["map"] == ir["score"]
    assert {"ap50", "ap75"} < figures.keys()
    assert (ir["agreement"], ir["top1"], ir["n_images"]) == (1.0, None, COUNT)
    assert "detector/yolo{count=16,path=images}/default/CPU" in rows
    again = scene.farm("run", path, "--engine", "inline")
    assert "nothing to run: all of it was there" in again


def test_its_table_has_intervals_and_standings(scene, run):
    rows = json.loads(scene.farm("show", "detect", "--json"))
    for row in rows:
        assert row["score_low"] <= row["score"] <= row["score_high"]
    int8 = [row for row in rows if row["calibration"]]
    assert all(row["drop_low"] <= row["score_drop"] <= row["drop_high"] for row in int8)
    assert all(row["worst_class"] in (0, 1) for row in int8)
    assert {row["standing"] for row in int8 if row["calibration_source"].startswith("noise")} <= {
        "equivalent", "worse", "better", "undecided",
    }  # fmt: skip


def test_its_metric_is_a_column_by_its_name(scene, run):
    said = scene.farm("show", "detect", "--columns", "mAP,drop", "--sort", "mAP")
    assert "mAP" in said
    assert "MiB" not in said


def test_its_tables_open_without_farm(scene, run):
    folder = scene.folder / "results/detect"
    detections = pq.read_table(folder / "detections").to_pylist()
    assert len(detections) == COUNT * len(scene.records("detect"))
    assert {len(row["corners"]) - 4 * len(row["classes"]) for row in detections} == {0}
    assert set(pq.read_table(folder / "classes")["number"].to_pylist()) == {0, 1}
    resamples = pq.read_table(folder / "resamples")
    assert len(resamples) == 1000 * len(scene.records("detect"))


def test_its_page_speaks_of_its_metric(scene, run):
    scene.farm("report", "detect")
    page = (scene.folder / "results/detect/report.html").read_text()
    assert "mAP" in page
    for word in ("top-1", "Top-1", "Wilson", "McNemar"):
        assert word not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL), word


def test_two_runs_are_compared_by_samples_of_the_images(scene, run):
    said = scene.farm("compare", "detect", "detect")
    assert "no regression" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"models": [{"path": "detector.onnx"}]}, "models: detector: `decode` says how its outputs are boxes"),
        ({"algorithms": ["accuracy-aware"]}, "accuracy-aware: judges classifiers only so far"),
        ({"metric": "top1"}, "metric: no metric 'top1'; there are map, ap50, ap75"),
        ({"task": "classification"}, "task: the images of yolo are for detection"),
        ({"task": {"name": "detection", "iou_threshold": 2}}, "task.iou_threshold: input should be less than or equal"),
        ({"dataset": "digits"}, "models: detector: `decode` is for detection, of which digits has no boxes"),
        ({"models": [{**DETECTOR, "resize": "squash"}]}, "models[0].resize"),
    ],
)
def test_what_does_not_go_together_is_a_fault_of_the_grid(scene, changes, says):
    assert says in scene.farm("plan", grid(scene, "faulty", **changes), code=2)


def test_a_decode_of_the_user_s_own_makes_the_boxes(scene):
    (scene.folder / "heads.py").write_text(
        "import numpy as np\n"
        "def whole(outputs, size):\n"
        "    n = len(next(iter(outputs.values())))\n"
        "    return [(np.array([[0.0, 0, size[1], size[0]]]), np.array([0.5]), np.array([1]))] * n\n"
        "def raises(outputs, size):\n"
        "    raise RuntimeError('no boxes today')\n"
        "def short(outputs, size):\n"
        "    return [(np.zeros((2, 4)), np.zeros(1), np.zeros(2))]\n"
    )
    models = [{**DETECTOR, "name": name, "decode": f"heads:{name}"} for name in ("whole", "raises", "short")]
    path = grid(scene, "own", models=models, calibrations=[])
    scene.farm("run", path, "--engine", "inline", code=1)
    rows = {row["model"]: row for row in scene.records("own").values()}
    assert rows["whole"]["outcome"] == "ok"
    assert "no boxes today" in rows["raises"]["error_message"]
    assert "`decode: heads:short` must give of each image corners (k, 4)" in rows["short"]["error_message"]


def test_a_model_is_handed_over_with_how_images_are_made_to_fit(scene, run):
    scene.farm("get", "detector/noise{count=16}/default/CPU", "model", "--grid", "detect")
    command = [sys.executable, "-P", str(scene.folder / "model/infer.py"), str(scene.folder / "images/00.png")]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == "output (1, 21, 7)\n"
