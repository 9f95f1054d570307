"""In which turns the cores ran at full speed. Looks at the probes alone, never at a latency. Pure.

Where a neighbour shares a core, the core has two speeds and more, and goes from one to another within milliseconds or
seconds. A turn that begins and ends with the fastest probe, on every leased CPU, counts as played at full speed. What
a model leaves behind slows the first probe after it by some percent, an int8 one more than an FP32 one: so a probe is
held against those that follow the same variant.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from farm.measuring.round import Round

FASTEST = 0.05  # this quantile of a CPU's probes is its full speed: the fastest ones are luck
SLACK = 0.06  # a probe that takes no longer than this beyond it is at full speed
LEAST_SHARE = 0.2  # of turns at full speed, for figures of those alone
MOST_HIDDEN = 0.03  # of the time of such turns


def full_ns(rounds: Sequence[Round]) -> Mapping[str, NDArray[np.float64]]:
    """How long the probe takes at full speed after a turn of each variant, on each CPU: (CPUs,). Of one measurement."""
    after = defaultdict(list)
    for one in rounds:
        after[one.variant].append(one.turns.probes_ns[:, 1])
    return {variant: np.quantile(np.concatenate(probes), FASTEST, axis=0) for variant, probes in after.items()}


def flagged(rounds: Sequence[Round]) -> list[Round]:
    """Rounds of one measurement with their turns at full speed marked, by the probes of them all."""
    fast = _fast(rounds)
    return [replace(one, turns=replace(one.turns, full_speed=_within(one, fast[one.pair]))) for one in rounds]


def _fast(rounds: Sequence[Round]) -> dict[int, NDArray[np.bool_]]:
    """By pair, whether the probe before its first turn, and the one after each, were at full speed: (turns + 1,)."""
    full, pairs = full_ns(rounds), defaultdict(list)
    for one in rounds:
        within = np.asarray((one.turns.probes_ns <= full[one.variant] * (1 + SLACK)).all(axis=2))
        pairs[one.pair].append((one.turns.turn, within))
    fast = {}
    for pair, both in pairs.items():
        fast[pair] = np.ones(2 + max(int(turn.max(initial=-1)) for turn, _ in both), np.bool_)
        for turn, within in both:
            fast[pair][turn + 1] = within[:, 1]
            fast[pair][turn[turn == 0]] = within[turn == 0, 0]
    return fast


def _within(one: Round, fast: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(fast[one.turns.turn] & fast[one.turns.turn + 1])


def share(rounds: Sequence[Round]) -> float:
    """Of all turns those at full speed, 0 to 1."""
    full = sum(int(one.turns.full_speed.sum()) for one in rounds)
    return full / max(1, sum(len(one.turns) for one in rounds))


def hidden(rounds: Sequence[Round]) -> float:
    """For how much of its time a turn that counts as at full speed was slower all the same, 0 to 1, as is to be feared.

    A core that goes to and fro within a turn hides that from the probes at its ends. They tell how long a state lasts:
    with p the share of fast probes, and k how much more often a fast one follows a fast one than p says, the two states
    of a Markov chain that explains both give the time in the slow one between two fast probes.
    """
    fast = list(_fast(rounds).values())
    before, after = (np.concatenate([one[part] for one in fast]) for part in (slice(None, -1), slice(1, None)))
    p = float(np.concatenate(fast).mean()) if fast else 1.0
    if p == 1 or not before.any():
        return 0.0
    k = max(1e-9, min(1 - 1e-9, (float(after[before].mean()) - p) / (1 - p)))
    between = 1 + k + 2 * (1 - k) / math.log(k)
    return p * (1 - p) * between / (p + (1 - p) * k)


def holds(rounds: Sequence[Round]) -> bool:
    """Whether there are enough turns at full speed, and they were so for all of their time."""
    return share(rounds) >= LEAST_SHARE and hidden(rounds) <= MOST_HIDDEN
