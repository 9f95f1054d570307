"""A long storm, whose aftermath is published: ``python -m tests.chaos.long_storm --kills 200``.

Grid after grid runs on a cluster of three nodes on this machine whose parts are killed at random, by a seed, until so
many were: real stages, real measurements. Written to ``results/reference/chaos.json``: kills by kind, and what they
did: ``lost`` (stages without a whole artefact), ``doubled`` (finished more than once), ``failed`` (cells), ``orphans``
(processes that were left), ``restarts`` (of the killed driver) and ``interventions`` (all else that a person would have
had to do: to run a grid again whose run ended before it was done).
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from farm.host.facts import host_facts
from tests.chaos import weather
from tests.chaos.test_storm import KINDS
from tests.cli.conftest import Place

OUT = Path(__file__).parents[2] / "results" / "reference" / "chaos.json"
SETS = 24  # of each grid, which is a cell each
LONGEST_S = 3600.0  # of one grid
SETTLE_S = 60.0  # until what a storm killed is gone
LIBRARIES = ("farm", "openvino", "nncf", "torch", "ray")


def main() -> None:
    """Let it blow, and write down what is left."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--kills", type=int, default=200)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--out", type=Path, default=OUT)
    said, begun = asked.parse_args(), time.monotonic()
    kills, counts = Counter[str](), Counter[str]()
    while kills.total() < said.kills:
        with tempfile.TemporaryDirectory(prefix="storm") as name:
            found = one_grid(Path(name), said.kills - kills.total(), said.seed + counts["grids"], counts)
        kills += found.kills
        sys.stderr.write(f"{kills.total()} of {said.kills} kills, {dict(counts)}\n")
    said.out.write_text(json.dumps({
        "kills": dict(sorted(kills.items())), **{name: counts[name] for name in COUNTED},
        "minutes": round((time.monotonic() - begun) / 60, 1), "seed": said.seed, "host": host_facts(),
        "versions": {library: metadata.version(library) for library in LIBRARIES},
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }, indent=1) + "\n", encoding="utf-8")  # fmt: skip


COUNTED = ("grids", "stages", "lost", "doubled", "failed", "orphans", "restarts", "interventions")


def one_grid(folder: Path, kills: int, seed: int, counts: Counter[str]) -> weather.Aftermath:
    """One grid's storm, counted."""
    place = Place(folder)
    sets = [{"name": "noise", "count": 16, "seed": list(range(SETS))}]
    grid = place.grid(models=[{"factory": "networks:tiny"}], calibrations=sets)
    found = weather.weathered(place, grid, kinds=KINDS, kills=kills, seed=seed, longest_s=LONGEST_S)
    deadline = time.monotonic() + SETTLE_S
    while (left := weather.left_over(folder)) and time.monotonic() < deadline:
        time.sleep(1.0)
    for name in ("lost", "doubled", "failed"):
        counts[name] += len(getattr(found, name))
    counts.update(grids=1, stages=found.stages, orphans=len(left), restarts=found.restarts)
    counts["interventions"] += found.code != 0
    if found.code:
        sys.stderr.write(f"exit code {found.code}: {found.said}\n")
    return found


if __name__ == "__main__":
    main()
