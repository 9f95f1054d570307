"""A store that is away is waited for; one that says no is not."""

import errno
import logging
import pickle
import uuid

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from farm.errors import AwayError, FarmError, InputError
from farm.remote import PATIENCE_S, PAUSES_S, Patient, is_away, opened
from farm.store import Store


class HTTPClientError(Exception):
    """As botocore names it, which is no OSError."""


class ReadTimeoutError(HTTPClientError):
    pass


class ClockStore:
    """A remote file system of one file, which answers but for some calls; time passes only in pauses."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = self.now = 0
        self.pauses = []
        self.sep = "/"

    def cat_file(self, path):
        self.calls += 1
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        return path.encode()

    rm_file = cat_file

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def patient(self, *, reached=True):
        return Patient(self, "s3://bucket", reached=reached, pause=self.pause, clock=lambda: self.now)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
        (TimeoutError(), True),
        (OSError(errno.EIO, "the store said 500"), True),
        (ReadTimeoutError(), True),
        (FileNotFoundError(), False),
        (PermissionError(errno.EACCES, "no"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (ValueError(), False),
    ],
    ids=repr,
)
def test_no_answer_is_told_from_an_answer_that_is_no(error, away):
    assert is_away(error) == away


def test_an_operation_is_tried_again_until_an_answer_comes_and_the_pauses_grow(caplog):
    fs = ClockStore(*[ReadTimeoutError("read timed out")] * 3)
    with caplog.at_level(logging.WARNING):
        assert fs.patient().cat_file("x") == b"x"
    assert (fs.calls, fs.pauses) == (4, [*PAUSES_S[:3]])
    assert caplog.messages[0] == "s3://bucket cannot be reached: read timed out; trying again in 1 s"


def test_patience_ends_in_one_sentence():
    fs = ClockStore(*[TimeoutError()] * 1000)
    with pytest.raises(AwayError, match=r"^s3://bucket cannot be reached: TimeoutError$") as raised:
        fs.patient().cat_file("x")
    assert isinstance(raised.value, FarmError)
    assert isinstance(raised.value, OSError)
    assert PATIENCE_S - PAUSES_S[-1] < fs.now <= PATIENCE_S
    copy = pickle.loads(pickle.dumps(raised.value))
    assert str(copy) == str(raised.value)


def test_what_was_never_reached_is_not_waited_for():
    fs = ClockStore(TimeoutError())
    patient = fs.patient(reached=False)
    with pytest.raises(AwayError):
        patient.cat_file("x")
    assert fs.pauses == []
    fs.errors = [FileNotFoundError("x"), TimeoutError()]
    with pytest.raises(FileNotFoundError):
        patient.cat_file("x")
    assert patient.cat_file("x") == b"x", "an answer came before"
    assert fs.pauses == [1.0]


def test_what_is_refused_or_a_bug_is_not_tried_again():
    for error in (PermissionError(errno.EACCES, "no"), ValueError("a bug")):
        fs = ClockStore(error)
        with pytest.raises(type(error)):
            fs.patient().cat_file("x")
        assert fs.calls == 1


def test_a_removal_whose_answer_was_lost_has_happened():
    fs = ClockStore(TimeoutError(), FileNotFoundError("x"))
    assert fs.patient().rm_file("x") is None
    with pytest.raises(FileNotFoundError):
        ClockStore(FileNotFoundError("x")).patient().rm_file("x")


def test_what_is_no_operation_is_as_it_is():
    assert ClockStore().patient().sep == "/"


def test_a_local_folder_is_asked_directly(tmp_path):
    fs, root = opened(f"{tmp_path}/")
    assert isinstance(fs, LocalFileSystem)
    assert root == str(tmp_path)
    with pytest.raises(InputError, match="cannot open nowhere://x"):
        opened("nowhere://x")


def test_a_worker_waits_for_the_store_that_its_driver_has_reached(monkeypatch):
    store = Store(f"memory://{uuid.uuid4().hex}")
    away = [TimeoutError()]
    monkeypatch.setattr(Patient, "__init__", _without_pauses(Patient.__init__))
    answer = type(fsspec.filesystem("memory")).exists

    def exists(self, path, **how):
        if away:
            raise away.pop()
        return answer(self, path, **how)

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "exists", exists)
    assert not pickle.loads(pickle.dumps(store)).has("export/1")
    assert away == []


def _without_pauses(begin):
    return lambda self, fs, name, **how: begin(self, fs, name, pause=lambda _: None, **how)
