"""Functions named as text."""

import pytest

from farm.errors import InputError
from farm.spec import resolve


def test_a_named_function_is_imported():
    assert resolve("farm.spec:resolve") is resolve


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("farm.nowhere:f", "cannot import 'farm.nowhere:f'"),
        ("farm.spec:nothing", "cannot import 'farm.spec:nothing'"),
        ("", "cannot import ''"),
        ("farm.spec", "cannot import 'farm.spec'"),
        ("farm.record:SCHEMA_VERSION", "'farm.record:SCHEMA_VERSION' is not a function"),
    ],
)
def test_what_cannot_be_imported_or_called_is_named(name, text):
    with pytest.raises(InputError, match=text):
        resolve(name)
