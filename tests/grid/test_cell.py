"""Grid -> cells: what expands, what is left out, what is added, and what cells are held against."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from farm.catalog import CATALOG
from farm.grid.cell import Pattern, expand, matches
from farm.grid.label import AXES
from farm.grid.load import load


def names(grid):
    return [cell.name for cell in expand(grid)]


def test_a_cell_is_named_by_its_four_axes_and_baselines_come_first(files):
    assert names(files.grid()) == [
        "resnet20/-/pytorch/CPU",
        "resnet20/-/ir/CPU",
        "resnet20/noise/default/CPU",
    ]


def test_axes_with_defaults_may_be_left_out(files):
    grid = files.grid(calibrations=None, algorithms=None, devices=None, baselines=None)
    assert names(grid) == ["resnet20/-/pytorch/CPU", "resnet20/-/ir/CPU"]


def test_a_model_that_pytorch_cannot_run_has_no_pytorch_baseline(files):
    assert names(files.grid(models=["net.onnx", {"factory": "nets:tiny"}], calibrations=[])) == [
        "net/-/ir/CPU",
        "tiny/-/pytorch/CPU",
        "tiny/-/ir/CPU",
    ]


def test_cells_whose_accuracy_alone_is_asked_for_are_cells_all_the_same(files):
    grid = files.grid(accuracy_only=[{"algorithm": "ir"}, {"model": {"name": "resnet20"}, "calibration": "noise"}])
    assert names(grid) == names(files.grid())
    assert [any(matches(cell, meant) for meant in grid.accuracy_only) for cell in expand(grid)] == [False, True, True]


MODELS = ["resnet20", {"name": "vgg16_bn", "weights": "w.pt"}]
CALIBRATIONS = ["noise", {"name": "fractal", "seed": [0, 1]}, {"name": "fractal", "count": 50}]
DEVICES = ["CPU", {"name": "CPU", "threads": 2, "batch": 4}]
WIDE = {"models": MODELS, "calibrations": CALIBRATIONS, "devices": DEVICES}


@pytest.mark.parametrize(
    ("exclusion", "left_out"),
    [
        ({"model": "vgg16_bn"}, lambda m, c, a, d: m == "vgg16_bn{weights=w.pt}"),
        ({"model": "vgg16_bn{weights=w.pt}"}, lambda m, c, a, d: m == "vgg16_bn{weights=w.pt}"),
        ({"calibration": "fractal"}, lambda m, c, a, d: c.startswith("fractal")),
        ({"calibration": "fractal{seed=1}"}, lambda m, c, a, d: c == "fractal{seed=1}"),
        ({"calibration": {"name": "fractal", "seed": 0}}, lambda m, c, a, d: c in ("fractal", "fractal{count=50}")),
        ({"calibration": "-"}, lambda m, c, a, d: c == "-"),
        ({"algorithm": "ir"}, lambda m, c, a, d: a == "ir"),
        ({"device": {"name": "CPU", "batch": 4}}, lambda m, c, a, d: d == "CPU{batch=4,threads=2}"),
        ({"device": {"batch": 4}}, lambda m, c, a, d: d == "CPU{batch=4,threads=2}"),
        ({"calibration": {"seed": 0}}, lambda m, c, a, d: c in ("noise", "fractal", "fractal{count=50}")),
        ({"calibration": {"seed": [0, 1], "count": 1000}}, lambda m, c, a, d: c not in ("-", "fractal{count=50}")),
        ({"model": {"weights": "w.pt"}, "calibration": "-"}, lambda m, c, a, d: "w.pt" in m and c == "-"),
        (
            {
                "model": "resnet20",
                "calibration": "noise",
                "algorithm": "default",
                "device": {"name": "CPU", "batch": 1},
            },
            lambda m, c, a, d: (m, c, d) == ("resnet20", "noise", "CPU"),
        ),
    ],
)
def test_an_exclude_matches_any_subset_of_axes_by_name_label_or_parameters(files, exclusion, left_out):
    everything = names(files.grid(**WIDE))
    kept = [name for name in everything if not left_out(*name.split("/"))]
    assert len(kept) < len(everything)
    assert names(files.grid(**WIDE, exclude=[exclusion])) == kept


def test_an_exclude_by_a_list_valued_parameter_matches_it(files):
    sizes = {"name": "noise", "size": [[8, 8], [9, 9]]}
    grid = files.grid(calibrations=[sizes], exclude=[{"calibration": {"name": "noise", "size": [9, 9]}}], baselines=[])
    assert names(grid) == ["resnet20/noise{size=[8, 8]}/default/CPU"]


INCLUDED = {"model": "resnet20", "calibration": "fractal", "algorithm": "default", "device": "CPU"}


@pytest.mark.parametrize(
    ("entry", "added"),
    [
        (INCLUDED, ["resnet20/fractal/default/CPU"]),
        (INCLUDED | {"calibration": "noise"}, []),
        (
            INCLUDED | {"calibration": {"name": "fractal", "seed": [1, 2]}},
            ["resnet20/fractal{seed=1}/default/CPU", "resnet20/fractal{seed=2}/default/CPU"],
        ),
        (INCLUDED | {"model": "vgg16_bn"}, ["vgg16_bn/fractal/default/CPU"]),
    ],
)
def test_an_include_only_adds_after_all_others(files, entry, added):
    assert names(files.grid(include=[entry])) == names(files.grid()) + added


def test_an_include_adds_even_what_an_exclude_drops(files):
    grid = files.grid(calibrations=["noise", "fractal"], exclude=[{"calibration": "fractal"}], include=[INCLUDED])
    assert names(grid) == [*names(files.grid()), "resnet20/fractal/default/CPU"]


def test_a_grid_of_includes_alone_is_not_empty(files):
    grid = files.grid(calibrations=[], baselines=[], include=[INCLUDED])
    assert names(grid) == ["resnet20/fractal/default/CPU"]


seeds = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)
exclusions = st.lists(
    st.dictionaries(
        st.sampled_from(["calibration", "algorithm", "device"]),
        st.integers(0, 9),
        min_size=1,
    ),
    max_size=3,
)
PARAMETER = {"calibration": ("noise", "seed"), "algorithm": ("default", "subset_size"), "device": ("CPU", "batch")}


def entry(axis, value):
    name, parameter = PARAMETER[axis]
    return {"name": name, parameter: value if isinstance(value, list) else value + (axis != "calibration")}


@given(calibrations=seeds, algorithms=seeds, devices=seeds, excluded=exclusions)
def test_expansion_gives_each_cell_once_leaves_out_exactly_the_excluded_and_keeps_order(
    shared_files, calibrations, algorithms, devices, excluded
):
    axes = {
        "calibrations": [entry("calibration", calibrations)],
        "algorithms": [entry("algorithm", [value + 1 for value in algorithms])],
        "devices": [entry("device", [value + 1 for value in devices])],
    }
    everything = expand(shared_files.grid(**axes))
    assert len({cell.name for cell in everything}) == len(everything)
    assert len(everything) == len(devices) * (2 + len(calibrations) * len(algorithms))

    there = {"calibration": calibrations, "algorithm": algorithms, "device": devices}
    said = [
        {axis: entry(axis, value) for axis, value in each.items()}
        for each in excluded
        if all(value in there[axis] for axis, value in each.items())  # another one is a fault
    ]
    assume(not any(set(each) == {"device"} for each in said))  # nor may every cell be excluded
    kept = expand(shared_files.grid(**axes, exclude=said))

    def dropped(cell):
        return any(
            all(
                (choice := getattr(cell, axis)) is not None
                and choice.name == wanted["name"]
                and getattr(choice.parameters, PARAMETER[axis][1]) == wanted[PARAMETER[axis][1]]
                for axis, wanted in each.items()
            )
            for each in said
        )

    assert [cell.name for cell in kept] == [cell.name for cell in everything if not dropped(cell)]
    assert [cell.name for cell in expand(load(shared_files.small(**axes, exclude=said), CATALOG))] == [
        cell.name for cell in kept
    ]


def test_a_pattern_without_parameters_matches_by_name_and_an_empty_exclusion_everything(files):
    cell = expand(files.grid())[-1]
    assert AXES == ("model", "calibration", "algorithm", "device")
    assert matches(cell, {"device": Pattern(name="CPU", parameters={})})
    assert not matches(cell, {"calibration": Pattern(name="-", parameters={})})
    assert matches(cell, {})


def test_the_set_named_like_the_dataset_is_the_reference(files):
    assert files.grid(calibrations=["noise", "digits"]).reference() == "digits"
    assert files.grid(calibrations=["noise"]).reference() is None


def test_a_grid_may_name_another_reference(files):
    assert files.grid(settings={"claims": {"reference": "noise"}}).reference() == "noise"


def test_an_included_set_may_be_the_reference(files):
    grid = files.grid(include=[INCLUDED], settings={"claims": {"reference": "fractal"}})
    assert grid.sources == ("noise", "fractal")
    assert grid.reference() == "fractal"
    assert len(expand(grid)) == 4
