"""A grid file's faults: all of them at once, each with its line, its path and what was meant."""

import pickle
from pathlib import Path
from textwrap import dedent

import pytest

from farm.catalog import CATALOG
from farm.catalog.algorithms import Default
from farm.catalog.models import NETWORKS, File
from farm.errors import GridError, InputError
from farm.grid.load import KEYS, load
from farm.spec import KERAS, TENSORFLOW, TORCH

JOBS = Path(__file__).parents[2] / "jobs"
PAIRS = "must be a number of pairs, or the least and the most: [6, 24]"
SMALL = "dataset: digits\nmodels: [resnet20]\ncalibrations: [noise]\n"


def faults(path):
    """What a grid file is told, without its own name in front."""
    with pytest.raises(GridError) as caught:
        load(path, CATALOG)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


MANY_FAULTS = """\
name: a/b
dataset: digit
modles: []
models:
  - resnet2O
  - {name: vgg16_bn, wieghts: w.pt}
calibrations:
  - noise
  - {name: noise, seed: -1, count: many}
  - noise
algorithms: default
devices:
  - {threads: 2}
  - {name: CPU, precision: f64}
baselines: [irr]
exclude:
  - {model: resnet20, devise: CPU}
  - resnet20
include:
  - {model: resnet20, calibration: fractle}
settings:
  measure: {pears: 8}
  timeout_s: {mesure: 5}
"""

MANY_FAULTS_SAID = """\
1: name: 'a/b' names a folder under results/: use letters, digits, '.', '_' and '-'
2: dataset: unknown dataset 'digit', did you mean 'digits'?
3: modles: unknown key, did you mean 'models'?
5: models[0]: unknown model 'resnet2O', did you mean 'resnet20'?
6: models[1].wieghts: unknown parameter, did you mean 'weights'?
9: calibrations[1].count: input should be a valid integer, not 'many'
9: calibrations[1].seed: input should be greater than or equal to 0, not -1
10: calibrations[2]: 'noise' stands twice, first as calibrations[0]
11: algorithms: must be a list, such as [default]
13: devices[0]: needs `name:`, the device's name
14: devices[1].precision: input should be 'f32', 'f16' or 'bf16', not 'f64'
15: baselines[0]: unknown baseline 'irr', did you mean 'ir'?
17: exclude[0].devise: unknown axis, did you mean 'device'?
17: exclude[0].model: 'resnet20' is not on this axis
18: exclude[1]: must be a mapping such as {model: resnet20, algorithm: default}
20: include[0]: an include names all four axes; algorithm, device is missing
22: settings.measure.pears: unknown parameter, did you mean 'pairs'?
23: settings.timeout_s.mesure: no stage of this kind, did you mean 'measure'?
"""


def test_one_error_lists_every_fault_of_a_file_with_its_line_and_path_in_order(files):
    assert faults(files.write(MANY_FAULTS)) == MANY_FAULTS_SAID.splitlines()


