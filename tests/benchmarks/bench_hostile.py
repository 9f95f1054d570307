"""What farm answers to inputs that nobody should write: a million grids, and other files, each spoiled at random.

A row a kind of input, as `tests.hostile` makes it of a number: so many are taken, refused in a sentence, or neither,
which is a fault of farm's. slowest_ms: the CPU time of one of them. On every core. `--quick` tries
a thousandth; `--first N` begins with other numbers.
"""

import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from processes import say
from publishing import goal, options, parser, publish

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests import hostile

NAME = "hostile"
TRIED = {
    "grid": 1_000_000, "manifest": 200_000, "records": 50_000, "image folder": 50_000, "archive": 50_000,
    "label file": 100_000, "checkpoint": 50_000,
}  # fmt: skip
GETS = {
    "grid": "all its faults, each with its line; exit code 2",
    "manifest": "`damaged: ...`, and what makes it anew",
    "records": "`damaged: ...; farm gather`; exit code 2",
    "image folder": "all images that cannot be used; its cells fail",
    "archive": "a sentence; its cells fail",
    "label file": "the line that is meant; its cells fail",
    "checkpoint": "a sentence; its cells fail",
}
PORTION = 500  # inputs of a task
MOST_S = 1.0


class Answers(NamedTuple):
    """counts: by what was answered. slowest_s: of one. faults: what farm should never raise, with its number."""

    counts: Counter[str]
    slowest_s: float
    faults: dict[str, int]


def main() -> None:
    """Try, publish."""
    parsed = parser(__doc__)
    parsed.add_argument("--first", type=int, default=0, help="the first input's number")
    sizes = options(parsed)
    rows = []
    for kind, count in TRIED.items():
        rows.append(row(kind, tried(kind, sizes.first, count // 1000 if sizes.quick else count)))
        say(", ".join(map(str, rows[-1].values())))
    publish(NAME, rows, note="Made by tests/hostile.py of the numbers from 0 up.")


def tried(kind: str, first: int, count: int) -> Answers:
    """The answers to so many inputs, on all cores."""
    starts = range(first, first + count, PORTION)
    tasks = [(kind, start, min(start + PORTION, first + count)) for start in starts]
    counts: Counter[str] = Counter()
    slowest_s, faults = 0.0, dict[str, int]()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for part in pool.map(portion, tasks):
            counts += part.counts
            slowest_s = max(slowest_s, part.slowest_s)
            faults = part.faults | faults
    return Answers(counts, slowest_s, faults)


def portion(task: tuple[str, int, int]) -> Answers:
    """The answers to inputs of some numbers."""
    kind, start, stop = task
    folder = Path(tempfile.mkdtemp(prefix="bench"))
    counts, slowest_s, faults = Counter[str](), 0.0, dict[str, int]()
    for number in range(start, stop):
        answer, seconds = asked(kind, random.Random(f"{kind} {number}"), folder)
        counts[answer if answer in ("accepted", "refused") else "fault"] += 1
        slowest_s = max(slowest_s, seconds)
        faults |= {} if answer in ("accepted", "refused") else {answer: number}
    shutil.rmtree(folder)
    return Answers(counts, slowest_s, faults)


def asked(kind: str, rng: random.Random, folder: Path) -> tuple[str, float]:
    """What farm answers to one input, and how long that takes in seconds."""
    if kind == "image folder":
        place = folder / "photos"
        place.mkdir()
        hostile.photos(rng, place)
        answer = hostile.survived(lambda: hostile.load_photos(place))
        shutil.rmtree(place)
        return answer
    if kind == "checkpoint":
        suffix, content = hostile.checkpoint(rng)
        return hostile.survived(lambda: hostile.load_checkpoint(suffix, content, folder))
    name = kind.replace(" ", "_")
    made = getattr(hostile, name)(rng)
    return hostile.survived(lambda: getattr(hostile, f"load_{name}")(made, folder))


def row(kind: str, answers: Answers) -> dict[str, Any]:
    """A kind's row."""
    found = "; ".join(_first(answers.faults))
    met = not answers.faults and answers.slowest_s < MOST_S
    return {
        "what": kind, "gets": GETS[kind], "tried": answers.counts.total(), "taken": answers.counts["accepted"],
        "refused": answers.counts["refused"], "faults": answers.counts["fault"],
        "slowest_ms": round(answers.slowest_s * 1000),
        **goal(f"no traceback, none over {MOST_S:.0f} s", met=met, reason=found or f"{answers.slowest_s:.1f} s"),
    }  # fmt: skip


def _first(faults: dict[str, int]) -> Iterator[str]:
    return (f"{number}: {fault[:80]}" for fault, number in list(faults.items())[:3])


if __name__ == "__main__":
    main()
