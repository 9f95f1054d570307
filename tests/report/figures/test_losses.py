"""The forest of losses against real images."""

import pytest

from farm.analysis.accuracy import accuracies
from tests.report.figures.grids import figures_of, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import record, run

CELLS = {
    record(): wrong(100),
    record("real"): wrong(101),
    record("fractal"): wrong(102),
    record("noise"): wrong(200),
}
RUN = run(CELLS, margin=0.01)
FIGURE = figures_of(RUN)["losses"]


def of_sets(kind):
    """The marks that stand for sets, by set."""
    found = {}
    for mark in marks(FIGURE, kind):
        if "standing: " in mark.said:
            found[mark.said.split("; set: ")[1].split(";")[0]] = mark
    return found


def test_each_set_has_a_row_under_its_model_with_its_verdict_in_words():
    said = texts(FIGURE)
    assert [text for text in said if text in ("resnet20", "fractal", "noise")] == ["resnet20", "fractal", "noise"]
    assert {"0.10 (\N{MINUS SIGN}0.17 to 0.45) equivalent", "9.90 (8.45 to 11.56) worse"} <= set(said)


def test_points_and_intervals_stand_where_the_statistics_say():
    points, lines = of_sets("symbol"), of_sets("rule")
    for name in ("fractal", "noise"):
        loss = accuracies(RUN)[f"resnet20/{name}/default/CPU"].real.loss
        assert points[name].number("value") == pytest.approx(100 * loss.value, rel=1e-3)
        assert lines[name].number("high") == pytest.approx(100 * loss.high, rel=1e-3)
        assert lines[name].number("top-1 lost against real images, percentage points") == pytest.approx(
            100 * loss.low, rel=1e-3
        )


def test_the_margin_is_a_band_between_two_dashed_edges():
    assert len(marks(FIGURE, "rect")) == 1
    dashed = [mark for mark in marks(FIGURE, "rule") if mark.look.get("stroke-dasharray")]
    assert [mark.number("at") for mark in dashed] == [-1, 1]
    assert "margin of \N{MINUS SIGN}1 to 1 points" in FIGURE.caption


def test_shapes_tell_verdicts_apart_without_colour():
    assert len({mark.look["d"] for mark in of_sets("symbol").values()}) == 2


def test_where_losses_are_small_the_axis_is_of_one_scale():
    small = figures_of(run({record(): wrong(0), record("real"): wrong(1), record("noise"): wrong(2)}))["losses"]
    assert "logarithmic" not in small.caption
    assert "logarithmic" in FIGURE.caption


def test_with_one_seed_the_caption_speaks_of_these_two_models_only():
    assert "these two models only" in FIGURE.caption


def test_with_several_seeds_it_speaks_of_the_source_and_each_has_one_row():
    cells = {record(): wrong(100)}
    for name, count in {"real": 101, "fractal": 102, "noise": 200}.items():
        cells |= {record(name, seed=seed): wrong(count + seed) for seed in range(3)}
    figure = figures_of(run(cells))["losses"]
    assert "speaks of the source" in figure.caption
    assert "these two models only" not in figure.caption
    assert [text for text in texts(figure) if text in ("fractal", "noise")] == ["fractal", "noise"]


def test_the_alternative_text_counts_verdicts_and_names_the_worst():
    assert "1 equivalent, 1 worse, 0 better, 0 undecided" in FIGURE.alt
    assert "noise with resnet20, 9.90 points" in FIGURE.alt


def test_without_real_images_there_is_nothing_to_hold_sets_against():
    assert "losses" not in figures_of(run(CELLS, reference=None))
