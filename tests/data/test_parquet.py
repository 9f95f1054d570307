"""Parquet files in the Hugging Face layout, good and bad."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.data import parquet
from farm.data.rows import open_rows
from farm.errors import DataError
from tests.data.files import encode, pixels, write_parquet

NAMES = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["cat", "dog", "cow"]}}}})}


def whole(path, **parameters):
    return parquet.dataset({"count": None, "path": "", **parameters}, {"images": path})


@pytest.mark.parametrize("column", ["img", "image"])
def test_images_and_labels_come_back_in_order_across_row_groups(tmp_path, column):
    images, labels = pixels(11), [i % 3 for i in range(11)]
    path = write_parquet(tmp_path / "a.parquet", [encode(image) for image in images], labels, column=column)
    opened = whole(path)
    for start, stop in [(0, 11), (3, 9), (10, 11), (0, 0), (4, 8)]:
        block = opened.block(start, stop)
        assert np.array_equal(block.images, images[start:stop])
        assert block.labels.tolist() == labels[start:stop]


@pytest.mark.parametrize(
    ("metadata", "classes"),
    [
        (NAMES, 3),
        (None, None),
        ({"huggingface": "{"}, None),
        ({"huggingface": json.dumps({"info": {"features": {"label": {"dtype": "int64"}}}})}, None),
    ],
)
def test_the_number_of_classes_comes_from_the_class_names(tmp_path, metadata, classes):
    path = write_parquet(tmp_path / "a.parquet", [encode(pixels(1)[0])], [0], metadata=metadata)
    assert whole(path).classes == classes


def test_a_count_of_rows_that_lie_class_by_class_is_balanced(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [encode(image) for image in pixels(9)], [0] * 5 + [1] * 4)
    assert whole(path, count=4).block(0, 4).labels.tolist() == [0, 0, 1, 1]


def test_classes_of_which_there_are_no_rows_are_named(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [encode(image) for image in pixels(3)], [0, 0, 2], metadata=NAMES)
    assert whole(path).note == "no images of 1 of 3 classes: dog"


def test_a_source_samples_class_by_class(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [encode(image) for image in pixels(9)], [2, 1, 0] * 3)
    sample = parquet.source({"count": 7, "seed": 0}, {"images": path})
    assert sample.block(0, 7).labels.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_a_source_may_come_without_labels(tmp_path):
    images = pixels(9)
    path = write_parquet(tmp_path / "a.parquet", [encode(image) for image in images], None)
    block = parquet.source({"count": 9, "seed": 0}, {"images": path}).block(0, 9)
    assert set(block.labels) == {-1}
    assert sorted(block.images.sum(axis=(1, 2, 3))) == sorted(images.sum(axis=(1, 2, 3)))


def test_one_row_group_is_in_memory_and_no_more(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [encode(image) for image in pixels(12)], [0] * 12)
    rows = open_rows(path, ("img",))
    assert rows.read(0, 12).num_rows == 12
    number, table = rows.last
    assert (number, table.num_rows) == (2, 4)


GOOD = encode(pixels(1)[0])


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (GOOD[:60], "row 5: not an image that farm reads, or damaged"),
        (b"hello", "row 5: not an image that farm reads, or damaged: replace or remove it"),
        (encode(pixels(1)[0], kind="EPS"), "row 5: not an image"),
        (encode(pixels(1, (7, 5))[0]), r"row 5: the image is 7x5 .* first one 6x5: resize"),
        (None, "row 5: no image bytes: embed"),
    ],
)
def test_an_image_that_cannot_be_used_is_told_with_its_row(tmp_path, last, says):
    path = write_parquet(tmp_path / "a.parquet", [GOOD] * 5 + [last], [0] * 6)
    opened = whole(path)
    assert len(opened.block(0, 5).images) == 5
    with pytest.raises(DataError, match=rf"a.parquet: {says}"):
        opened.block(4, 6)


@pytest.mark.parametrize(
    ("labels", "metadata", "says"),
    [
        ([0, -1, 0], None, "row 1: label -1, expected 0 or more: correct the row"),
        ([0, 0, 3], NAMES, "row 2: label 3, expected 0 to 2"),
        ([0, None, 0], None, "row 1: label None"),
    ],
)
def test_a_label_out_of_range_is_told_with_its_row(tmp_path, labels, metadata, says):
    path = write_parquet(tmp_path / "a.parquet", [GOOD] * 3, labels, metadata=metadata)
    with pytest.raises(DataError, match=rf"a.parquet: {says}"):
        whole(path)


def table_of(path, columns):
    pq.write_table(pa.table(columns), path)


IMG = pa.array([{"bytes": GOOD, "path": ""}])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"PAR1 no"), "not a Parquet file, or truncated"),
        (lambda path: path.write_bytes(b""), "not a Parquet file, or truncated"),
        (lambda path: path.mkdir(), "no .parquet files: give the folder"),
        (lambda path: write_parquet(path, [GOOD], None), r"no column `label`, only \['img'\]"),
        (lambda path: write_parquet(path, [], []), "no rows"),
        (lambda path: table_of(path, {"picture": IMG, "label": [0]}), r"no column .*\['picture', 'label'\]"),
        (lambda path: table_of(path, {"img": [b"x"], "label": [0]}), "column `img` is binary, not a struct"),
        (
            lambda path: table_of(path, {"img": [{"bytes": "x", "path": ""}], "label": [0]}),
            "column `img` is struct<bytes: string, path: string>, not a struct with binary `bytes`",
        ),
        (lambda path: table_of(path, {"img": IMG, "label": ["cat"]}), "column `label` is string, not an int"),
        (lambda path: write_parquet(path, [b"x"], [0]), "row 0: not an image"),
    ],
)
def test_a_file_in_another_layout_is_refused_when_it_is_opened(tmp_path, make, says):
    make(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=rf"a.parquet: {says}"):
        whole(tmp_path / "a.parquet")


def test_a_folder_of_parts_is_read_as_one(tmp_path):
    whole_one = pixels(7)
    for part, (start, stop) in enumerate([(0, 4), (4, 7)]):
        encoded = [encode(image) for image in whole_one[start:stop]]
        write_parquet(tmp_path / f"test-0000{part}-of-00002.parquet", encoded, list(range(start, stop)))
    write_parquet(tmp_path / "train-00000-of-00001.parquet", [GOOD], [0])
    images = parquet.dataset({"count": None, "split": "test"}, {"images": tmp_path})
    block = images.block(0, 7)
    assert np.array_equal(block.images, whole_one)
    assert block.labels.tolist() == list(range(7))
    assert images.block(3, 5).labels.tolist() == [3, 4]
    assert parquet.source({"count": 7, "seed": 0, "split": "test"}, {"images": tmp_path}).block(0, 7).labels.sum() == 21


def test_a_row_of_a_part_is_told_with_its_own_file(tmp_path):
    write_parquet(tmp_path / "a-00000-of-00002.parquet", [GOOD] * 5, [0] * 5)
    path = write_parquet(tmp_path / "a-00001-of-00002.parquet", [GOOD] * 3 + [b"no"], [0] * 4)
    with pytest.raises(DataError, match=f"{path}: row 3: not an image"):
        whole(tmp_path).block(0, 9)
    write_parquet(path, [GOOD] * 4, [0, 0, -1, 0])
    with pytest.raises(DataError, match=f"{path}: row 2: label -1"):
        whole(tmp_path)


def test_parts_of_other_columns_are_told(tmp_path):
    write_parquet(tmp_path / "a-00000-of-00002.parquet", [GOOD], [0])
    write_parquet(tmp_path / "a-00001-of-00002.parquet", [GOOD], None)
    says = r"a-00001-of-00002.parquet: has img struct<.*>, but .*a-00000-of-00002.parquet has img .*, label int64: save"
    with pytest.raises(DataError, match=says):
        whole(tmp_path)


def test_parts_whose_classes_are_in_another_order_are_told(tmp_path):
    for part, names in enumerate((["a", "b"], ["b", "a"])):
        metadata = {"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}})}
        write_parquet(tmp_path / f"t-0000{part}-of-00002.parquet", [GOOD], [0], metadata=metadata)
    with pytest.raises(DataError, match=r"has .* of the classes b, a, but .* of the classes a, b: save both alike"):
        whole(tmp_path)


def test_a_label_of_a_million_is_a_label(tmp_path):
    images = whole(write_parquet(tmp_path / "a.parquet", [GOOD] * 20, [0] * 19 + [1_000_000]))
    assert images.block(19, 20).labels.tolist() == [1_000_000]
    with pytest.raises(DataError, match=f"row 1: label {2**62}, expected 0 to 2147483647"):
        whole(write_parquet(tmp_path / "a.parquet", [GOOD] * 2, [0, 2**62]))


def test_bytes_may_be_large(tmp_path):
    kind = pa.struct([("bytes", pa.large_binary())])
    table_of(tmp_path / "a.parquet", {"img": pa.array([{"bytes": GOOD}], kind), "label": [0]})
    assert len(whole(tmp_path / "a.parquet").block(0, 1).images) == 1


def test_a_truncated_file_is_refused(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [GOOD] * 20, [0] * 20)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"truncated .*fetch or make the file again"):
        whole(path)