def test_the_error_keeps_its_faults_between_processes(files):
    with pytest.raises(GridError) as caught:
        load(files.write(MANY_FAULTS), CATALOG)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.faults == caught.value.faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [resnet20]",
         ["1: dataset: missing: the labelled images that accuracy is computed on, such as `digits`"]),
        ("dataset: digits", ["1: models: missing"]),
        ("dataset: digits\nmodels:", ["2: models: empty"]),
        ("dataset: digits\nmodels: []", ["2: models: the grid is empty: it names no model"]),
        (
            "dataset: digits\nmodels: [resnet20]\nbaselines: []",
            ["1: calibrations: the grid is empty: no calibration set and no baseline"],
        ),
        (f"{SMALL}devices: []", ["4: devices: the grid is empty: this axis has no entry"]),
        (
            f"{SMALL}baselines: []\nalgorithms: []",
            ["5: algorithms: the grid is empty: this axis has no entry"],
        ),
        ("", ["1: grid: the file is empty"]),
        ("# only a comment", ["1: grid: the file is empty"]),
        ("- resnet20", ["1: grid: a grid is a mapping with `dataset:` and `models:`"]),
        ("resnet20", ["1: grid: a grid is a mapping with `dataset:` and `models:`"]),
    ],
)  # fmt: skip
def test_what_is_missing_or_empty_is_named(files, text, said):
    assert faults(files.write(text)) == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nmae: x", "4: nmae: unknown key, did you mean 'name'?"),
        ("7: x", f"4: 7: unknown key; there are {', '.join(KEYS[:12])} and 1 more"),
        ("name: [x]", "4: name: ['x'] names a folder under results/: use letters, digits, '.', '_' and '-'"),
        ("algorithms: {name: default}", "4: algorithms: must be a list"),
        ("algorithms: [7]", "4: algorithms[0]: 7 must be a name or a mapping with `name`"),
        ("algorithms: ['']", "4: algorithms[0]: '' must be a name or a mapping with `name`"),
        ('algorithms: [{name: "a\\nb"}]',
         "4: algorithms[0]: needs `name:`, the algorithm's name, in letters that can be printed"),
        ("algorithms: [{name: [default]}]", "4: algorithms[0]: needs `name:`, the algorithm's name"),
        ("algorithms: [{name: default, subset_size: true}]",
         "4: algorithms[0].subset_size: input should be a valid integer, not True"),
        ("algorithms: [{name: default, subset_size: 0}]",
         "4: algorithms[0].subset_size: input should be greater than or equal to 1, not 0"),
        ("algorithms: [{name: default, subset_size: [300, 300]}]",
         "4: algorithms[0]: 'default' stands twice, first as algorithms[0]"),
        ("algorithms: [{name: default, nonsense: 1}]",
         f"4: algorithms[0].nonsense: unknown parameter; there are {', '.join(Default.model_fields)}"),
        ("metric: my scores",
         "4: metric: no metric 'my scores'; there are top1, top5 or your own, package.module:function"),
        ("metric: 5", "4: metric: no metric 5; there are top1, top5 or your own, package.module:function"),
        ("metric: ['a:b']", "4: metric: no metric ['a:b']; there are top1, top5 or your own, package.module:function"),
        ("accuracy_only: noise", "4: accuracy_only: must be a list of mappings"),
        ("accuracy_only: [{claibration: noise}]",
         "4: accuracy_only[0].claibration: unknown axis, did you mean 'calibration'?"),
        ("include: [{model: resnet20, calibration: {factory: 'p:t', conut: 9}, algorithm: default, device: CPU}]",
         "4: include[0].calibration.conut: unknown parameter, did you mean 'count'?"),
        ("include: [{model: resnet20, calibration: factory, algorithm: default, device: CPU}]",
         "4: include[0].calibration: unknown image source 'factory', did you mean 'fractal'?"),
        ("devices: [TPU]", "4: devices[0]: unknown device 'TPU', did you mean 'NPU'?"),
        ("devices: ['0']", "4: devices[0]: unknown device '0'; there are CPU, GPU, NPU, AUTO, HETERO, MULTI"),
        ("exclude: noise", "4: exclude: must be a list of mappings"),
        ("exclude: [{}]", "4: exclude[0]: must be a mapping such as {model: resnet20, algorithm: default}"),
        ("exclude: [{calibration: fractal}]",
         "4: exclude[0].calibration: 'fractal' is not on this axis; there are noise"),
        ("exclude: [{algorithm: irr}]", "4: exclude[0].algorithm: 'irr' is not on this axis, did you mean 'ir'?"),
        ("exclude: [{calibration: {name: noise, seed: 3}}]",
         "4: exclude[0].calibration: nothing on this axis has these parameters"),
        ("exclude: [{model: {weights: w.pt}}]", "4: exclude[0].model: nothing on this axis has these parameters"),
        ("exclude: [{model: {}}]", "4: exclude[0].model: needs `name:` or parameters of what is meant"),
        ("exclude: [{model: {weigths: w.pt}}]",
         "4: exclude[0].model.weigths: unknown parameter, did you mean 'weights'?"),
        ("accuracy_only: [{calibration: {seed: 3}}]",
         "4: accuracy_only[0].calibration: nothing on this axis has these parameters"),
        ("metric: tpo1", "4: metric: no metric 'tpo1', did you mean 'top1'? or your own, package.module:function"),
        ("include: [{modle: resnet20, calibration: noise, algorithm: default, device: CPU, model: resnet20}]",
         "4: include[0].modle: unknown axis, did you mean 'model'?"),
        ("include: [{model: resnet20, calibration: nosie, algorithm: default, device: CPU}]",
         "4: include[0].calibration: unknown image source 'nosie', did you mean 'noise'?"),
        ("include: [{model: resnet20, calibration: {name: noise, sede: 1}, algorithm: default, device: CPU}]",
         "4: include[0].calibration.sede: unknown parameter, did you mean 'seed'?"),
        ("settings: 7", "4: settings: must be a mapping"),
        ("settings: {measures: {}}", "4: settings.measures: unknown parameter, did you mean 'measure'?"),
        ("settings: {measure: 7}", "4: settings.measure: must be a mapping, or `none`, not 7"),
        ("settings: {measure: null}", "4: settings.measure: must be a mapping, or `none`, not None"),
        ("settings: {measure: false}", "4: settings.measure: must be a mapping, or `none`, not False"),
        ("settings: {measure: None}", "4: settings.measure: must be a mapping, or `none`, not 'None'"),
        ("settings: {claims: 7}", "4: settings.claims: must be a mapping, not 7"),
        ("settings: {measure: {pairs: 0}}", f"4: settings.measure.pairs: {PAIRS}, not 0"),
        ("settings: {measure: {pairs: -3}}", f"4: settings.measure.pairs: {PAIRS}, not -3"),
        ("settings: {measure: {pairs: [32, 8]}}", f"4: settings.measure.pairs: {PAIRS}, not (32, 8)"),
        ("settings: {measure: {pairs: [0, 8]}}", f"4: settings.measure.pairs: {PAIRS}, not (0, 8)"),
        ("settings: {measure: {pairs: [8]}}", "4: settings.measure.pairs[1]: missing"),
        ("settings: {measure: {pairs: [many, 8]}}",
         "4: settings.measure.pairs[0]: input should be a valid integer, not 'many'"),
        ("settings: {measure: {target: 0}}", "4: settings.measure.target: input should be greater than 0, not 0"),
        ("settings: {measure: {target: 2%}}",
         "4: settings.measure.target: input should be a valid number, not '2%'"),
        ("settings: {measure: {per_node: 0}}",
         "4: settings.measure.per_node: input should be greater than or equal to 1, not 0"),
        ("settings: {measure: {per_node: 65}}",
         "4: settings.measure.per_node: input should be less than or equal to 64, not 65"),
        ("settings: {measure: {max_redone: -1}}",
         "4: settings.measure.max_redone: input should be greater than or equal to 0, not -1"),
        ("settings: {measure: {preprocess: 3}}",
         "4: settings.measure.preprocess: input should be a valid boolean, not 3"),
        ("settings: {measure: {pears: 8}}", "4: settings.measure.pears: unknown parameter, did you mean 'pairs'?"),
        ("settings: {timeout_s: 7}", "4: settings.timeout_s: must be a mapping, not 7"),
        ("settings: {timeout_s: {export: 0}}", "4: settings.timeout_s.export: input should be greater than 0, not 0"),
        ("settings: {timeout_s: {export: {x: 1}}}",
         "4: settings.timeout_s.export: input should be a valid number, not {'x': 1}"),
        ("settings: {cores: {exprot: 1}}", "4: settings.cores.exprot: no stage of this kind, did you mean 'export'?"),
        ("settings: {gpus: {sythesize: 1}}",
         "4: settings.gpus.sythesize: no stage of this kind, did you mean 'synthesize'?"),
        ("settings: {gpus: {quantize: 1}}", "4: settings.gpus.quantize: only `synthesize` computes on torch's GPUs"),
        ("settings: {gpus: {synthesize: 2}}",
         "4: settings.gpus.synthesize: input should be less than or equal to 1, not 2"),
        ("settings: {gpus: {synthesize: -0.5}}",
         "4: settings.gpus.synthesize: input should be greater than or equal to 0, not -0.5"),
        ("settings: {gpus: {synthesize: 0.001}}",
         "4: settings.gpus.synthesize: must be 0, or from 0.01 to 1, not 0.001"),
        ("settings: {gpus: 1}", "4: settings.gpus: must be a mapping, not 1"),
        ("settings: {shard_images: 1000}",
         "4: settings.shard_images: input should be a multiple of 256, not 1000"),
        ("settings: {shard_images: 0}",
         "4: settings.shard_images: input should be greater than or equal to 256, not 0"),
        ("settings: {memory_gib: {1: 1}}",
         "4: settings.memory_gib.1: no stage of this kind; there are synthesize, export, quantize, evaluate, measure"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_that_says_what_was_meant(files, line, said):
    assert faults(files.write(f"{SMALL}{line}")) == [said]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("exclude: [{calibration: {name: noise, sede: 1}}]", "4: exclude[0].calibration.sede: unknown parameter"),
        ("exclude: [{model: resnet20}]", "4: exclude: "),
        ("exclude: {}", "4: exclude: must be a list"),
        ("settings: []", "4: settings: must be a mapping"),
        ("settings: {measure: {min_seconds: .inf}}", "4: settings.measure.min_seconds: "),
        ("settings: {measure: {min_seconds: .nan}}", "4: settings.measure.min_seconds: "),
        ("settings: {measure: {target: .inf}}", "4: settings.measure.target: "),
        ("settings: {measure: {target: .nan}}", "4: settings.measure.target: "),
        ("settings: {measure: {pairs: many}}", "4: settings.measure.pairs: "),
        ("settings: {measure: {pairs: 8.5}}", "4: settings.measure.pairs: "),
        ("settings: {measure: {pairs: [8, 16, 32]}}", "4: settings.measure.pairs: "),
        ("settings: {measure: {pairs: }}", "4: settings.measure.pairs: "),
    ],
)
def test_what_would_be_taken_silently_or_break_later_is_a_fault_too(files, line, where):
    [said] = faults(files.write(f"{SMALL}{line}"))
    assert said.startswith(where)


