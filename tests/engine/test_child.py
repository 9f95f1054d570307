"""What a stage's process says of an exception: where in a user's own code it was raised, and nowhere else."""

import importlib.util
from pathlib import Path

import pytest

from farm.engine.spawn.child import CHARACTERS, SCREEN, _described
from farm.spec import resolve

FARM = Path(__file__).parents[2] / "farm"

USERS = """
def build(inner=None):
    if inner is not None:
        return inner()
    raise ValueError("no such luck")
"""
LIBRARYS = """
def build():
    raise KeyError("layers")
"""


def module_at(path, source):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def raised(call, *arguments, code):
    """How what a call raises is described, with the user's code in these folders."""
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001 - as around a stage
        return _described(error, [str(folder) for folder in code])
    raise AssertionError("it must raise")


def test_the_line_of_a_users_own_code_is_named(tmp_path):
    users = module_at(tmp_path / "inner" / "nets.py", USERS)
    said = raised(users.build, code=[tmp_path])
    assert (said.type, said.message) == ("ValueError", "no such luck (in nets.py:5, build)")
    assert "nets.py" in said.traceback


def test_of_code_that_a_user_calls_the_users_own_line_is_named(tmp_path):
    users = module_at(tmp_path / "nets.py", USERS)
    library = module_at(tmp_path / ".venv" / "lib" / "site-packages" / "library.py", LIBRARYS)
    said = raised(users.build, library.build, code=[tmp_path])
    assert said.message == "'layers' (in nets.py:4, build)"


def test_the_notes_of_an_error_are_told_with_it():
    def noted():
        error = ValueError("no such luck")
        error.add_note("item 5")
        raise error

    assert raised(noted, code=[]).message == "no such luck; item 5"


@pytest.mark.parametrize("place", ["elsewhere", "code/site-packages"])
def test_code_that_is_not_the_users_is_not_named(tmp_path, place):
    library = module_at(tmp_path / place / "library.py", LIBRARYS)
    assert raised(library.build, code=[tmp_path / "code"]).message == "'layers'"


def test_farms_own_code_is_not_named_even_where_a_user_works_in_its_folder():
    said = raised(resolve, "farm.nowhere:f", code=[FARM])
    assert said.message == "cannot import 'farm.nowhere:f': No module named 'farm.nowhere'"
    assert "spec.py" in said.traceback


def test_an_exception_without_words_is_told_by_its_form(tmp_path):
    def nothing():
        raise RuntimeError

    error = raised(nothing, code=[])
    assert (error.type, error.message) == ("RuntimeError", "RuntimeError()")


@pytest.mark.parametrize(
    ("lines", "width", "shown", "whole"),
    [
        (SCREEN, 10, SCREEN, ""),
        (3340, 40, SCREEN, "3,340 lines"),
        (2, 5000, 1, "10,001 characters"),
        (1, 5000, 1, "5,000 characters"),
    ],
)
def test_of_a_message_longer_than_a_screen_the_beginning_is_told_and_where_all_of_it_is(lines, width, shown, whole):
    def chatty():
        raise RuntimeError("\n".join(["x" * width] * lines))

    said = raised(chatty, code=[])
    *first, last = said.message.splitlines()
    if not whole:
        assert said.message == "\n".join(["x" * width] * lines)
    else:
        assert len(first) == shown
        assert sum(map(len, first)) <= CHARACTERS
        assert last == f"... (the log has all {whole})"
    assert said.traceback.count("x" * width) == lines, "which goes to the log"
