"""How accuracy and speed of one cell changed: which number, which word, and what is not judged."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from farm.analysis.changes import Tolerance
from farm.analysis.comparison import compare
from farm.analysis.standing import holm
from farm.results.reading import Predicted
from farm.stats.ratios import Ratio, quotient
from farm.stats.shares import Disagreement, mcnemar, tango
from tests.compared import NOISE, REAL, compared, fast, lost, scored
from tests.runs import LABELS, N, predicted, run


def speeds(before, after, **tolerance):
    """The change of the one cell's speed, accuracy being the same."""
    (cell,) = compared({before: ()}, {after: ()}, **tolerance).cells
    return cell.speed


def accuracies(before, after, **tolerance):
    """The change of accuracy by calibration: all the same model's, with the images that each gets wrong."""
    return {each.cell.split("/")[1]: each.accuracy for each in compared(before, after, **tolerance).cells}


def test_a_loss_on_the_same_images_is_tangos_and_mcnemars():
    before = {REAL: [0], NOISE: lost(0)}
    found = accuracies(before, {REAL: [1], NOISE: [*range(5, 100), *range(200, 230)]}, max_drop=0.01)
    counts = Disagreement(first=30, second=5, n=N)
    assert found["noise"].drop == tango(counts)
    assert found["noise"].p == holm([1.0, mcnemar(counts)])[1]
    assert (found["noise"].lost, found["noise"].won, found["noise"].n_images) == (30, 5, N)
    assert (found["noise"].word, found["real"].word) == ("worse", "alike")


@pytest.mark.parametrize(
    ("more", "max_drop", "word"),
    [
        (20, 0.005, "worse"),
        (20, 0.05, "alike"),  # it is there, and it does not matter
        (20, 0.021, "undecided"),  # it is there, and may matter
        (4, 0.0, "undecided"),  # of four images, chance
        (0, 0.0, "alike"),  # not one image differs
        (-20, 0.005, "better"),
        (-20, 0.05, "alike"),
    ],
)
def test_a_regression_is_sure_and_more_than_does_not_matter(more, max_drop, word):
    before, after = lost(0), lost(more) if more >= 0 else list(range(100 + more))
    assert accuracies({REAL: before}, {REAL: after}, max_drop=max_drop)["real"].word == word


@pytest.mark.parametrize(("more", "word"), [(0, "undecided"), (20, "undecided"), (100, "worse")])
def test_without_predictions_shares_are_taken_as_independent(more, word):
    first, second = run({REAL: lost(0)}), run({REAL: lost(more)})
    (cell,) = compare(replace(first, predictions={}), second, Tolerance()).cells
    assert not cell.accuracy.paired
    assert cell.accuracy.drop.value == pytest.approx(more / N)
    assert cell.accuracy.drop.high - cell.accuracy.drop.low > 0.05
    assert (cell.accuracy.lost, cell.accuracy.word) == (None, word)


def test_accuracies_on_other_images_are_not_judged():
    first, second = run({REAL: lost(0)}), run({REAL: lost(0)})
    for label in (LABELS[::-1], LABELS[:-1]):
        whole = predicted()
        other = replace(whole, label=label, prediction=whole.prediction[: len(label)], score=whole.score[: len(label)])
        (cell,) = compare(first, replace(second, predictions={REAL.cell: other}), Tolerance()).cells
        assert (cell.accuracy.word, cell.accuracy.drop) == (None, None)
        assert cell.accuracy.unjudged == "other test images in B"


def test_a_metric_of_ones_own_is_compared_by_its_scores_image_by_image():
    rng = np.random.default_rng(6)
    first = rng.normal(1, 1, N).astype(np.float32)
    second = (first - 0.1 + rng.normal(0, 0.5, N)).astype(np.float32)
    (cell,) = compare(scored(REAL, first), scored(REAL, second), Tolerance()).cells
    meant = ttest_rel(first.astype(float), second.astype(float))
    interval = meant.confidence_interval(0.95)
    assert (cell.accuracy.drop.low, cell.accuracy.drop.high) == pytest.approx((interval.low, interval.high), rel=0.02)
    assert cell.accuracy.p == pytest.approx(meant.pvalue, abs=1e-4)
    assert cell.regressions == ("accuracy",)


def test_top_5_is_right_or_not_by_its_scores():
    right = np.ones(N)
    worse = np.where(np.arange(N) < 20, 0, 1)
    (cell,) = compare(scored(REAL, right, "top5"), scored(REAL, worse, "top5"), Tolerance()).cells
    assert (cell.accuracy.lost, cell.accuracy.won, cell.accuracy.word) == (20, 0, "worse")


