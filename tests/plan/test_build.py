"""Keys and plans: what is shared, and which input changes which key."""

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.axes import Images, Preprocessing
from farm.catalog import CATALOG
from farm.catalog.datasets import RULE
from farm.grid.cell import expand
from farm.grid.load import load
from farm.inputs import Input
from farm.plan import dependents, recipe
from farm.plan.build import build
from farm.plan.parameters import Synthesize
from farm.plan.stage import in_order, numbered
from tests.conftest import OFFLINE, Located, plan_of, version_one


def stages_of(plan, kind):
    return [stage for stage in plan.stages.values() if stage.kind == kind]


def test_this_key_never_changes():
    incomplete = recipe(
        "quantize",
        1,
        {"algorithm": "default", "parameters": {"subset_size": 300, "preset": None}, "scale": 1 / 255},
        {"weights": Input(role="weights", sha256="22")},
        {"nncf": "3.2.0", "openvino": "2026.2.1"},
    )
    stage = incomplete.completed("any label", {"model": "export/00", "calibration": "synthesize/11"})
    assert stage.key == "0e88fa68d8bb640323e097741623c288a80d322f2e59b22a1c67bfb6139bfdeb"


def test_this_stages_key_never_changes(files):
    plan = plan_of(files.grid(calibrations=[{"name": "noise", "seed": 1}]))
    [synthesis] = stages_of(plan, "synthesize")
    images = Images(name="noise", options={"seed": 1, "size": (32, 32)})
    assert synthesis.parameters == Synthesize(images=images, start=0, stop=1000)
    assert synthesis.key == "21c8e1fcd57ae51099c7604f09cd02faeffe757f1fa7fdde4d1d33fcd249e2d8"
    assert synthesis.uri == f"synthesize/{synthesis.key}"


def test_the_order_of_a_mapping_is_no_part_of_a_key():
    one = recipe("export", 1, {"a": 1, "b": 2}, {}, {"n": "1", "m": "2"}).completed("", {"x": "1", "y": "2"})
    other = recipe("export", 1, {"b": 2, "a": 1}, {}, {"m": "2", "n": "1"}).completed("", {"y": "2", "x": "1"})
    assert one.key == other.key


def test_a_key_never_holds_what_is_no_number():
    with pytest.raises(ValueError, match="JSON"):
        recipe("export", 1, {"scale": float("nan")}, {}, {})


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that one cell of a user's own model depends on, and some things that it does not."""

    function: str
    factory: str
    weights: str
    dataset: str
    dataset_count: int | None
    source: str
    source_count: int
    seed: int
    skip: int
    subset_size: int
    preset: str | None
    threads: int | None
    hint: str
    precision: str
    batch: int
    node: str | None
    pairs: tuple[int, int]
    min_seconds: float
    target: float
    preprocess: bool
    per_node: int
    mean: tuple[float, float, float] | None
    scale: float | None
    size: tuple[int, int] | None
    known_std: tuple[float, float, float]
    described_layout: str
    metric: str
    openvino: str
    torch: str
    nncf: str
    numpy: str
    pillow: str
    export_version: int
    measure_version: int
    grid_name: str
    timeout_s: float
    memory_gib: float
    cores: int
    folder: str
    weights_path: str
    dataset_path: str


texts, counts, versions = st.text("abcdef", min_size=1, max_size=4), st.integers(1, 99), st.sampled_from(["1.0", "1.1"])
triples = st.tuples(*[st.floats(0.125, 1.0)] * 3)
worlds = st.builds(
    World,
    function=texts, factory=texts, weights=texts, dataset=texts, dataset_count=st.none() | counts,
    source=texts, source_count=counts, seed=counts, skip=counts, subset_size=counts,
    preset=st.sampled_from([None, "mixed", "performance"]),
    threads=st.none() | counts, hint=st.sampled_from(["latency", "throughput"]),
    precision=st.sampled_from(["f32", "f16", "bf16"]), batch=counts, node=st.none() | texts,
    pairs=st.tuples(counts, st.integers(99, 999)), min_seconds=st.floats(0.5, 9.0), target=st.floats(0.001, 1.0),
    preprocess=st.booleans(), per_node=st.integers(1, 64),
    mean=st.none() | triples, scale=st.none() | st.floats(0.125, 1.0), size=st.none() | st.tuples(counts, counts),
    known_std=triples, described_layout=st.sampled_from(["NCHW", "NHWC"]), metric=st.sampled_from(["top1", "top5"]),
    openvino=versions, torch=versions, nncf=versions, numpy=versions, pillow=versions,
    export_version=counts, measure_version=counts, grid_name=texts, timeout_s=st.floats(1.0, 9.0),
    memory_gib=st.floats(1.0, 9.0), cores=counts, folder=texts, weights_path=texts, dataset_path=texts,
)  # fmt: skip


