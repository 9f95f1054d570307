"""The lines below a table: of sets, of accuracy control, of measurements that do not hold, of failures."""

import json
import shlex
from dataclasses import replace

import pytest

from farm.grid.selection import labels_of, only
from farm.record import Record
from farm.report.remarks import controlled, failures, notes, remarks, reservations
from farm.report.words import DOUBTS, SATURATING

EMPTY = Record(
    grid="g", cell="resnet20/noise/default/CPU", model="resnet20", calibration="noise", algorithm="default",
    device="CPU", runtime="openvino", outcome="pending",
)  # fmt: skip
FULL = replace(EMPTY, outcome="ok", top1=0.91234, fps=12345.678, speedup_ir=2.345, verdict="valid")
IR = replace(FULL, cell="resnet20/-/ir/CPU", calibration=None, algorithm="ir", speedup_ir=1.0)
PYTORCH = replace(IR, cell="resnet20/-/pytorch/CPU", algorithm="pytorch", runtime="pytorch")
CRASHED = replace(
    EMPTY, outcome="failed", error_class="crash", error_type="SIGSEGV", error_message="ended by signal 11 [SIGSEGV]",
    log="/r/store/attempts/ab/1.log",
)  # fmt: skip
AWARE = replace(
    FULL, cell="resnet20/noise/accuracy-aware/CPU", algorithm="accuracy-aware", control_drop=0.0123, control_images=300,
    control_labels="given", validate_on="calibration", stopped_by="target", reached=True, iterations=2,
    reverted_layers=1,
)  # fmt: skip


def test_what_must_be_known_of_a_set_is_told_once():
    source = "distylegan{weights=w}"
    noted = replace(FULL, calibration=source, calibration_source=source, calibration_note="not distilled")
    other = replace(noted, model="vgg16_bn")
    replicate = replace(noted, calibration="distylegan{seed=1,weights=w}")
    assert notes([FULL, noted, other, replicate, IR]) == [f"{source}: not distilled"]


def test_notes_that_differ_between_the_sets_of_a_source_are_told_set_by_set():
    first, second, third = (
        replace(FULL, calibration=name, calibration_source="folder{path=p}", calibration_note=note)
        for name, note in (
            ("folder{path=p}", "no a"),
            ("folder{path=p,seed=1}", "no b"),
            ("folder{path=p,seed=2}", "no b"),
        )
    )
    other = replace(FULL, calibration="noise{seed=1}", calibration_source="noise", calibration_note="no b")
    assert notes([first, second, third, replace(second, model="vgg16_bn"), other]) == [
        "folder{path=p}: no a",
        "folder{path=p,seed=1}: no b",
        "folder{path=p,seed=2}: no b",
        "noise: no b",
    ]


def test_what_must_be_known_of_the_test_images_is_told_once_and_first():
    noted = replace(FULL, dataset_note="no images of 1 of 10 classes: ship", calibration_note="not distilled")
    assert notes([noted, replace(noted, model="vgg16_bn")]) == [
        "test images: no images of 1 of 10 classes: ship",
        "noise: not distilled",
    ]


OPTIMISTIC = "(optimistic: the model was trained on them)"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, "drop 0.0123 on 300 calibration images; target reached; 2 iterations, 1 operations in FP32"),
        (
            {"control_labels": "model"},
            (
                "disagreement with FP32 0.0123 on 300 calibration images; target reached; "
                "2 iterations, 1 operations in FP32"
            ),
        ),
        (
            {"validate_on": "train", "iterations": 0, "reverted_layers": 0},
            f"drop 0.0123 on 300 train images {OPTIMISTIC}; target reached; 0 iterations, 0 operations in FP32",
        ),
        (
            {"reached": False, "stopped_by": "budget", "iterations": 0, "reverted_layers": 0},
            (
                "drop 0.0123 on 300 calibration images; target missed, stopped by budget; "
                "0 iterations, 0 operations in FP32"
            ),
        ),
    ],
)
def test_an_accuracy_aware_cell_has_a_line_on_its_control(said, line):
    assert controlled([EMPTY, FULL, replace(AWARE, **said), CRASHED]) == [f"{AWARE.cell}: {line}"]


