"""From a grid to its plan: which cells are meant, and what is fetched before and after their keys are known."""

import hashlib
from contextlib import contextmanager
from dataclasses import replace

import pytest

from farm.campaign import resolve as resolving
from farm.campaign.listener import Listener
from farm.campaign.resolve import Inputs, chosen, fetched, names_in, planned, resolve
from farm.errors import InputError
from farm.grid.cell import expand
from farm.inputs import HashMemo, Input, SearchPath
from farm.plan import Plan
from farm.spec import InputSpec
from tests.conftest import plan_of, stage

CALIBRATIONS = ["noise", {"name": "noise", "count": 16}]
PYTORCH, IR = "resnet20/-/pytorch/CPU", "resnet20/-/ir/CPU"
NOISE, FEW = "resnet20/noise/default/CPU", "resnet20/noise{count=16}/default/CPU"
ALL = (PYTORCH, IR, NOISE, FEW)


@pytest.fixture
def cells(files):
    return expand(files.grid(calibrations=CALIBRATIONS))


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (None, ALL),
        ([], ALL),
        ([NOISE], [NOISE]),
        ([FEW], [FEW]),
        ([FEW, PYTORCH, FEW], [PYTORCH, FEW]),
        (["algorithm=default"], [NOISE, FEW]),
        (["calibration=noise{count=16}"], [FEW]),
        (["calibration=-"], [PYTORCH, IR]),
        (["algorithm=ir", "algorithm=pytorch"], [PYTORCH, IR]),
        (["algorithm=default", "calibration=noise{count=16}"], [FEW]),
        ([IR, "algorithm=default"], [IR, NOISE, FEW]),
        ([FEW, "algorithm=default", "calibration=noise{count=16}"], [FEW]),
    ],
)
def test_only_means_cells_by_axis_by_name_or_both_in_the_grids_order(cells, only, names):
    assert chosen(cells, only) == tuple(names)


@pytest.mark.parametrize(
    ("only", "text"),
    [
        (["modle=resnet20"], "--only modle=resnet20: write AXIS=NAME, did you mean 'model'?"),
        (["model"], "--only model: write AXIS=NAME"),
        (["model="], "--only model=: write AXIS=NAME"),
        (["resnet20/-/irr/CPU"], "--only resnet20/-/irr/CPU: "),
        (["resnet20/noise{count=17}/default/CPU"], "--only resnet20/noise{count=17}/default/CPU: "),
        (["model=resnet2O"], "--only model=resnet2O means no cell, did you mean 'resnet20'?"),
        (["algorithm=ir", "calibration=noise"], "--only: no cell is meant by all of them together"),
        ([IR, "model=resnet2O"], "--only model=resnet2O means no cell"),
    ],
)
def test_only_that_means_nothing_is_one_clear_error(cells, only, text):
    with pytest.raises(InputError) as caught:
        chosen(cells, only)
    assert str(caught.value).startswith(text)


def test_a_cell_that_is_misspelt_is_told_which_was_meant(cells):
    with pytest.raises(InputError, match=f"did you mean '{IR}'"):
        chosen(cells, ["resnet20/-/irr/CPU"])


CONTENT = b"released"
WHOLE = hashlib.sha256(CONTENT).hexdigest()
WEIGHTS = InputSpec(role="weights", parameter="weights")


@pytest.fixture
def inputs(tmp_path):
    """Inputs of a place of their own, and the names of the files that its listener hears of."""
    names = []

    @contextmanager
    def download(name):
        names.append(name)
        yield lambda received, total: None

    search = SearchPath(grid=tmp_path, data=(), cache=tmp_path / "cache")
    memo = HashMemo(tmp_path / "hashes.json")
    return Inputs(search=search, memo=memo, listener=Listener(download=download)), names


def located(inputs, url, sha256):
    return inputs.locate(WEIGHTS, {"weights": url, "sha256": sha256}, {"name": "net", "dataset": "digits"})


def test_only_a_file_whose_content_makes_a_key_is_fetched_when_it_is_located(server, inputs):
    finder, downloads = inputs
    server.files["/a.bin"] = CONTENT
    assert located(finder, f"{server.url}/a.bin", WHOLE[:8]).sha256 == WHOLE[:8], "nobody wants the net now"
    finder.wanted_now = frozenset({"net"})
    assert located(finder, f"{server.url}/a.bin", WHOLE).settled
    assert downloads == []
    found = located(finder, f"{server.url}/a.bin", WHOLE[:8])
    assert (found.sha256, found.url, found.missing) == (WHOLE, f"{server.url}/a.bin", "")
    assert located(finder, f"{server.url}/a.bin", WHOLE[:8]) == found
    assert downloads == ["a.bin"]


