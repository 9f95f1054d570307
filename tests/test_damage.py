"""What is said of content that is not what it should be."""

import pytest

from farm.damage import check_schema, reading
from farm.errors import DamageError, InputError


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("line 1\n  column 2"), "line 1 column 2"),
        (KeyError("uri"), "'uri' is not there"),
        (TypeError(), "TypeError"),
        (RecursionError("too deep"), "too deep"),
        (NotImplementedError("no such cast"), "no such cast"),
        (ZeroDivisionError("by zero"), "by zero"),
        (ValueError("x" * 1000), "x" * 200 + " ..."),
    ],
    ids=repr,
)
def test_whatever_is_raised_while_reading_is_one_sentence(error, why):
    with pytest.raises(DamageError) as raised, reading("/x/plan.json", "run the grid again", "export/1"):
        raise error
    assert str(raised.value) == f"damaged: /x/plan.json: {why}; run the grid again"
    assert raised.value.uri == "export/1"


@pytest.mark.parametrize("error", [InputError("newer"), OSError("disk"), KeyboardInterrupt()], ids=repr)
def test_what_the_content_is_not_to_blame_for_passes(error):
    with pytest.raises(type(error)) as raised, reading("x", "y"):
        raise error
    assert raised.value is error


def test_a_known_schema_passes():
    check_schema("x", 2, 3)
    check_schema("x", 3, 3)
