"""Commands that run on a cluster's head whoever is still there to watch: Ray Jobs. Knows no grid."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from farm.errors import EngineError

RECONNECT_S = 5.0  # between tries to hear of a job again
PATIENCE_S = 300.0  # that nothing is heard of it
ENDS_S = 300  # that a job which is stopped has to leave in order, before it is killed
BEGINS_S = 60.0  # that a cluster may take until it takes jobs
NOT_YET = re.compile(r"status code 5\d\d")  # the server's own fault: Ray's client has no other word for it
GONE = ("FAILED", "STOPPED")
FAULTS = (OSError, RuntimeError, ValueError, AuthenticationError, aiohttp.ClientError)


class Jobs:
    """Those of one cluster, by the address of its dashboard."""

    def __init__(self, address: str) -> None:
        """address: ``http://127.0.0.1:8265``. Raises EngineError if nobody answers there, or Ray lacks its part."""
        self.address = address
        try:
            self.client = JobSubmissionClient(address)
        except FAULTS as error:
            raise EngineError(f"cannot reach the job server at {address}: {_first_line(error)}") from error

    def submit(self, name: str, command: str, folder: Path) -> None:
        """Have the head run a command in a copy of a folder. Raises EngineError where it does not take it.

        A cluster that has just begun takes no job yet: it is asked again for a while.
        """
        environment = {"working_dir": str(folder), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(ENDS_S)}}
        begun = time.monotonic()
        while True:
            try:
                self.client.submit_job(submission_id=name, entrypoint=command, runtime_env=environment)
            except FAULTS as error:
                if not NOT_YET.search(str(error)) or time.monotonic() > begun + BEGINS_S:
                    raise EngineError(f"{self.address} does not take the job: {_first_line(error)}") from error
                time.sleep(RECONNECT_S)
            else:
                return

    def followed(self, name: str, show: Callable[[str], None]) -> int:
        """Show what a job says until it ends, though the connection may break; its exit code.

        Raises EngineError if there is no such job, or nothing was heard of it for five minutes.
        """
        self._find(name)
        hearing = _Hearing(show)
        while True:
            fault: Exception | None = None
            try:
                asyncio.run(hearing.tail(self.client, name))
                found = self.client.get_job_info(name)
                if found.status.is_terminal():
                    hearing.hear(self.client.get_job_logs(name))  # what a tail that ended early has not told
                    return _exit_code(found.driver_exit_code, str(found.status.value), found.message, show)
                hearing.at = time.monotonic()
            except FAULTS as error:
                fault = error
            if time.monotonic() > hearing.at + PATIENCE_S:
                raise EngineError(f"nothing is heard of {name} any more: {_first_line(fault)}") from fault
            time.sleep(RECONNECT_S)

    def _find(self, name: str) -> None:
        """Raises EngineError if there is no such job."""
        try:
            names = {job.submission_id for job in self.client.list_jobs()}
        except FAULTS as error:
            raise EngineError(f"{self.address} does not tell of its jobs: {_first_line(error)}") from error
        if name not in names:
            raise EngineError(f"{self.address} has no job {name}")


class _Hearing:
    """What a job has said so far. at: when it was heard last."""

    def __init__(self, show: Callable[[str], None]) -> None:
        """show: is told what is new."""
        self.show, self.shown, self.at = show, 0, time.monotonic()

    async def tail(self, client: JobSubmissionClient, name: str) -> None:
        """Show what it says until it ends, or the connection does: then all of it comes again."""
        heard = ""
        async for text in client.tail_job_logs(name):
            heard += text
            self.at = time.monotonic()
            self.hear(heard)

    def hear(self, heard: str) -> None:
        """Show what is new of all that it has said."""
        if len(heard) > self.shown:
            self.show(heard[self.shown :])
            self.shown = len(heard)


def _exit_code(code: int | None, status: str, message: str | None, show: Callable[[str], None]) -> int:
    """Of a job that has ended; why it did, where it does not say so itself."""
    if code is None and status in GONE:
        show(f"the job has ended: {message or status.lower()}\n")
    return code if code is not None else int(status in GONE)


def _first_line(error: Exception | None) -> str:
    """What is to be read of an error: its first line."""
    with suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__
