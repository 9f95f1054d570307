"""Turns: whose they are and how long, on rounds that a test plays, and real ones that are killed amid them."""

import json
import math
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import psutil
import pytest

from farm.codec import encode
from farm.measuring import turns
from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.probe import Probe
from farm.measuring.round import FACTS, Stretches
from farm.measuring.runner import MEMORY_FORMAT
from farm.measuring.running import Answer, RoundCrashed, RunningRound
from farm.measuring.turns import (
    ALIGNED,
    LEAST_IN_TURN,
    LONGER,
    MOST_S,
    MOST_TIMES,
    MOVED,
    PAGE,
    TURN_NS,
    Conductor,
    probe_of,
)
from tests.measuring.conftest import asked, request_with
from tests.measuring.rows import ASKED, QUIET, one_round
from tests.measuring.test_running import children, state, wait_for

MS = 1_000_000
IDLE_NS = 100_000  # of the conductor's probe: the turns that had been played are next to nothing of it
OF_THE_CONDUCTOR = {"pair", "variant", "asked", "cpus", "disturbed", "played_s", "mhz"} | {*QUIET} - {"delayed_s"}


class Stage:
    """Where rounds play that a test tells, and every move is noted.

    By the name of a round: each_ns, of an inference; full, what part of a turn it says was at full speed; own_ns, what
    its probe took; chosen, its memory format; asked, its requests. The conductor's probe tells how many turns had been
    played.
    """

    def __init__(self):
        self.each_ns, self.full, self.own_ns, self.chosen = {}, {}, {}, {}
        self.asked = defaultdict(list)
        self.moves = []

    def read(self):
        self.moves.append(("probe", ""))
        return (IDLE_NS + self.played(),)

    def played(self, *names):
        return sum(move == "finish" and (not names or name in names) for move, name in self.moves)


