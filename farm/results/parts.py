"""A grid's cells in parts, which are gathered one by one, and lie in a file each; and what was gathered of them before.

A part's token is made of all that its records are made of, but for what the store's files say: of those it has the
marks. As long as it is the same, nothing of the part is read again. Which part a cell is in depends on its name, and
hardly on how many there are: so a grid that grows a little leaves most parts as they are.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

import farm
from farm.codec import decode, encode
from farm.damage import WRONG
from farm.plan import Plan, PlannedCell
from farm.plan.stage import digest
from farm.record import SCHEMA_VERSION
from farm.results.folder import Folder
from farm.store.listing import Seen

INDEX = "gathered.json"
CELLS = 64  # of a part, more or less
VERSION = 1  # to be raised whenever the same artefacts come to give other records


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a grid's cells, in its order. name: of its files."""

    name: str
    cells: tuple[PlannedCell, ...]

    @property
    def uris(self) -> dict[str, None]:
        """Of all their stages, in order."""
        return dict.fromkeys(uri for cell in self.cells for uri in cell.stages.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What ``gathered.json`` says was gathered last.

    farm: by which. whole: a digest of all that it was gathered from, which its tables have too. parts: name -> token;
    without those that were damaged. files: name -> mark. samples: calibration set -> the uri that its images are of.
    """

    farm: str = ""
    whole: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, str] = field(default_factory=dict)


def parts_of(plan: Plan) -> list[Part]:
    """All of its cells, each in one part."""
    count = 1 << max(0, (len(plan.cells) - 1) // CELLS).bit_length()
    cells: dict[int, list[PlannedCell]] = {}
    for cell in plan.cells:
        number = int.from_bytes(sha256(cell.name.encode()).digest()[:4]) % count
        cells.setdefault(number, []).append(cell)
    return [Part(f"{number:05}-of-{count:05}", tuple(cells[number])) for number in sorted(cells)]


def token(part: Part, plan: Plan, seen: Mapping[str, Seen]) -> str:
    """Another once any record or row of the part may be another."""
    stages = {uri: (plan.stages[uri].label, plan.stages[uri].missing, seen[uri].token) for uri in part.uris}
    return digest([plan.grid, plan.effort, part.cells, stages])


def whole(plan: Plan, tokens: Mapping[str, str]) -> str:
    """Another once anything of the grid's files may be another. tokens: of all parts."""
    names = [cell.name for cell in plan.cells]
    return digest([names, list(plan.stages), plan.claims.model_dump(), plan.command, tokens])


def this_farm() -> str:
    """What makes the files: those of another version may be others."""
    return f"{farm.__version__} {SCHEMA_VERSION} {VERSION}"


def read(folder: Folder) -> Gathered:
    """What was gathered last by this version of farm; nothing, where that is not known."""
    with suppress(FileNotFoundError, *WRONG):  # a damaged one is as good as none: all is gathered again
        gathered = decode(Gathered, json.loads(folder.content(INDEX)))
        if gathered.farm == this_farm():
            return gathered
    return Gathered()


def write(folder: Folder, gathered: Gathered) -> None:
    """Say what was gathered. To be done last."""
    folder.put(INDEX, encode(gathered, indent=1).encode())


def untouched(gathered: Gathered, marks: Mapping[str, str], names: Collection[str]) -> bool:
    """Whether files are the very ones that were gathered, or none as then. marks: of those that there are."""
    return all(marks.get(name) == gathered.files.get(name) for name in names)
