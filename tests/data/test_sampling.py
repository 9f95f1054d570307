"""Samples and parts of sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.data import sampling
from farm.errors import DataError
from tests.data.numbered import balanced, chosen, numbered


@given(classes=st.integers(1, 5), each=st.integers(1, 9), seed=st.integers(0, 2**63 - 1), data=st.data())
def test_every_prefix_of_a_sample_is_balanced(classes, each, seed, data):
    images = balanced(classes, each)
    count = data.draw(st.integers(1, len(images)))
    labels = sampling.sample(images, images.labels, count, seed).block(0, count).labels
    assert labels.tolist() == [i % classes for i in range(count)]


@given(classes=st.integers(1, 5), each=st.integers(1, 9), seed=st.integers(0, 2**63 - 1), data=st.data())
def test_a_larger_count_only_appends_and_nothing_is_taken_twice(classes, each, seed, data):
    images = balanced(classes, each)
    count = data.draw(st.integers(1, len(images)))
    every = chosen(sampling.sample(images, images.labels, len(images), seed))
    assert chosen(sampling.sample(images, images.labels, count, seed)) == every[:count]
    assert sorted(every) == list(range(len(images)))


def test_the_sample_of_a_seed_stays_as_it_is():
    """If it has to change, the stage `synthesize` needs a new version."""
    images = balanced(2, 5)
    assert chosen(sampling.sample(images, images.labels, 10, 0)) == [4, 5, 1, 7, 2, 9, 0, 6, 3, 8]


def test_another_seed_takes_another_order():
    images = balanced(2, 50)
    orders = {tuple(chosen(sampling.sample(images, images.labels, 100, seed))) for seed in range(3)}
    assert len(orders) == 3


def test_the_order_of_one_class_does_not_depend_on_the_others():
    few, many = numbered([0, 1] * 8), numbered([0, 1] * 8 + [1] * 5)
    zeros = [chosen(sampling.sample(images, images.labels, 16, 3))[::2] for images in (few, many)]
    assert zeros[0] == zeros[1]


def test_a_set_without_labels_is_shuffled_as_a_whole():
    images = numbered([-1] * 30)
    sample = sampling.sample(images, None, 30, 0)
    assert chosen(sample) != list(range(30))
    assert sorted(chosen(sample)) == list(range(30))
    assert set(sample.block(0, 30).labels) == {-1}


@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), seed=st.integers(0, 9), data=st.data())
def test_a_class_that_has_no_more_images_is_passed_over(sizes, seed, data):
    images = numbered([c for c, size in enumerate(sizes) for _ in range(size)], len(sizes))
    count = data.draw(st.integers(1, len(images)))
    labels = sampling.sample(images, images.labels, count, seed).block(0, count).labels
    counts = np.bincount(labels, minlength=len(sizes))
    assert all(of_class in (max(counts), max(counts) - 1, size) for of_class, size in zip(counts, sizes, strict=True))


def test_a_long_tail_is_dealt_round_by_round():
    labels = [0, 0, 0, 0, 1, 2, 2]
    images = numbered(labels, 3)
    sample = sampling.sample(images, images.labels, 7, 0)
    assert sample.block(0, 7).labels.tolist() == [0, 1, 2, 0, 2, 0, 0]
    assert sorted(chosen(sample)) == list(range(7))


@pytest.mark.parametrize("far", [-7, 1_000_000, 2**62])
def test_labels_may_lie_far_apart(far):
    images = numbered([0, far] * 4)
    labels = sampling.sample(images, images.labels, 6, 0).block(0, 6).labels.tolist()
    assert labels == sorted([0, far]) * 3


def test_asking_for_more_than_there_are_says_how_many_there_are():
    images = numbered([0, 0, 0, 1], 3)
    assert len(sampling.sample(images, images.labels, 4, 0)) == 4
    for labels in (images.labels, None):
        with pytest.raises(DataError, match="`count: 5`, but there are only 4 images: set `count` to 4 or less"):
            sampling.sample(images, labels, 5, 0)


@pytest.mark.parametrize(
    ("labels", "classes", "names", "says"),
    [
        ([0, 1, 1, 2], range(3), (), ""),
        ([0, 2], range(3), (), "no images of 1 of 3 classes: class 1"),
        ([0, 2], range(3), ("cat", "dog", "cow"), "no images of 1 of 3 classes: dog"),
        ([0], range(2), ("cat",), "no images of 1 of 2 classes: class 1"),
        ([-7], [-7, 5], ("cat",), "no images of 1 of 2 classes: class 5"),
        (
            [3],
            range(10**12),
            (),
            "no images of 999,999,999,999 of 1,000,000,000,000 classes: class 0, class 1, class 2",
        ),
    ],
)
def test_absent_classes_are_named(labels, classes, names, says):
    words = sampling.absent(np.array(labels), classes, names)
    assert words.partition(" and ")[0] == says
    assert words.endswith(" and 999,999,999,996 more") == (len(classes) == 10**12)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ([3, 3, 2], ""),
        ([0, 3, 3], ""),
        ([1], ""),
        ([5, 1, 4], "not balanced, for lack of images: 1 of dog; up to 5 of each other class"),
        (
            [1, 2, 3, 4, 9],
            "not balanced, for lack of images: 1 of cat, 2 of dog, 3 of cow and 1 more; up to 9 of each other class",
        ),
    ],
)
def test_classes_with_too_few_images_are_named(counts, says):
    assert sampling.unbalanced(np.repeat(np.arange(len(counts)), counts), ("cat", "dog", "cow", "hen")) == says


@given(classes=st.integers(1, 4), skip=st.integers(0, 12), count=st.integers(1, 12), seed=st.integers(0, 9))
def test_a_set_that_skips_goes_on_where_the_skipped_one_ends(classes, skip, count, seed):
    images = balanced(classes, 24)
    every = sampling.sample(images, images.labels, skip + count, seed)
    rest = sampling.sample(images, images.labels, count, seed, skip)
    assert chosen(rest) == chosen(every)[skip:]
    assert rest.block(0, count).labels.tolist() == [(i + skip) % classes for i in range(count)]


def test_a_set_without_labels_can_skip_too():
    images = numbered([-1] * 30)
    parts = [chosen(sampling.sample(images, None, 10, 0, skip)) for skip in (0, 10, 20)]
    assert sorted(i for part in parts for i in part) == list(range(30))


def test_skipping_so_many_that_too_few_are_left_says_how_many_there_are():
    images = balanced(2, 5)
    assert len(sampling.sample(images, images.labels, 4, 0, 6)) == 4
    with pytest.raises(DataError, match=r"`count: 5` after `skip: 6`.* set `skip` \+ `count` to 10 or less"):
        sampling.sample(images, images.labels, 5, 0, 6)


@given(data=st.data())
def test_any_slicing_of_a_selection_gives_the_same_images(data):
    images = balanced(3, 7)
    sample = sampling.sample(images, images.labels, 20, 5)
    start = data.draw(st.integers(0, 20))
    stop = data.draw(st.integers(start, 20))
    part, whole = sample.block(start, stop), sample.block(0, 20)
    assert np.array_equal(part.images, whole.images[start:stop])
    assert np.array_equal(part.labels, whole.labels[start:stop])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 4), (3, 2)])
@pytest.mark.parametrize("of", [lambda s: s, lambda s: sampling.first(s, 3)], ids=["sample", "prefix"])
def test_images_outside_a_set_are_an_index_error(of, start, stop):
    images = balanced(1, 9)
    with pytest.raises(IndexError, match="of a set of 3"):
        of(sampling.sample(images, images.labels, 3, 0)).block(start, stop)


def test_first_keeps_the_order_and_refuses_more_than_there_are():
    images = numbered([0, 0, 1, 1], 2)
    assert chosen(sampling.first(images, 3)) == [0, 1, 2]
    with pytest.raises(DataError, match="`count: 5`, but there are only 4 images: set `count` to 4"):
        sampling.first(images, 5)


def test_a_part_begins_after_what_is_skipped():
    images = numbered([0, 0, 1, 1, 2], 3)
    part = sampling.first(images, 3, 2)
    assert (chosen(part), part.block(0, 3).labels.tolist(), part.classes) == ([2, 3, 4], [1, 1, 2], 3)
    with pytest.raises(IndexError, match="of a set of 3"):
        part.block(0, 4)
    with pytest.raises(DataError, match=r"`count: 4` after `skip: 2`, but .* only 5 .* `skip` \+ `count` to 5"):
        sampling.first(images, 4, 2)


def test_five_thousand_images_of_ten_classes_are_five_hundred_of_each():
    images = balanced(10, 600)
    labels = sampling.sample(images, images.labels, 5000, 0).block(0, 5000).labels
    assert np.bincount(labels).tolist() == [500] * 10