def keys_of(files, world):
    """role -> key, of the int8 cell and of the PyTorch baseline of a world."""
    given_ = {"mean": world.mean, "scale": world.scale, "size": world.size}
    model = {
        "name": "mine",
        "factory": f"nets:{world.function}",
        "weights": world.weights_path,
        **{
            key: list(value) if isinstance(value, tuple) else value
            for key, value in given_.items()
            if value is not None
        },
    }
    grid = files.grid(
        name=world.grid_name,
        models=[model],
        dataset={"name": "parquet", "path": world.dataset_path, "count": world.dataset_count},
        calibrations=[
            {"name": "folder", "path": "photos", "count": world.source_count, "seed": world.seed, "skip": world.skip}
        ],
        metric=world.metric,
        algorithms=[{"name": "default", "subset_size": world.subset_size, "preset": world.preset}],
        devices=[
            {key: getattr(world, key) for key in ("threads", "hint", "precision", "batch", "node")} | {"name": "CPU"}
        ],
        baselines=["pytorch"],
        settings={
            "measure": {
                "pairs": list(world.pairs),
                **{name: getattr(world, name) for name in ("min_seconds", "target", "preprocess", "per_node")},
            },
            "timeout_s": {"quantize": world.timeout_s},
            "memory_gib": {"quantize": world.memory_gib},
            "cores": {"quantize": world.cores},
        },
    )
    bumped = {"export": world.export_version, "measure": world.measure_version}
    catalog = replace(
        CATALOG,
        stages={kind: replace(spec, version=bumped.get(kind, spec.version)) for kind, spec in CATALOG.stages.items()},
        preprocessing={"parquet": Preprocessing(size=(32, 32), std=world.known_std)},
    )
    contents = {
        "folder": {"images": world.source},
        "parquet": {"images": world.dataset},
        "mine": {"weights": world.weights, "factory": world.factory},
    }

    def locate(wanted, parameters, names):
        return Located(contents=contents[names["name"]], folder=world.folder)(wanted, parameters, names)

    def describe(*_):
        return {"layout": world.described_layout}

    plan = build(grid, expand(grid), catalog, locate, lambda library: getattr(world, library), describe)
    baseline, cell = plan.cells
    assert baseline.calibration is None
    keys = {f"pytorch {role}": uri.partition("/")[2] for role, uri in baseline.stages.items()}
    return keys | {role: uri.partition("/")[2] for role, uri in cell.stages.items()}


INT8 = {"quantize", "evaluate", "measure"}
BASELINE = {"pytorch evaluate", "pytorch measure"}
EXPORT = {"export", "fp32", "pytorch export", "pytorch fp32"}
FP32_EVALUATION = {"fp32", "pytorch fp32"}
BOTH = {"measure", "pytorch measure"}
EVALUATIONS = FP32_EVALUATION | {"evaluate", "pytorch evaluate"}

CHANGED_BY = {
    "function": EXPORT | INT8 | BASELINE,
    "factory": EXPORT | INT8 | BASELINE,
    "weights": EXPORT | INT8 | BASELINE,
    "dataset": EVALUATIONS | BOTH,
    "dataset_count": EVALUATIONS | BOTH,
    "source": {"calibration"} | INT8,
    "source_count": {"calibration"} | INT8,
    "seed": {"calibration"} | INT8,
    "skip": {"calibration"} | INT8,
    "subset_size": INT8,
    "preset": INT8,
    "threads": BOTH,
    "hint": BOTH,
    "batch": BOTH,
    "node": EVALUATIONS | BOTH,
    "precision": {"evaluate"} | BOTH,  # PyTorch itself always runs in f32
    "pairs": set(),  # the effort to be sure of a speed is not the speed
    "min_seconds": BOTH,
    "target": set(),
    "preprocess": BOTH,
    "per_node": BOTH,
    "mean": INT8 | BASELINE | FP32_EVALUATION,
    "scale": INT8 | BASELINE | FP32_EVALUATION,
    "known_std": INT8 | BASELINE | FP32_EVALUATION,
    "described_layout": EXPORT | INT8 | BASELINE,
    "metric": EVALUATIONS,  # nncf.quantize knows none
    "size": EXPORT | INT8 | BASELINE,  # photos keep a size of their own
    "openvino": EXPORT | INT8 | {"pytorch measure"},  # PyTorch's speed is paired with the IR's
    "torch": EXPORT | INT8 | BASELINE,
    "nncf": INT8,
    "numpy": {"calibration"} | INT8,
    "pillow": {"calibration"} | INT8 | EVALUATIONS,
    "export_version": EXPORT | INT8 | {"pytorch measure"},
    "measure_version": BOTH,
    "grid_name": set(),
    "timeout_s": set(),
    "memory_gib": set(),
    "cores": set(),
    "folder": set(),
    "weights_path": set(),
    "dataset_path": set(),
}


