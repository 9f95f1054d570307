"""The example of a comparison is what the command prints."""

import sys
from pathlib import Path

import pytest

from farm.errors import InputError
from farm.results.folder import Folder
from farm.results.reading import read_run
from tests.runs import record, run

sys.path.append(str(Path(__file__).parents[2] / "docs" / "making"))
import compared

IR, REAL, NOISE = record(), record("real"), record("noise", size_mib=2.0)
RUN = run({IR: (), REAL: range(5), NOISE: range(40)})


def test_one_sets_model_is_in_the_calibration_of_another():
    ir, real, noise = compared.swapped(RUN, "real", "noise").records
    assert (ir, noise) == (RUN.records[0], RUN.records[2])
    assert (real.cell, real.calibration, real.calibration_source) == (REAL.cell, "real", "real")
    assert (real.top1, real.size_mib) == (0.96, 2.0)


def test_what_is_written_is_read_again(tmp_path):
    folder = Folder(str(tmp_path / "small"))
    compared.write(RUN, folder)
    found = read_run(folder)
    assert (found.records, found.claims) == (RUN.records, RUN.claims)
    assert [*found.predictions] == [*RUN.predictions]


@pytest.mark.parametrize(("calibration", "other"), [("absent", "noise"), ("real", "absent")])
def test_a_set_that_is_not_there_is_no_example(calibration, other):
    with pytest.raises(InputError, match="has not the same cells"):
        compared.swapped(RUN, calibration, other)


def test_the_example_is_the_commands_own_words_without_this_machines_folders(tmp_path):
    compared.write(RUN, Folder(str(tmp_path / "small")))
    lines = compared.printed(tmp_path / "small", "real", "noise").splitlines()
    assert lines[1].startswith(REAL.cell)
    assert lines[-1].startswith("1 cell of 3")
    assert {"A: before/small", "B: after/small"} <= {*lines}
