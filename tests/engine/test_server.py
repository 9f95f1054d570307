"""What the fork server removes when it starts: what ended days ago, and nothing that somebody works in."""

import os
import time

from farm.engine.spawn.server import STALE_S, sweep
from farm.files import locked


def left(path, *, folder, age_s):
    path.mkdir() if folder else path.touch()
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_what_ended_days_ago_is_removed_but_not_what_somebody_works_in(tmp_path):
    for name in ("old", "held"):
        for ending in ("", ".lock", ".log"):
            left(tmp_path / f"{name}{ending}", folder=not ending, age_s=2 * STALE_S)
    left(tmp_path / "old.alone", folder=False, age_s=2 * STALE_S)
    left(tmp_path / "new", folder=True, age_s=0.5 * STALE_S)
    with locked(tmp_path / "held"):
        sweep(tmp_path)
        sweep(tmp_path)  # a file goes once its folder has gone
    assert {path.name for path in tmp_path.iterdir()} == {"held", "held.lock", "held.log", "new"}
