"""What is claimed of a source, over several draws."""

from dataclasses import replace

import pytest

from farm.report.draws import sources
from tests.runs import record, run

DROPS = {"real": (0.001, 0.002, 0.0015), "fractal": (0.0012, 0.0018, 0.0017), "noise": (0.05, 0.06, 0.055)}


def drawn(drops, **claims):
    cells = [record()]
    cells += [record(name, seed=seed) for name, values in drops.items() for seed in range(len(values))]
    told = [drop for values in drops.values() for drop in values]
    found = run(dict.fromkeys(cells, ()), **claims)
    records = [
        found.records[0],
        *(replace(each, top1_drop=drop) for each, drop in zip(found.records[1:], told, strict=True)),
    ]
    return replace(found, records=tuple(records))


def test_with_several_seeds_the_draw_is_the_unit():
    real, fractal, noise = sources(drawn(DROPS))
    assert (real.source, real.seeds, real.drop.value) == ("real", 3, pytest.approx(0.0015))
    assert real.spread == pytest.approx(0.0005)
    assert (real.loss, real.p, real.standing) == (None, None, None)
    assert (fractal.standing, noise.standing) == ("equivalent", "worse")
    assert noise.loss.value == pytest.approx(0.0535)
    assert noise.loss.low > 0.04


def test_a_source_with_one_draw_is_no_source():
    assert [each.source for each in sources(drawn({"real": (0.001, 0.002), "noise": (0.05,)}))] == ["real"]


def test_without_several_draws_of_real_images_sources_have_no_standing():
    for claims in ({"reference": None}, {"reference": "real"}):
        found = sources(drawn({"fractal": (0.001, 0.002), "noise": (0.05, 0.06)}, **claims))
        assert [each.standing for each in found] == [None, None]


def test_wide_spread_does_not_decide():
    fractal = sources(drawn({"real": (0.001, 0.002), "fractal": (0.0, 0.02)}))[1]
    assert fractal.standing == "undecided"


def test_cells_that_failed_are_no_draws():
    found = drawn(DROPS)
    failed = tuple(replace(each, top1_drop=None) if each.calibration_seed == 2 else each for each in found.records)
    assert {each.seeds for each in sources(replace(found, records=failed))} == {2}
