"""What disturbed a round, what ran otherwise than asked for, and the verdict with its cause."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.measuring.verdict import LIMITS, STRAY, Mismatch, disturbances, judge, mismatches, shares
from farm.record import Signal
from farm.stats.ratios import Ratio
from tests.measuring.rows import QUIET, one_round


def taking(wall_s, *, cpus=1, **changes):
    return one_round("cell", 1.0, wall_ns=round(wall_s * 1e9), cpus=[*range(cpus)], **QUIET | changes)


def disturbed_by(wall_s, *, cpus=1, synchronous=True, **changes):
    return disturbances(taking(wall_s, cpus=cpus, synchronous=synchronous, **changes))


def test_other_programs_time_is_a_share_of_what_all_leased_cpus_have():
    """Not so the worst CPU's steal or the worst thread's delay: all others wait for it."""
    assert disturbed_by(1.0, cpus=64, foreign_s=0.05 * 64) == ()
    assert disturbed_by(1.0, cpus=64, foreign_s=0.16 * 64) == ("foreign",)
    for cpus in (1, 64):
        assert disturbed_by(1.0, cpus=cpus, steal_s=0.1) == ("steal",)
        by_signal = shares(taking(2.0, cpus=cpus, steal_s=0.2, foreign_s=0.3 * cpus, overheated=4))
        assert by_signal == pytest.approx(
            {"steal": 0.1, "foreign": 0.15, "delayed": 0, "siblings": 0, "throttled": 0, "overheated": 4}
        )


TIMED = [signal for signal in LIMITS if signal != "overheated"]


@pytest.mark.parametrize("signal", TIMED)
@pytest.mark.parametrize("wall_s", [2.0, 50.0])
def test_a_signal_disturbs_above_its_share_of_the_time_and_not_below(signal, wall_s):
    at_limit = LIMITS[signal] * wall_s
    assert disturbed_by(wall_s, **{f"{signal}_s": at_limit * 0.999}) == ()
    assert disturbed_by(wall_s, **{f"{signal}_s": at_limit}) == ()
    assert disturbed_by(wall_s, **{f"{signal}_s": at_limit * 1.001}) == (signal,)


@pytest.mark.parametrize("signal", ["steal", "siblings"])
@pytest.mark.parametrize("ticks", [0, 1, 2])
def test_of_what_is_counted_in_ticks_less_than_two_are_their_own_error(signal, ticks):
    assert disturbed_by(0.1, **{f"{signal}_s": ticks * 0.01}) == (() if ticks < 2 else (signal,))


@pytest.mark.parametrize("signal", ["foreign", "delayed", "throttled"])
def test_of_what_is_exact_every_millisecond_counts(signal):
    assert disturbed_by(0.01, **{f"{signal}_s": 0.001}) == (signal,)


def test_a_thread_that_waited_waited_for_others_only_where_it_has_a_core_of_its_own():
    assert disturbed_by(1.0, delayed_s=0.5, synchronous=True) == ("delayed",)
    assert disturbed_by(1.0, delayed_s=0.5, synchronous=False) == ()
    assert disturbed_by(1.0, foreign_s=0.5, synchronous=False) == ("foreign",)


@pytest.mark.parametrize(("times", "signals"), [(-1, ()), (0, ()), (1, ("overheated",))])
def test_every_throttling_event_of_the_processor_disturbs(times, signals):
    assert disturbed_by(1.0, overheated=times) == signals


@pytest.mark.parametrize("mhz", [None, 800.0, 5000.0])
def test_a_frequency_disturbs_nothing(mhz):
    assert disturbed_by(1.0, mhz=mhz) == ()


def test_all_that_disturbed_is_told():
    assert disturbed_by(1.0, **{f"{signal}_s": 0.5 for signal in TIMED}, overheated=6) == get_args(Signal)


SECONDS = st.floats(0.0, 10.0)


@given(
    wall_s=st.floats(0.1, 10.0),
    synchronous=st.booleans(),
    signals=st.fixed_dictionaries({f"{signal}_s": SECONDS for signal in TIMED}),
    more=st.sampled_from([f"{signal}_s" for signal in TIMED]),
)
def test_more_of_a_signal_never_makes_a_round_quieter(wall_s, synchronous, signals, more):
    before = disturbed_by(wall_s, synchronous=synchronous, **signals)
    assert {*before} <= {*disturbed_by(wall_s, synchronous=synchronous, **signals | {more: signals[more] + 0.5})}


ASKED = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 4, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": True}
FOUND = {
    "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "4", "NUM_STREAMS": "1", "ENABLE_CPU_PINNING": "True",
    "EXECUTION_DEVICES": "CPU",
}  # fmt: skip


def different(name, asked, found):
    return Mismatch(property=name, asked=asked, found=found)


@pytest.mark.parametrize(
    ("found", "stray", "expected"),
    [
        ({}, [], ()),
        ({"INFERENCE_PRECISION_HINT": "bf16"}, [], (different("INFERENCE_PRECISION_HINT", "f32", "bf16"),)),
        ({"INFERENCE_NUM_THREADS": "2"}, [], (different("INFERENCE_NUM_THREADS", "4", "2"),)),
        ({"ENABLE_CPU_PINNING": "False"}, [], (different("ENABLE_CPU_PINNING", "True", "False"),)),
        ({"ENABLE_CPU_PINNING": "true"}, [], ()),
        ({"ENABLE_CPU_PINNING": True}, [], ()),
        ({"INFERENCE_NUM_THREADS": 4}, [], ()),
        ({"INFERENCE_PRECISION_HINT": "F32"}, [], ()),
        ({"EXECUTION_DEVICES": "GPU"}, [], ()),
        ({}, [3], (different(STRAY, "", "3"),)),
        (
            {"NUM_STREAMS": "2", "ENABLE_CPU_PINNING": "False"},
            (7, 9),
            (
                different("NUM_STREAMS", "1", "2"),
                different("ENABLE_CPU_PINNING", "True", "False"),
                different(STRAY, "", "7, 9"),
            ),
        ),
    ],
)
def test_what_ran_otherwise_than_asked_for_is_told(found, stray, expected):
    assert mismatches(ASKED, FOUND | found, stray) == expected


@pytest.mark.parametrize("name", ASKED)
def test_a_property_that_the_runtime_does_not_tell_is_not_judged(name):
    assert mismatches(ASKED, {other: value for other, value in FOUND.items() if other != name}, []) == ()
    assert mismatches(ASKED, {}, []) == ()


def test_who_asked_for_nothing_was_given_it():
    assert mismatches({}, FOUND, []) == ()


def ratio_within(within, value=1.7):
    return Ratio(value=value, low=value / (1 + within), high=value * (1 + within))


SOUND = {
    "differences": (), "pairs": 16, "disturbed": 0, "least": 8, "target": 0.02, "ratio": ratio_within(0.012),
}  # fmt: skip
WRONG, STRAYED = different("NUM_STREAMS", "1", "4"), different(STRAY, "", "3")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, ("valid", None)),
        ({"pairs": 8, "disturbed": 3}, ("valid", None)),
        ({"ratio": ratio_within(0.01999)}, ("valid", None)),
        ({"differences": (WRONG,)}, ("invalid", "property")),
        ({"differences": (WRONG, STRAYED)}, ("invalid", "property")),
        ({"differences": (STRAYED,)}, ("invalid", "stray_cpus")),
        ({"differences": (WRONG,), "pairs": 0, "disturbed": 9, "ratio": None}, ("invalid", "property")),
        ({"differences": (WRONG,), "ratio": ratio_within(0.5)}, ("invalid", "property")),
        ({"pairs": 3, "disturbed": 9}, ("noisy", "disturbed")),
        ({"pairs": 0, "disturbed": 9, "ratio": None}, ("noisy", "disturbed")),
        ({"pairs": 5}, ("noisy", "few_pairs")),
        ({"pairs": 32, "ratio": ratio_within(0.034)}, ("noisy", "wide")),
        ({"pairs": 9, "disturbed": 9, "ratio": ratio_within(0.034)}, ("noisy", "wide")),
        ({"pairs": 1, "least": 1, "ratio": Ratio(value=1.7)}, ("noisy", "wide")),
    ],
)
def test_a_verdict_has_a_cause_where_it_does_not_hold(changes, verdict):
    assert judge(**SOUND | changes) == verdict


@given(
    pairs=st.integers(0, 64), disturbed=st.integers(0, 9), least=st.integers(1, 32), target=st.floats(0.001, 0.1),
    wide=st.none() | st.floats(0.0, 0.2), wrong=st.sampled_from([(), (WRONG,), (STRAYED,)]),
)  # fmt: skip
def test_valid_is_exactly_what_ran_as_asked_for_often_enough_and_is_known_well_enough(
    pairs, disturbed, least, target, wide, wrong
):
    ratio = None if wide is None else Ratio(value=1.0, low=math.exp(-wide), high=math.exp(wide))
    verdict, cause = judge(wrong, ratio, pairs=pairs, disturbed=disturbed, least=least, target=target)
    sure = not wrong and pairs >= least and ratio is not None and ratio.within <= target
    assert (verdict == "valid") is bool(sure) is (cause is None)
    assert (verdict == "invalid") is bool(wrong)
