"""Inputs that nobody should write, by a random generator: grids, manifests, records, images, labels, checkpoints.

Each begins as a sound one, and is spoiled in its structure or in its bytes. Where farm must only answer in a sentence,
`survived` says whether it did.
"""

import io
import json
import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image
from safetensors.torch import save

from farm.catalog import CATALOG
from farm.catalog.algorithms import Default
from farm.checkpoint import read_weights
from farm.codec import encode
from farm.data import folder as image_folder
from farm.data import npz
from farm.errors import FarmError
from farm.grid.cell import expand
from farm.grid.load import DEFAULTS, KEYS, load
from farm.grid.settings import Settings
from farm.record import Record
from farm.results import tables
from farm.results.folder import Folder
from farm.results.reading import read_run
from farm.store import Store
from farm.store.manifest import Manifest

MODES = {
    "PNG": ("RGB", "L", "P", "RGBA", "1", "I;16"), "JPEG": ("RGB", "L", "CMYK"), "GIF": ("P", "L"), "BMP": ("RGB", "1"),
    "TIFF": ("RGB", "RGB", "F", "I", "CMYK", "LAB"),
}  # fmt: skip
MOST_CELLS = 2000  # of a grid that is expanded
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 0.5, math.nan, math.inf, -0.0, 1e-320, "", " ", "~", "no",
    "0x1F", "\x00", "\x1b[31m", "\u202e", "ä" * 300, "../../etc/passwd", "/dev/zero", "a:b", ":", "{", "}", "[", "%",
    "=cmd", "*", "s3://k:s@b", "digits", "resnet20", "noise", "folder", "CPU", "AUTO:", date(2026, 1, 1), [], {},
    [[]], [None], {"": ""}, {"name": None}, {"name": "noise", "count": [1, 2, 3]}, {1: 2}, {"path": "."}, b"\xff\xfe",
)  # fmt: skip
SOUND = {
    "name": "grid", "dataset": {"name": "digits", "count": 10}, "metric": "top1",
    "models": ["resnet20", {"name": "vgg11_bn", "weights": "w.pt", "mean": [0.5, 0.5, 0.5], "scale": 0.1},
               {"path": "net.onnx", "size": [32, 32], "mode": "grey"}],
    "calibrations": [{"name": "noise", "count": 10, "seed": [0, 1]},
                     {"name": "folder", "path": "photos", "classes": ["a"]}],
    "algorithms": ["default", {"name": "accuracy-aware", "max_drop": 0.01}], "devices": [{"name": "CPU", "threads": 1}],
    "baselines": ["ir"], "exclude": [{"model": "resnet20"}], "include": [], "accuracy_only": [{"device": "CPU"}],
    "settings": {"measure": {"pairs": [6, 24], "target": 0.02}, "shard_images": 256, "timeout_s": {"quantize": 9000}},
}  # fmt: skip
WORDS = (
    *KEYS,
    *CATALOG.models,
    *CATALOG.sources,
    *Default.model_fields,
    *Settings.model_fields,
    "name",
    "path",
    "size",
)
YAML = (
    "&a ",
    "*a",
    "<<: *a",
    "!!python/object:os.system ",
    "!!binary ",
    "---\n",
    "\t",
    "? ",
    "|",
    ">",
    "#",
    "\r",
    "\x85",
)


def grid(rng: random.Random) -> bytes:
    """A grid file."""
    some = {key: SOUND[key] for key in ("dataset", "models", *rng.sample(list(SOUND), rng.randrange(4)))}
    document = _spoiled(rng, some, rng.choice((0, 1, 1, 2, 3, 8)))
    if rng.random() < 0.1:
        document = DEFAULTS | {"dataset": "digits", "models": _value(rng, 3)}
    text = json.dumps(document, default=str)  # which is YAML, too
    if rng.random() < 0.2:
        with suppress(yaml.YAMLError, RecursionError):
            text = yaml.safe_dump(document, allow_unicode=rng.random() < 0.5, sort_keys=False)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(YAML) + text[at:]
    content = text.encode("utf-8", errors="surrogatepass")
    return _flipped(rng, content) if rng.random() < 0.2 else content


def manifest(rng: random.Random) -> bytes:
    """An artefact's manifest."""
    sound = json.loads(
        encode(Manifest(uri="export/00ff", copy="abcd", label="a", parameters={"size": [1, 2]}, facts={"a": 1}))
    )
    return _flipped(rng, json.dumps(_spoiled(rng, sound, rng.randrange(4)), default=str).encode())


