"""Simulated hosts: cores that change their speed unseen, and pairs that take turns on them. The clock is their own.

A core is at full speed or slowed by a neighbour, and stays so for milliseconds to seconds; on top of that comes a drift
with a random walk in it, bursts that slow everything for some turns, and what differs between processes. A neighbour
slows the cell, its partner and the probe each by a factor of its own. The probe tells the state at one moment, not what
happened within a stretch. Nothing of it shows in the host's signals.
"""

import math
import random
from dataclasses import dataclass, field

import numpy as np
from cells import bare_round
from numpy.typing import NDArray

from farm.grid.settings import Measuring
from farm.measuring.one_round import SETTLING_NS, STRETCH_NS
from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.probe import fastest, is_fast
from farm.measuring.round import Round, Stretches
from farm.measuring.turns import MOST_TIMES, TURN_NS

QUIET = dict.fromkeys(("steal_s", "foreign_s", "delayed_s", "siblings_s", "throttled_s", "overheated"), 0)
SECONDS = Measuring().min_seconds
START_S = 0.8  # of a pair's interpreters and models
SWITCH_S = 0.0015 + SETTLING_NS / 1e9  # of a turn, before its clock runs
STRETCH_S, PROBE_S = STRETCH_NS / 1e9, 0.0001
STRETCHES = math.ceil(TURN_NS / STRETCH_NS)  # of a turn
TURN_S = SWITCH_S + STRETCHES * (STRETCH_S + PROBE_S)
IR_FPS = 2500.0
PROBE_NS = 20_000


