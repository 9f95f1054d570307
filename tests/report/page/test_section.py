"""The sentences of the page are never stronger than the claims."""

from dataclasses import replace

import pytest

from farm.analysis.analysis import analyse
from farm.grid.settings import Claims
from farm.report.page.document import document
from farm.report.page.section import answers, section
from tests.report.page.scenes import study
from tests.runs import by, record, run

REAL, COST, GAIN, SURE = range(4)


def said(found, question):
    return " ".join([*answers(analyse(found)).values()][question])


def held(wrong_real, wrong_other, **changes):
    """Two models, calibrated with real images and with fractals, which get so many images wrong."""
    wrong = {}
    for model in ("resnet20", "vgg16_bn"):
        wrong[record(model=model)] = range(100)
        wrong[record("real", model=model)] = range(wrong_real)
        wrong[record("fractal", model=model)] = range(wrong_other)
    return run(wrong, **changes)


def test_what_is_implausible_of_a_model_stands_right_below_the_summary():
    doubted = replace(record(), doubts='{"one_class": 3}')
    found = document([section(analyse(run({doubted: [1], record("real"): [2]})), [])])
    summary, _, after = found.partition('<table class="summary">')
    before_answers = after.partition('<div class="answers">')[0]
    assert "resnet20: all test images are taken for class 3" in before_answers
    assert found.count("all test images are taken for class 3") == 1
    assert "doubts" not in summary.partition("</style>")[2]
    plain = document([section(analyse(run({record(): [1], record("real"): [2]})), [])])
    assert 'class="doubts"' not in plain


def test_one_seed_makes_a_claim_on_two_models_and_never_on_sources():
    text = said(held(101, 101, margin=0.01), REAL)
    assert "Calibrated with fractal, 2 of 2 models are shown to be equivalent" in text
    assert "calibrated with real, within 1 point" in text
    assert "said of the two int8 models, never of the two sources" in text
    assert "seeds" not in text


@pytest.mark.parametrize(
    ("wrong", "margin", "changed", "verdict"),
    [
        (101, 0.01, "lost 0.10 points", "that is equivalent, within 1 point."),
        (103, 0.003, "lost 0.30 points", "whether that is equivalent, within 0.3 points, is undecided."),
        (150, 0.003, "lost 5.00 points", "that is worse."),
        (50, 0.003, "gained 5.00 points", "that is better."),
    ],
)
def test_of_one_model_it_is_one_plain_sentence(wrong, margin, changed, verdict):
    found = run({record(): range(100), record("real"): range(100), record("fractal"): range(wrong)}, margin=margin)
    before, _, after = said(found, REAL).partition(" (")
    assert before == f"Calibrated with fractal, resnet20 {changed}"
    assert after.partition(") against real: ")[2].startswith(verdict)


def test_of_one_model_over_several_seeds_it_is_one_plain_sentence():
    seeds = {record(name, seed=seed): range(100 + seed) for name in ("real", "fractal") for seed in range(3)}
    text = said(run({record(): range(100)} | seeds, margin=0.01), REAL)
    assert text.startswith("Calibrated with fractal, resnet20 lost 0.00 points (")
    assert " against real, over 3 seeds: that is equivalent, within 1 point." in text


def test_a_set_that_is_not_shown_to_be_equivalent_is_not_called_so():
    text = said(held(100, 103, margin=0.003), REAL)
    assert "none of 2 models are shown to be equivalent" in text
    assert "undecided for resnet20, 0.30 points" in text


def test_a_set_that_is_worse_is_said_to_be_by_how_much():
    text = said(held(100, 150), REAL)
    assert "worse for resnet20, 5.00 points (" in text
    assert "lost and vgg16_bn" in text


def test_a_set_that_is_better_gained():
    text = said(held(150, 100), REAL)
    assert "better for resnet20, 5.00 points (" in text
    assert "gained" in text


