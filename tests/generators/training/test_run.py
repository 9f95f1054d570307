"""A training in its folder: what it leaves, how it goes on, and what it refuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from farm.errors import DataError, InputError
from farm.generators.distylegan.checkpoint import load
from farm.generators.distylegan.training import CHECKPOINT, output, run
from farm.generators.distylegan.training.recipe import Recipe
from farm.generators.distylegan.training.run import train
from farm.generators.distylegan.training.teacher import Teacher
from farm.generators.distylegan.training.trainer import LOSSES, start

RECIPE = Recipe(epochs=2, batch=8, ngf=8, ndf=8, z_dim=8, project_dim=8, precision="f32", decay=0.5)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Steps this small are slower on several, and much slower where other processes want the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def teacher(*, distilled=False, count=35):
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8))
    z = torch.from_numpy(random.normal(size=(count, 6)).astype(np.float32)) if distilled else None
    return Teacher(images=images, labels=torch.arange(count) % 4, classes=4, z=z)


def trained(folder, recipe=RECIPE, content="abc", said=None, **how):
    words = [] if said is None else said
    distilled = how.pop("distilled", False)
    return train(recipe, teacher(distilled=distilled), content, folder, device="cpu", say=words.append, **how)


def weights(folder):
    return torch.load(folder / "generator.pt", weights_only=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training to its end, to be read only."""
    folder = tmp_path_factory.mktemp("whole")
    trained(folder)
    return folder


@pytest.fixture
def finished(whole, tmp_path):
    """A copy of such a folder."""
    return shutil.copytree(whole, tmp_path / "finished")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_training_leaves_a_generator_in_the_studys_layout_curves_and_samples(tmp_path):
    facts = trained(tmp_path)
    assert (facts["finished"], facts["distilled"], facts["steps"], facts["epochs"]) == (True, False, 8, 2)
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "ngf": 8, "z_dim": 8, "c_dim": 4, "project_dim": 8, "nc": 3, "ndf": 8
    }  # fmt: skip
    assert load(tmp_path).config.z_dim == 8
    curves = pq.read_table(tmp_path / "curves.parquet")
    assert curves.column("epoch").to_pylist() == [1, 2]
    assert {*LOSSES, "seconds", "images_per_s", "step"} <= set(curves.column_names)
    assert np.isfinite(curves.column("adversarial").to_numpy()).all()
    with Image.open(tmp_path / "samples" / "epoch-0002.png") as sheet:
        assert sheet.size == (8 * 32, 4 * 32)


def test_without_latents_there_is_no_loss_of_pixels_and_with_them_there_is(whole, tmp_path):
    facts = trained(tmp_path, distilled=True)
    assert facts["distilled"]
    alone, distilled = (
        pq.read_table(folder / "curves.parquet").column("pixel").to_numpy() for folder in (whole, tmp_path)
    )
    assert np.isnan(alone).all()
    assert np.isfinite(distilled).all()
    assert load(tmp_path).config.z_dim == 6, "the latents settle the length of the student's"


def test_a_distillation_learns_its_teachers_pixels(tmp_path):
    """Eight images that the student must learn by heart: the distance falls well below what it was."""
    random = np.random.default_rng(1)
    grey = np.repeat(random.integers(0, 256, (8, 3, 1, 1), dtype=np.uint8), 32 * 32, axis=2).reshape(8, 3, 32, 32)
    z = torch.from_numpy(random.normal(size=(8, 6)).astype(np.float32))
    eight = {"images": torch.from_numpy(grey), "labels": torch.arange(8), "z": z}
    often = {name: values.repeat(6, *[1] * (values.ndim - 1)) for name, values in eight.items()}  # six steps an epoch
    recipe = RECIPE.model_copy(update={"epochs": 10, "ngf": 16, "rate": 0.005, "lambda_pixel": 5.0})
    train(recipe, Teacher(classes=8, **often), "x", tmp_path, device="cpu", say=print)
    pixel = pq.read_table(tmp_path / "curves.parquet").column("pixel").to_numpy()
    assert pixel[-1] < 0.7 * pixel[0]


def curves(folder):
    """All but what tells of time."""
    rows = pq.read_table(folder / "curves.parquet").drop(["seconds", "images_per_s"]).to_pylist()
    return [[str(value) for value in row.values()] for row in rows]  # NaN, which is a loss that there is not


def sheets(folder):
    return {path.name: path.read_bytes() for path in (folder / "samples").iterdir()}


@pytest.mark.parametrize("save_s", [0.0, 120.0])
def test_an_interrupted_training_ends_as_one_that_was_not(whole, tmp_path, save_s, monkeypatch):
    monkeypatch.setattr(run, "SAVE_S", save_s)
    said: list[str] = []
    finished = [trained(tmp_path, said=said, until_s=0)["finished"] for _ in range(8)]  # a step each
    assert finished == [False] * 7 + [True]
    assert said == [f"going on after step {step}" for step in range(1, 8)]
    assert curves(whole) == curves(tmp_path)
    assert sheets(whole) == sheets(tmp_path)
    assert same(weights(whole), weights(tmp_path))


def test_an_epoch_whose_last_step_is_saved_has_its_row(whole, tmp_path, monkeypatch):
    """What ends the training between a save at an epoch's last step and its row: nothing is there to lose."""
    monkeypatch.setattr(run, "SAVE_S", 0.0)
    (tmp_path / "samples").write_text("no folder")
    with pytest.raises(FileExistsError):
        trained(tmp_path)
    (tmp_path / "samples").unlink()
    assert trained(tmp_path)["steps"] == 8
    assert curves(whole) == curves(tmp_path)