def test_every_input_of_the_world_has_its_line_in_the_table():
    assert set(CHANGED_BY) == set(World.__dataclass_fields__)


def test_a_changed_input_changes_exactly_the_keys_downstream(shared_files):
    changed = set()

    @settings(max_examples=8)  # each plans a grid, and one more for each input in which another world differs
    @given(world=worlds, others=st.tuples(*[worlds] * 4))
    def check(world, others):
        before = keys_of(shared_files, world)
        for what, downstream in CHANGED_BY.items():
            now = getattr(world, what)
            same = {now, None, (32, 32)} if what == "size" else {now}  # none of its own means 32x32
            for value in [value for other in others if (value := getattr(other, what)) not in same][:1]:
                after = keys_of(shared_files, replace(world, **{what: value}))
                assert {role for role in before if before[role] != after[role]} == downstream, what
                changed.add(what)

    check()
    assert changed == set(CHANGED_BY), "each was"


def test_the_rule_of_a_count_is_in_the_keys_of_those_datasets_alone_that_have_one(files):
    for count, rule in (({}, None), ({"count": 10}, RULE)):
        plan = plan_of(files.grid(dataset={"name": "digits", **count}))
        judged = [*stages_of(plan, "evaluate"), *stages_of(plan, "measure")]
        assert {stage.parameters.dataset.rule for stage in judged} == {rule}


def test_an_image_source_that_computes_at_the_models_size_depends_on_it(files):
    def synthesis(*sizes, **source):
        models = [{"factory": f"nets:net{index}", "size": list(size)} for index, size in enumerate(sizes)]
        return stages_of(plan_of(files.grid(models=models, calibrations=[{"name": "noise", **source}])), "synthesize")

    assert [stage.parameters.images.options["size"] for stage in synthesis((8, 8), (16, 16))] == [(8, 8), (16, 16)]
    assert [stage.parameters.images.options["size"] for stage in synthesis((8, 8), (8, 8))] == [(8, 8)]
    assert [stage.parameters.images.options["size"] for stage in synthesis((8, 8), (16, 16), size=[4, 4])] == [(4, 4)]


def test_two_cells_share_one_fp32_export_and_one_reference(files):
    plan = plan_of(files.grid(calibrations=["noise", "fractal"]))
    assert Counter(stage.kind for stage in plan.stages.values()) == {
        "synthesize": 2, "export": 1, "quantize": 2, "evaluate": 4, "measure": 4
    }  # fmt: skip
    assert len({cell.stages["export"] for cell in plan.cells}) == 1
    assert len({cell.stages["fp32"] for cell in plan.cells}) == 1


def test_one_quantization_serves_all_devices_and_one_evaluation_all_of_one_precision(files):
    devices = [
        "CPU",
        {"name": "CPU", "threads": 1},
        {"name": "CPU", "batch": 8},
        {"name": "CPU", "precision": "bf16"},
        "GPU.0",
    ]
    plan = plan_of(files.grid(devices=devices, baselines=[]))
    assert len(stages_of(plan, "quantize")) == 1
    assert len(stages_of(plan, "measure")) == 5
    assert len({cell.stages["evaluate"] for cell in plan.cells}) == 3  # CPU f32, CPU bf16, GPU.0
    assert len({cell.stages["fp32"] for cell in plan.cells}) == 2  # CPU, GPU.0: always f32


def test_cells_need_all_their_stages_and_share_what_they_have_in_common(files):
    plan = plan_of(files.grid())
    _, ir, int8 = plan.cells
    assert plan.needed_by([int8.name]) == set(int8.stages.values())
    both = plan.needed_by([ir.name, int8.name])
    assert both == {*ir.stages.values(), *int8.stages.values()}
    assert len(both) < len(ir.stages) + len(int8.stages)
    assert plan.needed_by([]) == set()


