"""What disturbed a round, what ran otherwise than asked for, and the verdict with its next command."""

import math
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from farm.measuring.verdict import WAYS_OUT, Ended, Evidence, Signals, disturbance, judge, mismatch
from farm.stats.ratios import Ratio
from tests.measuring.rows import QUIET

AGAIN = "farm run grid.yaml --only a/-/ir/CPU --fresh measure"


def said_of(wall_s, *, cpus=1, synchronous=True, **changes):
    return disturbance(Signals(**QUIET | changes), wall_s, cpus, synchronous=synchronous)


def test_other_programs_time_is_a_share_of_what_all_leased_cpus_have():
    """Not so the worst CPU's steal or the worst thread's delay: all others wait for it."""
    assert said_of(1.0, cpus=64, foreign_s=0.05 * 64) == ""
    assert said_of(1.0, cpus=64, foreign_s=0.16 * 64) == "other programs took 16% of the time"
    for cpus in (1, 64):
        assert said_of(1.0, cpus=cpus, steal_s=0.1) == "the hypervisor took 10% of the time"


LIMITS = [
    ("steal_s", 0.01, "the hypervisor took"),
    ("foreign_s", 0.05, "other programs took"),
    ("delayed_s", 0.05, "other programs kept it waiting"),
    ("siblings_s", 0.05, "other programs on the cores' sibling threads took"),
    ("throttled_s", 0.01, "the CPU quota held it back"),
]


@pytest.mark.parametrize(("signal", "limit", "words"), LIMITS)
@pytest.mark.parametrize("wall_s", [2.0, 50.0])
def test_a_signal_disturbs_above_its_share_of_the_time_and_not_below(signal, limit, words, wall_s):
    assert said_of(wall_s, **{signal: limit * wall_s * 0.999}) == ""
    assert said_of(wall_s, **{signal: limit * wall_s}) == ""
    assert said_of(wall_s, **{signal: limit * wall_s * 1.001}) == f"{words} {limit:.0%} of the time"
    assert said_of(wall_s, **{signal: wall_s / 2}) == f"{words} 50% of the time"


@pytest.mark.parametrize(
    ("signal", "words"), [(name, words) for name, _, words in LIMITS if "st" in name or "si" in name]
)
@pytest.mark.parametrize("ticks", [0, 1, 2])
def test_of_what_is_counted_in_ticks_less_than_two_are_their_own_error(signal, words, ticks):
    assert said_of(0.1, **{signal: ticks * 0.01}) == ("" if ticks < 2 else f"{words} 20% of the time")


@pytest.mark.parametrize("signal", ["foreign_s", "delayed_s", "throttled_s"])
def test_of_what_is_exact_every_millisecond_counts(signal):
    assert said_of(0.01, **{signal: 0.001}).endswith(" 10% of the time")


def test_a_thread_that_waited_waited_for_others_only_where_it_has_a_core_of_its_own():
    assert said_of(1.0, delayed_s=0.5, synchronous=True) == "other programs kept it waiting 50% of the time"
    assert said_of(1.0, delayed_s=0.5, synchronous=False) == ""
    assert said_of(1.0, foreign_s=0.5, synchronous=False) == "other programs took 50% of the time"


@pytest.mark.parametrize(("times", "words"), [(-1, ""), (0, ""), (1, "the processor throttled itself 1 times")])
def test_every_throttling_event_of_the_processor_disturbs(times, words):
    assert said_of(1.0, overheated=times) == words


@pytest.mark.parametrize("mhz", [None, 800.0, 5000.0])
def test_a_frequency_disturbs_nothing(mhz):
    assert said_of(1.0, mhz=mhz) == ""


def test_all_that_disturbed_is_said():
    found = said_of(1.0, steal_s=0.1, foreign_s=0.2, delayed_s=0.3, siblings_s=0.4, throttled_s=0.5, overheated=6)
    assert found == (
        "the hypervisor took 10% of the time; other programs took 20% of the time; "
        "other programs kept it waiting 30% of the time; "
        "other programs on the cores' sibling threads took 40% of the time; "
        "the CPU quota held it back 50% of the time; the processor throttled itself 6 times"
    )