@pytest.mark.parametrize("value", [".nan", ".inf"])
def test_preprocessing_that_is_no_number_is_a_fault(files, value):
    [said] = faults(files.write(f"dataset: digits\nmodels: [{{name: resnet20, mean: [{value}, 0.0, 0.0]}}]"))
    assert said.startswith("2: models[0].mean")


def test_an_included_choice_must_not_bear_the_label_of_another_one(files):
    mine = "{model: {name: resnet20, factory: 'nets:tiny'}, calibration: fractal, algorithm: default, device: CPU}"
    [said] = faults(files.write(f"{SMALL}include: [{mine}]"))
    assert said.startswith("4: include[0].model")


FOLDERS = "calibrations: [{name: folder, path: p, classes: [a, b]}%s]"
CLASSES = "only `classes` differs, which no name shows: give one another `seed`"


def test_sets_that_differ_in_their_classes_alone_are_told_to_differ_in_their_names(files):
    text = SMALL.replace("calibrations: [noise]", FOLDERS)
    twice = "calibrations[1]: 'folder{path=p}' stands twice, first as calibrations[0]"
    assert faults(files.write(text % ", {name: folder, path: p, classes: [b, a]}")) == [f"3: {twice}: {CLASSES}"]
    assert faults(files.write(text % ", {name: folder, path: p, classes: [a, b]}")) == [f"3: {twice}"]
    load(files.write(text % ", {name: folder, path: p, classes: [b, a], seed: 1}"), CATALOG)
    cell = "{model: resnet20, calibration: {name: folder, path: p}, algorithm: default, device: CPU}"
    [said] = faults(files.write(f"{text % ''}include: [{cell}]"))
    assert said.endswith(f"'folder{{path=p}}' already stands for something else in this grid: {CLASSES}")


