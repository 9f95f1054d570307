"""Which Parquet files of a folder make up a split, as `datasets` saves them and Hugging Face publishes them."""

import re
from collections import defaultdict
from pathlib import Path

from farm.errors import DataError
from farm.inputs.tree import entries

PART = re.compile(r"(?P<split>.+?)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?")
SUFFIX = ".parquet"


def files_of(path: Path, split: str | None) -> tuple[Path, ...]:
    """The files of a split, in their order; of a file that file itself.

    ``test-00000-of-00002.parquet`` is of the split ``test``, as are ``test.parquet`` and ``test/0000.parquet``. split:
    None for the only one. Raises DataError where there is none, another, several, or where a part of it lacks.
    """
    if not path.is_dir():
        return (path,)
    try:
        names = [one.name for one in entries(path) if one.kind == "file" and one.name.endswith(SUFFIX)]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}): check that it may be read") from error
    splits: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        splits[_split(f"{path.name}/{name}")].append(name)
    there = ", ".join(sorted(splits))
    if not splits:
        raise DataError(f"{path}: no {SUFFIX} files: give the folder that holds them")
    if split is None and len(splits) > 1:
        raise DataError(f"{path}: has the splits {there}: say which with `split`")
    chosen = splits.get(next(iter(splits)) if split is None else split)
    if chosen is None:
        raise DataError(f"{path}: no split {split!r}: there is {there}")
    _check_whole(path, chosen)
    return tuple(path / name for name in chosen)


def _split(name: str) -> str:
    folder, _, file = name.removesuffix(SUFFIX).rpartition("/")
    if match := PART.fullmatch(file):
        return match["split"]
    return folder.rpartition("/")[2] if file.isdigit() else file


def _check_whole(path: Path, names: list[str]) -> None:
    """Raise DataError where files of a split lie in several folders, or one of its numbered parts lacks."""
    folders = sorted({name.rpartition("/")[0] for name in names})
    if len(folders) > 1:
        raise DataError(f"{path}: the same split in {', '.join(map(repr, folders))}: give one of these folders")
    parts = [match for name in names if (match := PART.fullmatch(Path(name).stem))]
    count = int(parts[0]["count"]) if parts else 0
    lacking = sorted(set(range(count)) - {int(part["number"]) for part in parts})
    if lacking or len({part["count"] for part in parts}) > 1 or (parts and len(names) != count):
        which = f"part {lacking[0]:05} of {count} lacks" if lacking else "files of two versions beside each other"
        raise DataError(f"{path}: {names[0]}: {which}: fetch the folder again")
