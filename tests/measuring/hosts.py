"""Hosts that are simulated, with a clock of their own, and measurements by hand."""

import math
from dataclasses import replace

import numpy as np

from farm.measuring.pairing import CELL, PARTNER, PairedRounds, conduct
from tests.measuring.rows import effort, one_round, stretches_at

SECONDS, START_S = 1.0, 1.0
BUSY = {"foreign_s": 0.5}
WIDE = 0.06  # pairs of this spread stay wider than 2 % at 8 and 16 pairs, and at 32
TURNS = ((0, 3, 4, 7), (1, 2, 5, 6))  # the cell's and its partner's, of a stretch each


class Host:
    """Measures pairs, with the speeds and disturbances that a test tells.

    fps: (variant, number of the round) -> images a second. busy: rounds, by number, beside which others run. probe:
    number of the pair -> how long the probe took, in ns.
    """

    def __init__(self, fps=lambda variant, number: 1000.0, busy=lambda number: False, probe=lambda number: 100):
        self.fps, self.busy, self.probe = fps, busy, probe
        self.now = 100.0
        self.seconds = []

    def measure_pair(self, seconds):
        number = len(self.seconds)
        self.seconds.append(seconds)
        self.now += START_S + seconds
        probes = np.full((len(TURNS[0]), 2, 1), self.probe(number))
        return [self.round(2 * number + i, variant, seconds, turns=TURNS[i], probes=probes)
                for i, variant in enumerate((CELL, PARTNER))]  # fmt: skip

    def round(self, number, variant, seconds, **played):
        fps = self.fps(variant, number)
        signals = BUSY if self.busy(number) else {}
        stretches = stretches_at([fps] * len(TURNS[0]), **played)
        return one_round(variant, fps, stretches=stretches, cpus=[1], played_s=seconds, **signals)

    def clock(self):
        return self.now

    def conduct(self, *, say=lambda _: None, **changes):
        changes = {"budget_s": 10_000.0} | changes
        return conduct(self.measure_pair, effort(**changes), clock=self.clock, say=say)


def noisy(spread, ratio=1.0, seed=0):
    """Speeds whose pairs differ at random: a lognormal factor a round."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=spread / math.sqrt(2), size=1000)
    return lambda variant, number: 1000.0 * (ratio if variant == CELL else 1.0) * math.exp(noise[number])


def marked(*fast, turns=20):
    """Pairs of turns of a stretch each, so many of them at full speed, in which the cell is twice as fast as else."""
    rounds = []
    for number, count in enumerate(fast):
        for variant, full in ((CELL, 200.0), (PARTNER, 100.0)):
            played = stretches_at([full] * count + [100.0] * (turns - count))
            played = replace(played, full_speed=np.arange(turns) < count)
            rounds.append(one_round(variant, full, stretches=played, pair=number))
    return PairedRounds(rounds=rounds)


def halved(within, between, pairs=8, turns=20):
    """Pairs whose halves differ by so much from their means, and those from one another; of ten seconds each."""
    rounds = []
    for number in range(pairs):
        log = between * (-1) ** number
        speeds = [100 * math.exp(log + within)] * (turns // 2) + [100 * math.exp(log - within)] * (turns // 2)
        for variant, of_turns in ((CELL, speeds), (PARTNER, [100.0] * turns)):
            rounds.append(one_round(variant, 1.0, stretches=stretches_at(of_turns), pair=number, played_s=10.0))
    return PairedRounds(rounds=rounds)
