"""What is claimed of a cell's accuracy: beside its FP32 IR, and beside real images."""

from dataclasses import replace

import numpy as np
import pytest

from farm.analysis.accuracy import accuracies, worst_class
from farm.results.reading import OfClasses
from tests.runs import LABELS, N, by, record, run

IR, REAL, FRACTAL, NOISE = record(), record("real"), record("fractal"), record("noise")
FP32_WRONG = range(100)


def lost(count, first=100):
    """The FP32 IR's mistakes, and so many more."""
    return [*FP32_WRONG, *range(first, first + count)]


def test_a_variant_stands_beside_its_fp32_ir():
    found = accuracies(run({IR: FP32_WRONG, REAL: lost(20)}))
    assert found[IR.cell].fp32 is None
    beside = found[REAL.cell].fp32
    assert (beside.other, beside.loss.value) == (IR.cell, pytest.approx(0.02))
    assert beside.loss.low > 0
    assert beside.p == pytest.approx(2 * 0.5**20)
    assert beside.standing is None
    assert found[REAL.cell].score.low < 0.88 < found[REAL.cell].score.high


def test_other_calibration_sets_stand_beside_real_images():
    found = accuracies(run({IR: FP32_WRONG, REAL: lost(5), FRACTAL: lost(6), NOISE: lost(65)}))
    assert found[REAL.cell].real is None
    assert found[FRACTAL.cell].real.standing == "equivalent"
    assert found[NOISE.cell].real.standing == "worse"
    assert found[NOISE.cell].real.other == REAL.cell
    assert found[NOISE.cell].real.loss.value == pytest.approx(0.06)


def test_few_images_do_not_decide():
    found = accuracies(run({IR: FP32_WRONG, REAL: lost(5), FRACTAL: lost(5, first=300)}, margin=0.001))
    assert found[FRACTAL.cell].real.standing == "undecided"


def test_p_values_are_corrected_for_the_number_of_a_models_sets():
    alone = accuracies(run({REAL: lost(0), FRACTAL: lost(6)}))
    beside = accuracies(run({REAL: lost(0), FRACTAL: lost(6), NOISE: lost(6, first=300)}))
    assert beside[FRACTAL.cell].real.p == pytest.approx(2 * alone[FRACTAL.cell].real.p)
    other_model = {record("real", model="vgg"): lost(0), record("noise", model="vgg"): lost(6)}
    apart = accuracies(run({REAL: lost(0), FRACTAL: lost(6), **other_model}))
    assert apart[FRACTAL.cell].real.p == alone[FRACTAL.cell].real.p


def test_without_real_images_nothing_is_claimed():
    assert accuracies(run({IR: FP32_WRONG, FRACTAL: lost(6)}, reference=None))[FRACTAL.cell].real is None
    assert accuracies(run({IR: FP32_WRONG, FRACTAL: lost(6)}))[FRACTAL.cell].real is None


def test_a_seed_stands_beside_the_same_seed_of_real_images_or_the_first():
    cells = [record(name, seed=seed) for name, seed in (("real", 0), ("real", 1), ("noise", 1), ("noise", 2))]
    found = accuracies(run(dict.fromkeys(cells, FP32_WRONG)))
    beside = [found[cell.cell].real for cell in cells]
    assert beside[:2] == [None, None]
    assert [one.other for one in beside[2:]] == [cells[1].cell, cells[0].cell]


@pytest.mark.parametrize("other", [{"model": "vgg"}, {"algorithm": "accuracy-aware"}, {"device": "GPU"}])
def test_cells_of_another_model_algorithm_or_device_are_no_reference(other):
    found = accuracies(run({FRACTAL: lost(1), record("real", **other): FP32_WRONG}))
    assert found[FRACTAL.cell].real is None


def test_an_average_hides_the_class_that_loses_most():
    threes = [image for image in range(N) if LABELS[image] == 3][:30]
    found = accuracies(run({IR: [], FRACTAL: threes}))[FRACTAL.cell]
    assert (found.worst_class, found.worst_class_drop) == (3, pytest.approx(0.3))
    assert found.fp32.loss.value == pytest.approx(0.03)


def test_a_class_that_gains_is_worst_only_where_all_gain():
    right = LABELS >= 0
    assert worst_class(LABELS, right & (LABELS != 2), right) == (0, 0.0)


def test_an_ir_at_another_precision_is_not_the_fp32_ir():
    low = {"device": "CPU{precision=bf16}"}
    found = accuracies(run({record(**low): FP32_WRONG, record("real", **low): lost(20)}))
    assert all(each.fp32 is None for each in found.values())


