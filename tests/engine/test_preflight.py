"""Which devices a piece of work asks for, and whether any node has the cores that it needs."""

from dataclasses import replace

import pytest

from farm.axes import Device, Model
from farm.engine import preflight
from farm.engine.preflight import Asked, Node, _devices, check, survey, unfit
from farm.errors import EngineError
from farm.host.topology import Core
from farm.host.versions import versions
from farm.inputs import HashMemo, Input
from farm.plan.parameters import Export
from tests.conftest import evaluation


@pytest.mark.parametrize(
    ("device", "parts"),
    [
        ("CPU", ("CPU",)),
        ("GPU.0", ("GPU.0",)),
        ("AUTO", ("AUTO",)),
        ("AUTO:GPU,CPU", ("AUTO", "GPU", "CPU")),
        ("MULTI:GPU(2),CPU(4)", ("MULTI", "GPU", "CPU")),
        ("AUTO:-NPU", ("AUTO",)),
        ("AUTO:-NPU,GPU", ("AUTO", "GPU")),
    ],
)
def test_a_device_is_asked_for_by_its_parts_without_weights_and_what_is_left_out(maker, device, parts):
    assert _devices(maker.work("fine", stage=evaluation(Device(name=device)))) == parts


REMEDY = "bring the same to every node, or --ship it"


def test_a_stage_that_runs_no_model_asks_for_no_device(maker):
    work = maker.work("fine")
    export = Export(model=Model(name="resnet20"), size=(32, 32), layout="NCHW", input="f32")
    assert _devices(replace(work, stage=replace(work.stage, parameters=export))) == ()


HYBRID = Node(name="hybrid", cores=8, measured=(4,))
SMALL = Node(name="small", cores=2, measured=(2,))


@pytest.mark.parametrize(
    ("cores", "exclusive", "per_node", "fault"),
    [
        (8, False, 1, None),
        (9, False, 1, "9 cores asked for, the largest node lends 8"),
        (4, True, 1, None),
        (5, True, 1, "5 threads asked for, the largest node lends 4"),
        (None, True, 1, None),
        (2, True, 2, None),
        (1, True, 4, None),
        (3, True, 2, "3 threads asked for by each of 2, the largest node lends 4"),
        (2, True, 3, "2 threads asked for by each of 3, the largest node lends 4"),
        (None, True, 4, None),
        (None, True, 5, "1 threads asked for by each of 5, the largest node lends 4"),
    ],
)
def test_more_cores_than_the_largest_node_lends_are_refused(maker, cores, exclusive, per_node, fault):
    kind = "measure" if exclusive else "quantize"
    work = maker.work("fine", kind=kind, cores=cores, exclusive=exclusive, per_node=per_node)
    if fault is None:
        check([work], [SMALL, HYBRID])
        return
    with pytest.raises(EngineError) as caught:
        check([work], [SMALL, HYBRID])
    assert str(caught.value) == f"this grid can never run here:\n  - {kind} {work.stage.label}: {fault}"


def test_only_the_nodes_of_its_label_count_for_a_piece_of_work(maker):
    small = Node(name="small", cores=2, measured=(2,), labels=frozenset({"xeon"}))
    with pytest.raises(EngineError, match="3 threads asked for, the largest node lends 2"):
        check([maker.work("fine", kind="measure", exclusive=True, cores=3, node="xeon")], [small, HYBRID])


def test_a_host_of_two_kinds_of_cores_lends_the_faster_ones_to_measurements(monkeypatch):
    cores = tuple(Core(efficient=number >= 2, node=0, cpus=(number,)) for number in range(5))
    monkeypatch.setattr(preflight, "host_cores", lambda: cores)
    found = survey(frozenset({"xeon"}), ask_devices=False)
    assert (found.cores, found.measured, found.labels) == (5, (2,), {"xeon"})
    monkeypatch.setattr(preflight, "host_cores", lambda: cores[2:])
    assert survey(frozenset(), ask_devices=False).measured == (3,), "where there are no others, those"