def records(rng: random.Random) -> bytes:
    """Gathered records: columns that lack, are of another type, hold other values, or bytes that are other bytes."""
    rows = [
        Record(**dict.fromkeys(NAMED, "a"), outcome="ok", top1=0.5),
        Record(**dict.fromkeys(NAMED, "b"), outcome="ok"),
    ]
    table = tables.table_of(tables.RECORDS, rows)
    for _ in range(rng.randrange(4)):
        name = rng.choice(table.column_names)
        at = table.column_names.index(name)
        if rng.random() < 0.3 and table.num_columns > 1:
            table = table.remove_column(at)
            continue
        values = [
            rng.choice((None, "", "\x1b[1m", 2**62, -1, math.nan, [1], {"a": 1})) for _ in range(1)
        ] * table.num_rows
        table = table.set_column(at, name, pa.array(values))
    sink = io.BytesIO()
    pq.write_table(table, sink, write_page_checksum=True)
    content = sink.getvalue()
    return content if rng.random() < 0.5 else _cut(rng, content)


NAMED = ("grid", "cell", "model", "algorithm", "device", "runtime")


def photos(rng: random.Random, path: Path) -> None:
    """An image folder."""
    names = ("0", "1", "10", "2", "cat", ".hidden", "a b", "ä", "=x", "\x1b[31m", "a" * 200)
    depth = rng.choice((0, 1, 1, 1, 2))
    for _ in range(rng.randrange(6)):
        place = path.joinpath(*rng.sample(names, depth))
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:  # a file of that name is there
            continue
        file = place / f"{rng.choice(names)}{rng.choice(('.png', '.jpg', '.TIF', '.gif', '.txt', '', '.xpm', '.webp'))}"
        if file.exists() or file.is_symlink():
            continue
        if rng.random() < 0.1:
            file.symlink_to(rng.choice((".", "..", "nowhere", str(path))))
            continue
        file.write_bytes(picture(rng))


def picture(rng: random.Random) -> bytes:
    """An image file, sound or not."""
    kind = rng.choice(list(MODES))
    size = rng.choice(((8, 8),) * 12 + ((1, 1), (1, 300)))
    sink = io.BytesIO()
    Image.new(rng.choice(MODES[kind]), size).save(sink, kind)
    return _flipped(rng, sink.getvalue()) if rng.random() < 0.15 else sink.getvalue()


def checkpoint(rng: random.Random) -> tuple[str, bytes]:
    """A checkpoint's suffix and its bytes."""
    state: Any = {"fc.weight": torch.zeros(4, 3), "fc.bias": torch.ones(4)}
    if rng.random() < 0.3:
        return ".safetensors", _cut(rng, save(state))
    odd = (np.float64(1), 1, None, "a", {}, [], torch.zeros(2, 2).to_sparse(), torch.zeros(0), print, rng)
    for _ in range(rng.randrange(3)):
        inner = state if isinstance(state, dict) else {"list": state}
        state = rng.choice((
            {"state_dict": state}, {**inner, rng.choice(("x", 1)): rng.choice(odd)}, [state],
            {f"module.{key}": value for key, value in inner.items()},
        ))  # fmt: skip
    sink = io.BytesIO()
    try:
        torch.save(state, sink)
    except (TypeError, AttributeError, RuntimeError):
        sink.write(b"PK\x03\x04")
    content = sink.getvalue()
    return rng.choice((".pt", ".pth")), content if rng.random() < 0.4 else _cut(rng, content)


def archive(rng: random.Random) -> bytes:
    """An .npz of images and labels."""
    arrays = {"images": np.zeros((3, 4, 4, 3), np.uint8), "labels": np.arange(3)}
    odd = (np.zeros(3), np.zeros((3, 4, 4), np.uint8), np.array([{}]), np.zeros((0, 1), np.int8), np.array(["a"] * 3))
    for _ in range(rng.randrange(3)):
        arrays[rng.choice(("images", "labels", "x_test", "y_test", "test_images", "a/../b"))] = rng.choice(odd)
    sink = io.BytesIO()
    rng.choice((np.savez, np.savez_compressed))(sink, **arrays)
    return sink.getvalue() if rng.random() < 0.4 else _cut(rng, sink.getvalue())


