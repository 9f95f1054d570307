"""Boxes of images, from COCO's JSON and from YOLO's text files, and what is wrong with them."""

import json
import os

import numpy as np
import pytest
from PIL import ExifTags, Image

from farm.axes import Fit
from farm.data.objects import coco_dataset, coco_source, open_coco, yolo_dataset, yolo_source
from farm.errors import DataError

SIZE = (40, 80)  # height, width
ALL = {"count": None}


def write_images(folder, *names, size=SIZE):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size[::-1], (200, 100, 50)).save(path)


@pytest.fixture
def yolo(tmp_path):
    """Three images: one with two boxes, one with an empty file, one without any."""
    write_images(tmp_path / "images", "a.png", "b/c.png", "d.png")
    boxes = tmp_path / "labels"
    (boxes / "b").mkdir(parents=True)
    (boxes / "a.txt").write_text("1 0.5 0.5 0.25 0.5\n\n0 0.1 0.1 0.2 0.2\n")
    (boxes / "b/c.txt").write_text("")
    return {"images": tmp_path / "images", "boxes": boxes}


def test_a_line_of_yolo_s_is_a_class_and_shares_of_the_image_s_sides(yolo):
    found = yolo_dataset({**ALL, "classes": ("cat", "dog")}, yolo)
    block = found.block(0, 3)
    first, second, third = block.targets
    assert first.corners.tolist() == [[30, 10, 50, 30], [pytest.approx(0, abs=1e-9), 0, 16, 8]]
    assert (first.classes.tolist(), first.size, first.area.tolist()) == ([1, 0], SIZE, [400, 128])
    assert not first.crowd.any()
    assert (len(second), len(third)) == (0, 0)
    assert (found.classes, found.names, block.labels.tolist()) == (2, ("cat", "dog"), [-1, -1, -1])
    assert found.note == "1 images have no file of boxes: nothing is to be found in them"


def test_what_is_no_file_is_not_read(yolo):
    os.mkfifo(yolo["boxes"] / "d.txt")
    assert len(yolo_dataset(ALL, yolo).block(2, 3).targets[0]) == 0


def test_files_of_no_image_are_told_of(yolo):
    (yolo["boxes"] / "e.txt").write_text("0 0.5 0.5 1 1")
    assert "1 files of boxes are of no image there: e.txt" in yolo_dataset(ALL, yolo).note


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0 0.5 0.5 0.1", "b/c.txt: line 1: other than five numbers: a box is a class, centre"),
        ("0 0.5 0.5 0.1 0.1 0.2 0.3 0.4 0.5", "b/c.txt: line 1: a polygon's corners: a box is"),
        ("cat 0.5 0.5 0.1 0.1", "b/c.txt: line 1, 'cat 0.5 0.5 0.1 0.1', has not five numbers"),
        ("2 0.5 0.5 0.1 0.1", "b/c.txt: line 1: the class is 2, expected 0 to 1: name all classes in `classes`"),
        ("-1 0.5 0.5 0.1 0.1", "the class is -1, expected 0 to 1"),
        ("0.5 0.5 0.5 0.1 0.1", "the class is 0.5, expected 0 to 1"),
        ("0 320 240 100 100", "'0 320 240 100 100' is not within the image: centre, width and height are shares"),
        ("0 0.5 nan 0.1 0.1", "is not within the image"),
    ],
)
def test_a_line_that_is_no_box_is_one_sentence(yolo, line, says):
    (yolo["boxes"] / "b/c.txt").write_text(line)
    how = Fit(size=(16, 16), interpolation="bilinear", whole="stretch")
    found = yolo_dataset({**ALL, "classes": ("cat", "dog"), "fit": how}, yolo)
    with pytest.raises(DataError) as raised:
        found.block(0, 3)
    assert says in str(raised.value)
    with pytest.raises(DataError, match="line 1"):  # told from headers alone
        found.look()


