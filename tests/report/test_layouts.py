"""The study's tables: a row a model."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from farm.analysis.analysis import analyse
from farm.report.layouts import HOSTS, LEGEND, NOISY, SEEDS, fills, lacking, laid_out
from tests.runs import record, run

PYTORCH = record(algorithm="pytorch", runtime="pytorch", fps=100.0)
IR = record(fps=200.0)
REAL, NOISE = record("real", fps=800.0), record("noise", fps=1234.56)
AWARE = record("noise", algorithm="accuracy-aware", fps=500.0)


def laid(wrong, layout="table1"):
    analysis = analyse(run(wrong))
    return laid_out(analysis.rows, layout, analysis.against_real)


def texts(found):
    """The table's rows as people see them."""
    return tuple(tuple(entry.marked for entry in row) for row in found.rows)


def test_table_1_has_accuracies_then_speeds_baselines_first():
    found = laid({REAL: range(105), NOISE: range(160), IR: range(100), PYTORCH: range(100), AWARE: range(100)})
    assert found.names() == [
        "model", "top-1 PyTorch", "top-1 FP32 IR", "top-1 real", "top-1 noise", "FPS PyTorch", "FPS FP32 IR",
        "FPS real", "FPS noise",
    ]  # fmt: skip
    assert texts(found) == (
        ("resnet20", "0.9000", "0.9000", "* 0.8950", "! 0.8400", "100.0", "200.0", "800.0", "1,234.6"),
    )
    assert [line[0] for line in found.legend] == ["*", "!"]


def test_what_programs_read_has_no_marks_and_no_rounding():
    cells = [replace(NOISE, verdict="noisy"), REAL, record("noise", model="vgg16_bn")]
    found = laid({IR: range(100), **dict(zip(cells, (range(160), range(105), ()), strict=True))})
    values = [[entry.value for entry in row] for row in found.rows]
    assert values == [
        ["resnet20", 0.9, 0.84, 0.895, 200.0, 1234.56, 800.0],
        ["vgg16_bn", None, 1.0, None, None, None, None],
    ]
    assert [row[2].marked for row in found.rows] == ["! 0.8400", "1.0000"]


def test_the_terminal_names_a_group_once():
    text = StringIO()
    Console(file=text, width=200).print(laid({IR: (), REAL: [1], NOISE: [2]}))
    above, header, row = (line.split() for line in text.getvalue().splitlines())
    assert above == ["top-1", "FPS"]
    assert header == ["model", *["FP32", "IR", "real", "noise"] * 2]
    assert row[0] == "resnet20"


def test_table_2_has_accuracies_of_accuracy_aware_cells_only():
    found = laid({IR: (), REAL: [1], AWARE: [1, 2]}, "table2")
    assert found.names() == ["model", "top-1 FP32 IR", "top-1 noise"]
    assert texts(found) == (("resnet20", "1.0000", "0.9980"),)
    assert found.legend == ()


def test_seeds_of_a_set_share_a_column_and_the_source_is_what_is_judged():
    seeds = [record("noise", seed=seed) for seed in (0, 1)]
    wrong = {IR: range(100), REAL: range(100), seeds[0]: range(101), seeds[1]: range(139)}
    found = laid(wrong)
    assert found.names()[:4] == ["model", "top-1 FP32 IR", "top-1 real", "top-1 noise"]
    assert texts(found)[0][1:4] == ("0.9000", "* 0.9000", "0.8800")
    assert found.legend[-1] == SEEDS


@pytest.mark.parametrize(("wrong", "text"), [((160, 161, 162), "! 0.8390"), ((140, 190, 290), "0.7933")])
def test_over_seeds_the_source_is_marked_whatever_each_of_them_is_alone(wrong, text):
    real = {record("real", seed=seed): range(100) for seed in (0, 1, 2)}
    noise = {record("noise", seed=seed): range(number) for seed, number in enumerate(wrong)}
    analysis = analyse(run({IR: range(100)} | real | noise))
    assert {row.assessment.standing for row in analysis.rows[4:]} == {"worse"}, "each of them, alone"
    assert texts(laid_out(analysis.rows, "table1", analysis.against_real))[0][3] == text


