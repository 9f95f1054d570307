"""`farm synth`: sets made, resumed, extended, previewed and refused; and used in a grid."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from farm.campaign.resolve import resolve
from farm.catalog import CATALOG
from farm.catalog.sources import SHIPPED, SOURCES
from farm.cli import app
from farm.data import imageset, shards
from farm.errors import DataError, FarmError
from farm.generators.distylegan import checkpoint
from farm.generators.equipment import Equipment
from farm.grid.load import load
from farm.stages import synthesize
from tests.generators.checkpoints import CONFIG, distylegan

NOISE = ("synth", "noise", "--size", "6x4", "--shard", 256, "--threads", 1)


def images_of(folder, count):
    return shards.source({"path": "", "count": count, "skip": 0}, {"images": folder}).block(0, count)


def test_a_set_is_the_same_as_a_grids_to_the_byte(place):
    said = place.farm(*NOISE, "--count", 600, "--seed", 7, "--out", "set", "--batch", 1000)
    assert "set: 600 images of 6x4; 600 made in" in said
    assert "to calibrate with it: {name: shards, path: set, count: 600}" in said
    noise = SOURCES["noise"]
    parameters = noise.parameters.model_validate({"count": 600, "seed": 7, "size": (6, 4)}).model_dump()
    from farm.generators import noise as source

    block = images_of(place.folder / "set", 600)
    assert np.array_equal(block.images, source.source(parameters, {}).block(0, 600).images)
    assert set(block.labels.tolist()) == {-1}
    made = json.loads((place.folder / "set" / "set.json").read_text())["made"]
    assert made["source"] == "noise"
    assert made["parameters"] == {"seed": 7, "size": [6, 4]}
    assert set(made["libraries"]) == {"numpy"}


def test_the_same_command_makes_only_what_is_missing_and_a_greater_count_goes_on(place):
    place.farm(*NOISE, "--count", 600, "--out", "set")
    assert "nothing to make: all of it was there" in place.farm(*NOISE, "--count", 600, "--out", "set")
    (place.folder / "set" / "shard-00001.parquet").unlink()
    said = place.farm(*NOISE, "--count", 600, "--out", "set")
    assert "344 of 600 images are there" in said
    assert "256 made in" in said
    assert "512 of 800 images are there" in place.farm(*NOISE, "--count", 800, "--out", "set")
    place.farm(*NOISE, "--count", 800, "--out", "once")
    for name in ("set.json", *(f"shard-0000{number}.parquet" for number in range(4))):
        assert (place.folder / "set" / name).read_bytes() == (place.folder / "once" / name).read_bytes()


def test_another_set_is_refused_with_what_differs(place):
    place.farm(*NOISE, "--count", 10, "--out", "set")
    said = place.farm(*NOISE, "--count", 10, "--seed", 1, "--out", "set", code=2)
    assert "holds another set: parameters.seed is 0 there, not 1: choose another --out" in said


def test_a_damaged_shard_is_found_by_its_checksum_when_asked(place):
    place.farm(*NOISE, "--count", 10, "--out", "set")
    path = place.folder / "set" / "shard-00000.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert "nothing to make" in place.farm(*NOISE, "--count", 10, "--out", "set")
    said = place.farm(*NOISE, "--count", 10, "--out", "set", "--verify")
    assert "set: 0 of 1 shard kept; to be made again:\n" in said
    assert "set: images 0 to 9: its SHA-256 is another than when it was made\n" in said
    assert "10 made in" in said
    assert path.read_bytes() == whole
    said = place.farm(*NOISE, "--count", 10, "--out", "set", "--verify")
    assert "set: 1 shard with 10 images: all checksums equal\n" in said


def test_verify_says_what_it_found(place):
    command = (*NOISE, "--out", "set", "--verify", "--quiet")
    assert "set: nothing there to verify\n" in place.farm(*command, "--count", 600)
    said = place.farm(*command, "--count", 600)
    assert "set: 3 shards with 600 images: all checksums equal\n" in said
    assert "nothing to make" in said
    (place.folder / "set" / "shard-00001.parquet").unlink()
    said = place.farm(*command, "--count", 700)
    assert "set: 1 of 3 shards kept; to be made again:\n" in said
    assert "set: images 256 to 511: shard-00001.parquet is gone\n" in said
    assert "set: images 512 to 699: grows from 88 to 188 images, and is made anew\n" in said


@pytest.fixture
def hung_up():
    """What is started hears SIGHUP, also where the tests are started with `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hung_up")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])  # SIGINT ends runs in test_run.py
def test_an_interrupted_set_keeps_whole_shards_and_goes_on(place, number):
    command = ("synth", "noise", "--size", "64x64", "--shard", 256, "--count", 100_000, "--threads", 1, "--out", "set")
    with place.start(*command, FARM_SESSION=os.environ["FARM_SESSION"]) as running:
        for line in running.stderr:
            if line.startswith("[2/"):
                running.send_signal(number)
                break
        _, err = running.communicate(timeout=60)
    assert running.returncode == (-number if number == signal.SIGKILL else 130)
    if number != signal.SIGKILL:
        assert "the same command goes on from here" in err
        assert sorted(path.name for path in (place.folder / "set").iterdir() if path.name.startswith(".")) == []
    there = len(json.loads((place.folder / "set" / "set.json").read_text())["ranges"])
    assert there >= 2
    for path in (place.folder / "set").glob("*.parquet"):
        assert len(imageset.read(path)) == 256
    smaller = [str(word) if word != 100_000 else str(256 * (there + 1)) for word in command]
    assert f"{256 * there:,} of {256 * (there + 1):,} images are there" in place.farm(*smaller)


def test_a_preview_shows_the_first_64_images(place):
    place.farm(*NOISE, "--count", 70, "--out", "set", "--preview", "sheet.png")
    sheet = np.asarray(Image.open(place.folder / "sheet.png").convert("RGB"))
    block = images_of(place.folder / "set", 70)
    tile = sheet[22 + 8 : 22 + 8 + 46, 8 : 8 + 46]
    assert np.array_equal(tile[0, 0], block.images[0, 0, 0])
    assert sheet.shape[0] > 4 * 48


CALIBRATE = "to calibrate with it: "


def entry_in(said):
    """The one entry of a grid's calibrations that was printed."""
    [entry] = [line.removeprefix(CALIBRATE) for line in said.splitlines() if line.startswith(CALIBRATE)]
    return yaml.safe_load(entry)


@pytest.mark.slow
def test_every_layout_is_a_calibration_set_and_shards_have_the_results_of_their_source(place):
    sets = [{"name": "noise", "count": 300}]
    for layout in ("shards", "png", "hf"):
        said = place.farm("synth", "noise", "--count", 300, "--out", layout, "--shard", 512, "--format", layout)
        sets.append(entry_in(said))
    grid = place.grid(calibrations=sets, accuracy_only=[{"device": "CPU"}], settings={"shard_images": 256})
    place.farm("run", grid, "--engine", "inline")
    models = {name: models_of(place, name) for name in ("noise", "shards", "folder", "parquet")}
    assert models["shards"] == models["noise"]
    assert models["folder"] == models["parquet"] != models["noise"], "a sample is another order of them"


def opened_by_a_grid(place, entry, monkeypatch):
    """All images of the set that a grid with this entry calibrates with, as its stage opens it."""
    monkeypatch.setenv("FARM_CACHE", str(place.folder / "cache"))
    plan = resolve(load(place.grid(calibrations=[entry]), CATALOG))
    [stage] = [stage for stage in plan.stages.values() if stage.kind == "synthesize"]
    assert not stage.missing
    source, count = stage.parameters.images, stage.parameters.stop
    files = {role: Path(found.path) for role, found in stage.files.items()}
    images = synthesize.opened(source.name, source.arguments(count=count), files, Equipment())
    return images.block(0, count).images


@pytest.mark.parametrize(
    ("out", "arguments", "source"),
    [
        ("set", [], "shards"),
        ("set.parquet", [], "shards"),
        ("set", ["--format", "png"], "folder"),
        ("set", ["--format", "hf"], "parquet"),
        ("set.parquet", ["--format", "hf"], "parquet"),
        ("we: ird, set.parquet", [], "shards"),
        ("we: ird, set.parquet", ["--format", "hf"], "parquet"),
        ("a set: {of, mine}", [], "shards"),
        ("a set: {of, mine}", ["--format", "hf"], "parquet"),
    ],
)
@pytest.mark.parametrize("of", [["noise", "--size", "32x32"], ["digits"]])
def test_the_last_line_is_what_a_grid_calibrates_with(place, monkeypatch, of, out, arguments, source):
    said = place.farm("synth", *of, "--threads", 1, "--count", 20, "--out", out, *arguments)
    entry = entry_in(said)
    assert (entry["name"], entry["count"]) == (source, 20)
    place.farm("synth", *of, "--threads", 1, "--count", 20, "--out", "again")
    images, known = opened_by_a_grid(place, entry, monkeypatch), images_of(place.folder / "again", 20).images
    assert sorted(each.tobytes() for each in images) == sorted(each.tobytes() for each in known)


def test_a_layout_that_no_source_reads_is_given_no_entry(place):
    command = ("synth", "digits", "--threads", 1, "--count", 300, "--shard", 256, "--format", "hf")
    said = place.farm(*command, "--out", "set")
    assert "{name:" not in said
    assert "to calibrate with it, make one file: --out set.parquet" in said
    assert "make one file: --out 'my set.parquet'\n" in place.farm(*command, "--out", "my set")
    assert entry_in(place.farm(*command, "--out", "set.parquet"))["count"] == 300


def test_a_stage_that_breaks_is_no_bad_input(place):
    (place.folder / "broken.py").write_text("def images():\n    raise ValueError('no such luck')\n")
    said = place.farm("synth", "factory", "--param", "factory=broken:images", "--out", "set", code=1)
    assert "farm: error: no such luck (in broken.py:2, images)" in said
    assert "Traceback" in said


def test_a_finished_set_is_no_failure_whatever_else_lies_there(place):
    command = ("synth", "digits", "--threads", 1, "--count", 20, "--out", "set", "--format", "png")
    place.farm(*command)
    shutil.copy(place.folder / "set" / "0" / "00000000.png", place.folder / "set" / "stray.png")
    said = place.farm(*command)
    assert "nothing to make: all of it was there" in said
    assert "no grid can calibrate with it as it is: set: both subfolders and images (stray.png)" in said
    assert CALIBRATE not in said


@pytest.mark.parametrize("out", ["set", "set.parquet"])
def test_what_must_be_known_of_a_set_is_told(place, out):
    for name, count in (("cat", 3), ("dog", 1)):
        (place.folder / "photos" / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8)).save(place.folder / "photos" / name / f"{number}.png")
    command = ("synth", "folder", "--param", "path=photos", "--param", "classes=[dog, cat]", "--count", 4)
    said = place.farm(*command, "--threads", 1, "--format", "hf", "--out", out)
    assert f"{out}: not balanced, for lack of images: 1 of dog; up to 3 of each other class" in said
    if out == "set":
        assert json.loads((place.folder / out / "set.json").read_text())["note"].startswith("not balanced")


@pytest.mark.parametrize(("form", "out"), [("png", "set"), ("hf", "set.parquet")])
def test_all_images_of_an_uneven_set_can_be_sampled(place, monkeypatch, form, out):
    weights = distylegan(place.folder / "checkpoint")
    labels = np.array([0] * 5 + [1] * 3 + [2] * 9)
    z = np.random.default_rng(0).normal(size=(len(labels), CONFIG["z_dim"])).astype(np.float32)
    np.savez(place.folder / "z.npz", z=z, labels=labels)
    command = ("synth", "distylegan", "--weights", weights, "--latents", "z.npz", "--threads", 1, "--format", form)
    entry = entry_in(place.farm(*command, "--out", out))
    assert len(opened_by_a_grid(place, entry, monkeypatch)) == entry["count"] == len(labels)
    with pytest.raises(DataError, match="but there are only 17 images"):
        opened_by_a_grid(place, entry | {"count": entry["count"] + 1}, monkeypatch)


def models_of(place, name):
    """The int8 model that was calibrated with a set of two shards."""
    plan = json.loads((place.folder / "results/quick/plan.json").read_text())
    [stages] = [cell["stages"] for cell in plan["cells"] if cell.get("calibration", "").startswith(f"{name}{{")]
    assert "calibration.1" in stages
    key = stages["quantize"].partition("/")[2]
    [model] = (place.folder / "results/store/quantize" / key[:2] / key).glob("*/model.bin")
    return model.read_bytes()


def test_a_networks_floats_are_its_images_before_they_are_grey_levels(place):
    weights = distylegan(place.folder / "checkpoint")
    command = ("synth", "distylegan", "--weights", weights, "--threads", 1)
    place.farm(*command, "--count", 300, "--out", "raw.npz", "--raw")
    place.farm(*command, "--count", 300, "--out", "set")
    floats = np.load(place.folder / "raw.npz")["images"]
    assert (floats.dtype, floats.shape) == (np.float32, (300, 3, 32, 32))
    block = images_of(place.folder / "set", 300)
    assert np.array_equal(np.rint((floats.transpose(0, 2, 3, 1) + 1) * 127.5).astype(np.uint8), block.images)
    assert block.labels.tolist() == [i % CONFIG["c_dim"] for i in range(300)]


def test_latents_of_ones_own_make_exactly_their_images(place):
    from farm.generators.generated import normal

    weights = distylegan(place.folder / "checkpoint")
    z = normal(0, 0, 20, CONFIG["z_dim"])
    np.savez(place.folder / "z.npz", z=z[::-1], labels=np.arange(20)[::-1] % 3)
    command = ("synth", "distylegan", "--weights", weights, "--threads", 1)
    place.farm(*command, "--latents", "z.npz", "--out", "own")
    place.farm(*command, "--count", 20, "--out", "set")
    own, plain = images_of(place.folder / "own", 20), images_of(place.folder / "set", 20)
    assert np.abs(own.images[::-1].astype(int) - plain.images).max() <= 1, "only their place in the batch is another"
    assert own.labels[::-1].tolist() == plain.labels.tolist()
    said = place.farm(*command, "--latents", "z.npz", "--count", 20, "--out", "set", code=2)
    assert "its latents are the images, one each: leave --count out" in said
    latents = (place.folder / "z.npz").read_bytes()
    said = place.farm(*command, "--latents", "z.npz", "--raw", "--out", place.folder / "z.npz", code=2)
    assert "these are the latents: choose another --out" in said
    assert (place.folder / "z.npz").read_bytes() == latents


def test_one_parquet_file_is_written_whole(place):
    place.farm(*NOISE, "--count", 300, "--out", "set.parquet", "--format", "hf")
    assert pq.read_metadata(place.folder / "set.parquet").num_rows == 300
    assert [path.name for path in place.folder.iterdir() if "set.parquet" in path.name] == ["set.parquet"]


def test_a_real_source_gives_a_copy_of_its_sample(place):
    place.farm("synth", "digits", "--count", 40, "--out", "set", "--format", "png", "--param", "skip=10")
    found = sorted((place.folder / "set").rglob("*.png"))
    assert len(found) == 40
    assert {path.parent.name for path in found} == set("0123456789")


def test_progress_is_told_in_lines_where_there_is_no_terminal_and_not_at_all_if_not_wanted(place):
    said = place.farm(*NOISE, "--count", 600, "--out", "set")
    lines = re.findall(r"\[(\d)/3\] images (\d+) to (\d+): [\d,]+ images/s", said)
    assert lines == [("1", "0", "255"), ("2", "256", "511"), ("3", "512", "599")]
    assert "images/s" in place.farm(*NOISE, "--count", 600, "--out", "quiet", "--quiet")
    assert "[1/3]" not in place.farm(*NOISE, "--count", 600, "--out", "quieter", "--quiet")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosie"], "unknown source 'nosie', did you mean 'noise'?"),
        (["xyz"], "unknown source 'xyz'; there are cifar10, "),
        (["noise", "--count", "0"], "noise: count: input should be greater than or equal to 1, not 0"),
        (["noise", "--seed", "-1"], "noise: seed: input should be greater than or equal to 0, not -1"),
        (["noise", "--size", "0x32"], "--size 0x32: write HEIGHTxWIDTH in pixels, such as 32x32, or one number"),
        (["noise", "--size", "big"], "--size big: write HEIGHTxWIDTH"),
        (["noise", "--weights", "w.pkl"], "noise: weights: unknown parameter; there are count, seed, size"),
        (["noise", "--param", "sede=1"], "noise: sede: unknown parameter, did you mean 'seed'?"),
        (
            ["noise", "--param", "sede=1", "--count", "0"],
            "noise: count: .*\nnoise: sede: unknown|sede: unknown.*\nnoise: count",
        ),
        (["noise", "--param", "seed"], "--param seed: write KEY=VALUE"),
        (["noise", "--param", "seed=[1"], "'[1' cannot be read as a YAML value"),
        (["noise", "--param", "seed=1", "--seed", "2"], "--param seed: --seed says it already"),
        (["fractal", "--param", "fill=2"], "fractal: fill: input should be less than 1, not 2"),
        (["noise", "--format", "jpg"], "--format jpg"),
        (["noise", "--device", "gpu"], "--device gpu"),
        (["digits", "--device", "cuda"], "--device cuda: `digits` is not computed on GPUs: leave it out"),
        (["noise", "--shard", "1000"], "--shard 1000: must be a multiple of 256, such as 8192"),
        (["noise", "--shard", "0"], "--shard 0: must be a multiple of 256"),
        (["noise", "--raw"], "--out set: --raw writes one FILE.npz, and nothing else does"),
        (["noise", "--latents", "z.npz"], "noise: --latents and --raw are for sources with a generator network: "),
        (["distylegan", "--weights", "nowhere"], "distylegan: no weights of distylegan: looked for "),
        (["noise", "--threads", "1000"], "1000 cores wanted, but this host lends "),
        (["folder"], "folder: path: missing"),
        (["folder", "--param", "path=nowhere"], "folder: no images of folder: looked for "),
    ],
)
def test_bad_input_is_one_clear_error(tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FarmError) as caught:
        app(["synth", *arguments, "--out", "set"], standalone_mode=False)
    assert says in str(caught.value) or re.search(says, str(caught.value))
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("out", "arguments", "says"),
    [
        ("set.parquet", ["noise", "--verify"], "--out set.parquet: --verify is for folders, whose set.json holds"),
        (
            "set",
            ["noise", "--preview", "sheet"],
            "--preview sheet: no picture can be written without a suffix: name a ",
        ),
        (
            "set",
            ["noise", "--preview", "a.txt"],
            "--preview a.txt: no picture can be written as .txt: name a file such ",
        ),
        (
            "set",
            ["noise", "--preview", "a.xbm"],
            "--preview a.xbm: no picture can be written as .xbm: name a file such ",
        ),
        (
            "set",
            ["noise", "--preview", "a.psd"],
            "--preview a.psd: no picture can be written as .psd: name a file such ",
        ),
        (
            "set",
            ["noise", "--preview", "no/a.png"],
            "--preview no/a.png: there is no folder no: make it, or name anoth",
        ),
        ("set", ["noise", "--preview", "set/a.png"], "--preview set/a.png: set is for the set alone: name a file e"),
        (
            "set",
            ["noise", "--format", "png", "--preview", "set/../set/0/a.png"],
            "--preview set/../set/0/a.png: set is for the set alone: name a file elsewhere",
        ),
        ("set.npz", ["noise"], "--raw writes one FILE.npz, and nothing else does"),
        ("set.parquet", ["noise", "--format", "png"], "--format png fills a folder"),
    ],
)
def test_a_place_that_does_not_go_with_the_form_is_told(tmp_path, monkeypatch, out, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FarmError, match=re.escape(says)):
        app(["synth", *arguments, "--out", out], standalone_mode=False)
    assert not (tmp_path / out).exists()


def test_a_place_that_cannot_be_written_is_told(place):
    said = place.farm(*NOISE, "--count", 1, "--out", "no/such/set.parquet", code=2)
    assert "cannot write no/such/set.parquet: No such file" in said
    (place.folder / "file").touch()
    assert "cannot make the folder file/set" in place.farm(*NOISE, "--count", 1, "--out", "file/set", code=2)


def test_too_few_images_for_all_classes_make_no_image_folder(place):
    said = place.farm("synth", "digits", "--count", 9, "--out", "set", "--format", "png", code=2)
    assert "--format png: 9 images show not all of 10 classes" in said


def test_help_teaches(place):
    said = place.farm("synth", "--help", COLUMNS="300")
    for word in ("--latents", "--preview", "--verify", "farm synth fractal --count 5000 --out fractals", "shards"):
        assert word in said


def test_help_says_how_long_a_latent_of_the_shipped_network_is(place):
    shipped = Path(checkpoint.__file__).parents[1] / "weights" / f"distylegan_{SHIPPED}.safetensors"
    length = checkpoint.load(shipped).config.z_dim
    assert f"z_dim is {length} of the shipped distylegan" in place.farm("synth", "--help", COLUMNS="300")