def test_failures_are_one_entry_a_cause_with_the_log():
    missing = replace(CRASHED, cell="b", error_class="missing_input", error_message="no weights", log=None)
    records = [
        CRASHED,
        missing,
        replace(CRASHED, cell="c"),
        FULL,
        EMPTY,
        replace(CRASHED, cell="d", error_message="other"),
    ]
    assert failures(records) == [
        f"crash: {EMPTY.cell} and 1 more\n    ended by signal 11 [SIGSEGV]\n    log: /r/store/attempts/ab/1.log",
        "crash: d\n    other\n    log: /r/store/attempts/ab/1.log",
        "missing_input: b\n    no weights",
    ]
    assert failures([FULL, EMPTY]) == []


WIDE = {
    "verdict": "noisy", "verdict_cause": "wide", "within": 0.1, "asked": 0.05, "least_pairs": 8, "pairs": 16,
    "disturbed_pairs": 0, "ended": "pairs",
}  # fmt: skip
NOISY = replace(FULL, cell="noisy", **WIDE)
STREAMS = json.dumps([{"property": "NUM_STREAMS", "asked": "1", "found": "4"}])
INVALID = replace(FULL, cell="[red]", verdict="invalid", verdict_cause="property", mismatches=STREAMS)


def test_a_measurement_that_does_not_hold_has_a_line_with_what_to_do():
    assert reservations([FULL, NOISY, EMPTY, INVALID, CRASHED, replace(FULL, verdict=None)], command="farm run g") == [
        (
            "noisy: noisy\n    known within 10.0%, not the 5.0% asked for, after 16 pairs; "
            "raise settings.measure.pairs, or measure on fewer threads or a quieter host, "
            "then: farm run g --only noisy --fresh measure"
        ),
        (
            "invalid: [red]\n    NUM_STREAMS was 4, not 1; change the device in the grid, "
            "or measure on a host that has it, then: farm run g --only '[red]' --fresh measure"
        ),
    ]


GRID = "farm run jobs/my grid.yaml"


def noisy_cell(name, **changes):
    """A noisy cell, or as changed."""
    return replace(FULL, cell=f"resnet20/{name}/default/CPU{{threads=1}}", calibration=name, **WIDE | changes)


def told(*cells):
    """What is said of noisy cells: who they are, and why."""
    return [tuple(line.split("\n    ")) for line in reservations(cells, command=GRID)]


def test_cells_that_are_noisy_for_one_reason_are_one_entry_with_the_range_and_one_command():
    cells = [noisy_cell(name, within=within) for name, within in (("a", 0.104), ("b", 0.186), ("c", 0.155))]
    [(names, reason)] = told(cells[0], FULL, *cells[1:])
    assert names == "noisy: {}, {} and {}".format(*(cell.cell for cell in cells))
    why, command = reason.split(", then: ")
    assert why == (
        "known within 10.4% to 18.6%, not the 5.0% asked for, after 16 pairs; "
        "raise settings.measure.pairs, or measure on fewer threads or a quieter host"
    )
    only = [part for cell in cells for part in ("--only", cell.cell)]
    assert shlex.split(command) == [*shlex.split(GRID), *only, "--fresh", "measure"]


MODELS, SETS = [f"m{index}" for index in range(20)], [f"fractal{{seed={index}}}" for index in range(20)]


def many(models=MODELS, sets=SETS, **changes):
    """A cell for each model and set; noisy, or as changed."""
    found = []
    for model in models:
        for calibration in sets:
            cell = f"{model}/{calibration}/default/CPU"
            found.append(replace(FULL, cell=cell, model=model, calibration=calibration, **WIDE | changes))
    return found


