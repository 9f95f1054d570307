"""docs/models.md: every example runs as it is printed, on files made here."""

import re
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image

from farm.catalog import CATALOG
from farm.cli import answer
from farm.grid.cell import expand
from farm.grid.load import load
from farm.models.vgg import vgg11_bn
from tests.cli.conftest import inside
from tests.models import files

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "models.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: ([\w-]+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))
QUICK = {"measure": {"pairs": 1, "min_seconds": 0.05, "min_inferences": 10, "warmup_seconds": 0.02, "max_redone": 0}}
MEASURED = {"onnx", "devices", "levers"}  # the others show how a model is read, or how accurate their cells are
CODE = {
    "my_models.py": """
from collections import OrderedDict
import torch
def classifier():
    torch.manual_seed(0)
    nn = torch.nn
    convolutions = {"conv1": nn.Conv2d(3, 8, 3, stride=2), "relu": nn.ReLU(), "conv2": nn.Conv2d(8, 8, 3, stride=2)}
    head = {"pool": nn.AdaptiveAvgPool2d(2), "flatten": nn.Flatten(), "fc": nn.Linear(32, 10)}
    return nn.Sequential(OrderedDict({**convolutions, **head}))
def grey():
    torch.manual_seed(0)
    nn = torch.nn
    convolution = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU())
    return nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
""",
    "my_data.py": """
import numpy as np
class Data:
    def __len__(self):
        return 40
    def __getitem__(self, index):
        return np.full((40, 48, 3), index, np.uint8), index % 10
def train():
    return Data()
""",
    "my_metric.py": re.search(r"```python\n(# my_metric.py.*?)```", PAGE, re.DOTALL)[1],
}


def picture(index):
    return Image.fromarray(np.random.default_rng(index).integers(0, 256, (40, 48, 3), np.uint8))


def photos(folder):
    """Ten classes in folders, and as Parquet in the Hugging Face layout."""
    rows = []
    for index in range(40):
        for split in ("train", "test"):
            path = folder / "photos" / split / str(index % 10) / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(index).save(path)
        rows.append({"img": {"bytes": path.read_bytes(), "path": path.name}, "label": index % 10})
    pq.write_table(pa.Table.from_pylist(rows), folder / "photos.parquet")
    (folder / "hub").mkdir()
    (folder / "flat").mkdir()
    for part in range(2):
        half = pa.Table.from_pylist(rows[part::2])
        pq.write_table(half, folder / "hub" / f"train-0000{part}-of-00002.parquet")
    pq.write_table(half, folder / "hub" / "test-00000-of-00001.parquet")
    for index in range(9):
        picture(index).convert("L").save(folder / "flat" / f"{index}.jpg")
    (folder / "labels.csv").write_text("file,label\n" + "".join(f"{index}.jpg,{index}\n" for index in range(9)))
    images = np.stack([np.asarray(picture(index)) for index in range(40)])
    np.savez(folder / "photos.npz", x_train=images, y_train=np.arange(40) % 10, x_test=images[:4])


def shots(folder):
    """Images with a box each, as YOLO has them."""
    for split in ("train", "test"):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for index in range(16):
            picture(index).save(folder / f"images/{split}/{index}.png")
            (folder / f"labels/{split}/{index}.txt").write_text(f"{index % 2} 0.5 0.5 0.{index % 5 + 2} 0.5\n")
    (folder / "data.yaml").write_text("names: {0: cat, 1: dog}\n")


def two_outputs(path):
    """An IR with logits, and something else."""
    image = ov.opset13.parameter([-1, 3, 32, 32], np.float32, name="image")
    pooled = ov.opset13.reduce_mean(image, np.array([2, 3]), keep_dims=False)
    weights = np.random.default_rng(0).standard_normal((3, 10)).astype(np.float32)
    logits = ov.opset13.matmul(pooled, weights, transpose_a=False, transpose_b=False)
    for value, name in ((logits, "logits"), (pooled, "colour")):
        value.output(0).set_names({name})
    ov.save_model(ov.Model([logits, pooled], [image]), path, compress_to_fp16=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything that the examples name."""
    import torchvision

    found = tmp_path_factory.mktemp("page")
    torch.manual_seed(0)
    torch.save(vgg11_bn(10).state_dict(), found / "vgg11.pt")
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), found / "finetuned.pt")
    for name, text in CODE.items():
        (found / name).write_text(text)
    sys.path.insert(0, str(found))
    try:
        import my_models

        torch.save(my_models.classifier().state_dict(), found / "classifier.pt")
    finally:
        sys.path.remove(str(found))
        sys.modules.pop("my_models", None)
    files.Classifier().write(found / "classifier.onnx")
    files.write_tflite(found / "classifier.tflite")
    two_outputs(found / "two_outputs.xml")
    files.write_detector(found / "detector.onnx")
    shots(found / "shots")
    photos(found)
    return found


def test_every_grid_on_the_page_is_marked_and_can_be_loaded(tmp_path):
    marked = re.findall(r"<!-- (?:example|load): [\w-]+ -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert marked == re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for index, text in enumerate(marked):
        path = tmp_path / f"{index}.yaml"
        path.write_text(text)
        assert expand(load(path, CATALOG))


def test_the_page_has_an_example_of_each_kind():
    assert set(EXAMPLES) == {
        "checkpoint", "onnx", "tflite", "ir", "torchvision", "factory", "data", "metric", "devices", "levers",
        "accuracy-aware", "pixels", "grey", "files", "detector",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_it_is_printed(folder, fork_server, name):
    grid = folder / f"{name}.yaml"
    text = EXAMPLES[name]
    assert "settings" not in yaml.safe_load(text)
    quick = {"settings": QUICK, **({} if name in MEASURED else {"accuracy_only": [{"device": "CPU"}]})}
    grid.write_text(text + yaml.safe_dump(quick))
    with inside(folder, {}) as (out, err):
        code = answer(["run", grid.name, "--engine", "inline", "-q"])
    assert code == 0, out.getvalue() + err.getvalue()
    records = pq.read_table(folder / "results" / name / "records.parquet").to_pylist()
    assert {record["outcome"] for record in records} == {"ok"}
    assert all(record["score"] is not None for record in records)