def test_the_fp32_ir_is_its_own_reference_and_measured_beside_itself(files):
    pytorch, ir, int8 = plan_of(files.grid()).cells
    assert ir.stages["evaluate"] == ir.stages["fp32"] == int8.stages["fp32"]
    measured = [plan_of(files.grid()).stages[cell.stages["measure"]].inputs for cell in (pytorch, ir, int8)]
    assert [sorted(inputs) for inputs in measured] == [["ir"], ["ir"], ["ir", "model"]]
    assert len({pytorch.stages["measure"], ir.stages["measure"], int8.stages["measure"]}) == 3


def test_inputs_come_before_what_needs_them(files):
    plan = plan_of(files.grid(models=["resnet20", "vgg16_bn"], calibrations=["noise", "fractal"]))
    seen = set()
    for uri, stage in plan.stages.items():
        assert set(stage.inputs.values()) <= seen
        seen.add(uri)


def test_dependents_are_all_that_need_a_stage_directly_or_not(files):
    plan = plan_of(files.grid(calibrations=["noise", "fractal"]))
    noise = next(cell for cell in plan.cells if "noise" in cell.name)
    found = dependents(plan, {noise.stages["calibration"]})
    assert found == {noise.stages[role] for role in ("calibration", "quantize", "evaluate", "measure")}
    assert dependents(plan, {noise.stages["measure"]}) == {noise.stages["measure"]}
    assert dependents(plan, set()) == set()


def test_a_missing_file_is_told_by_the_stages_that_need_it_and_no_others(files):
    plan = plan_of(files.grid(), Located(missing=("weights",)))
    assert {stage.kind for stage in plan.stages.values() if not stage.missing} == {
        "synthesize",
        "quantize",
        "evaluate",
        "measure",
    }
    [export] = stages_of(plan, "export")
    assert export.missing == "no weights: looked for /data/resnet20.weights"


def test_a_file_that_turns_up_makes_another_key(files):
    [missing] = stages_of(plan_of(files.grid(), Located(missing=("weights",))), "export")
    [there] = stages_of(plan_of(files.grid()), "export")
    assert missing.key != there.key


def test_an_optional_file_that_is_not_asked_for_is_none(files):
    [export] = stages_of(plan_of(files.grid(models=[{"factory": "nets:tiny"}])), "export")
    assert set(export.files) == {"factory"}


def sharded(files, *counts, step=512, **source):
    """The plan of a cell a count, and the ranges of its sets' shards."""
    calibrations = [{"name": "noise", "count": count, **source} for count in counts]
    plan = plan_of(files.grid(calibrations=calibrations, settings={"shard_images": step}, baselines=[]))
    return plan, [(stage.parameters.start, stage.parameters.stop) for stage in stages_of(plan, "synthesize")]


@pytest.mark.parametrize(
    ("count", "ranges"),
    [
        (1, [(0, 1)]),
        (512, [(0, 512)]),
        (513, [(0, 512), (512, 513)]),
        (1500, [(0, 512), (512, 1024), (1024, 1500)]),
    ],
)
def test_a_large_set_is_a_stage_a_shard(files, count, ranges):
    plan, found = sharded(files, count)
    assert found == ranges
    assert all("count" not in stage.parameters.images.options for stage in stages_of(plan, "synthesize"))


@given(count=st.integers(1, 10_000), step=st.integers(1, 20))
def test_shards_make_up_the_set_and_start_at_multiples_of_their_length(shared_files, count, step):
    _, ranges = sharded(shared_files, count, step=256 * step)
    assert [index for start, stop in ranges for index in range(start, stop)] == list(range(count))
    assert all(start % (256 * step) == 0 for start, _ in ranges)


def test_sets_share_the_shards_that_they_have_in_common(files):
    _, ranges = sharded(files, 1200, 2000)
    assert ranges == [(0, 512), (512, 1024), (1024, 1200), (1024, 1536), (1536, 2000)]
    assert len(sharded(files, 1200, 2000, seed=1)[1]) == 5
    both = [{"name": "noise", "count": 1200, "seed": seed} for seed in (0, 1)]
    plan = plan_of(files.grid(calibrations=both, settings={"shard_images": 512}))
    assert len(stages_of(plan, "synthesize")) == 6, "another seed is another set"