VALID = {"verdict": "valid", "verdict_cause": None, "within": 0.01}


@pytest.mark.parametrize(
    ("noisy", "others", "options"),
    [
        (many(), [], []),
        (many(), [replace(IR, model="m0")], ["algorithm=default"]),
        (many(MODELS[:2]), many(MODELS[2:], **VALID), ["model=m0", "model=m1"]),
        (many(MODELS[:2]), [*many(MODELS[2:], **VALID), IR], ["model=m0", "model=m1"]),
        (many(["m0"]), [replace(IR, model="m0"), IR], ["algorithm=default"]),
        (
            many(sets=SETS[:1]),
            many(sets=SETS[1:], **VALID),
            [f"calibration={SETS[0]}"],
        ),
    ],
)
def test_many_cells_are_told_to_be_measured_again_by_what_they_have_in_common(noisy, others, options):
    every = [*noisy, *others]
    [line] = reservations(noisy, every, GRID)
    assert line.startswith(f"noisy: {', '.join(cell.cell for cell in noisy[:4])} and {len(noisy) - 4} more\n")
    assert len(line) < 500
    words = shlex.split(line.partition(", then: ")[2])
    assert words == [*shlex.split(GRID), *(part for each in options for part in ("--only", each)), "--fresh", "measure"]
    assert only(options, {each.cell: labels_of(each) for each in every}) == [each.cell for each in noisy]


def test_all_noisy_cells_are_measured_again_where_those_of_one_reason_have_nothing_in_common():
    cells = many()
    mixed = [replace(cell, disturbed_pairs=1) if index % 7 == 0 else cell for index, cell in enumerate(cells)]
    lines = reservations(mixed, [*mixed, *many(["other"], **VALID)], GRID)
    assert len(lines) == 2
    assert all(f"{GRID} --only model=m0 --only model=m1 " in line for line in lines)
    assert all("--only model=other" not in line for line in lines)


def test_invalid_cells_are_not_measured_again_with_the_noisy_ones():
    """Their device must be changed first."""
    cells = many()
    wrong = [
        replace(cell, verdict="invalid", mismatches=STREAMS) if index % 7 == 0 else cell
        for index, cell in enumerate(cells)
    ]
    entry = next(line for line in reservations(wrong, wrong, GRID) if line.startswith("invalid: "))
    assert entry.count(" --only ") == sum(cell.verdict == "invalid" for cell in wrong)


def test_many_cells_that_have_nothing_in_common_are_named():
    cells = many()
    noisy = [cell for index, cell in enumerate(cells) if index % 7 == 0]
    every = [cell if cell in noisy else replace(cell, **VALID) for cell in cells]
    for known in (every, []):
        [line] = reservations(noisy, known, GRID)
        words = shlex.split(line.partition(", then: ")[2])
        assert [word for word in words if "/" in word and word in {cell.cell for cell in cells}] == [
            cell.cell for cell in noisy
        ]


def test_another_reason_and_another_way_out_are_entries_of_their_own():
    cells = [
        noisy_cell("a"),
        noisy_cell("b", ended="budget"),
        noisy_cell("c", disturbed_pairs=2),
        noisy_cell("d", within=None, pairs=1, least_pairs=1),
    ]
    assert [line[0] for line in told(*cells)] == [f"noisy: {cell.cell}" for cell in cells]


def test_faults_of_what_ran_are_one_entry_only_where_they_are_the_same():
    eight = STREAMS.replace("4", "8")
    cells = [
        noisy_cell(name, verdict="invalid", verdict_cause="property", mismatches=text)
        for name, text in (("a", STREAMS), ("b", eight), ("c", STREAMS))
    ]
    (both, reason), (other, _) = told(*cells)
    assert both == f"invalid: {cells[0].cell} and {cells[2].cell}"
    assert reason.startswith("NUM_STREAMS was 4, not 1; change the device")
    assert other == f"invalid: {cells[1].cell}"


