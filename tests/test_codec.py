"""Dataclasses as JSON and back: what is left out, what is refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pytest

from farm.codec import decode, encode, iso, members


@dataclass(frozen=True, kw_only=True)
class Point:
    x: int
    y: int | None = None


@dataclass(frozen=True, kw_only=True)
class Made:
    """Of what the caller makes values."""

    part: Fraction | Decimal


@dataclass(frozen=True, kw_only=True)
class Drawing:
    name: str
    points: tuple[Point, ...] = ()
    size: tuple[int, float] | None = None
    by_name: Mapping[str, Point] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    middle: Point | None = None
    at: datetime | None = None
    ink: Literal["black", "blue"] = "black"
    filled: bool = False


@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(name="empty"),
        Drawing(name="full", points=(Point(x=1), Point(x=2, y=3)), size=(4, 0.5), by_name={"a": Point(x=0, y=0)},
                options={"a": [1, {"b": None}]}, middle=Point(x=9), at=datetime(2026, 1, 2, tzinfo=UTC)),
    ],
    ids=lambda drawing: drawing.name,
)  # fmt: skip
def test_what_is_written_is_read_back(drawing):
    assert decode(Drawing, json.loads(encode(drawing))) == drawing


def test_a_field_that_is_none_is_left_out_so_that_one_added_later_changes_nothing():
    assert json.loads(encode(Point(x=1))) == {"x": 1}
    assert json.loads(encode({"given": None})) == {"given": None}, "of a mapping nothing is"


def test_what_a_later_farm_wrote_besides_is_left_out():
    assert decode(Point, {"x": 1, "colour": "red"}) == Point(x=1)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (Point, {"y": 1}, r"Point: .*missing.*'x'"),
        (Point, [1, 2], r"Point: \[1, 2\] is not a mapping"),
        (Point, None, "Point: None is not a mapping"),
        (Point, {"x": "1"}, r"Point\.x: '1' is not a whole number"),
        (Point, {"x": True}, r"Point\.x: True is not a whole number"),
        (Point, {"x": 1.0}, r"Point\.x: 1\.0 is not a whole number"),
        (Point, {"x": 2**63}, r"Point\.x: 9223372036854775808 is not a whole number"),
        (Drawing, {"name": 1}, r"Drawing\.name: 1 is not a text"),
        (Drawing, {"name": "\ud800"}, r"Drawing\.name: .*surrogates not allowed"),
        (Drawing, {"name": "x", "points": [{}]}, r"Drawing\.points: Point: .*missing"),
        (Drawing, {"name": "x", "points": "ab"}, r"Drawing\.points: 'ab' is not a list"),
        (Drawing, {"name": "x", "size": [1]}, "shorter"),
        (Drawing, {"name": "x", "size": [1, 10**18]}, r"Drawing\.size: 10+ is not a number"),
        (Drawing, {"name": "x", "size": [1, "2"]}, r"Drawing\.size: '2' is not a number"),
        (Drawing, {"name": "x", "by_name": []}, r"Drawing\.by_name: \[\] is not a mapping"),
        (Drawing, {"name": "x", "middle": ""}, r"Drawing\.middle: Point: '' is not a mapping"),
        (Drawing, {"name": "x", "at": 5}, r"Drawing\.at: 5 is not a time"),
        (Drawing, {"name": "x", "at": "soon"}, r"Drawing\.at: Invalid isoformat"),
        (Drawing, {"name": "x", "at": "2026-01-02T00:00:00"}, r"Drawing\.at: .* is not a time with its zone"),
        (Drawing, {"name": "x", "ink": "red"}, r"Drawing\.ink: 'red' is not one of black, blue"),
        (Drawing, {"name": "x", "ink": []}, r"Drawing\.ink: \[\] is not one of black, blue"),
        (Drawing, {"name": "x", "filled": 1}, r"Drawing\.filled: 1 is not true or false"),
        (Made, {"part": 1}, r"Made\.part: 1 is not a .*Fraction"),
    ],
)  # fmt: skip
def test_what_lacks_something_or_is_of_another_type_is_refused(kind, value, says):
    with pytest.raises(ValueError, match=says):
        decode(kind, value)


def test_what_the_caller_has_made_is_taken_as_it_is():
    assert decode(Made, {"part": Fraction(1, 2)}).part == Fraction(1, 2)


def test_a_whole_number_is_a_number():
    assert decode(Drawing, {"name": "x", "size": [1, 2]}).size == (1, 2)


def test_nothing_but_dataclasses_is_taken_apart():
    with pytest.raises(TypeError, match="a set has no place in JSON"):
        members({1})


def test_a_time_as_text_has_milliseconds_and_its_zone():
    assert iso(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)) == "2026-01-02T03:04:05.678+00:00"


def test_no_time_was_an_empty_text_in_an_older_farm():
    assert decode(Drawing, {"name": "x", "at": ""}).at is None
