"""A table in terminals of any width: names stand whole, numbers are whole or not there, and what is not is named."""

from dataclasses import replace
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
from rich.console import Console

from farm.analysis.analysis import analyse
from farm.errors import InputError
from farm.report.layouts import laid_out
from farm.report.numbers import listed
from farm.report.table import NEEDED, ORDER, check_columns, main_table, wanted
from farm.report.texttable import Entry, Heading, TextTable, _folded, named
from farm.results.folder import Folder
from farm.results.reading import read_run
from tests.runs import record, run

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
FULL = ["model", "variant", "calibration", "top-1", "drop", "worst class", "MiB", "FPS", "x IR", "x PyTorch", "p50 ms",
        "verdict", "outcome"]  # fmt: skip


SPEED = {"verdict": "valid", "within": 0.01, "pairs": 8, "latency_p50_ms": 0.593, "size_mib": 0.42, "fps": 1652.5,
         "speedup_ir": 1.91, "speedup_ir_low": 1.80, "speedup_ir_high": 2.02, "speedup_pytorch": 6.64,
         "speedup_pytorch_low": 6.15, "speedup_pytorch_high": 7.13}  # fmt: skip


@pytest.fixture(scope="module")
def quickstart():
    """The table of a run like the quickstart's."""
    variants = [record(algorithm="pytorch", runtime="pytorch", **SPEED), record(**SPEED, cores_ran="mixed")]
    sets = [record(name, **SPEED) for name in ("digits", "fractal", "noise")]
    wrong = zip([*variants, *sets], (0, 0, 1, 9, 60), strict=True)
    return main_table(analyse(run({cell: range(images) for cell, images in wrong})).rows)


def printed(table, width):
    """The lines for a terminal of this width, those that it would cut off at its edge too."""
    text = StringIO()
    Console(file=text, width=width, force_terminal=True, color_system=None).print(table, crop=False)
    return text.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "gone"),
    [
        (60, ["worst class", "MiB", "FPS", "x IR", "x PyTorch", "p50 ms", "verdict", "outcome"]),
        (80, ["worst class", "MiB", "FPS", "x PyTorch", "p50 ms", "outcome"]),
        (100, ["FPS", "x PyTorch", "p50 ms", "outcome"]),
        (120, ["p50 ms", "outcome"]),
        (200, []),
    ],
)
def test_names_and_numbers_are_whole_at_any_width_and_what_has_no_room_is_named(quickstart, width, gone):
    lines = printed(quickstart, width)
    fitted = quickstart.fitted(width)
    assert fitted.names() == [name for name in FULL if name not in gone]
    for line, row in zip(lines[1:], fitted.rows, strict=False):
        assert line.split() == " ".join(entry.marked for entry in row).split()
    said = " ".join(" ".join(lines).split())
    sentence = f"no room for {listed(gone or FULL, 9)}: --wide shows all, --columns chooses"
    assert (sentence in said, "no room" in said) == (bool(gone), bool(gone))


@pytest.mark.parametrize("width", [60, 80])
def test_names_fold_before_a_failure_has_no_room(width):
    name = "folder{count=300,path=/somewhere/else/photos}"
    fine = [record(name, **SPEED), record("noise", **SPEED)]
    for last, shown in (("ok", False), ("failed", True)):
        rows = analyse(run({fine[0]: range(9), replace(fine[1], outcome=last): range(9)})).rows
        assert ("outcome" in main_table(rows).fitted(width).names()) is shown


@pytest.fixture(scope="module")
def study():
    """The rows of a run with long names."""
    return analyse(read_run(Folder(str(REFERENCE / "study"))))


EIGHT = ("top-1", "drop", "worst class", "MiB", "FPS", "x IR", "x PyTorch", "verdict")


@pytest.mark.parametrize("width", [30, 40, 70, 80, 100, 120, 200])
@pytest.mark.parametrize("layout", ["cells", "chosen", "table1"])
def test_no_line_of_a_table_with_long_names_is_wider_than_the_terminal(study, layout, width):
    cells = main_table(study.rows[:40])
    tables = {"cells": cells, "chosen": cells.only(EIGHT)}
    lines = printed(tables.get(layout) or laid_out(study.rows, layout, study.against_real), width)
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "\N{HORIZONTAL ELLIPSIS}" in line]


def test_every_column_stays_or_has_its_turn_to_go():
    assert {*NEEDED} < {*ORDER}
    assert [name for name in ORDER if name not in NEEDED] == [
        "model", "algorithm", "calibration", "device", "score", "score_drop"
    ]  # fmt: skip


def test_an_outcome_that_is_not_ok_in_all_rows_is_what_goes_last():
    rows = analyse(run({record(fps=1.0): (), record("noise", outcome="failed", error_class="oom"): ()})).rows
    assert main_table(rows).fitted(66).names() == ["model", "variant", "calibration", "top-1", "drop", "outcome"]