def test_several_seeds_make_a_claim_on_the_source_over_so_many_seeds():
    text = said(study(seeds=4), REAL)
    assert "fractal is equivalent to cifar10 within 1 point for 3 of 3 models, over 4 seeds" in text
    assert "noise is not shown to be equivalent to cifar10 within 1 point for any of 3 models, over 4 seeds" in text
    assert "this is said of the sources: the interval holds the doubt of the seeds and of the test images" in text
    assert "never of the two sources" not in text


def test_without_real_images_nothing_is_held_against_them():
    found = held(100, 100, reference=None)
    assert said(found, REAL).startswith("The grid names no set of real images")


def test_without_predictions_no_claim_is_made():
    found = replace(held(100, 150), predictions={})
    assert "No set could be held against real" in said(found, REAL)
    text = said(found, COST)
    assert "nothing is claimed" in text
    assert "between 0.00 and 5.00 points" in text
    assert "surely" not in text


def test_of_those_that_are_better_the_largest_gains_are_named():
    wrong = {}
    for gained in range(5):
        model = f"gains{gained}"
        wrong[record(model=model)] = range(100)
        wrong[record("real", model=model)] = range(200)
        wrong[record("fractal", model=model)] = range(150 - 10 * gained)
    text = said(run(wrong), REAL)
    assert "better for gains4, 9.00 points (" in text
    assert "gains2, 7.00 points (" in text
    assert "gained and 2 more" in text
    assert "gains0" not in text


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        (
            lambda each: each.calibration is None,
            "no FP32 IR of the same model and device was judged on the same images",
        ),
        (lambda each: each.calibration is not None, "predictions of these cells are not beside the records"),
    ],
    ids=["of the FP32 IR", "of int8 cells"],
)
def test_why_nothing_is_claimed_is_what_is_lacking(lacking, why):
    found = held(100, 150)
    there = {each.cell: found.predictions[each.cell] for each in found.records if not lacking(each)}
    text = said(replace(found, predictions=there), COST)
    assert f"These are observations: {why}" in text
    assert "predictions of single images" not in text


def test_what_a_metric_of_ones_own_lost_is_in_its_own_unit_and_nothing_is_said_to_break():
    found = by(held(100, 150), "my:score")
    cost, real = said(found, COST), said(found, REAL)
    assert "2 surely lose less than 0.005 of my:score and 2 surely lose more" in cost
    assert "Most was lost by resnet20 calibrated with fractal (default): 0.0500 (" in cost
    assert not any(word in cost + real for word in ("points", "breaks", "break", "class"))
    assert "within 0.005" in real
    assert "a single model's my:score is known within 0." in said(found, SURE)


def seeded(*wrong, **changes):
    """A model with so many seeds of fractals, each with its number of images that it gets wrong."""
    cells = {record(**changes): range(100), record("real", **changes): range(100)}
    return cells | {record("fractal", seed=seed, **changes): range(each) for seed, each in enumerate(wrong)}


def test_a_source_of_which_one_seed_breaks_is_not_said_to_break():
    text = said(run(seeded(101, 102, 400, 103, 104)), COST)
    assert "resnet20 breaks under default when calibrated with fractal (in 1 of 5 seeds): 30.00 points lost." in text
    text = said(run(seeded(400, 410)), COST)
    assert "resnet20 breaks under default when calibrated with fractal: 30.00 to 31.00 points lost." in text


def test_where_there_are_several_devices_the_one_where_a_model_breaks_is_named():
    text = said(run(seeded(400) | seeded(101, device="CPU{threads=2}")), COST)
    assert "resnet20 breaks under default on CPU when calibrated with fractal: 30.00 points lost." in text
    assert text.count("breaks") == 1


def test_a_model_that_surely_loses_much_breaks():
    text = said(study(seeds=2), COST)
    assert "repvgg_a2 breaks under default when calibrated with noise: 31" in text
    assert "resnet20 breaks" not in text


def test_no_model_breaks_only_where_each_cell_is_shown_to_lose_less():
    assert "No model breaks: each cell that was judged surely loses less than 5 points." in said(held(101, 102), COST)
    text = said(held(100, 148), COST)
    assert "No model breaks" not in text
    assert "No model is shown to break" in text


