"""What is claimed of a source, over several seeds."""

from dataclasses import replace

import pytest

from farm.analysis.replicates import sources
from farm.results.reading import Predicted
from tests.runs import by, record, run

DROPS = {"real": (1, 2, 1), "fractal": (1, 2, 2), "noise": (50, 60, 55)}  # images of 1,000


def over_seeds(drops, **claims):
    """A run of several seeds, by source: each with so many images wrong, the same ones first."""
    wrong = {record(): ()}
    for name, values in drops.items():
        wrong |= {record(name, seed=seed): range(number) for seed, number in enumerate(values)}
    return run(wrong, **claims)


def test_with_several_seeds_each_is_the_unit():
    real, fractal, noise = sources(over_seeds(DROPS))
    assert (real.source, real.seeds, real.drop.value) == ("real", 3, pytest.approx(4 / 3000))
    assert real.spread == pytest.approx(0.000577, rel=1e-3)
    assert (real.loss, real.p, real.standing) == (None, None, None)
    assert (fractal.standing, noise.standing) == ("equivalent", "worse")
    assert noise.loss.value == pytest.approx(0.055 - 4 / 3000)
    assert noise.loss.low > 0.04


def test_a_source_with_one_seed_is_no_source():
    assert [each.source for each in sources(over_seeds({"real": (1, 2), "noise": (50,)}))] == ["real"]


def test_without_several_seeds_of_real_images_sources_have_no_standing():
    for claims in ({"reference": None}, {"reference": "real"}):
        found = sources(over_seeds({"fractal": (1, 2), "noise": (50, 60)}, **claims))
        assert [each.standing for each in found] == [None, None]


def test_wide_spread_does_not_decide():
    fractal = sources(over_seeds({"real": (1, 2), "fractal": (0, 20)}))[1]
    assert fractal.standing == "undecided"


def test_cells_that_failed_are_no_seeds():
    found = over_seeds(DROPS)
    failed = tuple(
        replace(each, score_drop=None, top1_drop=None) if each.calibration_seed == 2 else each for each in found.records
    )
    assert {each.seeds for each in sources(replace(found, records=failed))} == {2}


def test_seeds_that_agree_on_few_test_images_are_not_equivalent():
    few = over_seeds({"real": (10, 10, 10), "fractal": (10, 10, 10)})
    assert sources(few)[1].standing == "equivalent"
    said = {
        cell: Predicted(label=each.label[:100], prediction=each.prediction[:100], score=each.score[:100])
        for cell, each in few.predictions.items()
    }
    records = tuple(replace(each, n_images=100) for each in few.records)
    assert sources(replace(few, records=records, predictions=said))[1].standing == "undecided"


def test_a_metric_of_ones_own_is_claimed_over_seeds():
    found = by(over_seeds(DROPS, margin=0.01), "my:score")
    real, fractal, noise = sources(found)
    assert (real.drop.value, noise.loss.value) == pytest.approx((4 / 3000, 0.055 - 4 / 3000))
    assert (fractal.standing, noise.standing) == ("equivalent", "worse")
    assert [each.standing for each in sources(replace(found, predictions={}))] == [None, None, None]


def test_without_predictions_of_each_seed_a_source_has_no_standing():
    found = over_seeds(DROPS)
    lacking = {cell: said for cell, said in found.predictions.items() if cell != record("fractal", seed=1).cell}
    assert [each.standing for each in sources(replace(found, predictions=lacking))] == [None, None, "worse"]
    assert {each.standing for each in sources(replace(found, predictions={}))} == {None}
