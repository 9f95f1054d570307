"""Images in a folder, one file each, decoded when they are read. Owns which files count and what class they have.

One subfolder a class, numbered from 0 by the order of their names or by the user's own, with images at any depth; or
images at any depth and a file of their labels; a source may also be one flat folder without classes. Hidden files and
folders are left out; other files that are no images are told of.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from farm.data import labels, real
from farm.data.classes import in_order, order
from farm.data.imageset import Arguments, Files, ImageSet
from farm.data.picture import EXTENSIONS, PictureError, decode, look
from farm.data.sampling import NAMED, some
from farm.data.setfolder import INVENTORY
from farm.errors import DataError
from farm.inputs.tree import Entry, entries

WHY = {"file": "", "again": " (the folder {} again)", "other": " (a link that leads nowhere, or no file)"}
LOOKED_FOR = "looked for .png, .jpg, .tif and whatever else Pillow reads"


def dataset(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of ``files["images"]``, class by class, or all. Raises DataError without classes."""
    pictures = _opened(parameters, files)
    if pictures.labels is None:
        change = "a dataset needs one subfolder a class, named after it, or `labels: FILE` with a class a line"
        raise DataError(f"{files['images']}: no subfolders: {change}")
    return real.dataset(pictures, parameters)


def source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` images of ``files["images"]``, class by class where there are subfolders. Raises DataError if too few."""
    return real.source(_opened(parameters, files), parameters)


def _opened(parameters: Arguments, files: Files) -> real.Pictures:
    names = order(parameters, files)
    if "labels" in files:
        return in_order(open_labelled(files["images"], files["labels"]), names)
    return open_folder(files["images"], names)


def open_folder(path: Path, wanted: Sequence[str] = ()) -> real.Pictures:
    """The image files in order; without labels in a flat folder. Raises DataError for what is missing or misplaced.

    wanted: the classes, some of which may have no folder; by default the folders' names, sorted.
    """
    groups, others = _sorted(path)
    loose = groups.pop("")
    _check(path, groups, loose, wanted, others)
    names = tuple(wanted or sorted(groups))
    paths = tuple(file for name in names for file in groups.get(name, ())) or tuple(loose)
    classes = np.repeat(np.arange(len(names), dtype=np.int64), [len(groups.get(name, ())) for name in names])
    return real.Pictures(
        count=len(paths),
        read=partial(_read, paths),
        look=partial(_look, paths),
        labels=classes if names else None,
        classes=len(names) or None,
        names=names,
        note="; ".join(filter(None, [_left_out(others), "" if wanted else _as_text(names)])),
    )


def open_labelled(path: Path, file: Path) -> real.Pictures:
    """The image files that a file of labels names, in the order of their own names.

    Labels that are numbers are the classes' numbers, others their names, sorted. Raises DataError where it names no
    image, and as `labels.read`.
    """
    lines, (groups, others) = labels.read(file), _sorted(path)
    others = [one for one in others if one.path.resolve() != file.resolve()]
    images = sorted((image for group in groups.values() for image in group), key=lambda image: name_of(path, image))
    named = _lines_of(path, images, lines, file)
    if not named:
        example = f"an image is called {name_of(path, images[0])!r} there" if images else "there is none"
        raise DataError(f"{file}: names no image of {path}: its first name is {next(iter(lines))!r}, {example}")
    numbers, names = labels.numbered(file, [lines[name] for name in named.values()])
    left_out = [name_of(path, image) for image in images if image not in named]
    used = set(named.values())
    unused = [name for name in lines if name not in used]
    notes = [_left_out(others)]
    notes += [f"{len(left_out):,} images are not in {file.name}: {some(left_out, len(left_out))}"] if left_out else []
    notes += [f"{file.name} names no image by {some(map(repr, unused), len(unused))}"] if unused else []
    return real.Pictures(
        count=len(named),
        read=partial(_read, tuple(named)),
        look=partial(_look, tuple(named)),
        labels=numbers,
        classes=len(names) or None,
        names=names,
        note="; ".join(filter(None, notes)),
    )


def all_images(path: Path) -> tuple[list[Path], str]:
    """The image files at any depth, in the order of their names, and what is left out, in words.

    Raises DataError where there is none.
    """
    groups, others = _sorted(path)
    images = sorted((image for group in groups.values() for image in group), key=lambda image: name_of(path, image))
    if not images:
        raise DataError(f"{path}: no images ({LOOKED_FOR}): give the folder that holds them")
    return images, _left_out(others)


def _lines_of(path: Path, images: Sequence[Path], lines: Mapping[str, str], file: Path) -> dict[Path, str]:
    """By which name the lines tell of each image that they know. Raises DataError where they contradict themselves."""
    named, images_of = {}, dict[str, Path]()
    for image in images:
        names = [name for name in _names(path, image) if name in lines]
        if len({lines[name] for name in names}) > 1:
            text = f"{names[0]!r} is of {lines[names[0]]!r}, {names[1]!r} of {lines[names[1]]!r}"
            raise DataError(f"{file}: {text}, and both mean {name_of(path, image)!r}: keep one")
        if names:
            other = images_of.setdefault(names[0], image)
            if other != image:
                both = f"{name_of(path, other)!r} and {name_of(path, image)!r}"
                raise DataError(f"{file}: {names[0]!r} means both {both}: write their whole names")
            named[image] = names[0]
    return named


def name_of(path: Path, image: Path) -> str:
    """An image's name in the folder, with slashes."""
    return image.relative_to(path).as_posix()


def _names(path: Path, image: Path) -> tuple[str, ...]:
    """How a file of labels may name an image, the likeliest first: in the folder, with it, without its format."""
    name = name_of(path, image)
    return name, f"{path.name}/{name}", name.removesuffix(image.suffix)


def _check(
    path: Path, groups: Mapping[str, list[Path]], loose: list[Path], wanted: Sequence[str], others: Sequence[Entry]
) -> None:
    """Raise DataError where folders and images do not go together. loose: images that are in no subfolder."""
    if groups and loose:
        where = f"both subfolders and images ({loose[0].name})"
        raise DataError(f"{path}: {where}: move these into their class's subfolder")
    if unknown := sorted(groups.keys() - set(wanted)) if wanted else []:
        names, there = some(map(repr, unknown), len(unknown)), some(map(repr, wanted), len(wanted))
        raise DataError(f"{path}: {names}: not in `classes`, which has {there}: name all folders, or move these away")
    if wanted and not groups:
        raise DataError(f"{path}: no subfolders: `classes` is for one subfolder a class, named after it")
    empty = [name for name, group in sorted(groups.items()) if not group]
    if (empty and not wanted) or not (loose or any(groups.values())):
        _check_links(path, empty, others)
        change = (
            "add some, or remove the folder" if wanted or not empty else "add some, remove it, or name all `classes`"
        )
        raise DataError(f"{path / (empty[0] if empty else '')}: no images ({LOOKED_FOR}): {change}")


def _check_links(path: Path, empty: Sequence[str], others: Sequence[Entry]) -> None:
    """Raise DataError where the images of an empty folder are found in another one, by a link."""
    for entry in others:
        top = entry.name.partition("/")[0]
        if entry.kind != "again" or top not in empty or entry.of.partition("/")[0] == top:
            continue
        links = [name for name in (entry.of, entry.name) if name != "." and (path / name).is_symlink()]
        which = f"the link {path / links[0]}" if len(links) == 1 else "one of them, if it is a link"
        raise DataError(f"{entry.path}: the folder {path / entry.of} again: remove {which}")


def _as_text(names: Sequence[str]) -> str:
    """What there is to say of names that are numbers, in another order than these; empty if nothing."""
    if not all(name.isascii() and name.isdigit() for name in names):
        return ""
    numbers = sorted(names, key=int)
    at = next((at for at, (name, number) in enumerate(zip(names, numbers, strict=True)) if name != number), None)
    if at is None:
        return ""
    which = f"class folders are sorted as text, so {names[at]} is class {at}"
    plain = [f"'{number}'" if number != str(int(number)) else number for number in numbers[:NAMED]]  # 010 is 8 in YAML
    listed = ", ".join([*plain, *(["..."] if len(numbers) > NAMED else [])])
    return f"{which}; if they are numbers, say so by `classes: [{listed}]` or a file of names"


def _sorted(path: Path) -> tuple[dict[str, list[Path]], list[Entry]]:
    """The image files by class, of each subfolder, and of none in ``""``; and what else lies there."""
    if not path.is_dir():
        raise DataError(f"{path}: not a folder: give the folder that holds the images")
    groups: dict[str, list[Entry]] = {}
    others = []
    for entry in _entries(path):
        top, _, below = entry.name.partition("/")
        if entry.kind == "file" and entry.path.suffix.lower() in EXTENSIONS:
            groups.setdefault(top if below else "", []).append(entry)
        elif entry.kind == "folder":
            groups.setdefault("" if top == "." else top, [])
        elif entry.name != INVENTORY:
            others.append(entry)
        if entry.kind == "again" and not below:
            groups.setdefault(top, [])
    by_name = {name: sorted(group, key=lambda entry: entry.name.rpartition("/")[::2]) for name, group in groups.items()}
    return {name: [entry.path for entry in group] for name, group in by_name.items()}, others


def _entries(path: Path) -> Iterator[Entry]:
    try:
        yield from entries(path)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}): check that it may be read") from error


def _left_out(others: list[Entry]) -> str:
    """What is not used, in words; empty if there is nothing."""
    names = (f"{one.name}{WHY[one.kind].format(one.of)}" for one in others)
    what = "1 file is" if len(others) == 1 else f"{len(others):,} files are"
    return f"{what} no image and left out: {some(names, len(others))}" if others else ""


def _read(paths: tuple[Path, ...], start: int, stop: int) -> Iterator[real.Picture]:
    yield from map(read_image, paths[start:stop])


def read_image(path: Path) -> real.Picture:
    """An image file, decoded. Raises PictureError if it cannot be."""
    image, kind = decode(_content(path), str(path))
    return real.Picture(image, str(path), kind=kind)


def _look(paths: tuple[Path, ...], index: int) -> real.Look:
    return real.Look(look(paths[index], str(paths[index])), str(paths[index]))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        text = f"cannot be read ({error.strerror}): check that it exists and may be read"
        raise PictureError(str(path), text) from error
