"""The user's own data: what a factory may return, and what is said of everything else."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision.datasets import FakeData

from farm.axes import Fit
from farm.catalog.datasets import DATASETS
from farm.catalog.sources import SOURCES
from farm.data import factory
from farm.errors import DataError, InputError
from tests.data.files import pixels

IMAGES = pixels(12)
LABELS = [i % 3 for i in range(12)]


class Data:
    """A map-style dataset that counts how often an item is read."""

    def __init__(self, items, **attributes):
        self.items = items
        self.reads = 0
        vars(self).update(attributes)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.reads += 1
        return self.items[index]


PAIRS = list(zip(IMAGES, LABELS, strict=True))
PICTURES = [(Image.fromarray(image), label) for image, label in PAIRS]


@pytest.fixture
def given(monkeypatch):
    """Says what ``my_data:test`` returns, and gives the parameter that names it."""

    def say(returned):
        module = SimpleNamespace(test=returned if callable(returned) else lambda: returned)
        monkeypatch.setitem(sys.modules, "my_data", module)
        return {"factory": "my_data:test"}

    return say


def whole(named, count=None, **more):
    return factory.dataset({**named, "count": count, **more}, {})


def sampled(named, count, **more):
    return factory.source({**named, "count": count, "seed": 0, **more}, {})


@pytest.mark.parametrize("items", [PAIRS, PICTURES, [list(pair) for pair in PAIRS]], ids=["arrays", "pil", "lists"])
def test_images_and_labels_come_back_in_order(given, items):
    images = whole(given(Data(items)))
    assert (len(images), images.classes) == (12, None)
    block = images.block(2, 9)
    assert np.array_equal(block.images, IMAGES[2:9])
    assert block.labels.tolist() == LABELS[2:9]


@pytest.mark.parametrize("classes", [3, ["cat", "dog", "cow"], ("cat", "dog", "cow")])
def test_the_attribute_classes_tells_how_many_there_are(given, classes):
    assert whole(given(Data(PAIRS, classes=classes))).classes == 3
    assert sampled(given(Data(PAIRS, classes=classes)), 3).classes == 3


def test_a_function_in_a_file_is_found(tmp_path, monkeypatch):
    text = "import numpy as np\ndef test():\n    return [(np.zeros((4, 4, 3), np.uint8), 1)] * 5\n"
    (tmp_path / "my_own_data_of_this_test.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert len(whole({"factory": "my_own_data_of_this_test:test"})) == 5


def test_a_dataset_of_torchvisions_is_one():
    named = {"factory": "torchvision.datasets:FakeData"}
    assert whole(named, count=2, fit=Fit(resize=8, size=(8, 8), interpolation="bilinear")).block(0, 2).images.any()


def test_subsets_of_datasets_are_datasets(given):
    subset = Subset(FakeData(size=20, image_size=(3, 4, 4), num_classes=2), range(3, 9))
    assert len(whole(given(subset)).block(0, 6).images) == 6


def test_pictures_of_any_size_are_fitted(given):
    items = [(image, 0) for size in [(4, 9), (20, 3)] for image in pixels(1, size)]
    named = given(Data(items)) | {"fit": Fit(resize=6, size=(5, 5), interpolation="nearest")}
    assert whole(named).block(0, 2).images.shape == (2, 5, 5, 3)


def test_an_array_in_another_memory_order_keeps_its_pixels(given):
    image = np.asfortranarray(IMAGES[0])[:, ::-1]
    assert np.array_equal(whole(given(Data([(image, 0)]))).block(0, 1).images[0], image)


@pytest.mark.parametrize("label", [np.int32(2), np.uint8(2), torch.tensor(2)])
def test_a_label_may_be_any_kind_of_int(given, label):
    assert whole(given(Data([(IMAGES[0], label)]))).block(0, 1).labels.tolist() == [2]


def test_a_dataset_without_classes_may_have_any_labels(given):
    items = [(IMAGES[0], -7), (IMAGES[1], 2**40)]
    assert whole(given(Data(items))).block(0, 2).labels.tolist() == [-7, 2**40]


@pytest.mark.parametrize("targets", [None, LABELS, np.array(LABELS, np.uint8), torch.tensor(LABELS)])
def test_a_source_samples_class_by_class(given, targets):
    images = sampled(given(Data(PAIRS, targets=targets)), 11)
    assert images.block(0, 11).labels.tolist() == [i % 3 for i in range(11)]


def test_a_source_skips(given):
    every, rest = (sampled(given(Data(PAIRS)), count, skip=skip).block(0, count) for count, skip in [(12, 0), (8, 4)])
    assert np.array_equal(rest.images, every.images[4:])
    assert rest.labels.tolist() == [(i + 4) % 3 for i in range(8)]


def test_with_targets_only_the_sampled_items_are_read(given):
    with_targets, without = Data(PAIRS, targets=LABELS), Data(PAIRS)
    for data in (with_targets, without):
        sampled(given(data), 3).block(0, 3)
    assert with_targets.reads == 1 + 3  # the first, to see that it can be used
    assert without.reads == 1 + 12 + 1 + 3


def test_bare_images_are_a_source_without_classes(given):
    images = sampled(given(Data(list(IMAGES), classes=["a"])), 12)
    assert images.classes is None
    assert set(images.block(0, 12).labels) == {-1}
    assert sorted(map(bytes, images.block(0, 12).images)) == sorted(map(bytes, IMAGES))


def test_bare_images_may_have_targets(given):
    images = sampled(given(Data(list(IMAGES), targets=LABELS)), 9)
    assert images.block(0, 9).labels.tolist() == [0, 1, 2] * 3


def raising():
    raise ZeroDivisionError("one over none")


class Broken(Data):
    def __getitem__(self, index):
        return super().__getitem__(index) if index < 5 else {}["no such image"]


class Endless(Data):
    def __len__(self):
        raise RuntimeError("who knows")


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (None, "returned a NoneType without __len__ and __getitem__: return a map-style dataset"),
        (iter(PAIRS), "returned a list_iterator without __len__ and __getitem__"),
        (Dataset(), "returned a Dataset without __len__: return"),
        ([], "returned an empty list: it must hold images"),
        (Data(PAIRS, classes=0), "`classes` is 0: list the names"),
        (Data(PAIRS, classes="abc"), "`classes` is 'abc': list the names"),
        (Data(PAIRS, classes=2.5), "`classes` is 2.5: list the names"),
    ],
)
def test_what_is_no_dataset_is_told(given, returned, says):
    named = given(returned)
    for opened in (lambda: whole(named), lambda: sampled(named, 3)):
        with pytest.raises(DataError, match=rf"^factory 'my_data:test':? {says}"):
            opened()


@pytest.mark.parametrize(
    ("returned", "raised"),
    [(raising, ZeroDivisionError), (Endless(PAIRS), RuntimeError), ({"train": PAIRS}, KeyError)],
)
def test_what_the_users_own_code_raises_is_left_as_it_is(given, returned, raised):
    named = given(returned)
    for opened in (lambda: whole(named), lambda: sampled(named, 3)):
        with pytest.raises(raised):
            opened()


def test_an_exception_in_an_item_is_left_as_it_is_but_noted_which_item_it_is(given):
    named = given(Broken(PAIRS))
    for read in (lambda: whole(named).block(0, 12), lambda: whole(named, 3), lambda: sampled(named, 3)):
        with pytest.raises(KeyError, match="no such image") as raised:
            read()
        assert raised.value.__notes__ == ["factory 'my_data:test': item 5"]


@pytest.mark.parametrize("function", ["my_data:other", "no_such_module_anywhere:test", "my_data", "my_data:value"])
def test_a_function_that_does_not_exist_is_an_input_error(given, monkeypatch, function):
    given(None)
    sys.modules["my_data"].value = 3
    with pytest.raises(InputError, match=function.replace(":", ".")):
        whole({"factory": function})


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((4, 4, 3), np.float32), r"a ndarray of float32 \(4, 4, 3\): an item is"),
        (torch.zeros(3, 4, 4), r"a Tensor of torch.float32 \(3, 4, 4\)"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"a Tensor of torch.uint8 \(4, 4, 3\)"),
        (np.zeros((3, 4, 4), np.uint8), r"a ndarray of uint8 \(3, 4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"a ndarray of uint8 \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"a ndarray of uint8 \(0, 4, 3\)"),
        (Image.new("RGB", (0, 4)), "a Image of 4x0"),
        ("cat.png", "a str"),
        ((IMAGES[0], 1, "extra"), "a tuple of 3"),
        (None, "a NoneType"),
    ],
)
def test_what_is_no_image_is_told_with_what_it_is(given, image, says):
    named = given(Data([*PAIRS[:3], (image, 0)]))
    with pytest.raises(DataError, match=rf"'my_data:test': item 3: the image is {says}"):
        whole(named).block(0, 4)


@pytest.mark.parametrize(("mode", "kind"), [("L", "grey"), ("RGBA", "transparent"), ("CMYK", "CMYK")])
def test_a_picture_that_is_not_rgb_is_converted_and_counted(given, mode, kind):
    picture = Image.fromarray(IMAGES[0]).convert(mode)
    images = whole(given(Data([(picture, 0), (IMAGES[0], 0)])))
    assert np.array_equal(images.block(0, 2).images, [np.asarray(picture.convert("RGB")), IMAGES[0]])
    assert images.converted == {kind: 1}


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1)])
def test_a_grey_array_is_a_grey_image(given, shape):
    grey = np.arange(30, dtype=np.uint8)
    images = whole(given(Data([(grey.reshape(shape), 0)])))
    assert np.array_equal(images.block(0, 1).images[0, ..., 1], grey.reshape(6, 5))
    assert images.converted == {"grey": 1}


def test_a_tensor_dataset_is_told_what_is_wanted(given):
    with pytest.raises(DataError, match=r"a Tensor of torch.float32 \(3, 4, 4\): .*normalising is farm's part"):
        whole(given(TensorDataset(torch.zeros(5, 3, 4, 4), torch.zeros(5, dtype=torch.int64))))


@pytest.mark.parametrize(
    ("label", "says"),
    [
        (1.0, "1.0, a float, not an int: number the classes"),
        ("cat", "'cat', a str, not an int"),
        (torch.tensor(0.5), r"tensor\(0.5000\), a Tensor of torch.float32 \(\), not an int"),
        ([1, 2], r"\[1, 2\], a list of 2, not an int"),
        (3, "3, expected 0 to 2: make"),
        (-1, "-1, expected 0 to 2"),
    ],
)
def test_a_label_that_is_none_is_told(given, label, says):
    named = given(Data([*PAIRS[:3], (IMAGES[3], label)], classes=3))
    for opened in (lambda: whole(named).block(0, 4), lambda: sampled(named, 3)):
        with pytest.raises(DataError, match=rf"'my_data:test': item 3: the label is {says}"):
            opened()


def test_a_dataset_of_bare_images_is_refused(given):
    with pytest.raises(DataError, match=r"item 0: an image without a label: return \(image, label\)"):
        whole(given(Data(list(IMAGES))))


def test_a_source_where_some_images_have_labels_is_refused(given):
    with pytest.raises(DataError, match="item 1: an image without a label, item 0 has one"):
        sampled(given(Data([PAIRS[0], IMAGES[1]])), 1)
    with pytest.raises(DataError, match="item 1: it has a label, item 0 has none"):
        sampled(given(Data([IMAGES[0], PAIRS[1]])), 2).block(0, 2)


def test_a_negative_class_cannot_be_sampled(given):
    with pytest.raises(DataError, match="item 1: the label is -1, expected 0 or more: number the classes from 0 up"):
        sampled(given(Data([PAIRS[0], (IMAGES[1], -1)])), 1)


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (LABELS[:5], r"`targets` is a ndarray of int64 \(5,\), not 12 ints"),
        ([0.5] * 12, r"`targets` is a ndarray of float64 \(12,\), not 12 ints"),
        ([[1]] * 12, r"`targets` is a ndarray of int64 \(12, 1\), not 12 ints"),
        ([[1], [2, 3]], "`targets` is no list of labels"),
        ([*LABELS[:11], -2], "item 11: the label is -2, expected 0 or more"),
    ],
)
def test_targets_that_cannot_be_the_labels_are_told(given, targets, says):
    with pytest.raises(DataError, match=rf"'my_data:test': {says}"):
        sampled(given(Data(PAIRS, targets=targets)), 3)


def test_targets_that_contradict_the_items_are_told(given):
    with pytest.raises(DataError, match=r"item \d+: its label is \d, in `targets` it is \d: make `targets`"):
        sampled(given(Data(PAIRS, targets=LABELS[1:] + LABELS[:1])), 12).block(0, 12)


def test_a_class_without_items_is_told_as_for_every_source(given):
    assert sampled(given(Data(PAIRS, classes=4)), 4).note == "no images of 1 of 4 classes: class 3"


@pytest.mark.parametrize("targets", [None, sorted(LABELS)])
def test_a_count_of_a_dataset_that_lies_class_by_class_is_balanced(given, targets):
    pairs = list(zip(IMAGES, sorted(LABELS), strict=True))
    assert whole(given(Data(pairs, targets=targets)), count=6).block(0, 6).labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_a_whole_dataset_is_not_read_for_its_labels(given):
    data = Data(PAIRS)
    whole(given(data))
    assert data.reads == 1, "the first one, to see that it can be used"


@pytest.mark.parametrize("table", [DATASETS, SOURCES])
def test_the_tables_take_a_factory_as_code(table):
    wanted = table["factory"].inputs[0]
    assert (wanted.parameter, wanted.code) == ("factory", True)
    assert table["factory"].parameters.model_validate({"factory": "a:b"}).factory == "a:b"