def one_stage(server, tmp_path, name, **changes):
    """A plan of one export whose weights are at the server's address, their content known."""
    found = Input(role="weights", path=str(tmp_path / "cache" / name), sha256=WHOLE, url=f"{server.url}/{name}")
    export = replace(stage("export", name), files={"weights": replace(found, **changes)})
    return Plan(grid="g", dataset="digits", stages={export.uri: export}, cells=()), export.uri


def test_what_a_stage_needs_is_fetched_once_and_the_plan_stays(server, inputs, tmp_path):
    finder, downloads = inputs
    server.files["/a.bin"] = CONTENT
    plan, uri = one_stage(server, tmp_path, "a.bin")
    assert fetched(plan, [], finder) is plan
    assert downloads == []
    assert fetched(plan, [uri], finder) is plan
    assert (tmp_path / "cache" / "a.bin").read_bytes() == CONTENT
    assert fetched(plan, [uri], finder) is plan
    assert downloads == ["a.bin"]


def test_an_address_that_failed_is_a_missing_input_and_is_not_asked_again(server, inputs, tmp_path):
    finder, _ = inputs
    finder.wanted_now = frozenset({"net"})
    plan, uri = one_stage(server, tmp_path, "a.bin")
    text = f"cannot download {server.url}/a.bin"
    assert text in located(finder, f"{server.url}/a.bin", WHOLE[:8]).missing
    assert text in fetched(plan, [uri], finder).stages[uri].missing
    assert plan.stages[uri].missing == ""
    assert server.asked == ["/a.bin"]


def test_what_is_missing_anyway_is_not_fetched(server, inputs, tmp_path):
    finder, downloads = inputs
    plan, uri = one_stage(server, tmp_path, "a.bin", missing="it may change behind its address")
    assert fetched(plan, [uri], finder) is plan
    assert downloads == server.asked == []


def test_all_files_of_a_stage_without_a_grid_are_here_or_it_is_refused(server, inputs):
    finder, _ = inputs
    server.files["/a.bin"] = CONTENT

    def located(name):
        return finder.locate(WEIGHTS, {"weights": f"{server.url}/{name}", "sha256": WHOLE}, {"name": "gan"})

    assert finder.here({"weights": located("a.bin"), "latents": None})["weights"].sha256 == WHOLE
    with pytest.raises(InputError, match="gan: cannot download"):
        finder.here({"weights": located("b.bin")}, "gan: ")


def test_a_grid_is_planned_once_and_only_what_the_chosen_cells_need_is_fetched_first(files, server, monkeypatch):
    server.files = {f"/{name}-{WHOLE[:8]}.bin": CONTENT for name in ("one", "two")}
    monkeypatch.setenv("FARM_CACHE", str(files.folder / "cache"))
    (files.folder / "nets.py").touch()
    nets = [
        {"factory": "nets:net", "name": name, "weights": f"{server.url}/{name}-{WHOLE[:8]}.bin"}
        for name in ("one", "two")
    ]
    grid = files.grid(models=nets, baselines=["ir"], calibrations=[])
    cells = chosen(expand(grid), ["model=one"])
    plan = resolve(grid, resolving.inputs_of(grid.path, wanted_now=names_in(grid, cells)))
    assert server.asked == [f"/one-{WHOLE[:8]}.bin"]
    contents = {cell.model: plan.stages[cell.stages["export"]].files["weights"] for cell in plan.cells}
    assert (contents["one"].sha256, contents["two"].sha256) == (WHOLE, WHOLE[:8])
    again = resolve(grid)
    assert again == plan
    assert len(server.asked) == 1


def test_cells_that_are_not_planned_stand_for_the_baseline_of_their_model(files):
    def quantized(*_):
        return {"size": [8, 8], "quantized": True}

    grid = files.grid(models=[{"path": "given.onnx"}], calibrations=["noise"], baselines=["ir"])
    plan = plan_of(grid, describe=quantized)
    assert planned(plan, grid, ["given/noise/default/CPU"]) == {"given/-/ir/CPU"}
    assert planned(plan, grid, [cell.name for cell in expand(grid)]) == {"given/-/ir/CPU"}
    plain = plan_of(grid, describe=lambda *_: {"size": [8, 8]})
    assert planned(plain, grid, ["given/noise/default/CPU"]) == {"given/noise/default/CPU"}
