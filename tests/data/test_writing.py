"""Files that are replaced whole, and folders that one process writes to."""

import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from farm.data import writing
from farm.errors import InputError
from farm.generators.distylegan import checkpoint
from farm.generators.distylegan.network import Config
from farm.generators.distylegan.training import keep

CONFIG = Config(ngf=8, z_dim=2, c_dim=2, project_dim=2, nc=3)
HOLDING = """
import sys
from pathlib import Path
from farm.data import writing
with writing.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def generator(folder, value):
    checkpoint.save(folder, {"weight": torch.full((1000,), float(value))}, CONFIG, {"ndf": value})


def sheet(folder, value):
    keep.write_samples(folder, 1, np.full((4, 32, 32, 3), value, np.uint8), 2)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda folder, value: writing.replace(folder / "file", bytes([value]) * 1000), "file"),
        (generator, "generator.pt"),
        (generator, "config.json"),
        (sheet, "samples/epoch-0001.png"),
    ],
)
def test_who_reads_a_file_while_it_is_replaced_has_the_old_one_whole(tmp_path, write, name):
    write(tmp_path, 1)
    before = (tmp_path / name).read_bytes()
    with (tmp_path / name).open("rb") as reading:
        write(tmp_path, 2)
        assert reading.read() == before
    assert (tmp_path / name).read_bytes() != before
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".new")]


def test_a_folder_is_one_processes_until_it_ends_however_it_ends(tmp_path):
    folder = tmp_path / "deep" / "folder"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "held\n"
        with (
            pytest.raises(InputError, match=r"another process writes to .*folder: wait for it, or"),
            writing.held(folder),
        ):
            pass
        child.send_signal(signal.SIGKILL)
    with writing.held(folder):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("hello")
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(InputError, match=r"cannot make the folder .*; choose another --out"), writing.held(path):
            pass