def test_a_quantization_and_its_cell_have_a_role_for_each_shard(files):
    plan, _ = sharded(files, 1200)
    [quantize], [cell] = stages_of(plan, "quantize"), plan.cells
    shards = [stage.uri for stage in stages_of(plan, "synthesize")]
    roles = ["calibration", "calibration.1", "calibration.2"]
    assert [quantize.inputs[role] for role in roles] == shards
    assert [cell.stages[role] for role in roles] == shards
    assert set(quantize.inputs) == {*roles, "model"}


def test_validation_images_come_in_shards_too(files):
    grid = files.grid(
        calibrations=["noise"],
        algorithms=[{"name": "accuracy-aware", "validate_on": "train", "validate_count": 600}],
        settings={"shard_images": 512},
        baselines=[],
    )
    [quantize] = stages_of(plan_of(grid), "quantize")
    assert set(quantize.inputs) == {"model", "calibration", "calibration.1", "validation", "validation.1"}


def test_shards_are_told_apart_by_their_labels_only_where_there_are_several(files):
    label = "noise{count=1200}"
    found = [stage.label for stage in stages_of(sharded(files, 1200)[0], "synthesize")]
    assert found == [f"{label} images 0 to 511", f"{label} images 512 to 1023", f"{label} images 1024 to 1199"]
    assert [stage.label for stage in stages_of(sharded(files, 200)[0], "synthesize")] == ["noise{count=200}"]


def test_the_length_of_shards_changes_no_key_of_a_set_that_is_one(files):
    one, other = (stages_of(sharded(files, 500, step=step)[0], "synthesize") for step in (512, 8192))
    assert [stage.key for stage in one] == [stage.key for stage in other]


@given(count=st.integers(0, 30))
def test_the_shards_of_a_role_come_back_in_their_order(count):
    uris = [f"synthesize/{index}" for index in range(count)]
    shuffled = dict(sorted({**numbered("calibration", uris), "model": "export/0", "calibrations": "x"}.items()))
    assert in_order("calibration", shuffled) == uris


def test_stages_whose_source_computes_are_marked_and_the_mark_is_in_no_key(files):
    def planned(*, equipped):
        sources = {name: replace(spec, equipped=equipped) for name, spec in CATALOG.sources.items()}
        catalog = replace(OFFLINE, sources=sources)
        grid = load(files.small(), catalog)
        return build(grid, expand(grid), catalog, Located(), version_one).stages

    marked, plain = planned(equipped=True), planned(equipped=False)
    assert {stage.kind for stage in marked.values() if stage.equipped} == {"synthesize"}
    assert not any(stage.equipped for stage in plain.values())
    assert list(marked) == list(plain)


@pytest.mark.slow
def test_twenty_thousand_cells_expand_and_plan(files):
    grid = files.grid(
        models=["resnet20", "vgg16_bn"],
        calibrations=[{"name": "fractal", "seed": list(range(50))}, {"name": "noise", "seed": list(range(50))}],
        algorithms=[{"name": "default", "subset_size": list(range(1, 51))}],
        devices=["CPU", "GPU"],
        baselines=[],
    )
    cells = expand(grid)
    plan = build(grid, cells, CATALOG, Located(), version_one)
    assert len({cell.name for cell in cells}) == len(plan.cells) == 20_000
    assert Counter(stage.kind for stage in plan.stages.values()) == {
        "synthesize": 100, "export": 2, "quantize": 10_000, "evaluate": 20_004, "measure": 20_000
    }  # fmt: skip


def quantized(name, parameters, file):
    """A description in which one model is quantized as it comes."""
    return {"size": [8, 8], "quantized": True} if name == "given" else {"size": [8, 8]}


def test_a_model_that_is_quantized_as_it_comes_has_its_baseline_alone(files):
    models = [{"path": "given.onnx"}, {"path": "plain.onnx"}]
    grid = files.grid(models=models, calibrations=["noise", "fractal"], baselines=["pytorch", "ir"])
    plan = plan_of(grid, describe=quantized)
    assert [cell.name for cell in plan.cells if cell.model == "given"] == ["given/-/ir/CPU"]
    assert len([cell for cell in plan.cells if cell.model == "plain"]) == 3
    given = plan.cell("given/-/ir/CPU")
    assert given.calibration is None
    assert given.stages["fp32"] == given.stages["evaluate"]
    assert not [stage for stage in stages_of(plan, "quantize") if stage.label.startswith("given")]


def test_it_has_its_baseline_even_where_the_grid_asks_for_none(files):
    grid = files.grid(models=[{"path": "given.onnx"}], calibrations=["noise"], baselines=[])
    assert [cell.name for cell in plan_of(grid, describe=quantized).cells] == ["given/-/ir/CPU"]
