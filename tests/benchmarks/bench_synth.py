"""What `farm synth` costs beyond its images: speed by source and layout, memory by the size of the set, going on.

1. Images per second, as the command tells them (start-up left out), on all cores that this host lends.
2. Peak resident memory of the command for a set and for one ten times as large, in turn.
3. A set made in two goes, the second of which finds half of it there, against the same set made in one, in turn; and
   the same command once more, which finds that nothing is missing.

Each command is a process of its own; times are of the whole process.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from processes import say
from publishing import NO_GOAL, goal, options, parser, publish

NAME = "synth"
MEMORY_RATIO, RESUME_RATIO = 1.1, 1.25
SHARD = 8192
RATE = re.compile(r"([\d,]+) images/s\s*$", re.MULTILINE)
# A new process counts what its parent held when it began: so the parent must be small.
WATCH = """
import os, subprocess, sys, time
begun = time.perf_counter()
running = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(running.pid, 0)
print(time.perf_counter() - begun, usage.ru_maxrss, flush=True)
os._exit(os.waitstatus_to_exitcode(status))
"""
SPEEDS = (  # source, side in pixels, layout, images in the full run
    ("noise", 32, "shards", 200_000),
    ("noise", 32, "hf", 50_000),
    ("noise", 32, "png", 50_000),
    ("noise", 224, "shards", 10_000),
    ("fractal", 32, "shards", 20_000),
    ("fractal", 224, "shards", 1_000),
)


class Sizes(NamedTuple):
    """share: of `SPEEDS`'s images. small: images of the smaller set. shards: of the set made in goes."""

    share: float
    small: int
    shards: int
    repeats: int


FULL, TRIAL = Sizes(1.0, 10_000, 24, 3), Sizes(0.02, 2_000, 2, 1)


class Ended(NamedTuple):
    """One command. peak_mib: its largest resident set. images_per_s: as it told."""

    wall_s: float
    peak_mib: float
    images_per_s: float


def main() -> None:
    """Time, watch memory, publish."""
    sizes = TRIAL if options(parser(__doc__)).quick else FULL
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        rows = [*speeds(Path(folder), sizes), *memory(Path(folder), sizes), *goes(Path(folder), sizes)]
    publish(NAME, rows, note=f"Medians of {sizes.repeats} commands each; shards of {SHARD:,} images.")


def speeds(folder: Path, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Rows of images per second."""
    for source, side, layout, full in SPEEDS:
        count = max(256, int(full * sizes.share))
        say(f"{count:,} images of {source} at {side}x{side} as {layout}")
        made = [
            synth(folder / f"{source}-{side}-{layout}-{number}", source, count, "--size", side, "--format", layout)
            for number in range(sizes.repeats)
        ]
        rates = median(each.images_per_s for each in made)
        yield row(f"{source}, {side}x{side}, {layout}", count, made, images_per_s=rates) | NO_GOAL


def memory(folder: Path, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Rows of peak memory, and what a set ten times as large needs more."""
    counts = (sizes.small, 10 * sizes.small)
    say(f"memory of {counts[0]:,} and {counts[1]:,} images of noise")
    found: dict[int, list[Ended]] = {count: [] for count in counts}
    for number in range(sizes.repeats):
        for count in counts:
            found[count].append(synth(folder / f"memory-{count}-{number}", "noise", count))
    for count, made in found.items():
        yield row(f"noise, 32x32: memory of {count:,} images", count, made) | NO_GOAL
    peaks = {count: [each.peak_mib for each in made] for count, made in found.items()}
    ratio = median(large / small for small, large in zip(*peaks.values(), strict=True))
    met = goal(f"at most {MEMORY_RATIO:g} times", met=ratio <= MEMORY_RATIO, reason=f"{ratio:.3g} times")
    yield row("memory of ten times as many images", counts[1], found[counts[1]], ratio=ratio) | met


def goes(folder: Path, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Rows of a set made in one go, in two, and found whole."""
    count = sizes.shards * SHARD
    say(f"{count:,} images of noise in one go and in two")
    once, first, second, nothing = [], [], [], []
    for number in range(sizes.repeats):
        once.append(synth(folder / f"once-{number}", "noise", count))
        twice = folder / f"twice-{number}"
        first.append(synth(twice, "noise", count // 2))
        second.append(synth(twice, "noise", count))
        nothing.append(synth(twice, "noise", count))
    yield row("noise, 32x32: in one go", count, once) | NO_GOAL
    yield row("the first half", count // 2, first) | NO_GOAL
    ratio = median((a.wall_s + b.wall_s) / c.wall_s for a, b, c in zip(first, second, once, strict=True))
    met = goal(f"both at most {RESUME_RATIO:g} times one go", met=ratio <= RESUME_RATIO, reason=f"{ratio:.3g} times")
    yield row("the second half, after the first", count, second, ratio=ratio) | met
    yield row("nothing missing", count, nothing) | NO_GOAL


def synth(out: Path, source: str, count: int, *more: Any) -> Ended:
    """Run the command, under a small process that watches it, and wait for it."""
    command = ["-m", "farm", "synth", source, "--count", count, "--out", out, "--shard", SHARD, *more]
    watched = [sys.executable, "-c", WATCH, sys.executable, *map(str, command)]
    ended = subprocess.run(watched, check=False, capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"farm synth failed:\n{ended.stdout}{ended.stderr}")
    said, _, watch = ended.stdout.strip().rpartition("\n")
    wall_s, peak_kib = map(float, watch.split())
    rate = RATE.search(said)
    return Ended(wall_s, peak_kib / 1024, float(rate[1].replace(",", "")) if rate else 0.0)


def row(
    what: str, count: int, made: list[Ended], *, images_per_s: float | None = None, ratio: float | None = None
) -> dict[str, Any]:
    """A row without its goal."""
    return {
        "what": what,
        "images": count,
        "images_per_s": images_per_s,
        "wall_s": median(each.wall_s for each in made),
        "peak_rss_mib": median(each.peak_mib for each in made),
        "ratio": ratio,
    }


if __name__ == "__main__":
    main()