ZOO = ", ".join([*NETWORKS][:12])
BESIDE = "Or torchvision/NAME, a file (.onnx, .tflite, .xml), or a `factory` with its `weights`"


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (["torchvision/resnet5"],
         "models[0]: unknown model 'torchvision/resnet5', did you mean 'torchvision/resnet50'?"),
        (["torchvision/mobilenet"],
         "models[0]: unknown model 'torchvision/mobilenet', did you mean 'torchvision/mobilenet_v3_small'?"),
        ([{"name": "torchvision/resnet50", "wieghts": "x"}],
         "models[0].wieghts: unknown parameter, did you mean 'weights'?"),
        ([{"name": "torchvision/resnet50", "weights": None}],
         "models[0].weights: input should be a valid string, not None"),
        (["timm/resnet5"], "models[0]: unknown model 'timm/resnet5', did you mean 'resnet56'?"),
        (["net.odd"], f"models[0]: unknown model 'net.odd'; there are {ZOO} and 7 more; {BESIDE}"),
        (["resnet20.odd"], f"models[0]: unknown model 'resnet20.odd', did you mean 'resnet20'? {BESIDE}"),
        (["net.pth"], f"models[0]: 'net.pth': {TORCH}"),
        (["a/Net.keras"], f"models[0]: 'a/Net.keras': {KERAS}"),
        (["saved/saved_model.pb"], f"models[0]: 'saved/saved_model.pb': {TENSORFLOW}"),
        ([{"path": "n.h5"}], f"models[0].path: must end in .onnx, .tflite, .xml ({KERAS}), not 'n.h5'"),
        ([{"name": "resnet20", "size": 0}], "models[0].size[1]: input should be greater than or equal to 1, not 0"),
        ([{"name": "resnet20", "size": True}], "models[0].size: input should be a valid tuple, not True"),
        (["net.onnx", "other/net.onnx"], "models[1]: 'net' stands twice, first as models[0]: give one a `name`"),
        (["resnet20", "resnet20.onnx"], "models[1]: 'resnet20' stands twice, first as models[0]: give one a `name`"),
        ([{"path": "net.bin"}], "models[0].path: must end in .onnx, .tflite, .xml, not 'net.bin'"),
        ([{"path": ""}], "models[0].path: string should have at least 1 character, not ''"),
        ([{"path": "net.onnx", "weights": "w.pt"}],
         f"models[0].weights: unknown parameter; there are {', '.join([*File.model_fields][:12])} and 6 more"),
        ([{"path": "net.onnx", "layout": "CHWN"}], "models[0].layout: input should be 'NCHW' or 'NHWC', not 'CHWN'"),
        ([{"path": "net.onnx", "sha256": "abc"}],
         "models[0].sha256: string should match pattern '^[0-9a-f]{8,64}$', not 'abc'"),
    ],
)  # fmt: skip
def test_a_model_from_elsewhere_that_is_not_there_is_told_what_is(files, models, said):
    with pytest.raises(GridError) as caught:
        files.grid(models=models)
    assert str(caught.value).rpartition(".yaml:")[2].partition(" ")[2] == said