@pytest.mark.parametrize(
    ("speeds", "lines"),
    [
        ([], 0),
        ([100.0], 0),
        ([100.0, 104.9], 0),
        ([100.0, 102.0, 105.1], 1),
        ([105.1, 103.0, 100.0], 1),
        ([100.0, None, 200.0], 1),
        ([None, None], 0),
    ],
)
def test_rows_whose_fp32_ir_ran_at_other_speeds_are_not_comparable(speeds, lines):
    found = reservations([replace(FULL, fps_ir=fps) for fps in speeds])
    assert len(found) == lines
    for line in found:
        assert line.startswith("compare rows by x IR")
        assert line.endswith(f"\n    resnet20/CPU: 100.0 to {max(filter(None, speeds)):,.1f} FPS")


def test_other_hosts_may_well_run_at_other_speeds():
    alpha = [replace(FULL, host="alpha", fps_ir=fps) for fps in (1000.0, 1010.0)]
    beta = [replace(FULL, host="beta", fps_ir=fps) for fps in (100.0, 200.0)]
    assert reservations(alpha + beta[:1]) == []
    [line] = reservations(alpha + beta)
    assert line.splitlines()[1:] == [f"    {FULL.model}/{FULL.device} on beta: 100.0 to 200.0 FPS"]


def test_other_models_and_devices_may_well_run_at_other_speeds():
    vgg = replace(FULL, model="vgg16_bn", fps_ir=5000.0)
    one = replace(FULL, device="CPU{threads=1}", fps_ir=300.0)
    assert reservations([replace(FULL, fps_ir=1000.0), replace(FULL, fps_ir=1010.0), vgg, one]) == []
    [line] = reservations([replace(FULL, fps_ir=1.0), replace(FULL, fps_ir=1e4), vgg, replace(vgg, fps_ir=1.0)])
    assert line.splitlines()[1:] == ["    resnet20/CPU: 1.0 to 10,000.0 FPS", "    vgg16_bn/CPU: 1.0 to 5,000.0 FPS"]


def test_included_cells_which_stand_last_are_compared_with_the_others_of_their_model():
    vgg = replace(FULL, model="vgg16_bn", fps_ir=5000.0)
    [line] = reservations([replace(FULL, fps_ir=100.0), vgg, replace(FULL, fps_ir=200.0)])
    assert line.endswith(":\n    resnet20/CPU: 100.0 to 200.0 FPS")


def test_an_ir_that_differs_from_itself_is_told():
    ir = replace(IR, precision="f32", speedup_ir=1.05, speedup_ir_low=1.04, speedup_ir_high=1.06)
    assert reservations([ir]) == [
        f"{IR.cell}: the FP32 IR differs from itself, x 1.050: this host's speeds do not hold"
    ]
    assert reservations([replace(ir, precision="bf16")]) == [], "that is no comparison with itself"


def test_a_noisy_pytorch_baseline_is_told_to_make_all_over_it_noisy():
    *_, last = reservations([replace(PYTORCH, verdict="noisy"), FULL])
    assert last == "resnet20/CPU: its PyTorch baseline is noisy, and so is every x PyTorch over it"


@pytest.mark.parametrize("ran", ["mixed", "slow"])
def test_a_pytorch_baseline_on_slowed_cores_is_told_to_make_all_over_it_slowed(ran):
    full = replace(PYTORCH, verdict="valid", cores_ran="full")
    assert reservations([full]) == []
    *_, last = reservations([replace(full, cores_ran=ran, full_speed_share=0.02)])
    assert last == "resnet20/CPU: its PyTorch baseline is slowed, and so is every x PyTorch over it"


def test_several_such_baselines_are_one_line_a_verdict():
    noisy = [replace(PYTORCH, cell=name, model=name, verdict="noisy") for name in "ab"]
    *_, first, last = reservations([*noisy, replace(noisy[0], model="c", verdict="invalid")])
    assert first == "a/CPU and b/CPU: their PyTorch baselines are noisy, and so is every x PyTorch over them"
    assert last == "c/CPU: its PyTorch baseline is invalid, and so is every x PyTorch over it"


