"""In which turns the cores ran at full speed. Looks at the probes alone, never at a latency. Pure.

Where a neighbour shares a core, the core has two speeds and more, and goes from one to another within milliseconds or
seconds. A turn that begins and ends with the fastest probe, on every leased CPU, counts as played at full speed. What
a model leaves behind slows the first probe after it by some percent, an int8 one more than an FP32 one: so a probe is
held against those that follow the same variant.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from farm.measuring.round import Round

FASTEST = 0.05  # this quantile of a CPU's probes is its full speed: the fastest ones are luck
SLACK = 0.06  # a probe that takes no longer than this beyond it is at full speed
LEAST_SHARE = 0.2  # of turns at full speed, for figures of those alone
MOST_HIDDEN = 0.03  # of the time of such turns
MOST_LUCKY = 0.005  # of probes


def full_ns(rounds: Sequence[Round]) -> Mapping[str, NDArray[np.float64]]:
    """How long the probe takes at full speed after a turn of each variant, on each CPU: (CPUs,). Of one measurement."""
    after = defaultdict(list)
    for one in rounds:
        after[one.variant].append(one.turns.probes_ns[:, 1])
    return {variant: np.quantile(np.concatenate(probes), FASTEST, axis=0) for variant, probes in after.items()}


def flagged(rounds: Sequence[Round]) -> list[Round]:
    """Rounds of one measurement with their turns at full speed marked, by the probes of them all."""
    fast = {pair: np.asarray(each.all(axis=1)) for pair, each in _fast(rounds).items()}
    return [replace(one, turns=replace(one.turns, full_speed=_within(one, fast[one.pair]))) for one in rounds]


def _fast(rounds: Sequence[Round]) -> dict[int, NDArray[np.bool_]]:
    """By pair, whether the probe before its first turn, and the one after each, were at full speed: (turns + 1, CPUs).

    The first follows the warm-up, and is held against the faster of both.
    """
    full, turns = full_ns(rounds), Counter[int]()
    for one in rounds:
        turns[one.pair] = max(turns[one.pair], 1 + int(one.turns.turn.max(initial=-1)))
    fast = {pair: np.ones((1 + count, rounds[0].turns.probes_ns.shape[2]), np.bool_) for pair, count in turns.items()}
    faster = np.min(list(full.values()), axis=0) if full else np.empty(0)
    for one in rounds:
        first, numbers = one.turns.turn == 0, one.turns.turn
        fast[one.pair][numbers[first]] = one.turns.probes_ns[first, 0] <= faster * (1 + SLACK)
        fast[one.pair][numbers + 1] = one.turns.probes_ns[:, 1] <= full[one.variant] * (1 + SLACK)
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
    of a Markov chain that explains both give the time in the slow one between two fast probes. Of several CPUs, of the
    worst: that one of many was slow by chance hides nothing.
    """
    fast = list(_fast(rounds).values())
    if not fast:
        return 0.0
    probes, before, after = (
        np.concatenate([each[part] for each in fast]) for part in (slice(None), slice(None, -1), slice(1, None))
    )
    return max((_hidden(*each) for each in zip(probes.T, before.T, after.T, strict=True)), default=0.0)


def _hidden(probes: NDArray[np.bool_], before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """Of one CPU. probes: all of them; before, after: of each turn."""
    p = float(probes.mean())
    if p == 1 or not before.any():
        return 0.0
    k = max(1e-9, min(1 - 1e-9, (float(after[before].mean()) - p) / (1 - p)))
    between = 1 + k + 2 * (1 - k) / math.log(k)
    return p * (1 - p) * between / (p + (1 - p) * k)


def lucky(rounds: Sequence[Round]) -> float:
    """The share of probes that are too fast for what counts as full speed here, 0 to 1, on the CPU with most of them.

    There are some where the cores were at full speed so seldom that what counts as such is a slower state.
    """
    full = full_ns(rounds)
    faster = [one.turns.probes_ns[:, 1] < full[one.variant] / (1 + SLACK) for one in rounds]
    return float(np.concatenate(faster).mean(axis=0).max(initial=0.0)) if faster else 0.0


def holds(rounds: Sequence[Round]) -> bool:
    """Whether there are enough turns at full speed, that is what it is, and they were so for all of their time."""
    return share(rounds) >= LEAST_SHARE and hidden(rounds) <= MOST_HIDDEN and lucky(rounds) <= MOST_LUCKY