def test_of_measurements_that_share_a_node_each_lies_on_one_numa_node(maker):
    two = Node(name="two sockets", cores=6, measured=(3, 3))
    for cores, per_node in ((3, 2), (1, 6), (6, 1)):
        check([maker.work("fine", kind="measure", cores=cores, exclusive=True, per_node=per_node)], [two])
    with pytest.raises(EngineError, match="2 threads asked for by each of 3, the largest node lends 6"):
        check([maker.work("fine", kind="measure", cores=2, exclusive=True, per_node=3)], [two])


def test_what_needs_a_gpu_is_checked_against_nodes_with_one_and_all_else_against_the_others(maker):
    gpu = Node(name="gpu", cores=4, measured=(4,), gpus=1, bench=False)
    made = maker.work("fine", cores=4, gpus=0.5)
    check([made, maker.work("fine", kind="export", cores=2)], [SMALL, gpu])
    with pytest.raises(EngineError, match="3 cores asked for, the largest node lends 2"):
        check([maker.work("fine", kind="export", cores=3)], [SMALL, gpu])
    with pytest.raises(EngineError, match="5 cores asked for, the largest node lends 4"):
        check([maker.work("fine", cores=5, gpus=1)], [SMALL, gpu])


def test_a_gpu_that_no_node_offers_is_refused_once_for_all_its_stages(maker):
    with pytest.raises(EngineError) as caught:
        check([maker.work("fine", gpus=0.5) for _ in range(3)], [SMALL, HYBRID])
    assert str(caught.value) == (
        "this grid can never run here:\n  - settings.gpus.synthesize asks for 0.5 of a GPU, and there is none: "
        "leave it out, or set it to 0 for CPUs"
    )


def test_a_gpu_node_must_see_the_store_too(maker):
    works = [maker.work("fine", gpus=1)]
    asked = Asked.by(works, "probe")
    here = versions(asked.versions)
    blind = Node(name="gpu", cores=4, measured=(4,), gpus=1, bench=False, sees_store=False, versions=here)
    [fault] = unfit([replace(SMALL, versions=here), blind], asked)
    assert fault == f"gpu: {maker.store.url} is not seen there: name a place that all nodes share with --results"


def test_what_is_wrong_with_several_nodes_is_said_once_with_their_names(maker):
    works = [maker.work("fine"), maker.work("fine")]
    asked = Asked.by(works, "probe")
    module = works[0].stage.files["factory"].beside[0]
    nodes = [
        replace(SMALL, name=f"n{number}", versions=asked.versions, astray={module: "another"}) for number in range(7)
    ]
    older = replace(SMALL, name="old", versions={**asked.versions, "farm": "0.0.1"})
    assert list(unfit([*nodes, older], asked)) == [
        f"n0, n1, n2, n3, n4 and 2 more: {module} is another there than here: {REMEDY}",
        f"old: other versions than here (farm 0.0.1, not {asked.versions['farm']}): install the same there",
    ]


def test_a_node_tells_which_inputs_are_not_what_they_were_and_its_versions(maker, tmp_path, monkeypatch):
    monkeypatch.setenv("FARM_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "net.onnx"
    model.write_bytes(b"weights")
    file = Input(role="model", path=str(model), sha256=HashMemo(None).content(model))
    work = maker.work("fine")
    work = replace(work, stage=replace(work.stage, files={**work.stage.files, "model": file}, libraries={"nncf": "1"}))
    with maker.store.files.probe() as probe:
        asked = Asked.by([work], probe)
        assert survey(frozenset(), ask_devices=False, asked=asked).astray == {}
        model.write_bytes(b"others")
        found = survey(frozenset(), ask_devices=False, asked=asked)
        assert found.sees_store
        assert found.astray == {str(model): "another"}
        assert found.versions == versions(["farm", "python", "nncf"])
        model.unlink()
        assert survey(frozenset(), ask_devices=False, asked=asked).astray == {str(model): "absent"}
    assert not survey(frozenset(), ask_devices=False, asked=asked).sees_store
    [absent, unlike] = unfit([replace(found, astray={str(model): "absent"})], asked)
    assert f"{model} is not there, or cannot be read" in absent
    assert f"nncf {found.versions['nncf']}, not 1" in unlike


def test_this_host_is_what_the_run_was_planned_on_and_is_asked_nothing(maker):
    check([maker.work("fine")], [survey(frozenset(), ask_devices=False)])