@dataclass(slots=True, kw_only=True)
class Host:
    """A host drawn at random. truth: the cell's speed over its partner's, at full speed; when slowed, another.

    fast_share: of the time at full speed. dwell_s: mean time in a state. slowed: of cell, partner and probe.
    between, within: spread of logarithms, from process to process, and from turn to turn and stretch to stretch.
    """

    rng: random.Random
    truth: float
    same: bool = False  # the cell is its own partner: a neighbour slows both alike
    now_s: float = 0.0
    fast_share: float = field(init=False)
    dwell_s: float = field(init=False)
    slowed: tuple[float, float, float] = field(init=False)
    between: float = field(init=False)
    within: float = field(init=False)
    slope: float = field(init=False)
    walked: float = 0.0
    seen_ns: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = self.rng
        self.fast_share = rng.uniform(0.2, 1.0)
        self.dwell_s = 0.002 * 1000 ** rng.random()
        partner = rng.uniform(0.1, 0.5)
        self.slowed = (
            partner if self.same else partner * rng.uniform(0.8, 1.6),
            partner,
            partner * rng.uniform(0.8, 1.5),
        )
        self.between = 0.001 * 20 ** rng.random()
        self.within = 0.005 * 10 ** rng.random()
        self.slope = rng.uniform(-0.1, 0.1) / 60

    def pair(self, longer: float) -> list[Round]:
        """A pair, as a conductor plays it: until both had enough at full speed, or their time."""
        rng, wanted_s = np.random.default_rng(self.rng.getrandbits(63)), longer * SECONDS
        self.now_s += START_S
        most = math.ceil(MOST_TIMES * wanted_s / (TURN_NS / 1e9) / 2)
        cell = np.array([order for _ in range(most) for order in self._block()])
        begins = (np.arange(len(cell)) * TURN_S + SWITCH_S)[:, None] + np.arange(STRETCHES) * (STRETCH_S + PROBE_S)
        share, probed = self._states(rng, begins.ravel())
        probes = PROBE_NS * np.exp(self.slowed[2] * probed + np.abs(rng.normal(0, 0.01, probed.shape)))
        played = self._played(cell, probes, wanted_s)
        cell, share, probes = cell[:played], share[:played], probes[:played]
        self.seen_ns += probes[:, :, 1].ravel().tolist()
        self.walked += self.rng.gauss(0, 0.003)
        told = self.walked + self.slope * (self.now_s + begins[:played, 0]) - self._bursts(rng, played)
        self.now_s += played * TURN_S
        return [
            self._round(rng, variant, cell == (variant == CELL), told, share, probes.astype(np.int64))
            for variant in (CELL, PARTNER)
        ]

    def _played(self, cell: NDArray[np.bool_], probes: NDArray[np.float64], wanted_s: float) -> int:
        """How many turns: until both had so many seconds at full speed, as far as probes so far could tell."""
        known, full_s = fastest(self.seen_ns), np.zeros(2)
        for turn in range(len(cell)):
            fast_ns = min(known, fastest(probes[: turn + 1, :, 1].ravel()))
            full_s[int(cell[turn])] += is_fast(probes[turn], fast_ns).all(axis=1).sum() * STRETCH_S
            if turn % 4 == 3 and min(full_s) >= wanted_s:
                return turn + 1
        return len(cell)

    def _block(self) -> tuple[bool, ...]:
        first = self.rng.random() < 0.5
        return (first, not first, not first, first)

    def _states(
        self, rng: np.random.Generator, begins: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How much of each stretch the core was slowed, (turns, stretches); whether around it, the same by 2."""
        spans: list[float] = [0.0]
        slow = [bool(rng.random() > self.fast_share)]
        while spans[-1] < begins[-1] + STRETCH_S + PROBE_S:
            mean = 2 * self.dwell_s * ((1 - self.fast_share) if slow[-1] else self.fast_share)
            spans.append(spans[-1] + float(rng.exponential(mean)) + 1e-5)
            slow.append(not slow[-1])
        edges, slowed = np.array(spans), np.array(slow[:-1], np.float64)
        total = np.concatenate([[0.0], np.cumsum(np.diff(edges) * slowed)])
        around = np.stack([begins - PROBE_S, begins + STRETCH_S + PROBE_S], axis=1)
        probed = slowed[np.clip(np.searchsorted(edges, around, side="right") - 1, 0, len(slowed) - 1)]
        until, from_then = (np.interp(end, edges, total) for end in (begins + STRETCH_S, begins))
        share = (until - from_then) / STRETCH_S
        return share.reshape(-1, STRETCHES), probed.reshape(-1, STRETCHES, 2)

    def _bursts(self, rng: np.random.Generator, turns: int) -> NDArray[np.float64]:
        """Every hundredth turn or so, some turns are slowed by something that no probe feels."""
        burst = np.zeros(turns)
        for start in np.flatnonzero(rng.random(turns) < 0.01):
            burst[start : start + rng.integers(1, 6)] = rng.uniform(0.02, 0.3)
        return burst

    def _round(
        self,
        rng: np.random.Generator,
        variant: str,
        own: NDArray[np.bool_],
        told: NDArray[np.float64],
        share: NDArray[np.float64],
        probes: NDArray[np.int64],
    ) -> Round:
        of_cell, count = variant == CELL, int(own.sum())
        log = math.log(IR_FPS * (self.truth if of_cell else 1.0)) + rng.normal(0, self.between)
        slowing = np.expm1(self.slowed[0 if of_cell else 1]) * share[own]
        of_turn, of_stretch = rng.normal(0, self.within, (count, 1)), rng.normal(0, self.within, (count, STRETCHES))
        speeds = (np.exp(log + told[own][:, None] + of_turn + of_stretch) / (1 + slowing)).ravel()
        inferences = np.maximum(1, np.round(speeds * STRETCH_S)).astype(np.int64)
        wall_ns = np.round(inferences / speeds * 1e9).astype(np.int64)
        stretches = Stretches(
            turn=np.repeat(np.flatnonzero(own), STRETCHES),
            inferences=inferences,
            wall_ns=wall_ns,
            probes_ns=probes[own].reshape(-1, 2, 1),
            full_speed=np.zeros(len(inferences), np.bool_),
            latencies_ns=np.repeat(wall_ns // inferences, inferences),
        )
        facts = {**QUIET, "mhz": None, "played_s": len(own) * TURN_S, "used_s": 0.0}
        return bare_round(facts, variant=variant, cpus=(0,), stretches=stretches)