@pytest.mark.parametrize("name", ["torchvision", "path", "factory"])
def test_a_table_entry_that_stands_for_many_models_is_no_model_itself(files, name):
    with pytest.raises(GridError, match=f"unknown model '{name}'"):
        files.grid(models=[name])


def test_a_dataset_that_expands_is_refused(files):
    text = "dataset: {name: digits, count: [1, 2]}\nmodels: [resnet20]"
    assert faults(files.write(text)) == ["1: dataset: a grid has one dataset; a list here would make several"]


def test_a_required_parameter_that_is_not_given_is_missing(files):
    text = "dataset: {name: folder}\nmodels: [resnet20]"
    assert faults(files.write(text)) == ["1: dataset.path: missing"]


@pytest.mark.parametrize("name", ["../up", ".hidden", "with space", "a" * 101, ""])
def test_a_grid_name_cannot_leave_the_results_folder(files, name):
    [said] = faults(files.small(name=name))
    assert said.startswith(f"1: name: {name!r} names a folder under results/")


def test_a_grid_without_a_name_is_named_after_its_file(files):
    path = files.write(SMALL, name="table9.yaml")
    assert load(path, CATALOG).name == "table9"
    assert faults(files.write(SMALL, name="my table.yaml"))[0].startswith("1: name: 'my table' names a folder")


def test_keys_said_twice_are_faults_wherever_they_stand(files):
    text = dedent("""\
        dataset: digits
        models:
          - {name: resnet20, weights: a.pt, weights: b.pt}
        settings:
          measure: {pairs: 1}
          measure: {budget_s: 2}
        dataset: cifar10
        """)
    assert faults(files.write(text)) == [
        "3: models[0].weights: said twice, first on line 3",
        "6: settings.measure: said twice, first on line 5",
        "7: dataset: said twice, first on line 1",
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("models: [resnet20\ndataset: digits\n", "2: grid: not YAML: "),
        ("models: 'resnet20\n", "2: grid: not YAML: "),
        ("a: 1\n---\nb: 2\n", "2: grid: not YAML: but found another document"),
        ("models: *nowhere\n", "1: grid: not YAML: found undefined alias"),
        ("? [a]\n: x\n", "1: grid: not YAML: found unhashable key"),
        ("\tmodels: []\n", "1: grid: not YAML: "),
    ],
)
def test_a_file_that_is_not_yaml_is_told_where(files, text, where):
    [said] = faults(files.write(text))
    assert said.startswith(where)


@pytest.mark.parametrize(
    "text",
    [
        'name: "a"\n#\x00\n',
        "name: 2026-13-45\n",
        "name: !!int x\n",
        "name: !!timestamp x\n",
        "models: &all [*all]\n",
        f"models: {'[' * 600}{']' * 600}\n",
    ],
    ids=["control character", "no such date", "no integer", "no timestamp", "a list that holds itself", "too deep"],
)
def test_yaml_that_breaks_its_reader_is_one_clear_error(files, text):
    path = files.write(text)
    with pytest.raises(InputError, match=r"grid\.yaml"):
        load(path, CATALOG)


