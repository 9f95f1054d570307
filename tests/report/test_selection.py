"""Which rows are shown, and in which order."""

from dataclasses import replace

import pytest

from farm.analysis.analysis import analyse
from farm.analysis.rows import ROW_COLUMNS
from farm.errors import InputError
from farm.report.columns import HEADED
from farm.report.selection import TYPES, WORDS, check, chosen, none_chosen, ordered, sortable, wanted
from farm.report.table import main_table
from tests.runs import record, run


def rows_of(of):
    """The rows of a run."""
    return analyse(of).rows


IR = record()
FRACTALS = [record("fractal", seed=seed, fps=fps) for seed, fps in ((0, 30.0), (1, None), (2, 10.0))]
OTHER = record("noise", model="vgg16_bn", reached=False, n_images=1000, verdict="noisy", fps=20.0)
ROWS = rows_of(run({IR: (), **dict.fromkeys(FRACTALS, ()), OTHER: [1, 2]}))


def cells(found):
    return [row.record.cell for row in found]


def at(*positions):
    return [ROWS[position].record.cell for position in positions]


def checked(conditions):
    """The rows, after every check that `farm show` makes."""
    asked = wanted(conditions)
    check(ROWS, asked)
    return chosen(ROWS, asked)


@pytest.mark.parametrize(
    ("conditions", "positions"),
    [
        ([], (0, 1, 2, 3, 4)),
        (["calibration=fractal"], (1, 2, 3)),
        (["calibration=fractal{seed=1}"], (2,)),
        (["calibration=-"], (0,)),
        (["calibration=-", "calibration=noise"], (0, 4)),
        (["model=resnet20", "algorithm=default"], (1, 2, 3)),
        (["verdict=noisy"], (4,)),
        (["reached=false"], (4,)),
        (["fps=30"], (1,)),
        (["calibration_seed=2"], (3,)),
        (["top1=0.998"], (4,)),
        (["top-1=0.998"], (4,)),
        (["FPS=3e1", "fps=10"], (1, 3)),
        (["variant=int8 default", "model=resnet20"], (1, 2, 3)),
        (["variant=FP32 IR"], (0,)),
        (["variant=ir", "algorithm=int8 default"], (0, 1, 2, 3, 4)),
        (["drop=0"], (1, 2, 3)),
        (["drop=-"], (0, 4)),
        (["outcome=ok"], (0, 1, 2, 3, 4)),
        (["outcome=ok, target missed"], (4,)),
    ],
)
def test_conditions_on_one_column_widen_and_on_others_narrow(conditions, positions):
    assert cells(checked(conditions)) == at(*positions)


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        (["outcome=failed"], "no cell has outcome=failed"),
        (["error_class=oom"], "no cell has error_class=oom"),
        (["verdict=valid", "verdict=invalid"], "no cell has verdict=valid or verdict=invalid"),
        (["standing=better"], "no cell has standing=better"),
        (["reached=true"], "no cell has reached=true"),
        (["x IR=2"], "no cell has x IR=2"),
        (["n_images=-"], "no cell has n_images=-"),
        (["top-1=-"], "no cell has top-1=-"),
        (["variant=FP32 IR", "model=vgg16_bn"], "no cell has variant=FP32 IR and model=vgg16_bn"),
        (["outcome=crash"], "no cell has outcome=crash"),
        (["model=vgg16_bn", "calibration=fractal"], "no cell has model=vgg16_bn and calibration=fractal"),
    ],
)
def test_what_no_cell_has_but_one_could_have_is_no_error(conditions, sentence):
    assert checked(conditions) == []
    assert none_chosen(wanted(conditions)) == sentence


def test_a_run_without_cells_has_none():
    assert none_chosen(wanted([])) == "no cell"


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        (["model"], "write AXIS=VALUE"),
        (["model="], "write AXIS=VALUE"),
        (["modle=resnet20"], "no such column, did you mean 'model'"),
        (["model=resnet2O"], "means no cell, did you mean 'resnet20'"),
        (["verdict=nosy"], "means no cell, did you mean 'noisy'"),
        (["calibration=fractal{seed=9}"], "means no cell, did you mean 'fractal{seed="),
        (["cell=resnet20"], "means no cell"),
        (["outcome=faild"], "means no cell, did you mean 'failed'"),
        (["outcome=-"], "means no cell; there are ok, failed, pending, error, crash, "),
        (["model=-"], "means no cell; there are resnet20, vgg16_bn"),
        (["reached=maybe"], "means no cell; there are true, false, -"),
        (["x IR=fast"], "--where x IR=fast: 'fast' is no number"),
        (["drp=0"], "no such column, did you mean 'drop'"),
        (["standing=worst"], "means no cell, did you mean 'worse'"),
    ],
)
def test_a_condition_that_can_mean_nothing_says_what_there_is(conditions, text):
    with pytest.raises(InputError, match=text.replace("{", r"\{")):
        checked(conditions)


def test_words_are_those_of_text_columns():
    assert all(str(TYPES[column]).startswith(("<class 'str'>", "str", "typing.Literal")) for column in WORDS)


def test_every_heading_of_the_table_is_a_column_to_filter_and_to_sort_by():
    full = record("noise", size_mib=1.0, fps=1.0, verdict="valid", speedup_pytorch=2.0)
    both = rows_of(run({IR: (), full: [1], record("noise", device="GPU"): ()}))
    headings = main_table(both).names()
    assert headings == [
        "model", "variant", "calibration", "device", "top-1", "drop", "worst class", "MiB", "FPS", "x IR", "x PyTorch",
        "p50 ms", "verdict", "outcome",
    ]  # fmt: skip
    assert all(sortable(f"-{heading}") for heading in headings)
    assert {*HEADED} - {*headings} == {"top-5", "mAP", "AP50", "AP75"}
    assert {column.name for column in HEADED.values()} <= {*ROW_COLUMNS}


