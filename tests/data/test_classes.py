"""The user's own order of classes, on images from anywhere."""

import numpy as np
import pytest
from PIL import Image

from farm.data import cifar10, digits, factory, real
from farm.data.classes import in_order, order
from farm.errors import DataError
from tests.data.files import encode, pixels, write_parquet


def pictures_of(labels, names=(), *, told=True):
    """Pictures by hand; told: whether labels are known before a picture is read."""

    def read(start, stop):
        for index in range(start, stop):
            label = None if told else labels[index]
            yield real.Picture(Image.fromarray(pixels(1)[0]), f"picture {index}", label)

    known = np.array(labels, np.int64) if told else None
    return real.Pictures(count=len(labels), read=read, labels=known, classes=len(names) or None, names=names)


def labels_of(pictures):
    images = real.uniform(pictures, {})
    return images.block(0, len(images)).labels.tolist(), images.classes


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    ("names", "order", "expected"),
    [
        (("cat", "dog"), ("background", "dog", "cat"), [2, 1, 1, 2]),
        (("cat", "dog"), ("cat", "dog", "ship"), [0, 1, 1, 0]),
        ((), ("background", "0", "1"), [1, 2, 2, 1]),
        ((), ("1", "0"), [1, 0, 0, 1]),
    ],
)
def test_labels_are_by_the_names_that_the_user_gives(told, names, order, expected):
    assert labels_of(in_order(pictures_of([0, 1, 1, 0], names, told=told), order)) == (expected, len(order))


@pytest.mark.parametrize("order", [(), ("cat", "dog")])
def test_the_pictures_own_order_changes_nothing(order):
    pictures = pictures_of([0, 1], ("cat", "dog"))
    assert in_order(pictures, order) is pictures


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("names", "called"), [(("cat", "dog"), "dog"), ((), "1")])
def test_a_class_without_a_name_is_told(told, names, called):
    with pytest.raises(DataError, match=f"^class '{called}' is not in `classes`, which has 'cat', '0': name all"):
        labels_of(in_order(pictures_of([0, 1], names, told=told), ("cat", "0")))


def test_cifar_10_has_names(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [encode(pixels(1)[0])] * 3, [0, 5, 9])
    order = ("background", *reversed(cifar10.NAMES))
    images = cifar10.test({"count": None, "classes": order}, {"images": path})
    assert (images.block(0, 3).labels.tolist(), images.classes) == ([10, 5, 1], 11)


def test_digits_are_called_by_their_numbers():
    order = tuple("9876543210")
    images = [digits.test({"count": None, "classes": given}, {}) for given in (None, order)]
    labels = [one.block(0, 10).labels for one in images]
    assert np.array_equal(labels[1], 9 - labels[0])


class Named:
    """A factory's dataset whose classes have names."""

    classes = ("cat", "dog")

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return pixels(1)[0], index


def test_a_factorys_classes_are_called_as_it_says(monkeypatch):
    monkeypatch.setattr(factory, "resolve", lambda _: Named)
    images = factory.dataset({"factory": "a:b", "count": None, "classes": ("x", "dog", "cat")}, {})
    assert images.block(0, 2).labels.tolist() == [2, 1]


@pytest.mark.parametrize(
    "text", ["names:\n  0: cat\n  1: dog\n", "names: [cat, dog]", "- cat\n- dog\n", "nc: 2\nnames: {1: dog, 0: cat}"]
)
def test_names_may_be_in_yaml_as_yolo_s_are(tmp_path, text):
    (tmp_path / "data.yaml").write_text(text)
    assert order({}, {"classes": tmp_path / "data.yaml"}) == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names: {0: cat, 2: dog}", "must number the classes from 0 up, without a gap"),
        ("nc: 2", "no `names`, a list or a mapping of numbers to names"),
        ("names: [cat", "no YAML"),
        ("names: [cat, cat]", "'cat' stands twice"),
        ("names: []", "no names"),
        ("names: [&a [x, x], *a]", "no `names`, a list or a mapping"),
        ("names: {a: cat, 0: dog}", "must number the classes from 0 up"),
    ],
)
def test_yaml_without_names_is_one_sentence(tmp_path, text, says):
    (tmp_path / "data.yml").write_text(text)
    with pytest.raises(DataError, match=says):
        order({}, {"classes": tmp_path / "data.yml"})
