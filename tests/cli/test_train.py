"""`farm train`: as it is typed."""

import io
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from farm.cli import app, train
from farm.cli.param import assignments, checked
from farm.errors import FarmError, InputError
from farm.generators.distylegan.training.recipe import Recipe
from farm.record import Outcome
from tests.cli.conftest import Place

SMALL = ["epochs=1", "batch=16", "ngf=16", "ndf=8", "z_dim=8", "project_dim=8", "precision=f32"]
PARAMS = [word for text in SMALL for word in ("--param", text)]
TRAIN = ("train", "distylegan", "--engine", "inline", "--threads", 1, *PARAMS)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    random, rows = np.random.default_rng(0), []
    for i in range(40):
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(buffer, "PNG")
        rows.append({"img": {"bytes": buffer.getvalue(), "path": None}, "label": i % 10})
    path = tmp_path_factory.mktemp("images") / "images.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory, fork_server, images):
    """A place where `gan` has been trained, and what was said of it."""
    place = Place(tmp_path_factory.mktemp("trained"))
    return place, place.farm(*TRAIN, "--images", images, "--out", "gan")


@pytest.fixture
def trained(trained_once, tmp_path):
    """A copy of it, to change."""
    shutil.copytree(trained_once[0].folder, tmp_path / "copy")
    return Place(tmp_path / "copy")


@pytest.mark.slow
def test_training_leaves_a_generator_that_synth_takes_and_does_nothing_twice(trained, trained_once, images):
    place, (_, said) = trained, trained_once
    assert "gan: trained adversarially, not distilled on 40 images; 1 epochs, 2 steps" in said
    assert "to calibrate with it: {name: distylegan, weights: gan}" in said
    left = {path.name for path in (place.folder / "gan").iterdir()}
    assert left == {"generator.pt", "config.json", "checkpoint.pt", "curves.parquet", "card.json", "samples"}
    assert "20 images of 32x32" in place.farm("synth", "distylegan", "--weights", "gan", "--count", 20, "--out", "set")
    before = (place.folder / "gan" / "generator.pt").read_bytes()
    assert "2 steps" in place.farm(*TRAIN, "--images", images, "--out", "gan")
    assert (place.folder / "gan" / "generator.pt").read_bytes() == before


@pytest.mark.slow
def test_a_student_is_distilled_from_what_synth_made_of_latents(trained):
    place = trained
    z, labels = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32), np.arange(40) % 10
    np.savez(place.folder / "z.npz", z=z, labels=labels)
    place.farm("synth", "distylegan", "--weights", "gan", "--latents", "z.npz", "--out", "made")
    said = place.farm(*TRAIN, "--images", "made", "--latents", "z.npz", "--out", "student")
    assert "student: distilled on 40 images" in said


@pytest.mark.slow
@pytest.mark.ray
def test_training_is_a_ray_task_and_a_failure_is_told(place, images):
    rows = pq.read_table(images).drop(["label"])
    pq.write_table(rows, place.folder / "unlabelled.parquet")
    place.lay_traps()
    said = place.process("train", "distylegan", *PARAMS, "--images", "unlabelled.parquet", "--out", "gan", code=2)
    assert said.count("no column `label`") == 1
    assert "kept" not in said
    assert place.sprung() == [], "Ray's workers import nothing from where the command was started"


@pytest.mark.slow
def test_a_stage_that_fails_gives_exit_code_1_its_log_and_the_next_command(place, images):
    (place.folder / "gan").mkdir()
    (place.folder / "gan" / "samples").write_text("in the way")
    said = place.farm(*TRAIN, "--images", images, "--out", "gan", code=1)
    assert "error: distylegan gan\n" in said
    assert said.count("File exists") == 1
    log = next(line.partition("log: ")[2] for line in said.splitlines() if "log: " in line)
    assert "FileExistsError" in Path(log).read_text()
    assert f"\nnext: farm train distylegan --engine inline --threads 1 {PARAMS[0]}" in said
    assert "kept" not in said


