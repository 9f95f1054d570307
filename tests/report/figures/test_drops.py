"""The heatmap of drops."""

from dataclasses import replace

from farm.report.figures import svg
from tests.report.figures.grids import figures_of, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import record, run


def test_a_square_holds_the_mean_drop_of_its_seeds_in_points():
    cells = {record(): wrong(100), record("noise"): wrong(110), record("noise", seed=1): wrong(130)}
    figure = figures_of(run(cells))["drops"]
    assert len(marks(figure, "rect")) == 1
    assert "2.00" in texts(figure)  # the mean of 1.00 and 3.00
    assert "the mean over 2 seeds of the set" in figure.caption
    assert "95 % interval over seeds: \N{MINUS SIGN}10.71 to 14.71" in marks(figure, "rect")[0].said  # t(1) x 1


def seeds_of(**sets):
    """The heatmap of sets that have so many seeds with each of two models."""
    cells = {record(model=model): wrong(100) for model in ("resnet20", "vgg16_bn")}
    for name, several in sets.items():
        for model, seeds in zip(("resnet20", "vgg16_bn"), several, strict=True):
            cells |= {record(name, model=model, seed=seed): wrong(110) for seed in range(seeds)}
    return figures_of(run(cells))["drops"]


def test_columns_say_how_many_seeds_they_have_where_that_differs():
    figure = seeds_of(fractal=(3, 3), noise=(1, 1))
    assert {"fractal (3 seeds)", "noise (1 seed)"} <= set(texts(figure))
    assert texts(figure).count("1.00") == 4
    assert "brackets" not in figure.caption
    assert "the mean over 1 to 3 seeds of the set" in figure.caption
    assert "calibration: fractal; " in marks(figure, "rect")[0].said
    assert "resnet20 with fractal" in figure.alt


def test_where_all_have_as_many_seeds_nothing_is_said_of_them():
    assert {"fractal", "noise"} <= set(texts(seeds_of(fractal=(2, 2), noise=(2, 2))))


def test_a_square_of_other_seeds_than_its_column_says_so_in_brackets():
    figure = seeds_of(fractal=(3, 2), noise=(3, 3))
    assert {"fractal (3 seeds)", "noise (3 seeds)", "1.00 (2)"} <= set(texts(figure))
    assert texts(figure).count("1.00") == 3
    assert "In brackets: of so many seeds" in figure.caption
    assert "seeds: 2" in next(mark.said for mark in marks(figure, "text") if "(2)" in mark.said)


def test_a_gain_is_written_with_a_minus_sign_and_in_another_colour():
    cells = {record(): wrong(100), record("a"): wrong(60), record("b"): wrong(140), record("c"): wrong(100)}
    gain, loss, none = marks(figures_of(run(cells))["drops"], "rect")
    assert "mean drop, points: \N{MINUS SIGN}4.00" in gain.said
    assert (gain.look["fill"], loss.look["fill"]) == ("rgb(86, 180, 233)", "rgb(230, 159, 0)")
    assert none.look["fill"] == "rgb(255, 255, 255)"


def test_a_failed_cell_says_so_in_grey():
    failed = replace(record("noise", model="vgg16_bn"), outcome="failed", top1=None)
    found = run({record(): wrong(100), record("noise"): wrong(150)})
    figure = figures_of(replace(found, records=(*found.records, failed)))["drops"]
    assert {"failed", "5.00"} <= set(texts(figure))
    assert len(marks(figure, "rect")) == 2
    assert "1 more without a number" in figure.alt


def test_the_alternative_text_names_the_least_and_the_most():
    cells = {record(): wrong(100), record("real"): wrong(101), record("noise"): wrong(150)}
    alt = figures_of(run(cells))["drops"].alt
    assert "from 0.10 points (resnet20 with real) to 5.00 (resnet20 with noise)" in alt


def test_many_long_names_stand_aslant_and_do_not_squeeze_their_numbers():
    cells = {record(): wrong(100)}
    cells |= {record(f"a-set-with-a-long-name-{index:02}"): wrong(101 + index) for index in range(30)}
    figure = figures_of(run(cells))["drops"]
    assert len(marks(figure, "rect")) == 30
    assert svg(figure).count("rotate(45)") == 30
    assert figure.chart.to_dict()["width"] == {"step": 50}


def test_devices_and_algorithms_are_named_only_where_there_are_several():
    one = {record(): wrong(100), record("noise"): wrong(150)}
    assert "resnet20" in texts(figures_of(run(one))["drops"])
    two = one | {
        record(device="GPU"): wrong(100),
        record("noise", device="GPU", algorithm="accuracy-aware{max_drop=0.02}"): wrong(120),
    }
    found = texts(figures_of(run(two))["drops"])
    assert {"resnet20 on CPU", "resnet20 on GPU", "noise", "noise, accuracy-aware"} <= set(found)