SECONDS = st.floats(0.0, 10.0)


@given(
    wall_s=st.floats(0.1, 10.0),
    synchronous=st.booleans(),
    signals=st.fixed_dictionaries({name: SECONDS for name, _, _ in LIMITS}),
    more=st.sampled_from([name for name, _, _ in LIMITS]),
)
def test_more_of_a_signal_never_makes_a_round_quieter(wall_s, synchronous, signals, more):
    if said_of(wall_s, synchronous=synchronous, **signals):
        assert said_of(wall_s, synchronous=synchronous, **signals | {more: signals[more] + 0.5})


ASKED = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 4, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": True}
FOUND = {
    "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "4", "NUM_STREAMS": "1", "ENABLE_CPU_PINNING": "True",
    "EXECUTION_DEVICES": "CPU",
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "stray", "words"),
    [
        ({}, [], ""),
        ({"INFERENCE_PRECISION_HINT": "bf16"}, [], "INFERENCE_PRECISION_HINT was bf16, not f32"),
        ({"INFERENCE_NUM_THREADS": "2"}, [], "INFERENCE_NUM_THREADS was 2, not 4"),
        ({"NUM_STREAMS": "4"}, [], "NUM_STREAMS was 4, not 1"),
        ({"ENABLE_CPU_PINNING": "False"}, [], "ENABLE_CPU_PINNING was False, not True"),
        ({"ENABLE_CPU_PINNING": "true"}, [], ""),
        ({"ENABLE_CPU_PINNING": True}, [], ""),
        ({"INFERENCE_NUM_THREADS": 4}, [], ""),
        ({"INFERENCE_PRECISION_HINT": "F32"}, [], ""),
        ({"EXECUTION_DEVICES": "GPU"}, [], ""),
        ({}, [3], "threads were allowed on CPUs 3 outside the lease"),
        (
            {"NUM_STREAMS": "2", "ENABLE_CPU_PINNING": "False"},
            (7, 9),
            (
                "NUM_STREAMS was 2, not 1; ENABLE_CPU_PINNING was False, not True; "
                "threads were allowed on CPUs 7, 9 outside the lease"
            ),
        ),
    ],
)
def test_what_ran_otherwise_than_asked_for_is_said(found, stray, words):
    assert mismatch(ASKED, FOUND | found, stray) == words


@pytest.mark.parametrize("name", ASKED)
def test_a_property_that_the_runtime_does_not_tell_is_not_judged(name):
    assert mismatch(ASKED, {each: value for each, value in FOUND.items() if each != name}, []) == ""
    assert mismatch(ASKED, {}, []) == ""


def test_who_asked_for_nothing_was_given_it():
    assert mismatch({}, FOUND, []) == ""


def ratio_within(within, value=1.7):
    return Ratio(value=value, low=value / (1 + within), high=value * (1 + within))


