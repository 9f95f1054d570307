"""What only the inline engine does: it runs a stage while it is waited for."""

import shutil
import socket
import uuid
from dataclasses import replace

import psutil

from farm.engine import ProgressLine, process
from farm.engine.inline import InlineEngine
from farm.engine.spawn.server import SOCKET, lock_path, log_path
from tests.engine.conftest import outcome_of
from tests.engine.test_contract import wait_until


def test_closing_ends_the_stage_that_runs_and_drops_the_others(maker, monkeypatch):
    ended = []

    def running(work):
        try:
            yield ProgressLine(uri=work.stage.uri, text="still here")
        finally:
            ended.append(work.stage.label)

    monkeypatch.setattr(process, "run", running)
    monkeypatch.setattr(process, "release", lambda folder: ended.append(folder.name))
    works = [maker.work("fine"), maker.work("fine")]
    engine = InlineEngine()
    for work in works:
        engine.submit(work)
    assert engine.wait(0) == (ProgressLine(uri=works[0].stage.uri, text="still here"),)
    engine.close()
    assert ended == [works[0].stage.label, maker.session]
    assert engine.wait(0) == ()


def test_an_engine_that_is_closed_lets_go_of_its_own_fork_server_alone(maker, tmp_path):
    ours, theirs = InlineEngine(), InlineEngine()
    other = replace(maker.work("fine"), session=uuid.uuid4().hex)
    assert outcome_of(theirs, other).ok
    assert outcome_of(ours, maker.work("fine")).ok
    folder = process.session_folder(other.session)
    ours.close()
    assert (folder / SOCKET).exists()
    theirs.close()
    wait_until(lambda: not lock_path(folder).exists())
    assert not log_path(folder).exists(), "a server that says nothing leaves nothing"


def test_closing_what_never_ran_is_no_fault():
    engine = InlineEngine()
    assert engine.wait(0) == ()
    engine.close()


def listens(path):
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(path)) == 0


def test_a_fork_server_that_was_killed_is_replaced(maker):
    engine, work = InlineEngine(), replace(maker.work("fine"), session=uuid.uuid4().hex)
    folder = process.session_folder(work.session)
    assert outcome_of(engine, work).ok
    [server] = [each for each in psutil.process_iter(["cmdline"]) if str(folder) in (each.info["cmdline"] or ())]
    server.kill()
    wait_until(lambda: not listens(folder / SOCKET))
    again = replace(maker.work("fine"), session=work.session)
    outcome = outcome_of(engine, again)
    assert outcome.ok, outcome.traceback
    shutil.rmtree(folder)
    lost = outcome_of(engine, replace(maker.work("fine"), session=work.session))
    assert lost.ok or lost.error_class == "lost"
    engine.close()
