"""Images with the boxes of what is in them: COCO's JSON, and YOLO's text files. Owns what counts as a fault in these.

Boxes are in the images' own pixels, wherever a model's input puts them. An image without objects is one all the same;
what is left out, and what is odd, is told of.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from farm.data import real
from farm.data.classes import lines_of, order
from farm.data.folder import all_images, name_of, read_image
from farm.data.imageset import Arguments, Files, ImageSet
from farm.data.picture import BROKEN, READABLE, PictureError, look
from farm.data.sampling import some
from farm.data.targets import Boxes
from farm.errors import DataError
from farm.inputs.tree import entries

PARTS = ("images", "annotations", "categories")  # of COCO's JSON
NUMBERS = 5  # of an object in a YOLO file: class, centre, size
SIDES = 4
SIDEWAYS = (5, 6, 7, 8)  # of EXIF's orientations, those that swap height and width

Find = Callable[[int, tuple[int, int]], Boxes]  # an image's index and size -> its objects


@dataclass(slots=True, kw_only=True)
class Annotated:
    """Image files and the objects in each. paths: by index. find: reads an image's objects.

    An image is turned upright as its camera says (EXIF): so people see it who draw boxes.
    """

    paths: Sequence[Path]
    find: Find

    def read(self, start: int, stop: int) -> Iterator[real.Picture]:
        """The images start, ..., stop - 1 with their objects. Raises PictureError for what cannot be used of one."""
        for index in range(start, stop):
            picture = read_image(self.paths[index])
            image = _upright(picture.image, picture.where)
            target = self._objects(index, (image.height, image.width))
            yield picture._replace(image=image, target=target)

    def look(self, index: int) -> real.Look:
        """What an image's header tells. Raises PictureError, for objects that cannot be used too."""
        path = self.paths[index]
        header = look(path, str(path))
        with Image.open(path, formats=tuple(READABLE)) as picture:
            turned = (
                picture.format != "TIFF" and _orientation(picture, str(path)) in SIDEWAYS
            )  # Pillow turns TIFF itself
        header = header._replace(size=header.size[::-1] if turned else header.size)
        self._objects(index, header.size)
        return real.Look(header, str(path))

    def _objects(self, index: int, size: tuple[int, int]) -> Boxes:
        try:
            return self.find(index, size)
        except DataError as error:
            raise PictureError(str(self.paths[index]), str(error)) from error


def _orientation(image: Image.Image, where: str) -> int:
    """How a camera was held, as EXIF numbers it; 1 is upright. Raises PictureError where EXIF cannot be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (*BROKEN, TypeError) as error:
        raise PictureError(where, f"what its camera said (EXIF) is damaged ({error}): save it anew") from error


def _upright(image: Image.Image, where: str) -> Image.Image:
    return ImageOps.exif_transpose(image) if _orientation(image, where) != 1 else image


def coco_dataset(parameters: Arguments, files: Files) -> ImageSet:
    """The images of ``files["images"]`` that COCO's JSON in ``files["annotations"]`` names, or `count` of them."""
    return real.dataset(open_coco(files["images"], files["annotations"], order(parameters, files)), parameters)


