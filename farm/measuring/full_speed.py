"""In which turns the cores ran at full speed. Looks at the probes alone, never at a latency. Pure.

Where a neighbour shares a core, the core has two speeds and more, and goes from one to another within milliseconds or
seconds. A turn that begins and ends with the fastest probe, on every leased CPU, counts as played at full speed. What
a model leaves behind slows the first probe after it by some percent, an int8 one more than an FP32 one: so a probe is
held against those that follow the same variant.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from farm.measuring.round import Round

FASTEST = 0.05  # this quantile of a CPU's probes is its full speed: the fastest ones are luck
SLACK = 0.08  # a probe that takes no longer than this beyond it is at full speed
LEAST_SHARE = 0.2  # of turns at full speed, for figures of those alone


def full_ns(rounds: Sequence[Round]) -> Mapping[str, NDArray[np.float64]]:
    """How long the probe takes at full speed after a turn of each variant, on each CPU: (CPUs,). Of one measurement."""
    after = defaultdict(list)
    for one in rounds:
        after[one.variant].append(one.turns.probes_ns[:, 1])
    return {variant: np.quantile(np.concatenate(probes), FASTEST, axis=0) for variant, probes in after.items()}


def flagged(rounds: Sequence[Round]) -> list[Round]:
    """Rounds of one measurement with their turns at full speed marked, by the probes of them all."""
    full, pairs = full_ns(rounds), defaultdict(list)
    for one in rounds:
        pairs[one.pair].append(one)
    fast = {pair: _fast(both, full) for pair, both in pairs.items()}
    return [replace(one, turns=replace(one.turns, full_speed=_within(one, fast[one.pair]))) for one in rounds]


def _fast(pair: Sequence[Round], full: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Whether the probe before a pair's first turn, and the one after each, were at full speed: (turns + 1,)."""
    fast = np.ones(1 + max(int(one.turns.turn.max(initial=-1)) for one in pair) + 1, np.bool_)
    for one in pair:
        within = one.turns.probes_ns <= full[one.variant] * (1 + SLACK)
        fast[one.turns.turn + 1] = within[:, 1].all(axis=1)
        if 0 in one.turns.turn:
            fast[0] = within[0, 0].all()
    return fast


def _within(one: Round, fast: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(fast[one.turns.turn] & fast[one.turns.turn + 1])


def share(rounds: Sequence[Round]) -> float:
    """Of all turns those at full speed, 0 to 1."""
    turns = np.concatenate([one.turns.full_speed for one in rounds])
    return float(turns.mean()) if len(turns) else 0.0