@pytest.mark.slow
def test_what_is_trained_is_said_to_be_kept_where_it_is(trained, images):
    place = trained
    said = place.farm(*TRAIN, "--images", images, "--out", "gan", "--param", "rate=0.1", code=2)
    assert said.count("holds a training of other images or with other numbers") == 1
    assert "kept" not in said, "nothing of this one is"
    (place.folder / "gan" / "samples" / "epoch-0002.png").mkdir()
    said = place.farm(*TRAIN, "--images", images, "--out", "gan", "--param", "epochs=2", code=1)
    assert said.count("Is a directory") == 1
    assert "what is trained is kept in gan; next: farm train" in said


def outcome(error_type):
    return Outcome(
        uri="train/1", label="distylegan gan", error_class="error", error_type=error_type, error_message="no"
    )


@pytest.mark.parametrize(("anew", "says"), [(True, "no; what is trained is kept in "), (False, "no")])
def test_bad_input_that_is_found_after_training_loses_nothing(tmp_path, anew, says):
    with pytest.raises(InputError) as error:
        train._failed(tmp_path, outcome("DataError"), anew=anew)
    assert str(error.value) == says + (str(tmp_path) if anew else "")


def test_help_says_what_each_number_of_the_recipe_means(place):
    said = place.farm("train", "distylegan", "--help", COLUMNS="300")
    for name, field in Recipe.model_fields.items():
        line = next(line for line in said.splitlines() if line.split("=")[0].split(":")[0].strip() == name)
        assert line.rstrip().endswith(f": {field.description}")
    for given in ("epochs=150", "rate=0.0002", "betas=[0.5,0.999]", "augment=true", "precision=bf16"):
        assert f" {given}: " in said
        assert checked(Recipe, assignments([given]), "") == Recipe()


@pytest.mark.parametrize(
    ("threads", "address", "gpus", "asked"),
    [
        (None, None, 0, 5),
        (None, None, 1, None),
        (None, "head:6379", 0, None),
        (None, "head:6379", 1, None),
        (3, None, 1, 3),
        (3, "head:6379", 0, 3),
    ],
)
def test_only_a_training_on_this_hosts_cores_asks_for_them_all(monkeypatch, threads, address, gpus, asked):
    monkeypatch.setattr(train, "gpu_count", lambda: gpus)
    monkeypatch.setattr(train, "host_cores", lambda: range(5))
    assert train._cores(threads, address) == asked


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gan"], "unknown student 'gan'"),
        (["distylegan", "--param", "epoch=3"], "--param epoch: unknown parameter, did you mean 'epochs'?"),
        (["distylegan", "--param", "epochs=0"], "--param epochs: input should be greater than or equal to 1, not 0"),
        (["distylegan", "--param", "epochs"], "--param epochs: write KEY=VALUE"),
        (["distylegan", "--param", "ngf=12"], "--param ngf: input should be a multiple of 8, not 12"),
        (["distylegan", "--param", "betas=[0.5, 1.0]"], "--param betas.1: input should be less than 1, not 1.0"),
        (
            ["distylegan", "--param", "lambda_feature=0", "--param", "full_every=2"],
            "lambda_feature=0 and full_every=2 without latents leave the steps between nothing to learn from",
        ),
        (["distylegan", "--images", "nowhere"], "no images of --images: looked for"),
        (["distylegan", "--latents", "nowhere.npz"], "no latents of --latents: looked for"),
        (["distylegan", "--judge", "resnet21"], "--judge resnet21: no classifier of the zoo, did you mean 'resnet20'?"),
    ],
)
def test_bad_input_is_told_before_anything_starts(tmp_path, images, words, says):
    with pytest.raises(FarmError) as error:
        app(
            ["train", words[0], "--images", str(images), "--out", str(tmp_path / "gan"), *words[1:]],
            standalone_mode=False,
        )
    assert says in str(error.value)
    assert not (tmp_path / "gan").exists()