SPEEDS = {"fps": 1159.44, "speedup_ir": 2.3451, "speedup_ir_low": 2.32, "speedup_ir_high": 2.37, "verdict": "valid"}
SHOWN = {
    "a speed": record("noise", **SPEEDS, latency_p50_ms=0.08123, size_mib=0.2749),
    "a crash": record("noise", seed=1, outcome="failed", error_class="crash"),
    "no class": record("noise", seed=2, outcome="failed"),
    "pending": record("noise", seed=3, outcome="pending"),
    "known by two pairs": record("noise", seed=5, speedup_ir=0.7, speedup_ir_low=1e-9, speedup_ir_high=2.6e16),
    "missed": record("noise", seed=4, reached=False, speedup_pytorch=7.5, fps=2.0),
}
EVERY = rows_of(run({IR: (), **dict(zip(SHOWN.values(), (range(15), (), (), (), (), range(3)), strict=True))}))
TABLE = main_table(EVERY)


@pytest.mark.parametrize("heading", TABLE.names())
def test_all_that_stands_under_a_heading_can_be_typed_again(heading):
    position = TABLE.names().index(heading)
    texts = [entries[position].text for entries in TABLE.rows]
    for text in filter(None, texts):  # a model is named once
        asked = wanted([f"{heading}={text}"])
        check(EVERY, asked)
        found = cells(chosen(EVERY, asked))
        same = [row.record.cell for row, other in zip(EVERY, texts, strict=True) if other == text]
        assert {*same} <= {*found}
        assert found == same or TABLE.headings[position].kind != "number", "words mean more: `ok` a missed target too"


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("FPS=1,159.4", 1),
        ("FPS=1159.4", 1),
        ("FPS=1159.44", 1),
        ("FPS=1159.42", 0),
        ("fps=1159.4", 0),
        ("fps=1,159.44", 1),
        ("x IR=2.35", 1),
        ("x IR=2.35 ±.03", 1),
        ("x IR=2.35 ±.02", 0),
        ("speedup_ir=2.35", 0),
        ("drop=0.0150", 1),
        ("drop=+0.015", 1),
        ("drop=0.0151", 0),
        ("worst class=0: +0.0200", 1),
        ("worst class=1: +0.0200", 0),
        ("worst class=0.02", 1),
    ],
)
def test_a_heading_means_numbers_as_they_are_shown_and_a_column_as_they_are(condition, count):
    asked = wanted([condition])
    check(EVERY, asked)
    assert len(chosen(EVERY, asked)) == count


OWN = [
    replace(row, record=replace(row.record, metric="m:f", top1=None, score=score))
    for row, score in zip(ROWS, (0.5, -1.23456, 2.0), strict=False)
]


def test_a_metric_of_the_users_own_is_a_heading_and_a_column():
    assert main_table(OWN).names()[3] == "m:f"
    asked = wanted(["m:f=-1.2346"])
    check(OWN, asked, sortable("-m:f"))
    assert chosen(OWN, asked) == [OWN[1]]
    assert chosen(OWN, wanted(["top-1=-", "top-5=-"])) == OWN, "those are other metrics"
    assert ordered(OWN, sortable("-m:f")) == [OWN[2], OWN[0], OWN[1]]
    for asked, sort in ((wanted(["m:g=1"]), None), ((), "-m:g")):
        with pytest.raises(InputError, match="no such column, did you mean 'm:f'"):
            check(OWN, asked, sort)


@pytest.mark.parametrize(
    ("column", "positions"),
    [
        (None, (0, 1, 2, 3, 4)),
        ("fps", (3, 4, 1, 0, 2)),
        ("-fps", (1, 4, 3, 0, 2)),
        ("model", (0, 1, 2, 3, 4)),
        ("-model", (4, 0, 1, 2, 3)),
        ("reached", (4, 0, 1, 2, 3)),
        ("FPS", (3, 4, 1, 0, 2)),
        ("drop", (1, 2, 3, 0, 4)),
        ("-drop", (1, 2, 3, 0, 4)),
        ("top-1", (4, 0, 1, 2, 3)),
    ],
)
def test_nulls_stand_last_and_equals_in_the_grids_order(column, positions):
    assert cells(ordered(ROWS, sortable(column))) == at(*positions)


def test_a_drop_is_that_of_the_metric_or_of_top_1_in_older_records():
    metric = record("noise", metric="m:f", score=1.0, score_drop=0.5, top1=None)
    older = [record("noise", seed=seed, score=None, metric=None) for seed in (1, 2)]
    found = rows_of(run({IR: (), metric: (), older[0]: range(2), older[1]: range(1)}))
    drops = [0.0, 0.5, 0.9, 0.1]
    found = [
        replace(row, record=replace(row.record, top1_drop=drop, score_drop=drop if index == 1 else None))
        for index, (row, drop) in enumerate(zip(found, drops, strict=True))
    ]
    assert [row.record.top1_drop for row in ordered(found, sortable("-drop"))] == [0.9, 0.5, 0.1, 0.0]


@pytest.mark.parametrize(("column", "meant"), [("-fsp", "fps"), ("dorp", "drop"), ("worst clas", "worst class")])
def test_an_unknown_column_to_sort_by_is_told(column, meant):
    with pytest.raises(InputError, match=f"--sort {column}: no such column, did you mean '{meant}'"):
        sortable(column)
