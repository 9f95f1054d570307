"""From rounds to a record's speed: the figures, the intervals, the verdict and the next command."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.plan import Effort
from farm.record import Record
from farm.results.speed import among, with_pytorch_speedup, with_speed
from farm.stats.ratios import alpha_after, paired_ratio, quotient
from tests.measuring.rows import ASKED, FOUND, one_round, pairs, stretch_of

RECORD = Record(
    grid="g", cell="r/noise/default/CPU", model="r", calibration="noise", algorithm="default", device="CPU",
    runtime="openvino", outcome="ok", host="alpha",
)  # fmt: skip
COLUMNS = {field for field in Record.__dataclass_fields__ if field.startswith("fps")} | {
    "speedup_ir", "speedup_ir_low", "speedup_ir_high", "latency_p50_ms", "latency_p90_ms", "threads", "streams",
    "precision", "verdict", "within", "asked", "least_pairs", "ended", "pairs", "disturbed_pairs", "unsteady_rounds",
    "foreign_share", "steal_share", "per_node", "timed",
}  # fmt: skip


def said_of(rounds, ended="target", *, per_node=1, preprocess=False, pairs=(8, 32), **effort):
    how = {"per_node": per_node, "preprocess": preprocess}
    return with_speed(RECORD, rounds, Effort(pairs=pairs, **effort), ended, **how)


def spread(scale, count, middle=200.0):
    """Speeds of so many rounds that differ by about so much."""
    return [middle * math.exp(each) for each in np.random.default_rng(0).normal(scale=scale, size=count)]


def test_equal_rounds_are_valid_and_all_their_columns_are_filled():
    found = said_of(pairs(200.0, 100.0))
    before, after = asdict(RECORD), asdict(found)
    assert {name for name, value in after.items() if value != before[name]} == COLUMNS
    assert (found.fps, found.fps_ir) == pytest.approx((200.0, 100.0))
    assert (found.speedup_ir, found.speedup_ir_low, found.speedup_ir_high) == pytest.approx((2.0, 2.0, 2.0))
    assert (found.verdict, found.verdict_cause, found.mismatches) == ("valid", None, None)
    assert found.within == pytest.approx(0.0, abs=1e-6)
    assert (found.asked, found.least_pairs, found.ended) == (0.02, 8, "target")
    assert (found.pairs, found.disturbed_pairs) == (8, 0)
    assert (found.threads, found.streams, found.precision) == (2, 1, "f32")
    assert found.latency_p999_ms is None


def test_the_speedup_is_of_pairs_with_the_interval_that_their_number_may_claim():
    speeds = spread(0.05, 16)
    found = said_of(pairs(speeds, 100.0), ended="pairs")
    ratio = paired_ratio([(each, 100.0) for each in speeds], alpha_after(16, (8, 16, 32)))
    told = (found.speedup_ir, found.speedup_ir_low, found.speedup_ir_high)
    assert told == pytest.approx((ratio.value, ratio.low, ratio.high))


def test_the_cells_own_threads_and_precision_are_told_and_not_its_partners():
    rounds = pairs(200.0, 100.0, precision="bf16", threads=4, streams=3)
    of_ir = {"precision": "f32", "threads": 1, "streams": 1}
    found = said_of([replace(one, **of_ir) if one.variant == "ir" else one for one in rounds])
    assert (found.threads, found.streams, found.precision) == (4, 3, "bf16")


def test_fps_is_images_over_time_and_no_mean_of_rounds():
    rounds = [
        one_round("cell", 100.0, inferences=100), one_round("ir", 50.0),
        one_round("cell", 200.0, pair=1), one_round("ir", 50.0, pair=1),
    ]  # fmt: skip
    assert said_of(rounds, "pairs", pairs=(2, 2)).fps == pytest.approx(120 / (1.0 + 0.1))
    assert said_of(pairs(200.0, 100.0, batch=8)).fps == pytest.approx(200.0)


def test_percentiles_are_of_all_latencies_of_the_cells_rounds_alone():
    rounds = pairs(200.0, 100.0, inferences=50)
    slow = stretch_of(10**9, np.full(50, 10**9))
    found = said_of([replace(one, stretches=slow) if one.variant == "ir" else one for one in rounds])
    expected = np.tile(np.arange(1, 51) * 1000.0, 8) / 1e6
    assert found.latency_p50_ms == pytest.approx(np.quantile(expected, 0.5))
    assert found.latency_p95_ms == pytest.approx(np.quantile(expected, 0.95))
    assert found.latency_p99_ms is None


def test_disturbed_pairs_count_for_no_figure_where_enough_are_undisturbed():
    found = said_of(pairs([200.0] * 3 + [20.0] + [200.0] * 5, 100.0, disturbed=[3]))
    assert (found.pairs, found.disturbed_pairs) == (8, 1)
    assert (found.fps, found.speedup_ir) == pytest.approx((200.0, 2.0))
    assert (found.verdict, found.verdict_cause) == ("valid", None)


def test_where_too_few_are_undisturbed_all_pairs_count_and_the_verdict_is_noisy():
    found = said_of(pairs([200.0, 100.0], 100.0, disturbed=[1]), ended="disturbed")
    assert (found.pairs, found.disturbed_pairs) == (1, 1)
    assert found.speedup_ir == pytest.approx(math.sqrt(2.0))
    assert found.fps == pytest.approx(40 / (0.1 + 0.2))
    assert (found.verdict, found.verdict_cause, found.ended) == ("noisy", "disturbed", "disturbed")


def test_the_worst_signal_is_the_one_that_took_most_of_a_disturbed_rounds_time():
    rounds = pairs(200.0, 100.0, 4)  # 0.1 s and 0.2 s, on two CPUs
    of_pairs = {0: (0.02, ("steal",)), 1: (0.09, ("steal", "foreign")), 2: (0.05, ("overheated",)), 3: (0.2, ())}
    for at, one in enumerate(rounds):
        seconds, signals = of_pairs[one.pair]
        told = {"foreign_s": seconds, "steal_s": seconds / 4, "delayed_s": 1.0, "disturbed": signals}
        rounds[at] = replace(one, **told)
    found = said_of(rounds, ended="disturbed")
    assert (found.worst_signal, found.worst_share) == ("foreign", pytest.approx(0.45))


def test_a_processor_that_throttled_itself_is_the_worst_only_where_nothing_took_time():
    rounds = pairs(200.0, 100.0, 2)
    assert (said_of(rounds).worst_signal, said_of(rounds).worst_share) == (None, None)
    hot = [replace(one, overheated=3, disturbed=("overheated",)) for one in rounds[:2]]
    found = said_of([*hot, *rounds[2:]])
    assert (found.worst_signal, found.worst_share) == ("overheated", None)


@pytest.mark.parametrize(
    ("ended", "count", "changes", "cause"),
    [
        ("pairs", 32, {}, "wide"),
        ("budget", 9, {}, "wide"),
        ("budget", 5, {}, "few_pairs"),
        ("pairs", 8, {"pairs": (8, 8), "target": 0.001}, "wide"),
    ],
)
def test_a_ratio_that_is_not_known_well_enough_is_noisy(ended, count, changes, cause):
    found = said_of(pairs(spread(0.1, count), 100.0), ended=ended, **changes)
    assert (found.verdict, found.verdict_cause, found.ended) == ("noisy", cause, ended)
    assert (found.pairs, found.least_pairs) == (count, 8)
    assert found.asked == changes.get("target", 0.02) < found.within


@pytest.mark.parametrize("variant", ["cell", "ir"])
def test_one_round_that_ran_otherwise_makes_it_invalid(variant):
    rounds = pairs(200.0, 100.0)
    wrong = next(at for at, one in enumerate(rounds) if at > 4 and one.variant == variant)
    properties = json.dumps(FOUND | {"INFERENCE_PRECISION_HINT": "bf16"})
    rounds[wrong] = replace(rounds[wrong], properties=properties)
    found = said_of(rounds)
    assert (found.verdict, found.verdict_cause) == ("invalid", "property")
    assert json.loads(found.mismatches) == [{"property": "INFERENCE_PRECISION_HINT", "asked": "f32", "found": "bf16"}]


def test_what_ran_otherwise_in_every_round_is_told_once():
    found = said_of(pairs(200.0, 100.0, asked=json.dumps(ASKED | {"NUM_STREAMS": 2}), stray_cpus=[3]))
    names = [mismatch["property"] for mismatch in json.loads(found.mismatches)]
    assert names == ["NUM_STREAMS", "stray_cpus"]


def test_shares_are_of_cpu_time_and_of_the_worst_cpus_time_disturbed_rounds_too():
    first, *rest = pairs(200.0, 100.0, 2, disturbed=[0])  # 20 inferences each: 0.1 s and 0.2 s, on two CPUs
    found = said_of([replace(first, foreign_s=0.06, steal_s=0.03), *rest], ended="budget")
    assert (found.foreign_share, found.steal_share) == pytest.approx((0.06 / 1.2, 0.03 / 0.6))


@pytest.mark.parametrize(("preprocess", "timed"), [(False, "inference"), (True, "preprocessing and inference")])
def test_what_was_timed_and_how_many_shared_the_node_is_told(preprocess, timed):
    found = said_of(pairs(200.0, 100.0), preprocess=preprocess, per_node=4)
    assert (found.timed, found.per_node) == (timed, 4)


def test_rounds_without_partners_have_a_speed_and_no_speedup():
    found = said_of([one_round("cell", 200.0)])
    assert (found.fps, found.fps_ir) == (pytest.approx(200.0), None)
    assert found.speedup_ir is None
    assert found.verdict == "noisy"


@given(st.lists(st.tuples(st.floats(1.0, 1e4), st.floats(1.0, 1e4), st.booleans()), min_size=1, max_size=12))
def test_whatever_was_measured_has_figures_within_those_of_its_rounds(speeds):
    rounds = [
        one_round(variant, fps, pair=number, disturbed=["foreign"] if disturbed else [])
        for number, (own, ir, disturbed) in enumerate(speeds)
        for variant, fps in (("cell", own), ("ir", ir))
    ]
    found = said_of(rounds, ended="disturbed", pairs=(4, 12))
    slack = 1e-6  # wall times are whole nanoseconds
    own, ir, _ = zip(*speeds, strict=True)
    assert min(own) * (1 - slack) <= found.fps <= max(own) * (1 + slack)
    assert min(ir) * (1 - slack) <= found.fps_ir <= max(ir) * (1 + slack)
    ratios = [a / b for a, b, _ in speeds]
    assert min(ratios) * (1 - slack) <= found.speedup_ir <= max(ratios) * (1 + slack)
    assert found.pairs + found.disturbed_pairs == len(speeds)


def record(algorithm, value, within=None, **changes):
    ends = {} if within is None else {"speedup_ir_low": value / (1 + within), "speedup_ir_high": value * (1 + within)}
    runtime = "pytorch" if algorithm == "pytorch" else "openvino"
    return replace(RECORD, algorithm=algorithm, runtime=runtime, speedup_ir=value, **ends | changes)


def by_pytorch(*records):
    return [(each.speedup_pytorch, each.speedup_pytorch_low, each.speedup_pytorch_high)
            for each in with_pytorch_speedup(list(records))]  # fmt: skip


PYTORCH, IR, INT8 = record("pytorch", 0.5, 0.04), record("ir", 1.0, 0.001), record("default", 2.0, 0.03)


def test_a_speedup_over_pytorch_is_a_ratio_of_ratios_with_its_interval():
    own, ir, int8 = by_pytorch(PYTORCH, IR, INT8)
    assert own == (1.0, 1.0, 1.0)
    assert int8[0] == pytest.approx(4.0)
    assert int8[2] == pytest.approx(4.0 * math.exp(math.hypot(math.log(1.03), math.log(1.04))))
    assert int8[1] == pytest.approx(4.0 / math.exp(math.hypot(math.log(1.03), math.log(1.04))))
    assert ir[0] == pytest.approx(2.0)
    assert ir[1] < 2.0 / 1.04 * 1.001
    assert quotient(*(paired_ratio([(each, 1.0)]) for each in (2.0, 0.5))).value == int8[0]


def test_without_an_interval_of_both_there_is_the_ratio_alone():
    assert by_pytorch(PYTORCH, record("default", 2.0))[1] == (4.0, None, None)
    assert by_pytorch(record("pytorch", 0.5), INT8)[1] == (4.0, None, None)


NOTHING = (None, None, None)


@pytest.mark.parametrize("changes", [{"host": "beta"}, {"model": "other"}, {"device": "CPU{threads=1}"}])
def test_speeds_of_two_hosts_models_or_devices_are_never_mixed(changes):
    assert by_pytorch(PYTORCH, replace(INT8, **changes))[1] == NOTHING
    mixed = by_pytorch(PYTORCH, replace(INT8, **changes), replace(PYTORCH, **changes), INT8)
    assert [each[0] for each in mixed] == pytest.approx([1.0, 4.0, 1.0, 4.0])


@pytest.mark.parametrize(
    "records", [[INT8], [replace(PYTORCH, speedup_ir=None), INT8], [PYTORCH, replace(INT8, speedup_ir=None)]]
)
def test_what_was_not_measured_beside_pytorch_has_no_speedup_over_it(records):
    assert by_pytorch(*records)[-1] == NOTHING


def test_no_records_are_none():
    assert with_pytorch_speedup([]) == []


@pytest.mark.parametrize(
    ("other", "ran"),
    [
        ({"probe_ns": 9000.0}, "full"),
        ({"probe_ns": 7300.0}, "full"),
        ({"probe_ns": 7100.0}, "slow"),
        ({"probe_ns": 7100.0, "cores_ran": "mixed"}, "slow"),
        ({"probe_ns": 7100.0, "host": "beta"}, "full"),
        ({"probe_ns": 7100.0, "device": "CPU{threads=1}"}, "full"),
        ({"probe_ns": None}, "full"),
    ],
)
def test_what_passed_for_full_speed_is_slow_where_the_same_core_was_a_quarter_faster_beside_another_cell(other, ran):
    one = replace(INT8, cores_ran="full", probe_ns=9000.0)
    found = among([one, replace(IR, **{"cores_ran": "full"} | other)])
    assert found[0].cores_ran == ran
    assert found[1].cores_ran == other.get("cores_ran", "full")
    assert found[0].speedup_pytorch is None


def test_speeds_of_all_are_slowed_by_the_same_measure():
    mixed = replace(INT8, cores_ran="mixed", probe_ns=9000.0)
    assert among([mixed, replace(IR, cores_ran="full", probe_ns=7000.0)])[0] == mixed
    assert among([]) == []