def test_a_tag_is_never_executed(files):
    proof = files.folder / "executed"
    [said] = faults(files.write(f"dataset: !!python/object/apply:os.system ['touch {proof}']\nmodels: [resnet20]\n"))
    assert said.startswith("1: grid: not YAML: could not determine a constructor for the tag")
    assert not proof.exists()


def test_a_file_that_is_not_there_or_not_text_is_named(files):
    with pytest.raises(InputError, match=r"cannot read the grid .*nowhere\.yaml: No such file"):
        load(files.folder / "nowhere.yaml", CATALOG)
    with pytest.raises(InputError, match=r"cannot read the grid .*: Is a directory"):
        load(files.folder, CATALOG)
    path = files.write(b"name: \xff\xfe")
    with pytest.raises(InputError, match=r"cannot read the grid .*grid\.yaml: it is not UTF-8 text"):
        load(path, CATALOG)


def test_anchors_and_a_byte_order_mark_are_read(files):
    text = "\ufeffdataset: digits\nmodels: [resnet20]\ncalibrations: [&c {name: noise, count: 5}]\ndevices: [CPU]\n"
    grid = load(
        files.write(text + "include: [{model: resnet20, calibration: *c, algorithm: default, device: CPU}]\n"), CATALOG
    )
    assert grid.include[0].calibration == grid.calibrations[0]


def test_a_full_grid_is_read_as_it_stands(files):
    grid = files.grid(
        settings={"measure": {"pairs": 3, "budget_s": 10}, "timeout_s": {"quantize": 60}, "cores": {"export": 2}}
    )
    assert (grid.name, grid.dataset.name, grid.path) == ("small", "digits", files.folder / "grid.yaml")
    assert (grid.settings.measure.pairs, grid.settings.measure.budget_s) == ((3, 3), 10.0)
    assert (grid.settings.timeout_s, grid.settings.cores, grid.settings.memory_gib) == (
        {"quantize": 60},
        {"export": 2},
        {},
    )


@pytest.mark.parametrize(
    ("said", "pairs"), [(8, (8, 8)), (1, (1, 1)), ([8, 32], (8, 32)), ([5, 5], (5, 5)), ([1, 1000], (1, 1000))]
)
def test_pairs_are_a_number_or_the_least_and_the_most(files, said, pairs):
    assert files.grid(settings={"measure": {"pairs": said}}).settings.measure.pairs == pairs


def test_how_speed_is_measured_is_the_grids(files):
    said = {"target": 0.005, "max_redone": 0, "preprocess": True, "per_node": 4}
    found = files.grid(settings={"measure": said}).settings.measure
    assert {name: getattr(found, name) for name in said} == said
    default = files.grid().settings.measure
    assert (default.pairs, default.target, default.per_node, default.preprocess) == ((6, 24), 0.02, 1, False)


def test_the_budget_of_a_measurement_ends_before_the_time_limit_of_its_stage(files):
    files.grid(settings={"measure": {"budget_s": 99}, "timeout_s": {"measure": 100}})
    with pytest.raises(GridError) as caught:
        files.grid(settings={"measure": {"budget_s": 100}, "timeout_s": {"measure": 100}})
    assert str(caught.value).endswith(
        "settings.measure.budget_s: 100 must be less than settings.timeout_s.measure (100), which ends the whole stage"
    )


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_grid_that_ships_is_without_fault(path):
    assert load(path, CATALOG).name == path.stem


def test_a_grid_is_not_named_like_a_folder_of_farms_own(files):
    with pytest.raises(GridError, match="'store' is a folder of farm's own under results/"):
        files.grid(name="store")


AWARE = {"name": "accuracy-aware", "budget_s": [100, 200]}
INCLUDED = {"model": "resnet20", "calibration": "noise", "algorithm": AWARE, "device": "CPU"}


@pytest.mark.parametrize("changes", [{"algorithms": [AWARE]}, {"include": [INCLUDED]}])
def test_a_budget_ends_before_the_time_limit_of_its_stage(files, changes):
    files.grid(**changes)
    with pytest.raises(GridError) as caught:
        files.grid(**changes, settings={"timeout_s": {"quantize": 200}})
    [said] = str(caught.value).splitlines()
    assert said.endswith(
        "algorithms: accuracy-aware{budget_s=200.0}: budget_s must be less than settings.timeout_s.quantize (200), "
        "which ends the whole stage"
    )


def test_the_cores_of_a_measurement_are_its_devices_threads(files):
    with pytest.raises(GridError, match=r"settings.cores.measure: a device's `threads` says"):
        files.grid(settings={"cores": {"quantize": 2, "measure": 2}})


