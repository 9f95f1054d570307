"""A folder that holds one set of images, made range by range. Owns ``set.json`` and what is there; knows no source.

A range is written elsewhere, moved here whole and only then noted: a killed process loses the range at hand alone.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from farm.codec import differences
from farm.data.formats import FORMATS, Format, name_of
from farm.data.imageset import ImageSet, Wrote, cuts
from farm.errors import DataError, InputError
from farm.files import locked, reserved, sha256, sync, write_whole

INVENTORY, MAKING = "set.json", ".making"
SCHEMA = 1
KILLED_S = 2.0  # what a killed process may take to go
NEW = "not made yet"  # of a range that the inventory does not know

Facts = Mapping[str, Any]  # JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The images start, ..., stop - 1, written. bytes, sha256: of its file, or of all its files in order."""

    start: int
    stop: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What ``set.json`` must hold; more may stand beside.

    made: what the set is: its source, parameters, files' contents, library versions, format and range length. count:
    images that are meant. ranges: finished ones. note: what must be known of the set. Raises ValueError where these
    cannot be.
    """

    made: dict[str, Any]
    count: int
    ranges: tuple[Range, ...]
    note: str = ""

    def __post_init__(self) -> None:
        layout, step = self.made.get("layout"), self.made.get("shard_images")
        if not isinstance(layout, str) or type(step) is not int or min(step, self.count) < 1:
            raise ValueError("numbers that cannot be")
        cut = [part.start % step == 0 and 0 <= part.start < part.stop <= part.start + step for part in self.ranges]
        starts = [part.start for part in self.ranges]
        if not all(cut) or len(set(starts)) != len(starts):
            raise ValueError("ranges that cannot be")

    @property
    def layout(self) -> str:
        """A name of `formats.FORMATS`."""
        return str(self.made["layout"])

    @property
    def step(self) -> int:
        """Images of a range; the last one may have fewer."""
        return int(self.made["shard_images"])


@dataclass(slots=True, kw_only=True)
class SetFolder:
    """A folder that this process alone writes to. wanted: the set, without ranges. notes: more for its inventory."""

    path: Path
    wanted: Inventory
    notes: Facts
    ranges: dict[int, Range] = field(default_factory=dict)

    @property
    def format(self) -> Format:
        """How images are written."""
        return FORMATS[self.wanted.layout]

    def missing(self, *, verify: bool) -> dict[tuple[int, int], str]:
        """The ranges (start, stop) to make, and why in words. verify: compare checksums, not only sizes."""
        scanned = {} if self.format.single else {path.name: path for path in self.path.rglob("*.png")}
        ranges = cuts(0, self.wanted.count, self.wanted.step)
        reasons = {(a, b): self._reason(a, b, scanned, verify=verify) for a, b in ranges}
        return {wanted: reason for wanted, reason in reasons.items() if reason}

    def make(self, images: ImageSet, start: int, stop: int, together: int, wrote: Wrote) -> None:
        """Write one range. together, wrote: as `imageset.write`. Raises what the images raise."""
        staging = self.path / MAKING
        staging.mkdir()
        try:
            self.format.write(self._target(staging, start), images, start, stop, together, wrote)
            size, digest = self._moved(staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        self.ranges[start] = Range(start=start, stop=stop, bytes=size, sha256=digest)
        self.note()

    def note(self) -> None:
        """Write the inventory, whole."""
        ranges = [asdict(self.ranges[start]) for start in sorted(self.ranges)]
        what = {"made": self.wanted.made, "count": self.wanted.count, **self.notes}
        inventory = {"schema": SCHEMA, **what, "ranges": ranges}
        write_whole(self.path / INVENTORY, f"{json.dumps(inventory, indent=1)}\n".encode())

    def _target(self, folder: Path, start: int) -> Path:
        """Where a format writes a range: a file of the folder, or the folder itself."""
        return folder / shard_name(start // self.wanted.step) if self.format.single else folder

    def _moved(self, staging: Path) -> tuple[int, str]:
        """Move what was written here; its bytes and SHA-256."""
        parts = sorted((part for part in staging.rglob("*") if part.is_file()), key=lambda part: part.name)
        size_and_hash = sum(part.stat().st_size for part in parts), sha256(*parts)
        for part in parts:
            if self.format.single:
                sync(part)  # else there are thousands
            target = self.path / part.relative_to(staging)
            target.parent.mkdir(exist_ok=True)
            part.replace(target)
        return size_and_hash

    def _reason(self, start: int, stop: int, scanned: Mapping[str, Path], *, verify: bool) -> str:
        noted = self.ranges.get(start)
        if noted is None:
            return NEW
        if noted.stop != stop:
            return f"grows from {noted.stop - start:,} to {stop - start:,} images, and is made anew"
        files = [self._target(self.path, start)]
        if not self.format.single:
            files = [scanned.get(name_of(index), self.path / name_of(index)) for index in range(start, stop)]
        gone = [file.name for file in files if not file.is_file()]
        if gone:
            return f"{gone[0]} is gone" + (f", and {len(gone) - 1} more" if len(gone) > 1 else "")
        size = sum(file.stat().st_size for file in files)
        if size != noted.bytes:
            return f"{size:,} bytes, not {noted.bytes:,} as when it was made"
        return "its SHA-256 is another than when it was made" if verify and sha256(*files) != noted.sha256 else ""


@contextmanager
def claimed(path: Path, made: Facts, count: int, notes: Facts) -> Iterator[SetFolder]:
    """The folder for a set, new, empty, or with part of that set in it; this process's alone meanwhile.

    made: as `Inventory.made`. Raises InputError if the folder holds anything else, another set, or more images of this
    one, or if another process writes to it.
    """
    wanted = Inventory(made=json.loads(json.dumps(made)), count=count, ranges=())  # as JSON will give it back
    with reserved(path):
        folder = SetFolder(path=path, wanted=wanted, notes=notes)
        inventory = _inventory(path)
        shutil.rmtree(path / MAKING, ignore_errors=True)
        if inventory is not None:
            _check_same(path, inventory, wanted)
            folder.ranges = {part.start: part for part in inventory.ranges}
        if inventory is None or inventory.count != count:
            folder.note()
        try:
            yield folder
        finally:  # an interrupt may have come between any two steps of a range
            shutil.rmtree(path / MAKING, ignore_errors=True)


def sweep(path: Path) -> None:
    """Remove the range at hand of a process that is being killed, as soon as it has let go of the folder."""
    deadline = time.monotonic() + KILLED_S
    while path.is_dir() and time.monotonic() < deadline:
        with suppress(BlockingIOError), locked(path):
            shutil.rmtree(path / MAKING, ignore_errors=True)
            return
        time.sleep(0.01)


def read(path: Path) -> Inventory:
    """A set's inventory. Raises DataError if there is none, or it is damaged."""
    try:
        content = (path / INVENTORY).read_bytes()
        if json.loads(content)["schema"] == SCHEMA:
            return TypeAdapter(Inventory).validate_json(content, strict=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no {INVENTORY}: give a folder that `farm synth` has made") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        text = f"damaged ({type(error).__name__}): remove the folder, and make it again"
        raise DataError(f"{path / INVENTORY}: {text}") from error
    raise DataError(f"{path / INVENTORY}: of another version of farm: remove the folder, and make it again")


def shard_name(number: int) -> str:
    """``shard-00012.parquet``."""
    return f"shard-{number:05}.parquet"


def _inventory(path: Path) -> Inventory | None:
    if (path / INVENTORY).exists():
        return read(path)
    names = sorted(file.name for file in path.iterdir())
    others = [name for name in names if name != MAKING and not name.startswith(f".{INVENTORY}.")]
    if others:
        raise InputError(f"{path} is not empty ({others[0]}), and holds no set of images: choose another --out")
    return None


def _check_same(path: Path, inventory: Inventory, wanted: Inventory) -> None:
    fields = differences("", inventory.made, wanted.made)
    different = [f"{name} is {there} there, not {now}" for name, there, now in fields]
    if different:
        raise InputError(f"{path} holds another set: {'; '.join(different)}: choose another --out")
    most = max((part.stop for part in inventory.ranges), default=0)
    if most > wanted.count:
        raise InputError(f"{path} holds {most:,} images of this set, more than {wanted.count:,}: choose another --out")
