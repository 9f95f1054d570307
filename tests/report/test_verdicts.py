"""Why measurements hold or not, in words, and the command that measures them again."""

import json
from dataclasses import replace
from typing import get_args

import pytest

from farm.record import Ended, Record, Signal
from farm.report.verdicts import SIGNALS, WAYS_OUT, again, cause, kind, sentence, states

GRID = "farm run grid.yaml"
CELL = "resnet20/-/ir/CPU"
AGAIN = f"{GRID} --only {CELL} --fresh measure"
VALID = Record(
    grid="g", cell=CELL, model="resnet20", algorithm="ir", device="CPU", runtime="openvino", outcome="ok",
    verdict="valid", within=0.012, asked=0.02, least_pairs=8, pairs=16, disturbed_pairs=0, ended="target",
)  # fmt: skip
NOISY = replace(VALID, verdict="noisy", verdict_cause="wide", within=0.034, pairs=32, ended="pairs")
INVALID = replace(
    VALID, verdict="invalid", verdict_cause="property",
    mismatches=json.dumps([{"property": "NUM_STREAMS", "asked": "1", "found": "4"}]),
)  # fmt: skip
STRAY = [{"property": "NUM_STREAMS", "asked": "1", "found": "2"}, {"property": "stray_cpus", "asked": "", "found": "7"}]
WORST = {"worst_signal": "foreign", "worst_share": 0.31}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (VALID, "within 1.2% after 16 pairs"),
        (replace(VALID, disturbed_pairs=3, **WORST), "within 1.2% after 16 pairs, 3 done again"),
        (replace(VALID, verdict=None, within=None), ""),
        (
            INVALID,
            f"NUM_STREAMS was 4, not 1; change the device in the grid, or measure on a host that has it, then: {AGAIN}",
        ),
        (
            replace(INVALID, mismatches=json.dumps(STRAY)),
            (
                "NUM_STREAMS was 2, not 1; threads were allowed on CPUs 7 outside the lease; change the device in the "
                f"grid, or measure on a host that has it, then: {AGAIN}"
            ),
        ),
        (
            replace(NOISY, verdict_cause="disturbed", pairs=3, disturbed_pairs=9, ended="disturbed", **WORST),
            (
                "only 3 of 12 pairs were undisturbed: other programs took 31% of the time; "
                f"ask farm doctor what else runs there, or leave speed out (--no-measure), then: {AGAIN}"
            ),
        ),
        (
            replace(NOISY, verdict_cause="few_pairs", pairs=5, ended="budget"),
            f"5 of at least 8 pairs were measured; the time was spent: raise settings.measure.budget_s, then: {AGAIN}",
        ),
        (
            NOISY,
            (
                "known within 3.4%, not the 2.0% asked for, after 32 pairs; raise settings.measure.pairs, "
                f"or measure on fewer threads or a quieter host, then: {AGAIN}"
            ),
        ),
        (
            replace(NOISY, disturbed_pairs=9, ended="disturbed", **WORST),
            (
                "known within 3.4%, not the 2.0% asked for, after 32 pairs, 9 more disturbed; "
                f"ask farm doctor what else runs there, or leave speed out (--no-measure), then: {AGAIN}"
            ),
        ),
        (
            replace(NOISY, within=2e20, pairs=2, ended="budget"),
            (
                "known not even within a factor of 2, not the 2.0% asked for, after 2 pairs; "
                f"the time was spent: raise settings.measure.budget_s, then: {AGAIN}"
            ),
        ),
        (
            replace(NOISY, within=None, pairs=1, least_pairs=1),
            (
                "one pair says nothing of its spread; raise settings.measure.pairs, "
                f"or measure on fewer threads or a quieter host, then: {AGAIN}"
            ),
        ),
    ],
)
def test_a_verdict_says_why_and_what_to_do_next(record, words):
    assert sentence([record], GRID) == words


def test_without_the_grids_command_only_the_way_out_is_said():
    assert sentence([INVALID], "").endswith("; change the device in the grid, or measure on a host that has it")


def test_every_ending_has_its_way_out_and_every_signal_its_words():
    """Also the target: rounds may be judged by stricter rules than they were measured under."""
    assert set(WAYS_OUT) == set(get_args(Ended))
    assert set(SIGNALS) == set(get_args(Signal))


def test_each_number_of_a_reason_is_a_range_of_its_own():
    one = replace(
        NOISY, verdict_cause="disturbed", pairs=3, disturbed_pairs=9, ended="disturbed", worst_signal="foreign",
        worst_share=0.09,
    )  # fmt: skip
    other = replace(one, cell="b", pairs=5, disturbed_pairs=7, worst_share=0.16)
    assert kind(one) == kind(other)
    assert sentence([one, other], GRID) == (
        "only 3 to 5 of 12 pairs were undisturbed: other programs took 9% to 16% of the time; ask farm doctor what "
        f"else runs there, or leave speed out (--no-measure), then: {GRID} --only {CELL} --only b --fresh measure"
    )


DISTURBED = replace(
    NOISY, verdict_cause="disturbed", pairs=0, disturbed_pairs=4, ended="disturbed", worst_signal="foreign",
    worst_share=0.9, disturbers='["stress-ng", "cc1"]',
)  # fmt: skip


def test_programs_that_disturbed_are_named():
    other = replace(DISTURBED, cell="b", disturbers='["make", "stress-ng"]')
    found = [sentence(cells, "").partition(";")[0] for cells in ([DISTURBED], [DISTURBED, other])]
    assert found == [
        "none of 4 pairs was undisturbed: other programs took 90% of the time (stress-ng and cc1)",
        "none of 4 pairs was undisturbed: other programs took 90% of the time (stress-ng, cc1 and make)",
    ]


def test_no_program_is_named_for_what_the_hypervisor_took():
    assert cause([replace(DISTURBED, worst_signal="steal")]).endswith(": the hypervisor took 90% of the time")


@pytest.mark.parametrize(
    "changes",
    [
        {"ended": "budget"},
        {"disturbed_pairs": 2},
        {"within": None},
        {"worst_signal": "steal"},
        {"mismatches": json.dumps(STRAY)},
        {"verdict_cause": "few_pairs"},
    ],
)
def test_what_needs_other_words_is_of_another_kind(changes):
    assert kind(NOISY) == kind(replace(NOISY, within=0.2, pairs=9))
    assert kind(NOISY) != kind(replace(NOISY, **changes))


@pytest.mark.parametrize(
    ("only", "options"),
    [
        ((), ""),
        (("a/-/ir/CPU",), "--only a/-/ir/CPU "),
        (("a/noise{count=5}/ir/CPU",), "--only 'a/noise{count=5}/ir/CPU' "),
        (("a/-/ir/CPU", "calibration=noise{count=5}"), "--only a/-/ir/CPU --only 'calibration=noise{count=5}' "),
    ],
)
def test_the_command_that_measures_again_can_be_pasted_into_a_shell(only, options):
    command = "farm run 'my grid.yaml' --results r"
    assert again(command, *only) == f"{command} {options}--fresh measure"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, ""),
        ({"full_speed_share": 1.0}, "cores at full speed in 100% of the time"),
        (
            {"full_speed_share": 0.153, "speedup_slow": 2.02, "speedup_slow_low": 1.94, "speedup_slow_high": 2.1},
            "cores at full speed in 15% of the time; x IR of the rest of the time: 2.02 ±.08",
        ),
    ],
)
def test_how_the_cores_ran_is_told_with_the_speed_up_of_the_rest(columns, words):
    assert states(replace(VALID, **columns)) == words
