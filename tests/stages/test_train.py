"""The train stage: who may write, who judges, what is said of too small a GPU."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from farm.data import imageset
from farm.data.imageset import Block
from farm.errors import DataError, InputError
from farm.files import reserved
from farm.generators.distylegan.training import output
from farm.generators.distylegan.training.recipe import Recipe
from farm.models.resnet import resnet20
from farm.plan.parameters import Train
from farm.stages import train

RECIPE = Recipe(epochs=1, batch=16, ngf=16, ndf=8, z_dim=8, project_dim=8, precision="f32")


class ClassAfterClass:
    """As an image folder has them: 30 of the first class, 4 of each other."""

    classes = 10

    def __len__(self):
        return 66

    def block(self, start, stop):
        labels = np.repeat(np.arange(10), [30] + [4] * 9)[start:stop]
        noise = np.random.default_rng(0).integers(0, 256, (66, 32, 32, 3), np.uint8)
        return Block(noise[start:stop], labels)


@pytest.fixture
def images(tmp_path):
    imageset.write(tmp_path / "images.parquet", ClassAfterClass(), 0, 66)
    return tmp_path / "images.parquet"


def parameters(out, recipe=RECIPE):
    return Train(recipe=recipe.model_dump(), out=str(out), content="abc")


def test_the_judge_sees_every_class_of_the_teachers(bench, images, tmp_path):
    torch.manual_seed(0)
    torch.save(resnet20(10).state_dict(), tmp_path / "weights.pt")
    said: list[str] = []
    files = {"images": images, "judge:resnet20": tmp_path / "weights.pt"}
    facts, artefact = bench.run(train.run, parameters(tmp_path / "out"), files=files, say=said.append)
    assert "judged by resnet20 on 40 images of each side" in said
    judged = facts.judged_by["resnet20"]
    assert judged.agreement_real in {i / 40 for i in range(41)}
    assert np.isfinite(judged.fid)
    assert {path.name for path in artefact.iterdir()} == {
        "generator.pt", "config.json", "curves.parquet", "card.json"
    }  # fmt: skip
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert (card["judged_by"], card["recipe"]["ngf"]) == ({"resnet20": asdict(judged)}, 16)
    assert None not in card["recipe"].values(), "what the recipe leaves open is told as it was used"


def test_two_trainings_do_not_write_into_one_folder(bench, images, tmp_path):
    with (
        reserved(tmp_path / "out"),
        pytest.raises(InputError, match=r"another process writes to .*out: wait for it, or choose another --out"),
    ):
        bench.run(train.run, parameters(tmp_path / "out"), files={"images": images})
    assert bench.run(train.run, parameters(tmp_path / "out"), files={"images": images})[0].finished


@pytest.mark.parametrize(
    ("batch", "begun", "says"),
    [
        (16, False, "too small for batch=16: give --param batch=8$"),
        (16, True, "too small for batch=16: give --param batch=8, and another --out, for this one holds"),
        (3, False, "too small for batch=3: give --param ndf=64$"),
    ],
)
def test_a_gpu_whose_memory_is_too_small_is_told_with_a_batch_to_try(
    bench, images, tmp_path, monkeypatch, batch, begun, says
):
    """There need be no GPU here: torch's own error stands for it."""

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(train, "train", full)
    (tmp_path / "out").mkdir()
    if begun:
        output.save(tmp_path / "out", {})
    with pytest.raises(DataError, match=says):
        bench.run(
            train.run,
            parameters(tmp_path / "out", RECIPE.model_copy(update={"batch": batch})),
            files={"images": images},
        )


def test_any_other_error_is_left_as_it_is(bench, images, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(train, "train", broken)
    with pytest.raises(RuntimeError, match="no such luck"):
        bench.run(train.run, parameters(tmp_path / "out"), files={"images": images})
