"""The study's claims, judged by runs made by hand: each conclusion can come out."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from farm.errors import InputError
from tests.runs import record, run

sys.path.append(str(Path(__file__).parents[2] / "docs" / "making"))
import claims
import study_2022

SPEED, PYTORCH, CHEAP, COLLAPSE, REPVGG, AWARE, REAL, TEACHER = range(8)
FRACTAL, DISTYLEGAN = "fractal", "distylegan{weights=farm-cifar10}"


def dropped(drops, **more):
    """A run of cells with these drops of top-1, by (model, source): one for each seed."""
    cells = {}
    for (model, source), values in drops.items():
        cells[record(model=model)] = None
        for seed, drop in enumerate(values):
            cells[record(source, seed=seed, model=model)] = drop
    made = run(dict.fromkeys(cells, ()), reference="cifar10", **more)
    told = zip(made.records, cells.values(), strict=True)
    return replace(
        made, records=tuple(replace(each, top1_drop=drop, score_drop=drop) for each, drop in told), predictions={}
    )


def told(wrong):
    """A run with two seeds of the small GAN's and of real images; wrong: how many of 1,000 the former get wrong."""
    cells = {record(model=model): () for model in wrong}
    for model, numbers in wrong.items():
        for source, images in (("cifar10", (1, 2)), (DISTYLEGAN, numbers)):
            cells |= {record(source, seed=seed, model=model): range(each) for seed, each in enumerate(images)}
    return run(cells, reference="cifar10")


def conclusion(number, made):
    return claims.claims(made)[number].conclusion


def test_without_results_nothing_is_tested():
    assert {claim.conclusion for claim in claims.claims(run({}))} == {"not tested"}


@pytest.mark.parametrize(
    ("drops", "word"),
    [((0.001, 0.002), "reproduced"), ((0.05, 0.0501), "not reproduced"), ((0.0, 0.02), "undecided")],
)
def test_fractals_are_cheap_if_surely_no_model_loses_more_than_the_study_says(drops, word):
    fine = {(model, FRACTAL): (0.001, 0.002) for model in ("resnet20", "mobilenetv2_x1_4")}
    assert conclusion(CHEAP, dropped(fine | {("vgg16_bn", FRACTAL): drops})) == word


def test_a_claim_of_three_models_is_not_shown_by_two():
    two = {(model, FRACTAL): (0.001, 0.002) for model in ("resnet20", "vgg16_bn")}
    assert conclusion(CHEAP, dropped(two)) == "undecided"


@pytest.mark.parametrize(("drops", "word"), [((0.8, 0.82), "reproduced"), ((0.001, 0.002), "not reproduced")])
def test_a_collapse_is_a_drop_that_leaves_no_use(drops, word):
    assert conclusion(COLLAPSE, dropped({("shufflenetv2_x2_0", FRACTAL): drops})) == word


def test_one_form_of_repvgg_that_breaks_is_enough_and_else_there_is_nothing_to_save():
    fine = {("repvgg_a2", "cifar10"): (0.001, 0.002)}
    broken = fine | {("repvgg_a2{deploy=true}", "cifar10"): (0.4, 0.41)}
    assert [conclusion(REPVGG, dropped(each)) for each in (fine, broken)] == ["not reproduced", "reproduced"]
    assert conclusion(AWARE, dropped(fine)) == "not tested"


def test_what_is_saved_is_judged_with_real_images_alone():
    broken = dropped({("repvgg_a2", "cifar10"): (0.4, 0.41)})
    aware = {source: record(source, model="repvgg_a2", algorithm="accuracy-aware") for source in ("cifar10", "noise")}
    wrong = {record(model="repvgg_a2"): (), aware["cifar10"]: range(2), aware["noise"]: range(300)}
    saved = run(wrong, reference="cifar10")
    both = replace(saved, records=(*broken.records, *saved.records[1:]), predictions=saved.predictions)
    assert conclusion(AWARE, both) == "reproduced"


