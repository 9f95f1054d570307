"""What a stage's process is asked and answers comes through its files as it was."""

import pytest

from farm.axes import Device
from farm.engine.spawn.messages import Answer, Raised, Request, read_answer, read_request, write_answer, write_request
from farm.plan import Effort
from tests.conftest import evaluation


def test_a_request_is_read_with_the_parameters_of_its_kind(tmp_path):
    request = Request(
        function="m:f", kind="evaluate", parameters=evaluation(Device(threads=2, node="xeon")),
        effort=Effort(pairs=(4, 8)),
        inputs={"model": "/a"}, files={}, cpus=(0, 2), cores=1, memory_gib=4.0, gpus=0.5, python_path=("/code",),
    )  # fmt: skip
    assert read_request(write_request(tmp_path, request)) == request


@pytest.mark.parametrize("visible", [None, "", "0,1"])
def test_no_gpu_that_may_be_seen_is_not_all_of_them(tmp_path, visible):
    request = Request(
        function="m:f", kind="evaluate", parameters=evaluation(Device()), inputs={}, files={}, cpus=(0,), cores=1,
        memory_gib=1.0, visible=visible,
    )  # fmt: skip
    assert read_request(write_request(tmp_path, request)).visible == visible


@pytest.mark.parametrize(
    ("facts", "error"), [({"classes": 10}, None), (None, Raised(type="DataError", message="no", traceback="..."))]
)
def test_an_answer_is_facts_or_what_was_raised(tmp_path, facts, error):
    assert read_answer(tmp_path) is None
    write_answer(tmp_path, facts, error)
    assert read_answer(tmp_path) == Answer(facts=facts, error=error)
    assert [path.name for path in tmp_path.iterdir()] == ["answer.json"]
