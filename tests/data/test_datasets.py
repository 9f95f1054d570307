"""Datasets opened by name, whole and in part."""

import pytest

from farm.axes import Images
from farm.data.datasets import open_part
from tests.data.files import encode, pixels

OF_EACH = 3


@pytest.mark.parametrize(
    ("own", "count", "labels"),
    [
        (None, 3, [0, 1, 2]),
        (None, 6, [0, 0, 1, 1, 2, 2]),
        (None, 99, [0, 0, 0, 1, 1, 1, 2, 2, 2]),
        (6, 3, [0, 1, 2]),
        (6, 99, [0, 0, 1, 1, 2, 2]),
    ],
)
def test_a_part_is_of_all_classes_also_where_a_folder_has_them_class_by_class(tmp_path, own, count, labels):
    for name in ("cat", "cow", "dog"):
        (tmp_path / name).mkdir()
        for number, image in enumerate(pixels(OF_EACH)):
            (tmp_path / name / f"{number}.png").write_bytes(encode(image))
    images = open_part(Images(name="folder", options={"count": own}), {"images": tmp_path}, count)
    assert images.block(0, len(images)).labels.tolist() == labels