@pytest.mark.parametrize(("last", "text"), [(180, "! 0.8300"), (101, "0.8695")])
def test_with_one_seed_of_real_images_a_set_is_marked_where_each_of_its_seeds_is_worse(last, text):
    seeds = [record("noise", seed=seed) for seed in (0, 1)]
    found = laid({IR: range(100), REAL: range(100), seeds[0]: range(160), seeds[1]: range(last)})
    assert texts(found)[0][3] == text


def fps_over_seeds(*seeds):
    """What Table 1 shows of the speed of a set with these seeds, and its legend."""
    cells = [record("noise", seed=seed, **{"host": "alpha", **said}) for seed, said in enumerate(seeds)]
    found = laid(dict.fromkeys([IR, *cells], ()))
    return texts(found)[0][found.names().index("FPS noise")], found.legend


VALID, SLOW = {"fps": 400.0, "verdict": "valid"}, {"fps": 200.0, "verdict": "valid"}


@pytest.mark.parametrize(
    ("seeds", "text", "legend"),
    [
        ((VALID, SLOW), "300.0", (SEEDS,)),
        ((VALID, SLOW | {"verdict": "invalid"}), "400.0", (SEEDS,)),
        ((VALID | {"verdict": "invalid"},), "-", ()),
        ((VALID, SLOW | {"verdict": "noisy"}), "~ 300.0", (f"{NOISY} {LEGEND[NOISY]}", SEEDS)),
        ((VALID | {"verdict": "noisy"},), "~ 400.0", (f"{NOISY} {LEGEND[NOISY]}",)),
        ((VALID, SLOW | {"host": "beta"}), "-", (HOSTS, SEEDS)),
        ((VALID, SLOW | {"host": "beta", "verdict": "invalid"}), "400.0", (SEEDS,)),
    ],
)
def test_speed_is_the_mean_over_seeds_that_hold_and_are_of_one_host(seeds, text, legend):
    assert fps_over_seeds(*seeds) == (text, legend)


def test_table_2_says_nothing_of_hosts():
    cells = [replace(AWARE, calibration_seed=0, host="alpha"), replace(AWARE, cell="other", host="beta")]
    assert laid(dict.fromkeys([IR, *cells], ()), "table2").legend == (SEEDS,)


def test_what_a_model_lacks_is_a_dash():
    other = record(model="vgg16_bn"), record("noise", model="vgg16_bn")
    found = laid({IR: (), REAL: (), other[0]: (), other[1]: ()})
    assert texts(found) == (("resnet20", "1.0000", "1.0000", "-", "200.0", "800.0", "-"),
                          ("vgg16_bn", "1.0000", "-", "1.0000", "-", "-", "-"))  # fmt: skip


def test_several_devices_and_parameters_of_the_algorithm_have_rows_of_their_own():
    cells = [record("noise"), record("noise", device="GPU"), record("noise", algorithm="default{preset=mixed}")]
    found = laid(dict.fromkeys([IR, *cells], ()))
    assert found.names()[:3] == ["model", "algorithm", "device"]
    assert [row[1:4] for row in texts(found)] == [
        ("default", "CPU", "1.0000"), ("default", "GPU", "-"), ("default{preset=mixed}", "CPU", "1.0000")
    ]  # fmt: skip


def test_a_run_without_such_cells_says_so():
    found = analyse(run({IR: (), REAL: ()})).rows
    assert [fills(found, layout) for layout in ("cells", "table1", "table2")] == [True, True, False]
    assert lacking("table2") == "no cell of the algorithm 'accuracy-aware'"
    assert not fills(found[:1], "table1"), "a baseline is of no algorithm"
    assert laid_out(found, "table2").rows == ()