def test_losses_are_counted_by_what_is_sure():
    text = said(held(101, 150, margin=0.01), COST)
    assert (
        "Of 4 int8 cells, each held against its FP32 IR, 2 surely lose less than 1 point of top-1 and 2 surely" in text
    )


def test_the_class_that_a_mean_hides_is_named():
    wrong = {record(): [], record("real"): [image for image in range(1000) if image % 10 == 3][:40]}
    assert "lost 40.00 points on class 3 and 4.00 over all" in said(run(wrong), COST)


def test_only_valid_measurements_make_the_range_of_speed_ups():
    text = said(study(), GAIN)
    assert "int8 runs 2.00 to 3.20 times as fast as its FP32 IR, by 8 valid measurements" in text
    assert (
        "1 noisy measurement is not counted there: 2.20 times was seen, with 99 % intervals from 2.16 to 2.24" in text
    )
    assert "6.00 to 9.60 times as fast as PyTorch, by 8 of 9 measurements" in text
    assert "28 % of the space" in text


def test_a_noisy_baseline_takes_back_every_speed_up_over_pytorch():
    found = study()
    noisy = [replace(each, verdict="noisy") if each.runtime == "pytorch" else each for each in found.records]
    text = said(replace(found, records=tuple(noisy)), GAIN)
    assert "times the speed of PyTorch was seen, which is not claimed" in text
    assert "as fast as PyTorch" not in text


def test_no_valid_measurement_is_no_claim():
    found = study()
    noisy = [replace(each, verdict="noisy") if each.verdict else each for each in found.records]
    text = said(replace(found, records=tuple(noisy)), GAIN)
    assert "no speed-up is sure enough to be claimed: none of 9 measurements is valid" in text
    assert "int8 runs" not in text


def test_a_cell_that_is_surely_slower_is_counted():
    found = study()
    slow = {"speedup_ir": 0.8, "speedup_ir_low": 0.7, "speedup_ir_high": 0.9}
    records = [replace(each, **slow) if each.calibration == "fractal" else each for each in found.records]
    assert "3 cells are surely slower than the FP32 IR" in said(replace(found, records=tuple(records)), GAIN)


def test_speeds_of_several_hosts_are_told_apart():
    found = study()
    records = [
        replace(each, host="bench-2") if each.model == "vgg16_bn" and each.fps else each for each in found.records
    ]
    text = said(replace(found, records=tuple(records)), GAIN)
    assert "On CPU{threads=4} of bench-1, int8 runs" in text
    assert "On CPU{threads=4} of bench-2, int8 runs 2.50 to 2.70 times" in text


def test_how_sure_names_images_seeds_verdicts_and_what_is_missing():
    text = said(study(seeds=3), SURE)
    assert "2,000 test images" in text
    assert "3 calibration sources, 3 seeds of each" in text
    assert "Of 15 measurements of speed, 14 are valid and 1 is noisy" in text
    assert "Not to be relied on: the speed of resnet20/noise/default/CPU{threads=4}" in text
    assert "1.00 times as fast (0.99 to 1.01)" in text
    assert "Of 34 cells, 1 failed: nothing is said of them." in text


@pytest.mark.parametrize("other", [{"precision": "bf16"}, {"device": "CPU{precision=bf16}", "precision": None}])
def test_an_ir_of_another_precision_is_not_the_fp32_ir_against_itself(other):
    found = study()
    fast = replace(next(each for each in found.records if each.algorithm == "ir"), cell="fast", speedup_ir=1.9, **other)
    text = said(replace(found, records=(*found.records, fast)), SURE)
    assert "An FP32 IR measured against itself ran, in the worst case, 1.00 times as fast" in text


def test_that_all_ran_is_said_of_the_records_not_of_the_grid():
    text = said(held(100, 100), SURE)
    assert "All 6 cells in these records ran." in text
    assert "grid" not in text


@pytest.mark.parametrize("records", [(), (record(outcome="pending", top1=None, score=None),)])
def test_a_run_with_nothing_in_it_still_has_its_four_answers(records):
    found = replace(study(), records=records, predictions={}, claims=Claims(reference="real"))
    assert all(answers(analyse(found)).values())
