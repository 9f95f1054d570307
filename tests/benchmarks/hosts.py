"""Simulated hosts: cores that change their speed unseen, and pairs that take turns on them. The clock is their own.

A core is at full speed or slowed by a neighbour, and stays so for milliseconds to seconds; on top of that comes a drift
with a random walk in it, bursts that slow everything for some turns, and what differs between processes. A neighbour
slows the cell, its partner and the probe each by a factor of its own. The probe tells the state at one moment, not what
happened within a turn. Nothing of it shows in the host's signals.
"""

import math
import random
from dataclasses import dataclass, field

import numpy as np
from cells import bare_round
from numpy.typing import NDArray

from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.round import Round, Turns
from farm.measuring.turns import TURN_NS

QUIET = dict.fromkeys(("steal_s", "foreign_s", "delayed_s", "siblings_s", "throttled_s", "overheated"), 0)
START_S = 0.6  # of a pair's interpreters and models
SETTLING_S, PROBE_S = 0.005, 0.0003  # of a turn, before its clock runs; between two turns
TURN_S = TURN_NS / 1e9
IR_FPS = 2500.0
PROBE_NS = 20_000


@dataclass(slots=True, kw_only=True)
class Host:
    """A host drawn at random. truth: the cell's speed over its partner's, at full speed; when slowed, another.

    fast_share: of the time at full speed. dwell_s: mean time in a state. slowed: of cell, partner and probe.
    between, within: spread of logarithms, from process to process and from turn to turn.
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

    def __post_init__(self) -> None:
        rng = self.rng
        self.fast_share = rng.uniform(0.2, 1.0)
        self.dwell_s = 0.002 * 1000 ** rng.random()
        partner = rng.uniform(0.1, 0.5)
        self.slowed = (
            partner if self.same else partner * rng.uniform(0.8, 1.6),
            partner,
            partner * rng.uniform(0.4, 1),
        )
        self.between = 0.001 * 20 ** rng.random()
        self.within = 0.005 * 10 ** rng.random()
        self.slope = rng.uniform(-0.1, 0.1) / 60

    def pair(self, seconds: float) -> list[Round]:
        """A pair, as a conductor plays it."""
        rng = np.random.default_rng(self.rng.getrandbits(63))
        blocks = math.ceil(seconds / TURN_S / 2)
        cell = np.array([order for _ in range(blocks) for order in self._block()])
        self.now_s += START_S
        begins = self.now_s + np.arange(len(cell) + 1) * (SETTLING_S + TURN_S + PROBE_S)
        share, state = self._states(rng, begins)
        self.walked += self.rng.gauss(0, 0.003)
        told = self.walked + self.slope * begins[:-1] - self._bursts(rng, len(cell))
        probe = PROBE_NS * np.exp(self.slowed[2] * state + np.abs(rng.normal(0, 0.01, len(state))))
        around = np.stack([probe[:-1], probe[1:]], axis=1)[:, :, None].astype(np.int64)
        self.now_s = float(begins[-1])
        played_s = float(begins[-1] - begins[0])
        return [
            self._round(rng, variant, cell == (variant == CELL), told, share, around, played_s)
            for variant in (CELL, PARTNER)
        ]

    def _block(self) -> tuple[bool, ...]:
        first = self.rng.random() < 0.5
        return (first, not first, not first, first)

    def _states(
        self, rng: np.random.Generator, at: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How much of each turn the core was slowed (n,), and whether it was at each probe (n + 1,)."""
        spans: list[float] = [0.0]
        slow = [bool(rng.random() > self.fast_share)]
        while spans[-1] < at[-1] - at[0]:
            mean = 2 * self.dwell_s * ((1 - self.fast_share) if slow[-1] else self.fast_share)
            spans.append(spans[-1] + float(rng.exponential(mean)) + 1e-5)
            slow.append(not slow[-1])
        edges, slowed = np.array(spans), np.array(slow[:-1], np.float64)
        total = np.concatenate([[0.0], np.cumsum(np.diff(edges) * slowed)])
        moments = at - at[0]
        state = slowed[np.clip(np.searchsorted(edges, moments, side="right") - 1, 0, len(slowed) - 1)]
        until, from_then = (np.interp(end, edges, total) for end in (moments[1:], moments[1:] - TURN_S))
        return (until - from_then) / TURN_S, state

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
        around: NDArray[np.int64],
        played_s: float,
    ) -> Round:
        of_cell = variant == CELL
        logs = math.log(IR_FPS * (self.truth if of_cell else 1.0)) + rng.normal(0, self.between)
        slowing = np.expm1(self.slowed[0 if of_cell else 1]) * share[own]
        speeds = np.exp(logs + told[own] + rng.normal(0, self.within, own.sum())) / (1 + slowing)
        inferences = np.maximum(1, np.round(speeds * TURN_S)).astype(np.int64)
        wall_ns = np.round(inferences / speeds * 1e9).astype(np.int64)
        turns = Turns(
            turn=np.flatnonzero(own),
            inferences=inferences,
            wall_ns=wall_ns,
            probes_ns=around[own],
            full_speed=np.zeros(len(inferences), np.bool_),
            latencies_ns=np.repeat(wall_ns // inferences, inferences),
        )
        return bare_round(
            {**QUIET, "mhz": None}, variant=variant, cpus=(0,), played_s=played_s, used_s=0.0, turns=turns
        )