def test_a_checkpoint_of_before_they_told_of_epochs_and_losses_goes_on(whole, tmp_path):
    trained(tmp_path, until_s=0)
    state = output.load(tmp_path)
    output.save(tmp_path, {name: value for name, value in state.items() if name not in ("epochs", "noted")})
    assert trained(tmp_path)["steps"] == 8
    assert same(weights(whole), weights(tmp_path))


def orders(seed):
    trainer = start(RECIPE.model_copy(update={"seed": seed}), teacher(), "cpu")
    chosen = []
    trainer.updates = dict.fromkeys((True, False), lambda images: chosen.append(images.tolist()) or torch.zeros(4))
    drawn = [float(torch.rand((), generator=trainer.update.random)) for _ in trainer.epoch()]
    return chosen, drawn


def test_another_seed_is_another_order_and_other_random_numbers():
    found = [orders(seed) for seed in (0, 1, 2, 2**31 - 1)]
    assert orders(0) == found[0]
    for part in range(2):
        assert len({str(each[part]) for each in found}) == 4


def test_the_order_and_random_numbers_of_seed_0_are_those_of_the_shipped_weights():
    chosen, drawn = orders(0)
    order = torch.randperm(35, generator=torch.Generator().manual_seed(0)).tolist()
    assert chosen == [order[at : at + 8] for at in (0, 8, 16, 24)]
    assert drawn == [float(torch.rand((), generator=torch.Generator().manual_seed(4 * step + 1))) for step in range(4)]


def test_where_the_rate_decays_another_number_of_epochs_is_another_training(tmp_path):
    trained(tmp_path, until_s=0)
    with pytest.raises(DataError, match=r"holds a training of 2 epochs, .*: give epochs=2 to go on with it, or"):
        trained(tmp_path, RECIPE.model_copy(update={"epochs": 3}))
    assert trained(tmp_path)["finished"]


def test_steps_that_nothing_is_learnt_in_are_refused(tmp_path):
    recipe = RECIPE.model_copy(update={"lambda_feature": 0.0, "full_every": 2})
    with pytest.raises(InputError, match=r"lambda_feature=0 and full_every=2 without latents .*: give full_every=1, a"):
        trained(tmp_path / "alone", recipe)
    assert trained(tmp_path / "distilled", recipe, distilled=True)["finished"]


def test_more_epochs_go_on_with_the_same_training(tmp_path):
    recipe = RECIPE.model_copy(update={"decay": 0.0, "epochs": 1})
    trained(tmp_path / "parts", recipe)
    longer = recipe.model_copy(update={"epochs": 2})
    assert trained(tmp_path / "parts", longer)["epochs"] == 2
    trained(tmp_path / "whole", longer)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_a_finished_training_does_nothing_more(whole, finished):
    assert trained(finished)["steps"] == 8
    assert same(weights(whole), weights(finished))


@pytest.mark.parametrize("other", [{"content": "other"}, {"recipe": RECIPE.model_copy(update={"rate": 0.1})}])
def test_a_folder_of_another_training_is_refused(finished, other):
    with pytest.raises(DataError, match="holds a training of other images or with other numbers: give"):
        trained(finished, **other)


@pytest.mark.parametrize("damage", [b"", b"hello", None])
def test_a_damaged_checkpoint_is_told(finished, damage):
    path = finished / CHECKPOINT
    path.write_bytes(path.read_bytes()[:5000] if damage is None else damage)
    with pytest.raises(DataError, match=r"checkpoint.pt: not a training's checkpoint, or damaged .*remove it to begin"):
        trained(finished)


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
    ours, theirs = trainer.averaged.state_dict(), trainer.update.student.state_dict()
    moved = {name for name in ours if ours[name].is_floating_point() and not torch.equal(ours[name], before[name])}
    assert {"fc.0.weight", "upsample1.2.running_mean"} <= moved
    assert not same(ours, theirs)


def test_teachers_with_latents_are_judged_fully_every_tenth_step():
    trainer = start(RECIPE, teacher(distilled=True), "cpu")
    noted = []
    for _ in range(RECIPE.epochs * 2):
        noted.extend(trainer.noted[-1][[*LOSSES].index("adversarial")].item() for _ in trainer.epoch())
    assert [step for step, loss in enumerate(noted) if not np.isnan(loss)] == [0, 10]


# Each line that it reads begins a training in a process forked from it, which imports nothing again.
PARENT = """
import os, sys, torch
import torch._dynamo  # an optimiser imports it late
from functools import partial
from pathlib import Path
from tests.generators.training.test_run import RECIPE, teacher
from farm.generators.distylegan.training import run
torch.set_num_threads(1)
run.SAVE_S = run.SAY_S = 0.0
recipe, say = RECIPE.model_copy(update={"epochs": 10_000}), partial(print, flush=True)
for _ in sys.stdin:
    child = os.fork()
    if not child:
        say(os.getpid())
        run.train(recipe, teacher(), "abc", Path(sys.argv[1]), device="cpu", say=say)
    os.waitpid(child, 0)
    say("ended")
"""


@pytest.mark.slow
def test_a_training_that_is_killed_at_any_moment_goes_on(tmp_path):
    """SIGKILL while it saves after every step: what is left is a whole checkpoint, and further each time."""
    steps, pipes = [0], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], env=environment, **pipes) as parent:
        for lines in (2, 4, 9):  # of what it says: that it goes on, and then before each save
            print("train", file=parent.stdin, flush=True)
            child = int(parent.stdout.readline())
            said = [parent.stdout.readline() for _ in range(lines)]
            os.kill(child, signal.SIGKILL)
            assert all(said)
            assert "ended\n" in iter(parent.stdout.readline, "")
            steps.append(output.load(tmp_path)["step"])
    assert steps == sorted(set(steps))
    assert load(tmp_path).config.z_dim == 8