class Player:
    """A round on the stage: as `RunningRound`. Plays two stretches a turn."""

    def __init__(self, stage, request, scratch):
        self.stage, self.request, self.name = stage, request, scratch.name
        self.each_ns = stage.each_ns.get(self.name, MS)
        self.turns = []
        stage.asked[self.name].append(request)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.note("leave")

    def note(self, move):
        self.stage.moves.append((move, self.name))

    def compiled(self):
        self.note("compiled")

    def warmed_up(self):
        self.note("warmed up")
        return self.each_ns

    def turn(self, turn_ns):
        self.begin(turn_ns)
        return self.finish()

    def begin(self, turn_ns):
        self.note("begin")
        self.turns.append(turn_ns)

    def finish(self):
        self.note("finish")
        return int(self.stage.full.get(self.name, 1) * self.turns[-1])

    def end(self):
        self.note("end")
        facts = {name: getattr(one_round("", 100.0), name) for name in {*FACTS} - OF_THE_CONDUCTOR}
        if format_ := self.stage.chosen.get(self.name):
            facts["properties"] = json.dumps({MEMORY_FORMAT: format_})
        inferences = np.array([-(-(turn_ns // 2) // self.each_ns) for turn_ns in self.turns]).repeat(2)
        stretches = Stretches(
            turn=np.arange(len(self.turns)).repeat(2),
            inferences=inferences,
            wall_ns=inferences * self.each_ns,
            probes_ns=np.full((len(inferences), 2, int(self.request.probed)), self.stage.own_ns.get(self.name, 1000)),
            full_speed=np.zeros(len(inferences), np.bool_),
            latencies_ns=np.full(sum(inferences), self.each_ns),
        )
        return Answer(facts=facts, stretches=stretches)


@pytest.fixture
def stage(monkeypatch):
    found = Stage()
    monkeypatch.setattr(turns, "RunningRound", lambda request, scratch: Player(found, request, scratch))
    return found


def conductor_on(stage, folder=Path(), *, seed=0, **more):
    requests, more = dict.fromkeys((CELL, PARTNER), request_with(asked=ASKED)), {"seconds": 1.0, "inferences": 1} | more
    return Conductor(requests=requests, scratch=folder, probe=stage, rng=Random(seed), **more)


def order_of(pair):
    """Whose turn each was: ``A`` is the cell's, ``B`` its FP32 IR's."""
    whose = {int(turn): "A" if one.variant == CELL else "B" for one in pair for turn in one.stretches.turn}
    return "".join(whose[turn] for turn in range(len(whose)))


def test_turns_come_in_blocks_of_abba_or_baab_by_lot(stage):
    order = order_of(conductor_on(stage, seconds=200 * TURN_NS / 1e9).pair())
    blocks = [order[at : at + 4] for at in range(0, len(order), 4)]
    assert len(blocks) == 100
    assert 25 < blocks.count("ABBA") < 75
    assert set(blocks) == {"ABBA", "BAAB"}
    played = ["A" if name == CELL else "B" for move, name in stage.moves if move == "begin"]
    assert "".join(played) == order, "as they were played"


def test_the_lot_is_drawn_anew_for_each_pair_and_by_the_generator_alone(stage):
    conductor = conductor_on(stage, seed=3)
    first, second = (order_of(conductor.pair(1.0)) for _ in range(2))
    assert first != second
    assert order_of(conductor_on(stage, seed=3).pair(1.0)) == first


def test_who_starts_first_goes_by_lot_and_company_starts_last(stage):
    conductor, firsts = conductor_on(stage, company=[request_with()]), []
    for _ in range(40):
        stage.moves.clear()
        conductor.pair(0.1)
        *two, last = [name for move, name in stage.moves if move == "compiled"]
        assert (sorted(two), last) == ([CELL, PARTNER], "company0")
        firsts.append(two[0])
    assert 8 < firsts.count(CELL) < 32


def by_turn(one):
    """Wall time of each turn of a round."""
    wall_ns = np.bincount(one.stretches.turn, one.stretches.wall_ns)
    return wall_ns[wall_ns > 0]


@pytest.mark.parametrize(
    ("cell_ns", "ir_ns", "length_ns"),
    [(MS, 2 * MS, TURN_NS), (MS, 50 * MS, LEAST_IN_TURN * 50 * MS), (50 * MS, MS, LEAST_IN_TURN * 50 * MS)],
)
def test_a_turn_is_so_long_or_so_many_inferences_of_the_slower(stage, cell_ns, ir_ns, length_ns):
    stage.each_ns = {CELL: cell_ns, PARTNER: ir_ns}
    for one in conductor_on(stage).pair(1.0):
        assert min(by_turn(one)) >= length_ns
        assert max(by_turn(one)) < length_ns + 2 * max(cell_ns, ir_ns), "an inference more in each stretch"


@pytest.mark.parametrize(
    ("seconds", "inferences", "least_s"), [(1.0, 1, 1.0), (0.001, 1, 2 * TURN_NS / 1e9), (0.1, 500, 1.0)]
)
def test_each_variant_is_timed_for_so_long_and_so_many_inferences(stage, seconds, inferences, least_s):
    stage.each_ns = {CELL: MS, PARTNER: 2 * MS}
    for one in conductor_on(stage, seconds=seconds, inferences=inferences).pair():
        assert least_s <= one.wall_s <= 1.1 * least_s
        assert one.stretches.inferences.sum() >= inferences


@pytest.mark.parametrize(
    ("cell", "partner", "times"),
    [(1, 1, 1), (0.5, 1, 2), (1, 0.25, 4), (0.25, 0.5, 4), (1.01 / MOST_TIMES, 1, MOST_TIMES / 1.01),
     (0.1, 1, MOST_TIMES), (0, 0, MOST_TIMES)],
)  # fmt: skip
def test_a_pair_goes_on_until_both_were_at_full_speed_for_so_long_or_has_taken_five_times_as_long(
    stage, cell, partner, times
):
    stage.full = {CELL: cell, PARTNER: partner}
    asked_ns, block_ns = 10**9 // 2, 2 * TURN_NS
    conductor_on(stage, seconds=asked_ns / 1e9).pair()
    for variant in (CELL, PARTNER):
        played_ns = stage.played(variant) * TURN_NS
        assert times * asked_ns - block_ns <= played_ns < times * asked_ns + block_ns


@pytest.mark.parametrize(("seconds", "most_s"), [(0.5, 2.5), (2.0, MOST_S), (12.0, 12.0)])
def test_a_pair_that_never_is_at_full_speed_ends_after_some_seconds_however_much_is_asked_for(stage, seconds, most_s):
    stage.full = dict.fromkeys((CELL, PARTNER), 0.0)
    for one in conductor_on(stage, seconds=seconds).pair():
        assert most_s <= one.wall_s < 1.1 * most_s


def test_a_turn_counts_for_nothing_while_the_conductors_probe_is_slow(stage, monkeypatch):
    """It goes on for the turns that begin or end with a slow one, of either variant."""
    lengths = []
    for slow in ((), range(10, 20)):
        monkeypatch.setattr(stage, "read", lambda slow=slow: (IDLE_NS * (2 if stage.played() % 1000 in slow else 1),))
        stage.moves.clear()
        lengths.append(sum(len({*one.stretches.turn}) for one in conductor_on(stage, seconds=0.3).pair()))
    assert lengths[1] - lengths[0] in range(10, 15)


def test_what_full_speed_was_is_passed_on_to_later_rounds_of_the_same_variant(stage):
    conductor = conductor_on(stage, company=[request_with()])
    for cell_ns, partner_ns in ((1300, 900), (1200, 1000), (1500, 1000)):
        stage.own_ns = {CELL: cell_ns, PARTNER: partner_ns}
        conductor.pair(0.1)
    told = {name: [request.fast_ns for request in requests] for name, requests in stage.asked.items()}
    assert told == {CELL: [math.inf, 1300, 1200], PARTNER: [math.inf, 900, 900], "company0": [math.inf] * 3}


def test_each_process_of_each_pair_lies_elsewhere_in_memory(stage):
    """Anywhere within a page, of either variant, and behind all that an interpreter's start leaves free."""
    conductor = conductor_on(stage)
    for _ in range(100):
        conductor.pair(0.1)
    for variant in (CELL, PARTNER):
        moved = [request.moved for request in stage.asked[variant]]
        assert min(moved) >= MOVED
        assert {each % ALIGNED for each in moved} == {0}
        assert len({each % PAGE for each in moved}) > 50
        assert PAGE / 3 < sum(each % PAGE for each in moved) / len(moved) < 2 * PAGE / 3
        lengths = [request.longer for request in stage.asked[variant]]
        assert min(lengths) < LONGER / 10 < 9 * LONGER / 10 < max(lengths) < LONGER
    assert stage.asked[CELL][0].moved != stage.asked[PARTNER][0].moved


def test_of_rounds_that_are_not_probed_no_full_speed_is_known(stage):
    requests = dict.fromkeys((CELL, PARTNER), request_with(name="GPU"))
    conductor = replace(conductor_on(stage), requests=requests, probe=Probe())
    first, _ = [conductor.pair(0.1) for _ in range(2)][-1]
    assert stage.asked[CELL][1].fast_ns == math.inf
    assert first.stretches.probes_ns.shape[1:] == (2, 0)


def test_the_conductors_probe_is_timed_before_the_first_turn_and_after_each_and_holds_for_all_its_stretches(stage):
    pair = conductor_on(stage, seconds=4 * TURN_NS / 1e9).pair()
    assert stage.moves.count(("probe", "")) == 9
    for one in pair:
        assert one.stretches.probes_ns[:, :, 0].tolist() == [[1000, 1000]] * 8, "the round's own stands first"
        assert one.stretches.probes_ns[:, :, 1].tolist() == [
            [IDLE_NS + turn, IDLE_NS + turn + 1] for turn in one.stretches.turn
        ]
        assert [*Counter(one.stretches.turn).values()] == [2] * 4
    assert not any(one.stretches.full_speed.any() for one in pair), "which only the measurement can tell"


@pytest.mark.parametrize(("name", "cpus", "probed"), [("CPU", (3, 1), (1, 3)), ("CPU", (3,), ()), ("GPU", (1, 3), ())])
def test_the_conductor_probes_each_cpu_only_where_several_are_leased(name, cpus, probed):
    assert probe_of(request_with(name=name, cpus=cpus)).cpus == probed


def test_a_pair_tells_what_was_asked_what_was_answered_and_what_went_on(stage):
    for one, variant in zip(conductor_on(stage).pair(0.1), (CELL, PARTNER), strict=True):
        assert (one.variant, one.runtime, one.synchronous, one.cpus) == (variant, "openvino", True, request_with().cpus)
        assert json.loads(one.asked) == ASKED
        assert one.played_s > 0
        assert len(one.stretches.latencies_ns) == sum(one.stretches.inferences)


def test_company_plays_while_the_cell_has_a_turn_for_longer_and_never_else(stage):
    company = [request_with(), request_with()]
    conductor_on(stage, company=company).pair(0.1)
    playing, seen = set(), Counter()
    for move, name in stage.moves[stage.moves.index(("probe", "")) :]:
        if move == "begin":
            beside = {other for other in playing if other.startswith("company")}
            seen[name, len(beside)] += 1
            playing.add(name)
        if move == "finish":
            playing.remove(name)
            assert name.startswith("company") or len(playing) == (2 if name == CELL else 0)
    assert seen[CELL, 2] == seen[PARTNER, 0] == seen["company0", 0] == seen["company1", 1] > 0
    assert len(seen) == 4


def test_later_pairs_run_in_the_memory_format_that_the_first_one_chose(stage):
    """Only of the variant that chose one: OpenVINO has none."""
    stage.chosen = {CELL: "channels_last"}
    conductor = conductor_on(stage)
    conductor.pair(0.1)
    stage.chosen = {CELL: "channels_last", PARTNER: None}
    conductor.pair(0.1)
    told = {name: [request.memory_format for request in stage.asked[name]] for name in (CELL, PARTNER)}
    assert told == {CELL: ["", "channels_last"], PARTNER: ["", ""]}


def conductor_of(folder, free, probe):
    request = replace(asked(folder, ir=str(free)), cpus=probe.cpus)
    requests = {CELL: request, PARTNER: request}
    return Conductor(requests=requests, scratch=folder, probe=probe, rng=Random(0), seconds=1.0, inferences=1)


class Killer(Probe):
    """A probe that kills a round at its fifth reading, until which both must be stopped at each."""

    def __init__(self, cpus, number):
        super().__init__(cpus)
        self.number, self.before, self.readings = number, children(), 0

    def read(self):
        rounds = sorted(children() - self.before)
        self.readings += 1
        if self.readings <= 5:
            wait_for(lambda: [state(pid) for pid in rounds] == ["T", "T"])
        if self.readings == 5 and self.number:
            os.kill(rounds[0], self.number)
        return super().read()


def test_both_rounds_of_a_pair_are_stopped_between_turns_and_gone_after_it(tmp_path, free):
    before, mask = children(), os.sched_getaffinity(0)
    probe = Killer([min(mask)], None)
    pair = conductor_of(tmp_path, free, probe).pair(0.1)
    order = order_of(pair)
    assert probe.readings == 1 + len(order) >= 1 + 2 * 4, "a tenth of a second of each, in turns of 30 ms"
    assert order.count("A") == order.count("B")
    assert children() == before
    assert os.sched_getaffinity(0) == mask
    for one in pair:
        assert one.wall_s >= 0.1
        assert (by_turn(one) >= TURN_NS).all()
        assert sum(one.stretches.latencies_ns) == sum(one.stretches.wall_ns)
        assert 0 < one.used_s < one.played_s
        assert (one.stretches.probes_ns > 0).all()
        assert one.stretches.probes_ns.shape[2] == 2, "its own and the conductor's"


def test_a_stopped_round_that_is_killed_ends_the_pair_which_leaves_no_process_behind(tmp_path, free):
    before = children()
    with pytest.raises(RoundCrashed, match="SIGKILL"):
        conductor_of(tmp_path, free, Killer([min(os.sched_getaffinity(0))], signal.SIGKILL)).pair(600)
    assert children() == before


def test_a_round_that_is_killed_in_its_turn_ends_the_pair_which_leaves_no_process_behind(tmp_path, free, monkeypatch):
    class Victim(RunningRound):
        def begin(self, turn_ns):
            super().begin(turn_ns)
            if turn_ns > 1:  # not when it warms up
                os.kill(self._process.pid, signal.SIGABRT)

    before = children()
    monkeypatch.setattr(turns, "RunningRound", Victim)
    with pytest.raises(RoundCrashed, match="SIGABRT"):
        conductor_of(tmp_path, free, Probe([min(os.sched_getaffinity(0))])).pair(600)
    assert children() == before


CONDUCT = """
import json, pathlib, random, sys
from farm.codec import decode
from farm.measuring.turns import Conductor, Probe, RoundRequest
request, folder = decode(RoundRequest, json.loads(sys.argv[1])), pathlib.Path(sys.argv[2])
requests, probe = {"cell": request, "ir": request}, Probe(request.cpus)
Conductor(requests=requests, scratch=folder, probe=probe, rng=random.Random(), seconds=1.0, inferences=1).pair(600)
"""


def test_a_conductor_that_is_killed_leaves_nobody_stopped_or_playing(tmp_path, free):
    command = [sys.executable, "-c", CONDUCT, encode(asked(tmp_path, ir=str(free))), str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as conductor:
        mother, seen = psutil.Process(conductor.pid), set()
        wait_for(lambda: len(mother.children()) == 2 or conductor.poll() is not None, 60)
        rounds = mother.children()
        to_and_fro = {("running", "stopped"), ("stopped", "running")}
        wait_for(lambda: seen.add(tuple(one.status() for one in rounds)) or seen >= to_and_fro, 60)
        conductor.kill()
    _, alive = psutil.wait_procs(rounds, timeout=5)
    assert {one.status() for one in alive} <= {psutil.STATUS_ZOMBIE}, "dead, whether or not init has buried them"