def test_a_grid_of_such_a_model_and_no_other_baseline_is_empty(files):
    with pytest.raises(GridError, match="the grid is empty"):
        files.grid(models=["net.onnx"], calibrations=[], baselines=["pytorch"])


@pytest.mark.parametrize(
    ("said", "metric"),
    [({}, "top1"), ({"metric": "top5"}, "top5"), ({"metric": "my_scores.inner:top3"}, "my_scores.inner:top3")],
)
def test_a_grids_metric_is_top1_unless_it_says_another(files, said, metric):
    assert files.grid(**said).metric == metric


LAUGHS = "\n".join(
    [
        "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)),
    ]
)
LISTS = "[" + ", ".join(map(str, range(1, 41))) + "]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{LAUGHS}\n", r"not YAML: it has [\d,]{13,} values, its aliases written out, more than 100,000"),
        (
            (
                f"dataset: digits\nmodels: [resnet20]\ncalibrations: [{{name: fractal, seed: {LISTS}, count: {LISTS}, "
                f"weights: {LISTS}}}]\n"
            ),
            r"calibrations\[0\]: its lists make 64,000 choices, more than 10,000: name fewer",
        ),
        (
            (
                f"dataset: digits\nmodels: [resnet20]\ncalibrations: [{{name: noise, seed: {LISTS}, count: {LISTS}}}]\n"
                f"algorithms: [{{name: default, subset_size: {LISTS}, preset: [performance, mixed]}}]\n"
                f"devices: [{{name: CPU, threads: {LISTS}}}]\n"
            ),
            r"grid: the grid has 5,120,080 cells, more than 1,000,000: name fewer",
        ),
        (
            (
                "dataset: digits\nmodels: [resnet20]\ncalibrations: [{name: noise, count: 2147483648}]\n"
                "settings: {shard_images: 256}\n"
            ),
            r"grid: the grid has 8,388,608 shards of calibration sets, more than 100,000: name fewer",
        ),
        (
            (
                f"dataset: digits\nmodels: [resnet20]\ninclude: [{{model: resnet20, calibration: {{name: noise, "
                f"seed: {LISTS}, count: {LISTS}}}, algorithm: {{name: default, subset_size: {LISTS}}}, device: CPU}}]\n"
            ),
            r"include\[0\]: it includes 64,000 cells, more than 10,000: name fewer",
        ),
    ],
    ids=["aliases", "choices", "cells", "shards", "include"],
)
def test_what_is_too_large_to_plan_is_counted_before_it_is_expanded(tmp_path, text, says):
    path = tmp_path / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GridError, match=says):
        load(path, CATALOG)