def test_top_5_is_claimed_by_its_scores():
    wrong = {IR: FP32_WRONG, REAL: lost(5), NOISE: lost(65)}
    top1, top5 = accuracies(run(wrong)), accuracies(by(run(wrong), "top5"))
    assert top5 == top1


def test_a_metric_of_ones_own_is_claimed_by_its_scores():
    found = accuracies(by(run({IR: FP32_WRONG, REAL: lost(5), NOISE: lost(65)}, margin=0.02), "my:score"))
    beside = found[NOISE.cell].fp32
    assert (beside.other, beside.loss.value) == (IR.cell, pytest.approx(0.065))
    assert 0.04 < beside.loss.low < 0.06
    assert (found[NOISE.cell].real.standing, found[NOISE.cell].real.other) == ("worse", REAL.cell)
    assert (found[NOISE.cell].worst_class, found[NOISE.cell].worst_class_drop) == (None, None)
    assert found[REAL.cell].score.low < 0.895 < found[REAL.cell].score.high


def test_of_few_images_a_score_is_not_claimed():
    found = by(run({IR: [], REAL: []}), "my:score")
    alone = {
        cell: replace(said, label=said.label[:9], score=said.score[:9]) for cell, said in found.predictions.items()
    }
    assert accuracies(replace(found, predictions=alone)) == {}


def test_a_cell_without_a_score_is_not_claimed():
    found = run({IR: [], REAL: []})
    failed = tuple(replace(each, score=None, top1=None) for each in found.records)
    assert accuracies(replace(found, records=failed)) == {}


def test_a_detector_that_finds_nothing_more_has_surely_lost():
    found = by(run({IR: [], NOISE: []}), "map")
    records = tuple(replace(each, score=0.0 if each.calibration else 0.4) for each in found.records)
    samples = {IR.cell: np.random.default_rng(0).normal(0.4, 0.02, 1000), NOISE.cell: np.zeros(1000)}
    told = accuracies(replace(found, records=records, predictions={}, resamples=samples))[NOISE.cell]
    assert told.fp32.loss.low > 0.3
    assert (told.score.low, told.score.value) == (0.0, 0.0)
    assert 0 < told.score.high < 0.01


def test_samples_of_few_images_claim_nothing():
    found = by(run({IR: [], REAL: []}), "map")
    few = tuple(replace(each, n_images=9) for each in found.records)
    values = np.random.default_rng(0).normal(0.4, 0.02, 1000)
    assert accuracies(replace(found, records=few, predictions={}, resamples={IR.cell: values, REAL.cell: values})) == {}


def test_a_metric_of_all_images_together_is_claimed_by_samples_of_them():
    found = by(run({IR: [], REAL: lost(0), NOISE: lost(0)}), "map")
    rng = np.random.default_rng(0)
    base = rng.normal(0.9, 0.02, 1000)
    records = tuple(replace(each, score=0.9 - 0.1 * (each.calibration == "noise")) for each in found.records)
    samples = {
        IR.cell: base,
        REAL.cell: base - rng.normal(0, 1e-4, 1000),
        NOISE.cell: base - rng.normal(0.1, 0.01, 1000),
    }
    told = accuracies(replace(found, records=records, predictions={}, resamples=samples))
    assert told[NOISE.cell].fp32.loss.value == pytest.approx(0.1)
    assert told[NOISE.cell].fp32.loss.low == pytest.approx(0.1 - 1.96 * 0.01, abs=1e-3)
    assert told[NOISE.cell].real.standing == "worse"
    assert (told[REAL.cell].fp32.loss.value, told[NOISE.cell].worst_class) == (0.0, None)


def test_of_detectors_the_worst_class_is_that_of_the_metric():
    found = by(run({IR: [], NOISE: []}), "map")
    samples = np.random.default_rng(0).normal(0.9, 0.02, 1000)
    of = {cell.cell: OfClasses(number=np.array([3, 7]), objects=np.array([5, 5]), score=np.array(scores))
          for cell, scores in ((IR, [0.5, 0.9]), (NOISE, [0.4, 0.3]))}  # fmt: skip
    known = replace(found, predictions={}, resamples=dict.fromkeys(of, samples), of_classes=of)
    told = accuracies(known)[NOISE.cell]
    assert (told.worst_class, told.worst_class_drop) == (7, pytest.approx(0.6))
    other = {**of, NOISE.cell: replace(of[NOISE.cell], number=np.array([3, 8]))}
    assert accuracies(replace(known, of_classes=other))[NOISE.cell].worst_class is None
