"""What will fail at once: images of the user's own that no stage could use. Opens them as a stage does."""

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from farm.catalog import CATALOG
from farm.errors import FarmError
from farm.plan import Plan, Stage
from farm.plan.parameters import Evaluate, Measure, Synthesize
from farm.spec import LoadedSpec, resolve

OPENED = ("folder", "parquet", "shards")  # images that lie in files, and run nobody's code
LOOKED_AT = {"distylegan": "farm.generators.distylegan.files:check"}  # files of what takes longer


def faults(plan: Plan, uris: Collection[str]) -> dict[str, str]:
    """Why stages will fail, by uri: their images cannot be used. The stages of one set have one reason, the set's."""
    sets: dict[str, dict[str, _Opening]] = {}
    for uri in uris:
        opening = _opening(plan.stages[uri])
        if opening is not None:
            sets.setdefault(opening.images(), {})[uri] = opening
    return {uri: reason for openings in sets.values() for uri, reason in _unusable(openings).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """Images as a stage opens them, and how many of them: 0 for all."""

    function: str
    parameters: Mapping[str, Any]
    files: Mapping[str, Path]
    count: int

    def images(self) -> str:
        """What openings of the same images share, whatever their count and the model that they fit."""
        options = sorted((name, value) for name, value in self.parameters.items() if name != "fit")
        return repr((self.function, options, sorted(self.files.items()), self.count == 0))


def _opening(stage: Stage) -> _Opening | None:
    """The images that a stage opens, where they are the user's own; None of any other stage."""
    wanted = stage.parameters
    table: Mapping[str, LoadedSpec]
    if isinstance(wanted, Synthesize):
        images, table, count = wanted.images, CATALOG.sources, wanted.stop
    elif isinstance(wanted, (Evaluate, Measure)):
        images, table, count = wanted.dataset, CATALOG.datasets, wanted.dataset.options["count"] or 0
    else:
        return None
    name = images.name
    function = table[name].function if name in OPENED else LOOKED_AT.get(name)
    if function is None:
        return None
    files = {spec.role: Path(stage.files[spec.role].path) for spec in table[name].inputs if spec.role in stage.files}
    if not all(path.exists() for path in files.values()):
        return None
    return _Opening(function=function, parameters=images.arguments(), files=files, count=count)


def _unusable(openings: Mapping[str, _Opening]) -> dict[str, str]:
    """Why, by uri, of one set's stages. If one count is too large, so is every larger one: bisect."""
    by_count = {opening.count: opening for opening in openings.values()}
    counts = sorted(by_count)

    @cache
    def fault(count: int) -> str:
        return _fault(by_count[count])

    if not fault(counts[-1]):
        return {}
    least = 0 if fault(counts[0]) else bisect_left(counts, True, 1, len(counts) - 1, key=lambda n: bool(fault(n)))
    return {uri: fault(counts[-1]) for uri, opening in openings.items() if opening.count >= counts[least]}


def _fault(opening: _Opening) -> str:
    """What a stage would say of these images; empty if it can use them."""
    try:
        resolve(opening.function)({**opening.parameters, "count": opening.count or None}, opening.files)
    except (FarmError, OSError) as error:
        return str(error)
    return ""