SOUND = {
    "mismatch": "", "pairs": 16, "disturbed": 0, "worst": "", "least": 8, "target": 0.02, "ended": "target",
    "ratio": ratio_within(0.012),
}  # fmt: skip
WORST = "other programs took 31% of the time"


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        ({}, "valid", "within 1.2% after 16 pairs"),
        ({"pairs": 8, "disturbed": 3, "worst": WORST}, "valid", "within 1.2% after 8 pairs, 3 done again"),
        ({"ratio": ratio_within(0.01999)}, "valid", "within 2.0% after 16 pairs"),
        ({"ended": "budget"}, "valid", "within 1.2% after 16 pairs"),
        (
            {"mismatch": "NUM_STREAMS was 4, not 1"},
            "invalid",
            (
                "NUM_STREAMS was 4, not 1; change the device in the grid, "
                f"or measure on a host that has it, then: {AGAIN}"
            ),
        ),
        (
            {"pairs": 3, "disturbed": 9, "worst": WORST, "ended": "disturbed"},
            "noisy",
            f"only 3 of 12 pairs were undisturbed: {WORST}; ask farm doctor what runs there, then: {AGAIN}",
        ),
        (
            {"pairs": 0, "disturbed": 9, "worst": WORST, "ended": "disturbed", "ratio": None},
            "noisy",
            f"only 0 of 9 pairs were undisturbed: {WORST}; ask farm doctor what runs there, then: {AGAIN}",
        ),
        (
            {"pairs": 5, "ended": "budget"},
            "noisy",
            (
                "5 of at least 8 pairs were measured; "
                f"the time was spent: raise settings.measure.budget_s, then: {AGAIN}"
            ),
        ),
        (
            {"pairs": 32, "ratio": ratio_within(0.034), "ended": "pairs"},
            "noisy",
            (
                "known within 3.4%, not the 2.0% asked for, after 32 pairs; raise settings.measure.pairs, "
                f"or measure on fewer threads or a quieter host, then: {AGAIN}"
            ),
        ),
        (
            {"pairs": 20, "ratio": ratio_within(0.034), "ended": "budget"},
            "noisy",
            (
                "known within 3.4%, not the 2.0% asked for, after 20 pairs; "
                f"the time was spent: raise settings.measure.budget_s, then: {AGAIN}"
            ),
        ),
        (
            {"pairs": 9, "disturbed": 9, "ratio": ratio_within(0.034), "ended": "disturbed", "worst": WORST},
            "noisy",
            (
                "known within 3.4%, not the 2.0% asked for, after 9 pairs, 9 more disturbed; "
                f"ask farm doctor what runs there, then: {AGAIN}"
            ),
        ),
    ],
)
def test_a_verdict_says_why_and_what_to_do_next(changes, word, reason):
    found = judge(Evidence(**SOUND | changes), AGAIN)
    assert (found.word, found.reason) == (word, reason)


def test_one_pair_is_told_to_say_nothing_of_its_spread_where_the_grid_wants_no_more():
    found = judge(Evidence(**SOUND | {"pairs": 1, "least": 1, "ended": "pairs", "ratio": Ratio(value=1.7)}), AGAIN)
    assert found.word == "noisy"
    assert "settings.measure.pairs" in found.reason
    assert "time was spent" not in found.reason
    assert found.reason.endswith(f"then: {AGAIN}")


@pytest.mark.parametrize("ended", ["budget", "disturbed"])
def test_what_could_help_is_what_ended_it(ended):
    """Where the time was spent, more of it helps; where other programs ran, their end."""
    found = judge(Evidence(**SOUND | {"pairs": 5, "disturbed": 1, "worst": WORST, "ended": ended}), AGAIN)
    assert found.word == "noisy"
    assert ("settings.measure.budget_s" in found.reason) is (ended == "budget")


def test_what_ran_otherwise_than_asked_for_is_invalid_however_it_was_measured():
    for changes in ({"pairs": 0, "disturbed": 9, "ratio": None}, {"ratio": ratio_within(0.5)}, {}):
        assert judge(Evidence(**SOUND | changes | {"mismatch": "x"}), AGAIN).word == "invalid"


def test_every_ending_has_its_way_out():
    """Also the target: rounds may be judged by stricter rules than they were measured under."""
    assert set(WAYS_OUT) == set(get_args(Ended))


@given(
    pairs=st.integers(0, 64), disturbed=st.integers(0, 9), least=st.integers(1, 32), target=st.floats(0.001, 0.1),
    ended=st.sampled_from(get_args(Ended)), wide=st.none() | st.floats(0.0, 0.2), wrong=st.sampled_from(["", "x"]),
)  # fmt: skip
def test_valid_is_exactly_what_ran_as_asked_for_often_enough_and_is_known_well_enough(
    pairs, disturbed, least, target, ended, wide, wrong
):
    assume(ended != "target" or (pairs >= least and wide is not None and math.expm1(wide) <= target))
    ratio = None if wide is None else Ratio(value=1.0, low=math.exp(-wide), high=math.exp(wide))
    told = {"pairs": pairs, "disturbed": disturbed, "least": least, "target": target, "ended": ended, "ratio": ratio}
    found = judge(Evidence(mismatch=wrong, worst=WORST, **told), AGAIN)
    sure = not wrong and pairs >= least and ratio is not None and ratio.within <= target
    assert (found.word == "valid") is bool(sure)
    assert (found.word == "invalid") is bool(wrong)
    assert (AGAIN in found.reason) is (found.word != "valid")
