"""A real S3 server on this host, for as long as a context lasts, and a long way to it."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import fsspec

START_S = 60.0
BUCKET = "farm"
KEYS = {"key": "test", "secret": "test"}  # any will do
REQUEST = re.compile(rb" HTTP/1\.1\r\n")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server of its own with one bucket; the URL of its endpoint. folder: for its log."""
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "s3.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(server, port)
        fs = fsspec.filesystem("s3", endpoint_url=url, **KEYS, skip_instance_cache=True)
        fs.mkdir(BUCKET)
        yield url
    finally:
        server.terminate()
        server.wait()


def environment(url: str) -> dict[str, str]:
    """What has a process find that server."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**keys, "AWS_ENDPOINT_URL": url}


def inherited(**more: str) -> dict[str, str]:
    """This process's environment, and more."""
    return {**os.environ, **more}


class Way:
    """A relay to a server, over which each request takes longer, however many are on their way at once.

    delay_s: so much. requests: that have come so far. open: while False, nothing comes through, as if a link were cut.
    """

    def __init__(self, url: str, delay_s: float) -> None:
        self.host, port = url.removeprefix("http://").split(":")
        self.port, self.delay_s, self.requests, self.open = int(port), delay_s, 0, True
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(START_S)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(START_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._relay, "127.0.0.1", 0)

    async def _close(self) -> None:
        self.server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways."""
        try:
            if not self.open:
                return
            there, back = await asyncio.open_connection(self.host, self.port)
            try:
                await asyncio.gather(self._later(reader, back), self._now(there, writer))
            finally:
                back.close()
        except (OSError, asyncio.CancelledError):
            pass  # either side has hung up
        finally:
            writer.close()

    async def _later(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, each piece after the delay."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def collect() -> None:
            while data := await reader.read(1 << 16):
                self.requests += len(REQUEST.findall(data))
                due.put_nowait((self.loop.time() + self.delay_s, data))
            due.put_nowait((self.loop.time() + self.delay_s, b""))

        collecting = asyncio.create_task(collect())
        try:
            while True:
                when, data = await due.get()
                await asyncio.sleep(max(0.0, when - self.loop.time()))
                if not data or not self.open:
                    break
                writer.write(data)
                await writer.drain()
        finally:
            collecting.cancel()
            writer.close()

    async def _now(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (data := await reader.read(1 << 16)) and self.open:
            writer.write(data)
            await writer.drain()
        writer.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Until the server answers."""
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as one:
            one.settimeout(0.2)
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the S3 server has not begun")