def test_scores_without_an_interval_are_shown_and_not_judged():
    first = scored(REAL, np.ones(N))
    (cell,) = compare(replace(first, predictions={}), scored(REAL, np.zeros(N)), Tolerance()).cells
    assert (cell.accuracy.before, cell.accuracy.after, cell.accuracy.word) == (1, 0, None)
    assert cell.accuracy.unjudged == "my:metric has no interval without both runs' predictions"


def test_the_score_of_a_single_image_is_not_judged():
    one = Predicted(label=LABELS[:1], prediction=LABELS[:1], score=np.ones(1, np.float32))
    first = scored(REAL, np.ones(N))
    first = replace(first, predictions={REAL.cell: one})
    (cell,) = compare(first, first, Tolerance()).cells
    assert (cell.accuracy.word, cell.accuracy.unjudged) == (None, "images as few as these say nothing of the spread")


def test_scores_of_two_metrics_are_not_compared():
    found = compare(run({REAL: lost(0)}), scored(REAL, np.ones(N)), Tolerance())
    assert found.cells[0].accuracy.unjudged == "A's metric is top1, B's is my:metric"
    assert found.vain


@pytest.mark.parametrize(
    ("x_ir", "within", "max_slowdown", "word"),
    [
        (2.7, 0.01, 0.05, "alike"),
        (2.4, 0.01, 0.05, "worse"),
        (2.4, 0.01, 0.2, "alike"),  # it is slower, and it does not matter
        (2.4, 0.2, 0.05, "undecided"),
        (2.6, 0.02, 0.05, "undecided"),
        (3.0, 0.01, 0.05, "better"),
    ],
)
def test_a_slowdown_is_a_regression_if_it_is_sure_and_more_than_does_not_matter(x_ir, within, max_slowdown, word):
    before, after = fast(2.7), fast(x_ir, within=within)
    found = speeds(before, after, max_slowdown=max_slowdown)
    sides = [Ratio(value=e.speedup_ir, low=e.speedup_ir_low, high=e.speedup_ir_high) for e in (after, before)]
    assert found.ratio == quotient(*sides)
    assert (found.word, found.unjudged) == (word, None)
    assert found.fps == pytest.approx(x_ir / 2.7)
    assert found.latency_p50 == pytest.approx(2.7 / x_ir)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (fast(2.7), fast(1.0, verdict="noisy"), "noisy in B"),
        (fast(2.7, verdict="invalid"), fast(1.0, verdict="noisy"), "invalid in A and noisy in B"),
        (fast(2.7), fast(1.0, speedup_ir_low=None, speedup_ir_high=None), "x IR has no interval"),
        (fast(2.7), fast(1.0, timed="preprocessing and inference"), "A timed inference, B preprocessing and inference"),
        (fast(1.0, calibration=None), fast(0.8, calibration=None), "a baseline, of which x IR says nothing"),
        (
            fast(0.3, calibration=None, algorithm="pytorch", runtime="pytorch"),
            fast(0.2, calibration=None, algorithm="pytorch", runtime="pytorch"),
            "a baseline, of which x IR says nothing",
        ),
        (fast(2.7), fast(1.0, host="beta", cpu_model="EPYC"), "another host and cpu_model in B"),
        (fast(2.7), fast(1.0, threads=4), "another threads in B"),
    ],
)
def test_speeds_that_do_not_hold_are_shown_and_not_judged(before, after, why):
    found = speeds(before, after)
    assert (found.word, found.unjudged) == (None, why)
    assert found.ratio.value < 0.85


def test_an_ir_of_another_precision_is_no_baseline():
    before, after = (fast(x_ir, calibration=None, precision="bf16") for x_ir in (1.9, 1.4))
    assert speeds(before, after).word == "worse"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (REAL, REAL, "no speed in A and B"),
        (fast(2.7), REAL, "no speed in B"),
        (REAL, fast(2.7), "no speed in A"),
        (fast(2.7), replace(REAL, outcome="failed", error_class="crash"), "no speed in B (crash)"),
        (replace(REAL, outcome="pending"), REAL, "no speed in A (pending) and B"),
    ],
)
def test_a_speed_that_is_not_there_is_said_to_be_missing(before, after, why):
    assert speeds(before, after).unjudged == why


def test_speeds_of_two_hosts_are_refused_unless_told():
    before, after = fast(2.7), fast(2.0, host="beta")
    refused, told = speeds(before, after), speeds(before, after, across_hosts=True)
    assert (refused.same_host, refused.fps, refused.latency_p50, refused.word) == (False, None, None, None)
    assert (told.same_host, told.fps, told.word) == (False, pytest.approx(2.0 / 2.7), "worse")
    assert refused.ratio == told.ratio
