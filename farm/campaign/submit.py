"""A grid sent to a cluster, with what of it lies here, to be run there by `farm run`. Knows no cell."""

import os
import shlex
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from farm.campaign.resolve import resolve
from farm.errors import EngineError, InputError
from farm.grid.cell import Grid
from farm.inputs import place
from farm.inputs.locate import CODE
from farm.inputs.tree import entries

MOST_BYTES = 100 << 20  # that Ray takes
NAMED = 3  # of what is too large
INNER = "grid"  # where it lies in what is sent
NO_COMMAND = 127  # a shell's exit code where it finds none of that name


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A job on its way. name: Ray's. address: of the cluster's dashboard."""

    name: str
    address: str


def submit(grid: Grid, address: str, options: Sequence[str]) -> Submitted:
    """Send a grid. options: of `farm run`, as they are typed there.

    Its code and files travel that lie in its folder. Raises InputError where they are too large, EngineError where the
    cluster does not take it.
    """
    from farm.engine.ray.jobs import Jobs  # noqa: PLC0415 - Ray takes seconds

    jobs = Jobs(address)
    name = f"farm-{grid.name}-{uuid.uuid4().hex[:6]}"
    with staged(grid) as folder:
        run = shlex.join(["farm", "run", grid.path.name, "--address", "auto", *options])
        jobs.submit(name, f"cd {INNER} && {run}", folder)
    return Submitted(name=name, address=address)


def follow(job: Submitted, show: Callable[[str], None]) -> int:
    """Show what a job says until it ends; its exit code.

    Raises EngineError if nothing is heard of it any more, or the cluster's head has no farm.
    """
    from farm.engine.ray.jobs import Jobs  # noqa: PLC0415

    code = Jobs(job.address).followed(job.name, show)
    if code == NO_COMMAND:
        text = "start Ray there in the environment that farm is installed in (`source .venv/bin/activate` first)"
        raise EngineError(f"the cluster's head has no `farm` on its PATH: {text}")
    return code


@contextmanager
def staged(grid: Grid) -> Iterator[Path]:
    """A folder with what of a grid travels, in a folder of its own: so no module of it hides one of a library."""
    origin = grid.path.resolve().parent
    with tempfile.TemporaryDirectory(prefix="farm-submit-") as name:
        folder = Path(name, INNER)
        folder.mkdir()
        travels = {grid.path.name: grid.path, **dict(_named(grid, origin))}
        _check_size(travels)
        for target, path in travels.items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / target)
        yield Path(name)


def _named(grid: Grid, origin: Path) -> Iterator[tuple[str, Path]]:
    """The files that a grid names in its folder, and code that is imported from there or from here: where they go."""
    inputs = (file for stage in resolve(grid).stages.values() for file in stage.files.values())
    for file in {place(file): file for file in inputs if not file.url and not file.missing}.values():
        roots = (origin, Path.cwd()) if file.code else (origin,)
        for top in map(Path, (place(file), *(() if file.code else file.beside))):
            top = Path(os.path.normpath(top))  # noqa: PLW2901 - a path with `..` may lead out of the folder
            root = next((root for root in roots if top.is_relative_to(root)), None)
            if root is None or "site-packages" in top.parts:
                continue
            name = top.name if file.code else str(top.relative_to(root))
            for path, inner in _files(top, code=file.code):
                yield os.path.normpath(f"{name}/{inner}"), path


def _files(top: Path, *, code: bool) -> Iterator[tuple[Path, str]]:
    """A file, or all in a folder, of code the modules alone, by their names in it."""
    if not top.is_dir():
        yield top, "."
        return
    for entry in entries(top):
        if entry.kind == "file" and (not code or entry.path.suffix in CODE):
            yield entry.path, entry.name


def _check_size(travels: Mapping[str, Path]) -> None:
    """Raises InputError for more than Ray takes. travels: by where it goes."""
    sizes = {name: path.stat().st_size for name, path in travels.items()}
    if (total := sum(sizes.values())) < MOST_BYTES:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:NAMED]
    named = ", ".join(f"{name} ({sizes[name] >> 20} MiB)" for name in largest)
    text = f"what the grid names in its folder is {total >> 20} MiB, and Ray takes less than {MOST_BYTES >> 20}"
    raise InputError(f"{text}: {named}; put them at a URL, or in FARM_DATA on each node of the cluster")