def test_a_file_that_is_far_too_large_for_a_grid_is_not_read(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_bytes(b"# \n" * 500_000)
    with pytest.raises(InputError, match=r"grid.yaml is no grid: it is larger than 1,048,576 bytes"):
        load(path, CATALOG)


@pytest.mark.parametrize(
    ("calibration", "algorithm", "is_fault"),
    [
        ("cifar10", "accuracy-aware", True),
        ("cifar10", "{name: accuracy-aware, labels: model}", False),
        ("cifar10", "{name: accuracy-aware, validate_on: train}", False),
        ("cifar10", "default", False),
        ("{name: cifar10, classes: [a, b]}", "accuracy-aware", True),
        ("{name: cifar10, classes: [b, a]}", "accuracy-aware", False),
        ("noise", "accuracy-aware", False),
    ],
)
def test_accuracy_control_judges_by_labels_that_are_numbered_as_the_datasets(files, calibration, algorithm, is_fault):
    axes = f"calibrations: [{calibration}]\nalgorithms: [{algorithm}]\n"
    path = files.write(f"dataset: {{name: cifar10, classes: [b, a]}}\nmodels: [resnet20]\n{axes}")
    if not is_fault:
        assert load(path, CATALOG)
        return
    text = "needs `classes` as the dataset has: accuracy control judges by the labels of these images"
    assert faults(path) == [f"3: calibrations[0]: {text}"]
    cell = f"{{model: resnet20, calibration: {calibration}, algorithm: {algorithm}, device: CPU}}"
    path.write_text(f"dataset: {{name: cifar10, classes: [b, a]}}\nmodels: [resnet20]\ninclude: [{cell}]\n")
    assert faults(path) == [f"3: include: {text}"]
    path.write_text(path.read_text().replace(f"calibration: {calibration}", "calibration: noise"))
    assert load(path, CATALOG)


YOLO = {"name": "yolo", "path": "images", "boxes": "labels"}
YOLOX = {"path": "yolox.onnx", "decode": "yolox"}


def test_a_grid_s_task_is_what_the_targets_of_its_images_are_for(files):
    assert (files.grid().task.name, files.grid().metric) == ("classification", "top1")
    grid = files.grid(dataset=YOLO, models=[YOLOX])
    assert (grid.task.name, grid.metric, dict(grid.task.parameters)["iou_threshold"]) == ("detection", "map", 0.65)
    named = files.grid(dataset=YOLO, models=[YOLOX], task={"name": "detection", "max_detections": 10}, metric="ap50")
    assert (named.task.label, named.metric) == ("detection{max_detections=10}", "ap50")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "detecton"}, "task: unknown task 'detecton', did you mean 'detection'?"),
        (
            {"task": {"name": "detection", "score_threshold": [0.1, 0.2]}},
            "task: a grid has one task; a list here would",
        ),
        ({"task": "classification"}, "task: the images of yolo are for detection: leave it out, or choose another"),
        ({"metric": "top1"}, "metric: no metric 'top1'; there are map, ap50, ap75"),
        ({"metric": "my:metric"}, "metric: no metric 'my:metric'; there are map, ap50, ap75"),
        (
            {"models": [{**YOLOX, "decode": "yolo8"}]},
            "models: yolox: no such head 'yolo8', did you mean 'yolov8'? or your own, package.module:function",
        ),
        ({"models": ["yolox.onnx"]}, "models: yolox: `decode` says how its outputs are boxes"),
        (
            {"algorithms": ["accuracy-aware"]},
            "algorithms: accuracy-aware: judges classifiers only so far; leave it out",
        ),
        ({"settings": {"claims": {"margin": 1}}}, "settings.claims.margin: 1 of map is all there is"),
    ],
)
def test_what_does_not_go_with_detection_is_a_fault(files, changes, said):
    with pytest.raises(GridError) as caught:
        files.grid(**{"dataset": YOLO, "models": [YOLOX], **changes})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": [{**YOLOX, "output": "a"}]}, "models: yolox: `output` is of classifiers: `decode` takes all"),
        ({"models": [{**YOLOX, "pad": 0}]}, "models: yolox: `pad` goes with `resize: letterbox` alone"),
        ({"models": [{**YOLOX, "resize": "stretch", "position": "corner"}]}, "`position` goes with `resize: letter"),
        ({"include": [{"model": "other.onnx", "calibration": "noise", "algorithm": "default", "device": "CPU"}]},
         "include: other: `decode` says how its outputs are boxes"),
    ],
)  # fmt: skip
def test_what_a_detector_says_in_vain_or_lacks_is_a_fault(files, changes, said):
    with pytest.raises(GridError) as caught:
        files.grid(**{"dataset": YOLO, "models": [YOLOX], **changes})
    assert said in str(caught.value)


def test_a_dataset_that_is_at_fault_makes_no_other_faults(files):
    with pytest.raises(GridError) as caught:
        files.grid(dataset={"name": "yolo", "path": "images"}, models=[YOLOX], metric="map")
    assert [fault.path for fault in caught.value.faults] == ["dataset.boxes"]


def test_a_head_is_no_word_of_a_classifier(files):
    with pytest.raises(GridError) as caught:
        files.grid(models=[YOLOX])
    assert "models: yolox: `decode` is for detection, of which digits has no boxes" in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"a": "image", "b": [[1, 1]]}, ""),
        ({"a": "image", "b": 0.5}, ""),
        ({"a": "image", "b": "image"}, "models[0].inputs: one of them gets `image`: such as {images: image, scale_fac"),
        ({"b": 1}, "models[0].inputs: one of them gets `image`"),
        ({"a": "image", "b": "one"}, "models[0].inputs: what b gets is no numbers"),
        ({"a": "image", "b": [[1, 1], [1]]}, "what b gets is no numbers"),
        ({"a": "image", "b": []}, "what b gets is no numbers"),
        ({"a": "image", "b": True}, "what b gets is no numbers"),
        ("image", "models[0].inputs: must be a mapping, not 'image'"),
    ],
)
def test_of_several_inputs_a_grid_says_what_each_gets(files, inputs, said):
    model = {"path": "net.onnx", "inputs": inputs}
    if not said:
        assert files.grid(models=[model]).models[0].parameters.inputs.keys() == inputs.keys()
        return
    with pytest.raises(GridError) as caught:
        files.grid(models=[model])
    assert said in str(caught.value)
