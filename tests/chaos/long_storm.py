"""A long storm, whose aftermath is published: ``python -m tests.chaos.long_storm --kills 200``.

Grid after grid runs on a cluster of three nodes on this machine whose parts are killed at random, by a seed, until so
many were: real stages, real measurements. The results of every other grid lie on an S3 server, whose link is cut now
and then. Written to ``results/reference/chaos.json``: kills by kind, and what they
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
from tests import s3
from tests.chaos import weather
from tests.chaos.test_storm import KINDS
from tests.cli.conftest import Place

OUT = Path(__file__).parents[2] / "results" / "reference" / "chaos.json"
SETS = 24  # of each grid, which is a cell each
LONGEST_S = 3600.0  # of one grid
DELAY_S = 0.002  # of each request to the S3 server
COUNTED = ("grids", "stages", "lost", "doubled", "failed", "orphans", "restarts", "interventions")
LIBRARIES = ("farm", "openvino", "nncf", "torch", "ray")


def main() -> None:
    """Let it blow, and write down what is left, after each grid."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--kills", type=int, default=200)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--out", type=Path, default=OUT)
    options, begun = asked.parse_args(), time.monotonic()
    kills, counts = Counter[str](), Counter[str]()
    with (
        tempfile.TemporaryDirectory(prefix="far") as folder,
        s3.served(Path(folder)) as url,
        s3.Way(url, DELAY_S) as way,
    ):
        while kills.total() < options.kills:
            with tempfile.TemporaryDirectory(prefix="storm") as name:
                place, rest, nth = Place(Path(name)), options.kills - kills.total(), counts["grids"]
                left = one_grid(place, rest, options.seed + nth, way if nth % 2 else None, counts)
            kills += left.kills
            sys.stderr.write(f"{kills.total()} of {options.kills} kills, {dict(counts)}\n")
            write(options.out, kills, counts, options.seed, (time.monotonic() - begun) / 60)
            if not left.kills:
                raise SystemExit("a grid was over before the storm")


def write(path: Path, kills: Counter[str], counts: Counter[str], seed: int, minutes: float) -> None:
    """What there is so far, as JSON."""
    content = {
        "kills": dict(sorted(kills.items())), **{name: counts[name] for name in COUNTED},
        "minutes": round(minutes, 1), "seed": seed, "host": host_facts(),
        "versions": {library: metadata.version(library) for library in LIBRARIES},
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def one_grid(place: Place, kills: int, seed: int, way: s3.Way | None, counts: Counter[str]) -> weather.Aftermath:
    """One grid's storm, counted. way: to the store, if it is on S3."""
    sets = [{"name": "noise", "count": 16, "seed": list(range(SETS))}]
    grid = place.grid(models=[{"factory": "networks:tiny"}], calibrations=sets)
    kinds = KINDS if way is None else [*KINDS, "away"]
    found = weather.weathered(place, grid, kinds=kinds, kills=kills, seed=seed, longest_s=LONGEST_S, way=way)
    for name in ("lost", "doubled", "failed", "orphans"):
        counts[name] += len(getattr(found, name))
    counts.update(grids=1, stages=found.stages, restarts=found.restarts)
    counts["interventions"] += found.code != 0
    if found.code:
        sys.stderr.write(f"exit code {found.code}: {found.said}\n")
    return found


if __name__ == "__main__":
    main()
