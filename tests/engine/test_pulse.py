"""When a cluster counts as gone: its daemon on this host at once, its head after a while."""

import socket
import threading
from contextlib import ExitStack

import pytest

from farm.engine.pulse import BEAT_S, GONE_S, Answer, Pulse, answers
from farm.errors import EngineError


@pytest.fixture
def there(tmp_path):
    """A head and a daemon that listen: their addresses, and what closes each."""
    with ExitStack() as stack:
        head = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        daemon = stack.enter_context(socket.socket(socket.AF_UNIX))
        daemon.bind(str(tmp_path / "raylet"))
        daemon.listen()
        yield f"127.0.0.1:{head.getsockname()[1]}", str(tmp_path / "raylet"), head, daemon


def test_while_both_listen_nothing_is_gone(there, clock):
    pulse = Pulse(*there[:2], clock)
    for _ in range(5):
        pulse.check()
        assert pulse.beats
        clock.now += 10


def test_without_its_own_daemon_a_driver_is_at_its_end(there, clock):
    head, path, _, daemon = there
    pulse = Pulse(head, path, clock)
    pulse.check()
    daemon.close()
    pulse.check()
    clock.now += BEAT_S
    for _ in range(2):
        with pytest.raises(EngineError, match=r"^Ray on this host is gone; what is finished is kept: run the same"):
            pulse.check()
    assert not pulse.beats


def test_a_head_may_be_silent_for_a_while(there, clock):
    address, path, head, _ = there
    pulse = Pulse(address, path, clock)
    head.close()
    pulse.check()
    assert not pulse.beats, "nothing is asked of it meanwhile"
    clock.now += GONE_S - 1
    pulse.check()
    port = int(address.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        clock.now += BEAT_S
        pulse.check()
        assert pulse.beats
    clock.now += BEAT_S
    pulse.check()
    clock.now += GONE_S
    with pytest.raises(EngineError, match=f"^Ray's head at 127.0.0.1:{port} is gone"):
        pulse.check()


def test_a_head_that_listens_and_says_nothing_is_gone_too(there, clock):
    pulse = Pulse(*there[:2], clock)
    pulse.check()
    pulse.is_silent()
    assert not pulse.beats
    clock.now += GONE_S - 1
    pulse.check()
    pulse.heard()
    clock.now += BEAT_S
    pulse.check()
    assert pulse.beats
    pulse.is_silent()
    clock.now += GONE_S
    with pytest.raises(EngineError, match="is gone"):
        pulse.check()


def test_an_answer_may_come_late_never_or_as_an_error():
    turn = threading.Event()
    late = Answer(lambda: turn.wait() and "here")
    assert late.within(0.01) is None
    turn.set()
    assert late.within(5.0) == "here"
    assert Answer(lambda: 1).within(5.0) == 1
    with pytest.raises(ZeroDivisionError):
        Answer(lambda: 1 // 0).within(5.0)


def test_what_is_not_known_is_not_looked_at(there, clock):
    Pulse(there[0], "", clock).check()


def test_a_daemon_that_is_busy_is_there(there, clock, monkeypatch):
    def busy(self, address):
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", busy)
    monkeypatch.setattr("farm.engine.pulse.answers", lambda *_: None)
    Pulse(there[0], there[1], clock).check()


def test_where_nobody_listens_is_an_error_of_the_network(there):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        answers("127.0.0.1", port)
    answers("[127.0.0.1]", int(there[0].rpartition(":")[2]))