def coco_source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` of these images, to calibrate with."""
    return real.source(open_coco(files["images"], files["annotations"], order(parameters, files)), parameters)


def yolo_dataset(parameters: Arguments, files: Files) -> ImageSet:
    """The images of ``files["images"]`` with text files of their boxes in ``files["boxes"]``, or `count` of them."""
    return real.dataset(open_yolo(files["images"], files["boxes"], order(parameters, files)), parameters)


def yolo_source(parameters: Arguments, files: Files) -> ImageSet:
    """`count` of these images, to calibrate with."""
    return real.source(open_yolo(files["images"], files["boxes"], order(parameters, files)), parameters)


def open_yolo(path: Path, boxes: Path, names: Sequence[str] = ()) -> real.Pictures:
    """Image files at any depth, in the order of their names; an image's boxes are in a .txt of its name.

    A line has a class's number, and centre, width and height as shares of the image's. Raises DataError where nothing
    matches, and when an image is read or looked at for lines that say something else.
    """
    paths, others = all_images(path)
    if not boxes.is_dir():
        raise DataError(f"{boxes}: not a folder: `boxes` is one with a .txt file an image")
    known = {entry.name for entry in entries(boxes) if entry.kind == "file" and entry.name.endswith(".txt")}
    wanted = {f"{name_of(path, image).removesuffix(image.suffix)}.txt": image for image in paths}
    if len(wanted) < len(paths):
        twice = next(image for image in paths if image not in wanted.values())
        text = f"{name_of(path, twice)!r} and another image would have the same file of boxes"
        raise DataError(f"{path}: {text}: give them other names")
    if not wanted.keys() & known:
        example = next(iter(wanted))
        raise DataError(f"{boxes}: has no file of an image of {path}: the first would be {example}")
    strangers = sorted(known - wanted.keys())
    notes = [others] if others else []
    if empty := len(wanted.keys() - known):
        notes.append(f"{empty:,} images have no file of boxes: nothing is to be found in them")
    if strangers:
        notes.append(f"{len(strangers):,} files of boxes are of no image there: {some(strangers, len(strangers))}")
    files = [boxes / name if name in known else None for name in wanted]
    annotated = Annotated(paths=paths, find=partial(_yolo_boxes, files, len(names)))
    return real.Pictures(
        count=len(paths), read=annotated.read, look=annotated.look, classes=len(names) or None, names=tuple(names),
        note="; ".join(notes),
    )  # fmt: skip


def _yolo_boxes(files: Sequence[Path | None], classes: int, index: int, size: tuple[int, int]) -> Boxes:
    """The boxes in an image's file. classes: their number; 0 where it is not known."""
    path = files[index]
    lines = [] if path is None else [(number, line) for number, line in enumerate(lines_of(path), 1) if line]
    rows = np.array([_numbers(f"{path}: line {number}", line, classes) for number, line in lines]).reshape(-1, NUMBERS)
    height, width = size
    scale = np.array([width, height, width, height], np.float64)
    centres, sides = rows[:, 1:3], rows[:, 3:]
    corners = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1) * scale
    return Boxes.of(size, corners, rows[:, 0].astype(np.int64))


def _numbers(where: str, line: str, classes: int) -> list[float]:
    """The numbers of a line. Raises DataError where it is none of an object."""
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError as error:
        raise DataError(
            f"{where}, {line[:80]!r}, has not five numbers: class, centre x and y, width, height"
        ) from error
    if len(numbers) != NUMBERS:
        kind = "a polygon's corners" if len(numbers) > NUMBERS + 1 else "other than five numbers"
        raise DataError(f"{where}: {kind}: a box is a class, centre x and y, width and height")
    number, *shares = numbers
    if not number.is_integer() or number < 0 or (classes and number >= classes):
        expected = f"0 to {classes - 1}" if classes else "0 or more"
        raise DataError(
            f"{where}: the class is {line.split(maxsplit=1)[0]}, expected {expected}: name all classes in `classes`"
        )
    if not all(0 <= share <= 1 for share in shares):
        raise DataError(
            f"{where}: {line[:80]!r} is not within the image: centre, width and height are shares of its sides"
        )
    return numbers


@dataclass(slots=True, kw_only=True)
class _Coco:
    """COCO's JSON, checked. of_image: by the image's own id."""

    path: Path
    files: dict[int, str] = field(default_factory=dict)
    sizes: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    of_image: dict[int, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))


def open_coco(path: Path, annotations: Path, wanted: Sequence[str] = ()) -> real.Pictures:
    """The images of a folder that COCO's JSON names, in its order, with its boxes, crowds and areas.

    Classes are its categories in the order of their ids. wanted: the classes in another order. Raises DataError where
    the JSON is none, or contradicts itself.
    """
    coco = _parsed(annotations)
    names = [coco.names[number] for number in sorted(coco.names)]
    if strange := sorted(set(names) - set(wanted)) if wanted else []:
        raise DataError(f"{annotations}: {some(map(repr, strange), len(strange))}: not in `classes`: name all of them")
    called = list(wanted) or names
    numbers = {number: called.index(name) for number, name in coco.names.items()}
    there = [(number, path / name) for number, name in coco.files.items() if (path / name).is_file()]
    if not there:
        example = next(iter(coco.files.values()), "")
        raise DataError(f"{path}: holds no image that {annotations.name} names, such as {example!r}")
    named, notes = {file for _, file in there}, []
    if unnamed := [name_of(path, image) for image in all_images(path)[0] if image not in named]:
        what = "1 image is" if len(unnamed) == 1 else f"{len(unnamed):,} images are"
        notes.append(f"{what} not in {annotations.name}: {some(unnamed, len(unnamed))}")
    if absent := len(coco.files) - len(there):
        notes.append(f"{absent:,} of {len(coco.files):,} images of {annotations.name} are not there")
    if empty := sum(not coco.of_image.get(number) for number, _ in there):
        notes.append(f"{empty:,} images have no objects")
    annotated = Annotated(
        paths=[file for _, file in there],
        find=partial(_coco_boxes, coco, [number for number, _ in there], numbers),
    )  # fmt: skip
    return real.Pictures(
        count=len(there), read=annotated.read, look=annotated.look, classes=len(called), names=tuple(called),
        note="; ".join(notes),
    )  # fmt: skip


def _coco_boxes(
    coco: _Coco, images: Sequence[int], numbers: Mapping[int, int], index: int, size: tuple[int, int]
) -> Boxes:
    found, said = coco.of_image.get(images[index], []), coco.sizes[images[index]]
    if None not in said and said != size:
        text = f"{said[0]}x{said[1]} (height x width) in {coco.path.name}, and {size[0]}x{size[1]} as it is"
        raise DataError(f"{coco.files[images[index]]}: {text}: its boxes are of another image")
    boxes = np.array([one["bbox"] for one in found], np.float64).reshape(-1, SIDES)
    return Boxes(
        size=size,
        corners=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        classes=np.array([numbers[one["category_id"]] for one in found], np.int64),
        crowd=np.array([bool(one.get("iscrowd", 0)) for one in found], bool),
        area=np.array([one.get("area", one["bbox"][2] * one["bbox"][3]) for one in found], np.float64),
    )


def _parsed(path: Path) -> _Coco:
    """The JSON of COCO's instances. Raises DataError for what is none."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: no JSON that can be read ({error}): give COCO's instances_*.json") from error
    parts: dict[str, Any] = {name: document.get(name) if isinstance(document, dict) else None for name in PARTS}
    if lacking := [name for name, part in parts.items() if not isinstance(part, list)]:
        raise DataError(f"{path}: no list `{lacking[0]}`: give COCO's instances_*.json")
    coco = _Coco(path=path)
    try:
        coco.files = {image["id"]: str(image["file_name"]) for image in parts["images"]}
        names = Counter(str(image["file_name"]) for image in parts["images"])
        if len(coco.files) < len(parts["images"]) or len(names) < len(parts["images"]):
            raise DataError(f"{path}: an image stands twice in `images`, by its id or by its name: keep one")
        coco.sizes = {image["id"]: (image.get("height"), image.get("width")) for image in parts["images"]}
        coco.names = {one["id"]: str(one["name"]) for one in parts["categories"]}
        for one in parts["annotations"]:
            _check(one, coco)
            coco.of_image[one["image_id"]].append(one)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(f"{path}: an entry lacks what COCO's have ({error!r}): give COCO's instances_*.json") from error
    if outside := [name for name in coco.files.values() if Path(name).is_absolute() or ".." in Path(name).parts]:
        raise DataError(
            f"{path}: names an image outside the folder of images, {outside[0]!r}: name it as it lies there"
        )
    twice = [name for name, count in Counter(coco.names.values()).items() if count > 1]
    if twice:
        raise DataError(f"{path}: two categories are called {twice[0]!r}: give each its own name")
    return coco


def _check(one: Mapping[str, Any], coco: _Coco) -> None:
    """Raises DataError for an annotation that fits no image or class, or whose box is none."""
    where = f"{coco.path}: annotation {one.get('id', '?')}"
    if one["image_id"] not in coco.files:
        raise DataError(f"{where}: of image {one['image_id']}, which is not in `images`")
    if one["category_id"] not in coco.names:
        raise DataError(f"{where}: of category {one['category_id']}, which is not in `categories`")
    box = one["bbox"]
    if len(box) != SIDES or not all(map(math.isfinite, box)) or box[2] < 0 or box[3] < 0:
        raise DataError(f"{where}: its box {box} is not left, top, width and height in pixels")
    if not math.isfinite(one.get("area", 0.0)):
        raise DataError(f"{where}: its area {one['area']} is no number of square pixels")