def test_what_failed_stands_last():
    noted = replace(FULL, calibration_note="not distilled")
    found = remarks([CRASHED, NOISY, AWARE, noted])
    assert [line.partition(":")[0] for line in found] == ["noise", AWARE.cell, "noisy", "crash"]


def test_cells_whose_cores_were_slowed_are_told_how():
    slow, mixed, seldom = (
        replace(FULL, cell=cell, verdict="valid", cores_ran=ran, full_speed_share=share)
        for cell, ran, share in (("a", "slow", 0.9), ("b", "mixed", 0.02), ("c", "mixed", 0.07))
    )
    lines = reservations([replace(FULL, verdict="valid", cores_ran="full"), slow, mixed, seldom])
    assert [line.splitlines()[0] for line in lines] == ["slowed: a", "slowed: b and c"]
    assert "slower all the time than beside other cells of this run" in lines[0]
    assert "at full speed in 2% to 7% of the time" in lines[1]
    often = replace(FULL, cell="d", verdict="valid", cores_ran="mixed", full_speed_share=0.88)
    first, second = reservations([often, mixed])
    assert first.splitlines()[0] == "slowed: d"
    assert "changed their speed too often" in first
    assert second.splitlines()[0] == "slowed: b"


def test_what_is_implausible_is_told_once_for_all_models_of_whom_it_is_so():
    one = replace(IR, doubts='{"at_chance": 10}')
    other = replace(one, model="vgg16_bn", cell="vgg16_bn/-/ir/CPU")
    odd = replace(PYTORCH, model="mobile", doubts='{"input_range": [-2.118, -2.101], "one_class": 3}')
    assert notes([one, other, odd, replace(one, doubts='{"of a later farm": 1}')]) == [
        f"resnet20 and vgg16_bn: {DOUBTS['at_chance'].format(10)}",
        f"mobile: {DOUBTS['input_range'].format(-2.118, -2.101)}",
        "mobile: all test images are taken for class 3: check its preprocessing (`mean`, `std`, `scale`, `mode`)",
    ]
    assert "pixels of 0 and 255 become -2.12 and -2.1 in its input" in notes([odd])[0]


def test_a_model_that_was_quantized_as_it_came_is_told_and_what_its_processor_lacks():
    given = replace(IR, int8_layers=4, weighted_layers=4, int8_weights_share=0.99, isa="avx512_vnni")
    told = "resnet20: quantized as it comes: judged as given, and not quantized again"
    assert notes([given, FULL]) == [told]
    assert notes([replace(given, isa="avx2")]) == [told, f"int8 as given: {SATURATING.format('avx2')}"]


def test_sums_of_int8_that_may_overflow_are_told_where_nothing_was_done_against_it():
    int8 = replace(FULL, isa="avx2", quantize_s=1.0, int8_weights_share=0.9)
    fixed = replace(int8, algorithm="default{overflow_fix=enable}")
    other = replace(int8, isa="avx512_vnni")
    (told,) = notes([int8, int8])
    assert told == f"int8: {SATURATING.format('avx2')}; `overflow_fix: enable` of the algorithm avoids it"
    assert notes([fixed, other, replace(IR, isa="avx2")]) == []


def test_a_cell_of_which_little_became_int8_says_how_much():
    whole = replace(FULL, quantize_s=1.0, int8_layers=21, weighted_layers=22, int8_weights_share=0.97)
    little = replace(whole, int8_layers=1, weighted_layers=2, int8_weights_share=0.0181)
    assert notes([whole, little, FULL]) == [
        "resnet20/noise/default/CPU: 1.8% of its weights are int8, in 1 of 2 layers with weights: the rest stays FP32"
    ]
