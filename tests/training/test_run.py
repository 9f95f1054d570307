"""A training in its folder: what it leaves, how it goes on, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from farm.errors import DataError
from farm.images.distylegan.checkpoint import load
from farm.training import keep
from farm.training.recipe import Recipe
from farm.training.run import train
from farm.training.teacher import Teacher
from farm.training.trainer import LOSSES, start

RECIPE = Recipe(epochs=2, batch=16, ngf=16, ndf=8, z_dim=8, project_dim=8, precision="f32", decay=0.5)


def teacher(*, distilled=False, count=70):
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8))
    z = torch.from_numpy(random.normal(size=(count, 6)).astype(np.float32)) if distilled else None
    return Teacher(images=images, labels=torch.arange(count) % 10, classes=10, z=z)


def trained(folder, recipe=RECIPE, content="abc", said=None, **how):
    words = [] if said is None else said
    distilled = how.pop("distilled", False)
    return train(recipe, teacher(distilled=distilled), content, folder, device="cpu", say=words.append, **how)


def weights(folder):
    return torch.load(folder / "generator.pt", weights_only=True)


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_training_leaves_a_generator_in_the_studys_layout_curves_and_samples(tmp_path):
    facts = trained(tmp_path)
    assert (facts["finished"], facts["distilled"], facts["steps"], facts["epochs"]) == (True, False, 8, 2)
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "ngf": 16, "z_dim": 8, "c_dim": 10, "project_dim": 8, "nc": 3, "ndf": 8
    }  # fmt: skip
    assert load(tmp_path).config.z_dim == 8
    curves = pq.read_table(tmp_path / "curves.parquet")
    assert curves.column("epoch").to_pylist() == [1, 2]
    assert {*LOSSES, "seconds", "images_per_s", "step"} <= set(curves.column_names)
    assert np.isfinite(curves.column("adversarial").to_numpy()).all()
    with Image.open(tmp_path / "samples" / "epoch-0002.png") as sheet:
        assert sheet.size == (8 * 32, 10 * 32)


def test_without_latents_there_is_no_loss_of_pixels_and_with_them_there_is(tmp_path):
    trained(tmp_path / "alone")
    facts = trained(tmp_path / "distilled", distilled=True)
    assert facts["distilled"]
    alone, distilled = (
        pq.read_table(tmp_path / name / "curves.parquet").column("pixel").to_numpy() for name in ("alone", "distilled")
    )
    assert np.isnan(alone).all()
    assert np.isfinite(distilled).all()


def test_latents_settle_the_length_of_the_students(tmp_path):
    trained(tmp_path, distilled=True)
    assert load(tmp_path).config.z_dim == 6


def test_a_distillation_learns_its_teachers_pixels(tmp_path):
    """Eight images that the student must learn by heart: the distance falls to a fraction of what it was."""
    random = np.random.default_rng(1)
    grey = np.repeat(random.integers(0, 256, (8, 3, 1, 1), dtype=np.uint8), 32 * 32, axis=2).reshape(8, 3, 32, 32)
    z = torch.from_numpy(random.normal(size=(8, 6)).astype(np.float32))
    eight = Teacher(images=torch.from_numpy(grey), labels=torch.arange(8), classes=8, z=z)
    recipe = RECIPE.model_copy(update={"epochs": 60, "batch": 8, "rate": 0.005, "lambda_pixel": 5.0})
    train(recipe, eight, "x", tmp_path, device="cpu", say=print)
    pixel = pq.read_table(tmp_path / "curves.parquet").column("pixel").to_numpy()
    assert pixel[-5:].mean() < 0.5 * pixel[:2].mean()


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path):
    recipe = RECIPE.model_copy(update={"epochs": 3})
    trained(tmp_path / "whole", recipe)
    trained(tmp_path / "parts", recipe, until_s=0)  # one step
    said: list[str] = []
    assert trained(tmp_path / "parts", recipe, said=said)["steps"] == 12
    assert said[0] == "going on after step 1"
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_more_epochs_go_on_with_the_same_training(tmp_path):
    recipe = RECIPE.model_copy(update={"decay": 0.0})
    trained(tmp_path / "parts", recipe)
    longer = recipe.model_copy(update={"epochs": 4})
    assert trained(tmp_path / "parts", longer)["epochs"] == 4
    trained(tmp_path / "whole", longer)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_a_finished_training_does_nothing_more(tmp_path):
    trained(tmp_path)
    before = weights(tmp_path)
    assert trained(tmp_path)["steps"] == 8
    assert same(before, weights(tmp_path))


@pytest.mark.parametrize("other", [{"content": "other"}, {"recipe": RECIPE.model_copy(update={"rate": 0.1})}])
def test_a_folder_of_another_training_is_refused(tmp_path, other):
    trained(tmp_path)
    with pytest.raises(DataError, match="holds a training of other images or with other numbers: give"):
        trained(tmp_path, **other)


@pytest.mark.parametrize("damage", [b"", b"hello", None])
def test_a_damaged_checkpoint_is_told(tmp_path, damage):
    trained(tmp_path)
    path = tmp_path / keep.CHECKPOINT
    path.write_bytes(path.read_bytes()[:5000] if damage is None else damage)
    with pytest.raises(DataError, match=r"checkpoint.pt: not a training's checkpoint, or damaged .*remove it to begin"):
        trained(tmp_path)


def test_the_rate_falls_over_the_last_share_of_the_steps():
    trainer = start(RECIPE, teacher(), "cpu")
    rates = []
    for _ in range(RECIPE.epochs):
        rates += [float(trainer.rate) for _ in trainer.epoch()]
    assert rates == pytest.approx([2e-4] * 5 + [2e-4 * left / 4 for left in (3, 2, 1)])


def test_averaged_weights_follow_the_students_slowly():
    trainer = start(RECIPE, teacher(), "cpu")
    before = {name: value.clone() for name, value in trainer.averaged.state_dict().items()}
    for _ in trainer.epoch():
        pass
    ours, theirs = trainer.averaged.state_dict(), trainer.student.state_dict()
    moved = {name for name in ours if ours[name].is_floating_point() and not torch.equal(ours[name], before[name])}
    assert {"fc.0.weight", "upsample1.2.running_mean"} <= moved
    assert not same(ours, theirs)


def test_teachers_with_latents_are_judged_fully_every_tenth_step():
    trainer = start(RECIPE, teacher(distilled=True), "cpu")
    noted = []
    for _ in range(RECIPE.epochs * 2):
        noted.extend(trainer.noted[-1][LOSSES.index("adversarial")].item() for _ in trainer.epoch())
    assert [step for step, loss in enumerate(noted) if not np.isnan(loss)] == [0, 10]


CHILD = """
import sys, torch
from pathlib import Path
from tests.training.test_run import RECIPE, teacher
from farm.training import run
torch.set_num_threads(1)
run.SAVE_S = 0.0
run.train(RECIPE.model_copy(update={"epochs": 200}), teacher(), "abc", Path(sys.argv[1]), device="cpu", say=print)
"""


@pytest.mark.slow
def test_a_training_that_is_killed_at_any_moment_goes_on(tmp_path):
    """SIGKILL while it saves after every step: what is left is a whole checkpoint, and further each time."""
    steps = []
    for wait_s in (0.0, 0.35, 0.7):
        command = [sys.executable, "-c", CHILD, str(tmp_path)]
        with subprocess.Popen(
            command, cwd=Path(__file__).parents[2], env=os.environ | {"OMP_NUM_THREADS": "1"}
        ) as child:
            deadline, before = time.monotonic() + 60, step_of(tmp_path)
            while step_of(tmp_path) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(wait_s)  # not to wait for something, but to hit another moment
            child.send_signal(signal.SIGKILL)
        steps.append(step_of(tmp_path))
    assert steps == sorted(set(steps))
    assert load(tmp_path).config.z_dim == 8


def step_of(folder):
    state = keep.load(folder) if folder.exists() else None
    return 0 if state is None else state["step"]
