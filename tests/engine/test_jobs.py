"""Following a job whose connection breaks: nothing is shown twice, and the job's end is its end."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from farm.errors import EngineError

NAME = "farm-quick-1"


class Server:
    """A job server that says its parts one after another, and breaks where a part is an error."""

    def __init__(self, *breaks, status="SUCCEEDED", code=0):
        self.breaks, self.status, self.code = list(breaks), status, code
        self.said = ["one\n", "two\n", "three\n"]

    def list_jobs(self):
        return [SimpleNamespace(submission_id=NAME)]

    async def tail_job_logs(self, name):
        until, error = self.breaks.pop(0) if self.breaks else (len(self.said), None)
        for text in self.said[:until]:
            yield text
        if error is not None:
            raise error

    def get_job_logs(self, name):
        return "".join(self.said)

    def get_job_info(self, name):
        status = SimpleNamespace(value=self.status, is_terminal=lambda: not self.breaks)
        return SimpleNamespace(status=status, driver_exit_code=self.code, message="killed by a person")


@pytest.fixture(autouse=True)
def jobs(monkeypatch):
    """The module, which does not wait between its tries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own imports warn of Ray's own future
        from farm.engine.ray import jobs

    monkeypatch.setattr(jobs, "RECONNECT_S", 0.0)
    return jobs


def jobs_of(server):
    from farm.engine.ray.jobs import Jobs

    one = Jobs.__new__(Jobs)
    one.address, one.client = "http://there", server
    return one


def followed(server):
    """In a thread of its own: in this one the event loop of a browser may run, whose tests come before."""
    shown = []
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(jobs_of(server).followed, NAME, shown.append).result(60), "".join(shown)


BREAKS = [
    (0, aiohttp.ServerDisconnectedError()),
    (2, ConnectionResetError()),
    (1, RuntimeError("the socket is closed")),
]


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_connection_that_breaks_is_made_again_and_nothing_is_shown_twice(code):
    assert followed(Server(*BREAKS, code=code)) == (code, "one\ntwo\nthree\n")


def test_a_tail_that_ends_before_its_job_is_begun_again():
    assert followed(Server((1, None), (2, None))) == (0, "one\ntwo\nthree\n")


def test_a_job_that_left_no_exit_code_says_why_it_has_ended():
    code, shown = followed(Server(status="STOPPED", code=None))
    assert code == 1
    assert shown.endswith("the job has ended: killed by a person\n")


def test_a_job_that_is_not_there_or_is_heard_of_no_more_is_said(jobs, monkeypatch):
    server = Server()
    server.list_jobs = list
    with pytest.raises(EngineError, match=f"http://there has no job {NAME}"):
        followed(server)
    monkeypatch.setattr(jobs, "PATIENCE_S", -1.0)
    with pytest.raises(EngineError, match=f"nothing is heard of {NAME} any more: gone"):
        followed(Server((0, ConnectionResetError("gone"))))


class Beginning(Server):
    """A server that takes no job at first, and then one, or none."""

    def __init__(self, *faults):
        super().__init__()
        self.faults, self.taken = list(faults), []

    def submit_job(self, **what):
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(what["submission_id"])
        self.environment = what["runtime_env"]["env_vars"]


def submitted(server):
    jobs_of(server).submit(NAME, "farm run", Path("/nowhere"))
    return server.taken


BUSY = RuntimeError("Request failed with status code 500: No available agent to submit job")


def test_a_cluster_that_has_just_begun_is_asked_again(jobs, monkeypatch):
    server = Beginning(BUSY, BUSY)
    assert submitted(server) == [NAME]
    assert int(server.environment["RAY_JOB_STOP_WAIT_TIME_S"]) >= 60, "a job that is stopped ends in order"
    monkeypatch.setattr(jobs, "BEGINS_S", -1.0)
    with pytest.raises(EngineError, match="http://there does not take the job: Request failed with status code 500"):
        submitted(Beginning(BUSY))


def test_what_the_server_refuses_is_said_at_once():
    with pytest.raises(EngineError, match=r"does not take the job: .* status code 400: no such thing"):
        submitted(Beginning(RuntimeError("Request failed with status code 400: no such thing")))