def label_file(rng: random.Random) -> bytes:
    """A file of the labels of images called 0.png, 1.png and so on."""
    separator = rng.choice(",;\t ")
    names = ("0.png", "1.png", "2", "./0.png", "", "é.png", '"', "x" * 300, "file")
    words = ("cat", "0", "1", "-1", "1.5", "label", "", '"a', "\x00", "9" * 30, "=cmd")
    lines = [f"{rng.choice(names)}{separator}{rng.choice(words)}" for _ in range(rng.randrange(6))]
    content = rng.choice(("\n", "\r\n", "\r")).join([*rng.choice(([], ["file,label"])), *lines]).encode()
    return _flipped(rng, content) if rng.random() < 0.2 else content


def load_archive(content: bytes, folder: Path) -> None:
    """What a dataset in an .npz does."""
    (folder / "a.npz").write_bytes(content)
    images = npz.dataset({"count": None, "split": None}, {"images": folder / "a.npz"})
    images.block(0, len(images))


def load_label_file(content: bytes, folder: Path) -> None:
    """What a dataset with a file of labels does."""
    (folder / "flat").mkdir(exist_ok=True)
    for number in range(3):
        (folder / "flat" / f"{number}.png").touch()
    (folder / "labels.csv").write_bytes(content)
    image_folder.open_labelled(folder / "flat", folder / "labels.csv")


def load_grid(content: bytes, folder: Path) -> None:
    """What `farm plan` begins with."""
    path = folder / "grid.yaml"
    path.write_bytes(content)
    found = load(path, CATALOG)
    if math.prod(map(len, (found.models, found.calibrations, found.algorithms, found.devices))) < MOST_CELLS:
        expand(found)


def load_manifest(content: bytes, folder: Path) -> None:
    """What reads an artefact's manifest."""
    store = Store(str(folder))
    place = folder / "export" / "00" / "00ff"
    place.mkdir(parents=True, exist_ok=True)
    (place / "manifest.json").write_bytes(content)
    store.manifest("export/00ff")


def load_records(content: bytes, folder: Path) -> None:
    """What `farm show` begins with."""
    (folder / "records.parquet").write_bytes(content)
    read_run(Folder(str(folder)))


def load_photos(folder: Path) -> None:
    """What a dataset does."""
    images = image_folder.dataset({"count": None}, {"images": folder})
    images.look()
    images.block(0, len(images))


def load_checkpoint(suffix: str, content: bytes, folder: Path) -> None:
    """What a model begins with."""
    (folder / f"w{suffix}").write_bytes(content)
    try:
        read_weights(folder / f"w{suffix}")
    except MemoryError as error:  # a stage that is killed for memory says so
        raise FarmError(str(error)) from error


def survived(load_it: Callable[[], None]) -> tuple[str, float]:
    """``accepted``, ``refused``, or what farm should never raise; and the CPU time that took, in seconds."""
    begun = time.process_time()
    try:
        load_it()
    except FarmError:
        return "refused", time.process_time() - begun
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {error}", time.process_time() - begun
    return "accepted", time.process_time() - begun


def _value(rng: random.Random, depth: int) -> Any:
    """Anything that YAML can say."""
    kind = rng.random()
    if depth and kind < 0.2:
        return [_value(rng, depth - 1) for _ in range(rng.choice((0, 1, 2, 2, 9)))]
    if depth and kind < 0.4:
        return {rng.choice(WORDS): _value(rng, depth - 1) for _ in range(rng.randrange(4))}
    return rng.choice(WORDS) if kind < 0.5 else rng.choice(ODD)


def _spoiled(rng: random.Random, value: Any, times: int) -> Any:
    """A value of which so many places, anywhere inside, are something else."""
    for _ in range(times):
        value = _changed(rng, value)
    return value


def _changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        change = rng.random()
        if change < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        if change < 0.2:
            return {**value, rng.choice(WORDS): _value(rng, 2)}
        return {**value, key: _changed(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], _changed(rng, value[at]), *value[at + rng.randrange(2) :]]
    return _value(rng, 3)


def _flipped(rng: random.Random, content: bytes) -> bytes:
    """Bytes of which some are others, lack, or stand twice."""
    found = bytearray(content)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(found) + 1)
        found[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(found)


def _cut(rng: random.Random, content: bytes) -> bytes:
    """The beginning of a file, or one with other bytes."""
    return content[: rng.randrange(len(content) + 1)] if rng.random() < 0.3 else _flipped(rng, content)