LONG = "a_model_with_a_name/parquet{count=1024,path=somewhere}/accuracy-aware{budget_s=900.0}/CPU"


def test_where_no_more_can_go_names_fold_between_their_parts():
    headings = (Heading(text="cell", kind="name"), Heading(text="drop"), Heading(text="FPS", rank=1))
    entries = tuple(Entry(text=text) for text in (LONG, "+0.0125", "1,234.5"))
    table = TextTable(headings=headings, rows=(entries,))
    assert printed(table, 50) == [
        "cell                                          drop",
        "a_model_with_a_name/parquet                +0.0125",
        "{count=1024,path=somewhere}/",
        "accuracy-aware{budget_s=900.0}/CPU",
        "no room for FPS: --wide shows all, --columns ",
        "chooses",
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("cifar10{seed=1}", 14, ["cifar10", "{seed=1}"]),
        ("parquet{path=cifake/fake.parquet}", 16, ["parquet", "{path=cifake/", "fake.parquet}"]),
        ("a{count=1024,seed=1}", 14, ["a{count=1024,", "seed=1}"]),
        ("onelongwordalone", 8, ["onelongw", "ordalone"]),
        ("int8 default", 12, ["int8 default"]),
        ("x aaa bbb", 3, ["x", "aaa", "bbb"]),
        ("x aaaa b", 4, ["x", "aaaa", "b"]),
        ("aaaa  bbbb", 4, ["aaaa", "bbbb"]),
    ],
)
def test_a_name_is_broken_before_its_parameters_then_between_them_then_anywhere(text, width, lines):
    assert _folded(text, width) == lines


def test_names_over_numbers_fold_before_a_number_goes_and_a_group_that_is_gone_is_named_alone():
    over = product(("top-1", "FPS"), ("noise{seed=1}", "noise{seed=2}"))
    numbers = [Heading(text=text, group=group, rank=rank) for rank, (group, text) in enumerate(over)]
    row = (Entry(text="m"), *[Entry(text="0.9123")] * 4)
    table = TextTable(headings=(Heading(text="model", kind="name"), *numbers), rows=(row,), more="say more")
    assert printed(table, 45)[1:] == [
        "model     noise     noise     noise     noise",
        "       {seed=1}  {seed=2}  {seed=1}  {seed=2}",
        "m        0.9123    0.9123    0.9123    0.9123",
    ]
    assert table.fitted(26).legend == ("no room for FPS: say more",)
    assert table.fitted(20).legend == ("no room for top-1 noise{seed=2} and FPS: say more",)


def test_columns_that_are_chosen_stand_in_their_order_beside_names_which_fold_before_the_last_goes(quickstart):
    chosen = quickstart.only(wanted("fps, drop,worst class"))
    assert chosen.names() == ["model", "variant", "calibration", "FPS", "drop", "worst class"]
    assert chosen.fitted(62).names() == chosen.names()
    narrow = chosen.fitted(50)
    assert narrow.names() == ["model", "variant", "calibration", "FPS", "drop"]
    assert narrow.legend[-1] == "no room for worst class: --wide shows all, --columns chooses"


def test_where_not_even_folded_names_have_room_the_first_stays():
    names = tuple(Heading(text=text, kind="name") for text in ("model", "variant"))
    table = TextTable(headings=(*names, Heading(text="FPS")), rows=((Entry(text="vgg"), Entry(), Entry(text="1.0")),))
    assert [table.fitted(width).names() for width in (19, 18, 13, 2)] == [
        ["model", "variant", "FPS"], ["model", "variant"], ["model"], ["model"]
    ]  # fmt: skip


def test_a_chosen_column_that_is_not_there_is_named(quickstart):
    assert quickstart.only(("top-5", "drop")).legend[-1] == "nothing to show of top-5"
    assert quickstart.only(("top-1", "drop")).legend == quickstart.legend


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fsp", "--columns fsp: no such column, did you mean 'FPS'"),
        ("drop,xIR", "--columns xIR: no such column, did"),
        (",", "--columns ',' names no column"),
        (" ", "--columns ' ' names no column"),
    ],
)
def test_a_column_that_there_is_not_is_one_clear_error(text, message):
    with pytest.raises(InputError, match=message):
        wanted(text)


def test_a_metric_of_the_users_own_is_a_column_by_its_name():
    assert wanted("my_scores:mine,drop") == ("my_scores:mine", "drop")
    assert named("", ()) == ()
    check_columns(("my_scores:mine", "drop"), {"my_scores:mine", "top1"})
    with pytest.raises(InputError, match="--columns foo:bar: the metric is my_scores:mine"):
        check_columns(("foo:bar",), {"my_scores:mine"})


def test_what_would_move_a_terminals_cursor_is_visible():
    table = TextTable(headings=(Heading(text="model", kind="name"),), rows=((Entry(text="a\r\nb\x07c"),),))
    assert printed(table, 20) == ["model", r"a b\x07c"]