def test_without_names_any_class_may_be(yolo):
    (yolo["boxes"] / "a.txt").write_text("99 0.5 0.5 0.1 0.1")
    found = yolo_dataset(ALL, yolo)
    assert (found.classes, found.block(0, 1).targets[0].classes.tolist()) == (None, [99])


def test_boxes_that_are_of_no_image_at_all_are_refused(yolo, tmp_path):
    with pytest.raises(DataError, match=r"has no file of an image of .*images: the first would be a\.txt"):
        yolo_dataset(ALL, {**yolo, "boxes": tmp_path / "images"})
    with pytest.raises(DataError, match=r"not a folder: `boxes` is one with a \.txt file an image"):
        yolo_dataset(ALL, {**yolo, "boxes": tmp_path / "none"})


def test_a_source_s_images_have_their_boxes_too(yolo):
    sample = yolo_source({"count": 2, "seed": 0, "skip": 0}, yolo)
    assert len(sample.block(0, 2).targets) == 2
    with pytest.raises(DataError, match="3"):
        yolo_source({"count": 4, "seed": 0, "skip": 0}, yolo)


def test_boxes_stay_in_the_image_s_own_pixels_whatever_it_is_made(yolo):
    how = Fit(size=(16, 16), interpolation="bilinear", whole="letterbox")
    block = yolo_dataset({**ALL, "fit": how}, yolo).block(0, 1)
    assert block.images.shape == (1, 16, 16, 3)
    assert block.targets[0].corners[0].tolist() == [30, 10, 50, 30]


COCO = {
    "images": [
        {"id": 7, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]},
        {"id": 3, "file_name": "b.png"},
        {"id": 9, "file_name": "absent.png"},
    ],
    "categories": [{"id": 90, "name": "dog"}, {"id": 2, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 90, "bbox": [10, 5, 20, 10], "area": 150, "iscrowd": 1},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [0, 0, 4, 4]},
    ],
}


@pytest.fixture
def coco(tmp_path):
    write_images(tmp_path / "images", "a.png", "b.png")
    (tmp_path / "instances.json").write_text(json.dumps(COCO))
    return {"images": tmp_path / "images", "annotations": tmp_path / "instances.json"}


def test_coco_s_json_tells_boxes_areas_and_crowds_and_numbers_classes_by_their_ids(coco):
    found = coco_dataset(ALL, coco)
    assert (len(found), found.classes, found.names) == (2, 2, ("cat", "dog"))
    first, second = found.block(0, 2).targets
    assert first.corners.tolist() == [[10, 5, 30, 15], [0, 0, 4, 4]]
    assert (first.classes.tolist(), first.area.tolist(), first.crowd.tolist()) == ([1, 0], [150, 16], [True, False])
    assert len(second) == 0
    assert found.note == "1 of 3 images of instances.json are not there; 1 images have no objects"


def test_classes_may_be_in_another_order_and_must_all_be_named(coco):
    found = coco_dataset({**ALL, "classes": ("dog", "cat", "bird")}, coco)
    assert (found.classes, found.block(0, 1).targets[0].classes.tolist()) == (3, [0, 1])
    with pytest.raises(DataError, match="'dog': not in `classes`: name all of them"):
        coco_dataset({**ALL, "classes": ("cat",)}, coco)


def test_a_source_takes_some_of_them(coco):
    assert len(coco_source({"count": 1, "seed": 3, "skip": 0}, coco)) == 1


def changed(**changes):
    return json.loads(json.dumps(COCO)) | changes


