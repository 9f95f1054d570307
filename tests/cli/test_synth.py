"""`farm synth`: sets made, resumed, extended, previewed and refused; and used in a grid."""

import json
import re
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from farm.cli import app
from farm.errors import FarmError
from farm.images import SOURCES, imageset, shards
from tests.images.checkpoints import CONFIG, distylegan

NOISE = ("synth", "noise", "--size", "6x4", "--shard", 256, "--threads", 1)


def images_of(folder, count):
    return shards.source({"path": "", "count": count, "skip": 0}, {"images": folder}).block(0, count)


def test_a_set_is_the_same_as_a_grids_to_the_byte(place):
    said = place.farm(*NOISE, "--count", 600, "--seed", 7, "--out", "set", "--batch", 1000)
    assert "set: 600 images of 6x4; 600 made in" in said
    assert "to calibrate with it: {name: shards, path: set, count: 600}" in said
    noise = SOURCES["noise"]
    parameters = noise.parameters.model_validate({"count": 600, "seed": 7, "size": (6, 4)}).model_dump()
    from farm.images import noise as source

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
    assert "10 made in" in place.farm(*NOISE, "--count", 10, "--out", "set", "--verify")
    assert path.read_bytes() == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_set_keeps_whole_shards_and_goes_on(place, number):
    command = ("synth", "noise", "--size", "64x64", "--shard", 256, "--count", 100_000, "--threads", 1, "--out", "set")
    with place.start(*command) as running:
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


@pytest.mark.slow
def test_every_layout_is_a_calibration_set_and_shards_have_the_results_of_their_source(place):
    for layout in ("shards", "png", "hf"):
        place.farm("synth", "noise", "--count", 300, "--out", layout, "--shard", 512, "--format", layout)
    sets = [
        {"name": "noise", "count": 300},
        {"name": "shards", "path": "shards", "count": 300},
        {"name": "folder", "path": "png", "count": 300},
        {"name": "parquet", "path": "hf/shard-00000.parquet", "count": 300},
    ]
    grid = place.grid(calibrations=sets, accuracy_only=[{"device": "CPU"}], settings={"shard_images": 256})
    place.farm("run", grid, "--engine", "inline")
    models = {name: models_of(place, name) for name in ("noise", "shards", "folder", "parquet")}
    assert models["shards"] == models["noise"]
    assert models["folder"] == models["parquet"] != models["noise"], "what is drawn is another order of them"


def models_of(place, name):
    """The int8 model that was calibrated with a set of two shards."""
    plan = json.loads((place.folder / "results/quick/plan.json").read_text())
    [stages] = [cell["stages"] for cell in plan["cells"] if (cell["calibration"] or "").startswith(f"{name}{{")]
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
    from farm.images.generated import normal

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


def test_one_parquet_file_is_written_whole(place):
    place.farm(*NOISE, "--count", 300, "--out", "set.parquet", "--format", "hf")
    assert pq.read_metadata(place.folder / "set.parquet").num_rows == 300
    assert [path.name for path in place.folder.iterdir() if "set.parquet" in path.name] == ["set.parquet"]


def test_a_real_source_gives_a_copy_of_its_drawing(place):
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
        ("set.npz", ["noise"], "--raw writes one FILE.npz, and nothing else does"),
        ("set.parquet", ["noise", "--format", "png"], "--format png fills a folder"),
    ],
)
def test_a_place_that_does_not_go_with_the_form_is_told(tmp_path, monkeypatch, out, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FarmError, match=re.escape(says)):
        app(["synth", *arguments, "--out", out], standalone_mode=False)


def test_a_place_that_cannot_be_written_is_told(place):
    said = place.farm(*NOISE, "--count", 1, "--out", "no/such/set.parquet", code=2)
    assert "cannot write no/such/set.parquet: No such file" in said
    (place.folder / "file").touch()
    assert "cannot make the folder file/set" in place.farm(*NOISE, "--count", 1, "--out", "file/set", code=2)


def test_too_few_images_for_all_classes_make_no_image_folder(place):
    said = place.farm("synth", "digits", "--count", 9, "--out", "set", "--format", "png", code=2)
    assert "--format png: 9 images show not all of 10 classes" in said


def test_help_teaches(place):
    said = place.farm("synth", "--help")
    for word in ("--latents", "--preview", "--verify", "farm synth fractal --count 5000 --out fractals", "shards"):
        assert word in said
