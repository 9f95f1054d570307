"""Inputs that nobody should write are answered in a sentence: no traceback, and no grid takes a second."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import hostile

GRIDS, SECOND = 10_000, 1.0
LOADED = {
    "grid": (hostile.grid, hostile.load_grid),
    "manifest": (hostile.manifest, hostile.load_manifest),
    "records": (hostile.records, hostile.load_records),
    "archive": (hostile.archive, hostile.load_archive),
    "label_file": (hostile.label_file, hostile.load_label_file),
    "checkpoint": (hostile.checkpoint, lambda made, folder: hostile.load_checkpoint(*made, folder)),
}
ANSWERS = ("accepted", "refused")
FUZZED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.slow
def test_ten_thousand_grids_are_taken_or_refused_at_once(place):
    answers, slowest = {}, (0.0, b"")
    for number in range(GRIDS):
        content = hostile.grid(random.Random(number))
        answer, seconds = hostile.survived(lambda: hostile.load_grid(content, place))  # noqa: B023 - called here
        answers.setdefault(answer, content)
        slowest = max(slowest, (seconds, content))
    assert answers.keys() == set(ANSWERS), answers
    assert slowest[0] < SECOND, slowest


@pytest.mark.parametrize("kind", LOADED)
@FUZZED
@given(rng=st.randoms(use_true_random=False))
def test_a_file_of_any_content_is_taken_or_refused(kind, rng, place):
    make, load_it = LOADED[kind]
    made = make(rng)
    assert hostile.survived(lambda: load_it(made, place))[0] in ANSWERS


@FUZZED
@given(rng=st.randoms(use_true_random=False))
def test_a_folder_of_any_images_is_taken_or_refused(rng):
    with tempfile.TemporaryDirectory() as folder:
        hostile.photos(rng, Path(folder))
        assert hostile.survived(lambda: hostile.load_photos(Path(folder)))[0] in ANSWERS


def test_the_sound_ones_are_taken(place):
    """What all others were made of."""
    sound = (hostile.yaml.safe_dump(hostile.SOUND).encode(), hostile.load_grid)
    assert hostile.survived(lambda: sound[1](sound[0], place))[0] == "accepted"