def annotated(**changes):
    return changed(annotations=[{**COCO["annotations"][0], **changes}])


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("[", "no JSON that can be read"),
        ([], "no list `images`: give COCO's instances_*.json"),
        (changed(annotations=None), "no list `annotations`"),
        (changed(images=[{"id": 1}]), "an entry lacks what COCO's have (KeyError('file_name'))"),
        (changed(images=[7]), "an entry lacks what COCO's have"),
        (annotated(image_id=8), "annotation 1: of image 8, which is not in `images`"),
        (annotated(category_id=8), "annotation 1: of category 8, which is not in `categories`"),
        (annotated(bbox=[1, 2, 3]), "annotation 1: its box [1, 2, 3] is not left, top, width and height in pixels"),
        (annotated(bbox=[1, 2, -3, 4]), "its box [1, 2, -3, 4] is not"),
        (annotated(bbox=None), "an entry lacks what COCO's have"),
        (annotated(bbox=[1, 2, 3, 10**400]), "an entry lacks what COCO's have (OverflowError"),
        (annotated(area=None), "an entry lacks what COCO's have"),
        (annotated(area=float("inf")), "annotation 1: its area inf is no number of square pixels"),
        ("[" * 100_000, "no JSON that can be read"),
        (changed(images=[{"id": 7, "file_name": "../secret.png"}]), "outside the folder of images, '../secret.png'"),
        (changed(images=[{"id": 7, "file_name": "/etc/secret.png"}]), "outside the folder of images"),
        (changed(categories=[{"id": 90, "name": "a"}, {"id": 2, "name": "a"}]), "two categories are called 'a'"),
        (changed(images=[{"id": 7, "file_name": "other.png"}], annotations=[]), "holds no image that instances.json"),
    ],
)
def test_json_that_is_none_of_coco_s_is_one_sentence(coco, document, says):
    coco["annotations"].write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(DataError) as raised:
        coco_dataset(ALL, coco)
    assert says in str(raised.value)


def test_boxes_of_an_image_of_another_size_are_refused(coco):
    write_images(coco["images"], "a.png", size=(41, 80))
    with pytest.raises(DataError, match=r"a.png: 40x80 \(height x width\) in instances.json, and 41x80 as it is"):
        coco_dataset(ALL, coco).block(0, 1)


def test_images_are_in_the_json_s_order(coco):
    pictures = open_coco(coco["images"], coco["annotations"])
    assert [picture.where.rpartition("/")[2] for picture in pictures.read(0, 2)] == ["a.png", "b.png"]
    assert np.array(pictures.look(0).header.size).tolist() == list(SIZE)


def test_two_images_of_one_name_would_have_the_same_boxes(yolo):
    write_images(yolo["images"], "a.bmp")
    with pytest.raises(DataError, match=r"'a\..*' and another image would have the same file of boxes"):
        yolo_dataset(ALL, yolo)


def test_all_images_whose_boxes_cannot_be_used_are_named_at_once(yolo):
    for name in ("a", "d"):
        (yolo["boxes"] / f"{name}.txt").write_text("cat")
    how = Fit(size=(16, 16), interpolation="bilinear", whole="stretch")
    with pytest.raises(
        DataError, match=r"a\.png: .*has not five numbers.*; 1 other of 3 images cannot be used: .*d\.png"
    ):
        yolo_dataset({**ALL, "fit": how}, yolo)


def test_an_image_is_turned_upright_as_its_camera_says_before_its_boxes_are_drawn(yolo):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (80, 40)).save(yolo["images"] / "a.png", exif=exif)
    found = yolo_dataset({**ALL, "fit": Fit(size=(16, 16), interpolation="nearest", whole="stretch")}, yolo)
    target = found.block(0, 1).targets[0]
    assert target.size == (80, 40)
    assert target.corners[0].tolist() == [15, 20, 25, 60]
    found.look()


@pytest.mark.parametrize(
    "images",
    [[COCO["images"][0], {"id": 7, "file_name": "b.png"}], [COCO["images"][0], {"id": 8, "file_name": "a.png"}]],
)
def test_an_image_that_stands_twice_is_refused(coco, images):
    coco["annotations"].write_text(json.dumps(changed(images=images, annotations=[])))
    with pytest.raises(DataError, match="an image stands twice in `images`"):
        coco_dataset(ALL, coco)


def test_images_that_the_json_does_not_name_are_told_of(coco):
    write_images(coco["images"], "c.png")
    assert "1 image is not in instances.json: c.png" in coco_dataset(ALL, coco).note
