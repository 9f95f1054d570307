"""A run in a real terminal, of 80 columns: what is shown while it goes on, and what stays."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from fcntl import ioctl

import pytest

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def typed(place, *arguments):
    """All that a terminal of 80 columns and 24 lines gets, and the exit code."""
    outer, inner = pty.openpty()
    ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "FARM_SESSION": "", "FARM_CACHE": str(place.folder / "cache"), "TERM": "xterm"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    command = [sys.executable, "-P", "-m", "farm", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=place.folder, env=environment, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    ) as process:
        os.close(inner)
        parts = []
        with suppress(OSError):  # how Linux says that nobody holds the other end any more
            while part := os.read(outer, 1 << 16):
                parts.append(part)
        code = process.wait(timeout=60)
    os.close(outer)
    return b"".join(parts).decode(), code


@pytest.mark.slow
def test_a_run_names_what_runs_and_how_long_the_rest_takes(place):
    grid = place.grid(baselines=["ir"], calibrations=[{"name": "noise", "count": 16, "seed": [0, 1]}])
    screen, code = typed(place, "run", grid, "--engine", "inline", "--no-measure")
    assert code == 0
    assert "\x1b[" in screen, "a live table"
    lines = {line.strip() for line in ESCAPES.sub("", screen).replace("\r", "\n").splitlines()}
    shown = {line.partition(" tiny")[0] for line in lines if " tiny" in line}
    assert {"export", "quantize", "evaluate"} <= shown
    assert any(re.search(r"elapsed, about \d+:\d\d to go", line) for line in lines)
    kept = [line.rstrip() for line in ESCAPES.sub("", screen.rpartition("\x1b[2K")[2]).splitlines()]
    table = kept[next(at for at, line in enumerate(kept) if line.startswith("model ")) :][:4]
    variants = [["tiny", "FP32"], ["int8", "default"], ["int8", "default"]]
    assert [line.split()[:2] for line in table] == [["model", "variant"], *variants]
    assert all(len(line) <= 80 for line in table), table