def test_a_speed_over_a_noisy_pytorch_does_not_hold():
    ours = {"speedup_pytorch": 20.0, "speedup_pytorch_low": 19.0, "speedup_pytorch_high": 21.0, "verdict": "valid"}
    for said, word in (("noisy", "not tested"), ("valid", "reproduced")):
        pytorch = record(algorithm="pytorch", runtime="pytorch", verdict=said)
        assert conclusion(PYTORCH, run({record("cifar10", **ours): (), pytorch: ()})) == word


def test_with_one_seed_it_is_said_of_whom():
    one = run({record(): (), record("fractal"): range(2)}, reference="cifar10")
    assert "one seed of each set" in claims.claims(one)[CHEAP].reason


@pytest.mark.parametrize(
    ("drops", "word"),
    [((1, 2), "reproduced"), ((50, 51), "not reproduced"), ((0, 20), "undecided")],
)
def test_synthetic_images_are_as_good_as_real_ones_if_equivalent_with_all_models(drops, word):
    assert conclusion(REAL, told(dict.fromkeys(study_2022.models(), drops))) == word


def test_synthetic_images_are_not_shown_to_be_as_good_by_some_of_the_models():
    claim = claims.claims(told({"resnet20": (1, 2), "vgg16_bn": (1, 2), "repvgg_a2{deploy=true}": (1, 2)}))[REAL]
    assert (claim.conclusion, claim.ours) == (
        "undecided",
        "equivalent within 0.50 points in 3 of 3 pairs of model and source",
    )
    assert claim.reason.endswith("nothing is known of mobilenetv2_x1_4, shufflenetv2_x2_0")


def test_a_run_on_two_devices_is_not_the_studys():
    devices = {record("cifar10", device=device): () for device in ("CPU", "GPU")}
    fp32 = {record(device=device): () for device in ("CPU", "GPU")}
    with pytest.raises(InputError, match="several cells of resnet20, cifar10, default"):
        claims.claims(run(fp32 | devices))


def measured(times, model="resnet20", verdict="valid"):
    value, low, high = times
    ours = {"speedup_ir": value, "speedup_ir_low": low, "speedup_ir_high": high}
    return record("cifar10", model=model, verdict=verdict, **ours)


@pytest.mark.parametrize(
    ("times", "word"), [((4.2, 4.1, 4.3), "reproduced"), ((2.0, 1.9, 2.1), "not reproduced"), ((4, 3, 5), "undecided")]
)
def test_a_speed_is_reached_if_the_fastest_measurement_that_holds_is_surely_there(times, word):
    slow = [measured((1.5, 1.4, 1.6), model) for model in study_2022.models()]
    noisy = measured((9, 8, 10), "another", verdict="noisy")
    assert conclusion(SPEED, run(dict.fromkeys([*slow, measured(times), noisy], ()))) == word


def test_a_speed_is_not_denied_while_a_model_of_the_study_is_unknown():
    known = [measured((1.5, 1.4, 1.6), model) for model in study_2022.models()[1:]]
    claim = claims.claims(run(dict.fromkeys([*known, measured((9, 8, 10), "resnet20", verdict="noisy")], ())))[SPEED]
    assert (claim.conclusion, claim.reason.rpartition("; ")[2]) == ("undecided", "nothing is known of resnet20")


def test_the_studys_numbers_are_those_of_its_tables():
    assert study_2022.drops(("shufflenetv2_x2_0",), "fractal") == "drop 81.96 (shufflenetv2_x2_0) points"
    assert study_2022.speed("ir") == "up to 3.7 times (mobilenetv2_x1_4)"
    assert study_2022.speed("pytorch") == "up to 13.6 times (repvgg_a2)"


def test_every_claim_is_a_row():
    text = claims.table(run({}))
    assert len(text.splitlines()) == 2 + len(claims.CLAIMS)
