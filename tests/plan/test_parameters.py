"""Parameters of stages: from JSON and back, and what of them an engine must know."""

import json
from dataclasses import replace

import pytest

from farm.axes import Device, Model, Preprocessing
from farm.codec import encode
from farm.plan.parameters import KINDS, Evaluate, Export, Measure, device_of, parameters_from
from farm.plan.stage import digest
from tests.conftest import plan_of


@pytest.fixture
def stages(files):
    """A stage of each kind that a grid has."""
    return {stage.kind: stage for stage in plan_of(files.grid()).stages.values()}


def test_each_kind_of_stage_has_parameters_of_its_own_and_they_survive_json(stages):
    assert set(stages) == set(KINDS) - {"train", "files"}
    for kind, stage in stages.items():
        assert isinstance(stage.parameters, KINDS[kind])
        assert stage.parameters_as(KINDS[kind]) is stage.parameters
        again = parameters_from(kind, json.loads(encode(stage.parameters)))
        assert digest(again) == digest(stage.parameters)


def test_parameters_of_another_kind_are_refused(stages):
    with pytest.raises(TypeError, match="a stage export has no parameters of Measure"):
        stages["export"].parameters_as(Measure)


def test_the_device_is_that_of_a_stage_which_runs_a_model(stages):
    assert {kind for kind, stage in stages.items() if device_of(stage.parameters)} == {"evaluate", "measure"}
    assert device_of(stages["measure"].parameters) == Device()


def test_a_parameter_that_is_not_given_is_no_part_of_a_key(stages):
    evaluate = stages["evaluate"].parameters_as(Evaluate)
    assert '"node"' not in encode(evaluate)
    assert digest(replace(evaluate, device=replace(evaluate.device, node="xeon"))) != digest(evaluate)


def test_an_export_tells_its_models_input():
    export = Export(model=Model(name="a"), size=(4, 5), layout="NHWC", input="u8", mode="grey")
    assert export.interface == Preprocessing(size=(4, 5), layout="NHWC", input="u8", mode="grey")
