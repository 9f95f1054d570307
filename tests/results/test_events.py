"""events.jsonl: written line by line, whatever happens, and read by whoever watches."""

import json
import os
import uuid
from datetime import datetime

import pytest

from farm.results import events
from farm.results.events import EVENTS, Event, Journal, Reader, What
from farm.results.folder import Folder

ONE, TWO = "export/1", "measure/2"


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    """A grid's folder, which is there."""
    place = Folder(str(tmp_path / "grid") if request.param == "local" else f"memory://{uuid.uuid4().hex}/grid")
    place.fs.makedirs(place.root, exist_ok=True)
    return place


@pytest.fixture
def at_once(monkeypatch):
    """A remote file is written as often as anything is noted."""
    monkeypatch.setattr(events, "REWRITE_S", 0.0)
    monkeypatch.setattr(events, "REWRITE_SHARE", 1e9)


def lines(folder):
    return [json.loads(line) for line in folder.fs.cat_file(f"{folder.root}/{EVENTS}").splitlines()]


def test_a_line_is_one_object_with_its_time_and_its_run(folder, at_once):
    journal = Journal(folder)
    with journal.running([ONE]):
        journal.note(Event(what=What.SUBMITTED, uri=ONE))
        journal.note(Event(what=What.WORDS, uri=ONE, text="half way"))
        journal.note(Event(what=What.ENDED, uri=ONE, error_class="error", text="no luck"))
    written = lines(folder)
    assert [line.pop("run") for line in written] == [journal.run] * 5
    assert all(datetime.fromisoformat(line.pop("at")).utcoffset().total_seconds() == 0 for line in written)
    assert written == [
        {"what": "begun", "wanted": [ONE]},
        {"what": "submitted", "uri": ONE},
        {"what": "words", "uri": ONE, "text": "half way"},
        {"what": "ended", "uri": ONE, "text": "no luck", "error_class": "error"},
        {"what": "over"},
    ]


def test_a_reader_follows_a_run(folder, at_once):
    journal, reader = Journal(folder), Reader(folder)
    assert reader.look() is None
    with journal.running([ONE, TWO]):
        assert (reader.look().touched, reader.look().running, reader.look().end) == ({ONE, TWO}, {}, "")
        journal.note(Event(what=What.SUBMITTED, uri=ONE))
        journal.note(Event(what=What.WORDS, uri=ONE, text="half way"))
        assert reader.look().running == {ONE: "half way"}
        journal.note(Event(what=What.RETRIED, uri=ONE, error_class="lost", text="the worker died"))
        assert reader.look().running == {ONE: "tried again after lost"}
        reader.look().touched.clear()
        journal.note(Event(what=What.ENDED, uri=ONE, error_class="oom", text="4 GiB"))
        journal.note(Event(what=What.SUBMITTED, uri=TWO))
        last = reader.look()
        assert (last.running, last.failures, last.touched) == ({TWO: ""}, {ONE: "oom"}, {ONE, TWO})
    last = reader.look()
    assert (last.end, last.running) == (What.OVER, {})


def test_a_run_that_is_interrupted_says_so(folder):
    with pytest.raises(KeyboardInterrupt), Journal(folder).running([ONE]):
        raise KeyboardInterrupt
    assert Reader(folder).look().end == What.INTERRUPTED


def test_the_next_run_takes_over_even_from_a_reader_that_reads_on(folder, at_once):
    reader, first, second = Reader(folder), Journal(folder), Journal(folder)
    with first.running([ONE]):
        first.note(Event(what=What.ENDED, uri=ONE, error_class="error"))
        assert reader.look().failures == {ONE: "error"}
        with second.running([TWO]):
            first.note(Event(what=What.ENDED, uri=ONE))
            second.note(Event(what=What.SUBMITTED, uri=TWO))
            if folder.local(EVENTS):
                last = reader.look()
                assert (last.run, last.failures, last.running, last.end) == (second.run, {}, {TWO: ""}, "")


def test_a_torn_line_is_left_out_and_the_next_run_begins_on_a_line_of_its_own(tmp_path):
    folder = Folder(str(tmp_path))
    path = tmp_path / EVENTS
    reader = Reader(folder)
    with Journal(folder).running([ONE]):
        pass
    with path.open("ab") as file:
        file.write(b'{"at": "2026-01-01T00:00:00.000+00:00", "ru')
    assert reader.look().end == What.OVER
    journal = Journal(folder)
    with journal.running([TWO]):
        assert reader.look().run == journal.run
    with path.open("ab") as file:
        file.write(b'null\n[1]\n{"what": 1}\n\xff\xfe\n')
    assert reader.look().end == Reader(folder).look().end == What.OVER


def test_half_a_line_is_read_once_it_is_whole(tmp_path):
    reader = Reader(Folder(str(tmp_path)))
    journal = Journal(reader.folder)
    with journal.running([ONE]):
        assert reader.look().running == {}
        line = json.dumps({"at": "", "run": journal.run, "what": "submitted", "uri": ONE}).encode() + b"\n"
        with (tmp_path / EVENTS).open("ab", buffering=0) as file:
            file.write(line[:30])
            assert reader.look().running == {}
            file.write(line[30:])
            assert reader.look().running == {ONE: ""}


def test_words_are_not_written_down_each_second(tmp_path):
    folder = Folder(str(tmp_path))
    journal = Journal(folder)
    for number in range(100):
        journal.note(Event(what=What.WORDS, uri=TWO, text=f"{number} of 100"))
    assert [line["text"] for line in lines(folder)] == ["0 of 100"]


def test_a_remote_file_is_written_now_and_then_and_at_the_end():
    folder = Folder(f"memory://{uuid.uuid4().hex}/grid")
    journal = Journal(folder)
    with journal.running([ONE]):
        for _ in range(50):
            journal.note(Event(what=What.SUBMITTED, uri=ONE))
        journal.flush()
        assert len(lines(folder)) == 1
    assert len(lines(folder)) == 52


def test_a_file_that_is_too_large_is_begun_anew(tmp_path, monkeypatch):
    folder, reader = Folder(str(tmp_path)), Reader(Folder(str(tmp_path)))
    with Journal(folder).running([ONE] * 100):
        pass
    assert reader.look().end == What.OVER
    monkeypatch.setattr(events, "LARGEST", 100)
    journal = Journal(folder)
    with journal.running([TWO]):
        assert (reader.look().run, reader.look().touched) == (journal.run, {TWO})
    assert len(lines(folder)) == 2


def test_what_cannot_be_written_does_not_end_the_run(tmp_path):
    journal = Journal(Folder(str(tmp_path / "nowhere")))
    with journal.running([ONE]):
        journal.note(Event(what=What.SUBMITTED, uri=ONE))
    assert not (tmp_path / "nowhere").exists()


def test_a_journal_of_nothing_writes_nothing():
    journal = Journal()
    with journal.running([ONE]):
        journal.note(Event(what=What.SUBMITTED, uri=ONE))
        journal.flush()
    assert journal.lines == []


def test_a_pipe_in_the_events_place_holds_nobody_up(tmp_path):
    folder = Folder(str(tmp_path))
    os.mkfifo(tmp_path / EVENTS)
    journal = Journal(folder)
    with journal.running([ONE]):
        journal.note(Event(what=What.SUBMITTED, uri=ONE))
    assert Reader(folder).look() is None
