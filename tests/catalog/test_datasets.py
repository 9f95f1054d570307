"""The names of classes, as a grid gives them."""

import pytest
from pydantic import ValidationError

from farm.catalog.datasets import DATASETS
from farm.catalog.sources import SOURCES


@pytest.mark.parametrize("table", [DATASETS, SOURCES])
@pytest.mark.parametrize(
    ("given", "classes"),
    [(None, None), ("classes.txt", "classes.txt"), (("cat", "dog"), ("cat", "dog")), ((0, 10, "x"), ("0", "10", "x"))],
)
def test_classes_are_a_file_or_names_of_which_some_may_be_numbers(table, given, classes):
    assert table["folder"].parameters.model_validate({"path": "p", "classes": given}).classes == classes


@pytest.mark.parametrize(
    "given", ["", (), ("cat", "cat"), (1, "1"), ("cat", ""), ("yes", True), (0.5,), 3, {"cat": 0}, ({"cat": 0},)]
)
def test_what_cannot_be_the_names_of_classes_says_what_can(given):
    text = "must be the names of the classes, each once, or a file with a name a line"
    with pytest.raises(ValidationError, match=text):
        DATASETS["folder"].parameters.model_validate({"path": "p", "classes": given})
