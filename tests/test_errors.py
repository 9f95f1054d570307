"""The error tree and what its errors say."""

import pickle

import pytest

from farm.errors import (
    DamageError,
    DataError,
    EngineError,
    FarmError,
    Fault,
    GridError,
    InputError,
    StageError,
    message,
)

FAULTS = (
    Fault(line=7, path="models[0]", text="unknown model"),
    Fault(line=2, path="name", text="wrong"),
    Fault(line=7, path="devices[0]", text="unknown device"),
)


@pytest.mark.parametrize("error", [InputError, DataError, DamageError, EngineError, StageError, GridError])
def test_every_error_of_farm_can_be_caught_as_one(error):
    assert issubclass(error, FarmError)


@pytest.mark.parametrize(
    ("error", "notes", "text"),
    [
        (FileNotFoundError(2, "No such file", "a.png"), ["item 5"], "[Errno 2] No such file: 'a.png'; item 5"),
        (RuntimeError(), ["item 5"], "RuntimeError(); item 5"),
        (DataError("no images"), [], "no images"),
    ],
)
def test_the_message_of_an_error_has_its_notes(error, notes, text):
    for note in notes:
        error.add_note(note)
    assert message(error) == text


def test_a_grid_error_is_bad_input_and_lists_its_faults_in_the_files_order():
    error = GridError("g.yaml", FAULTS)
    assert isinstance(error, InputError)
    assert str(error).splitlines() == [
        "g.yaml:2: name: wrong",
        "g.yaml:7: devices[0]: unknown device",
        "g.yaml:7: models[0]: unknown model",
    ]


@pytest.mark.parametrize(
    "error",
    [
        GridError("g.yaml", FAULTS),
        DataError("a", "b"),
        DamageError("a", "b", "c", "export/1"),
        InputError("a"),
        EngineError(),
    ],
    ids=repr,
)
def test_an_error_survives_pickling(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.args == error.args
    assert str(copy) == str(error)
