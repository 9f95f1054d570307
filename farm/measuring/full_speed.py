"""In which stretches the cores ran at full speed. Looks at the probes alone, never at a latency. Pure.

Where a neighbour shares a core, the core has two speeds and more, and goes from one to another within milliseconds or
seconds. A stretch that begins and ends with a fast probe counts as played at full speed. What a model leaves behind
slows the probe after it by some percent, an int8 one more than an FP32 one: so a probe is held against the fastest of
those that follow the same variant.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from farm.measuring.probe import SLACK, fastest, is_fast
from farm.measuring.round import Round

LEAST_SHARE = 0.1  # of the time that was at full speed, for figures of that alone
MOST_HIDDEN = 0.03  # of the time of such stretches
MOST_LUCKY = 0.005  # of probes
LEAST_LUCKY = 3


def fast_ns(rounds: Sequence[Round]) -> Mapping[str, NDArray[np.float64]]:
    """How long each probe takes at full speed after each variant: (probes,). Of rounds of one measurement."""
    after = defaultdict(list)
    for one in rounds:
        after[one.variant].append(one.stretches.probes_ns[:, 1])
    return {variant: fastest(np.concatenate(probes)) for variant, probes in after.items()}


def flagged(rounds: Sequence[Round]) -> list[Round]:
    """Rounds of one measurement with their stretches at full speed marked, by the probes of them all."""
    full = fast_ns(rounds)
    fast = [np.asarray(_fast(one, full).all(axis=(1, 2))) for one in rounds]
    return [
        replace(one, stretches=replace(one.stretches, full_speed=each)) for one, each in zip(rounds, fast, strict=True)
    ]


def _fast(one: Round, full: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Whether the probes around each stretch were at full speed: (stretches, 2, probes).

    The first one follows the same round's inferences. Those on each CPU before a turn follow either variant's.
    """
    after = full[one.variant]
    before = np.where(np.arange(len(after)) == 0, after, np.max(list(full.values()), axis=0))
    return is_fast(one.stretches.probes_ns, np.stack([before, after]))


def share(rounds: Sequence[Round]) -> float:
    """Of all timed time that at full speed, 0 to 1."""
    at_full_speed, timed = (
        sum(int(one.stretches.wall_ns[one.stretches.at(full_speed=at)].sum()) for one in rounds) for at in (True, None)
    )
    return at_full_speed / max(1, timed)


def hidden(rounds: Sequence[Round]) -> float:
    """For how much of its time a stretch that counts as at full speed was slower, 0 to 1, as is to be feared.

    A core that goes to and fro within a stretch hides that from the probes at its ends. They tell how long a state
    lasts: with p the share of fast probes, and k how much more often a fast one follows a fast one than p says, the two
    states of a Markov chain that explains both give the time in the slow one between two fast probes. Of the variant
    whose stretches are the longer ones, and of several CPUs, of the worst: that one of many was slow by chance hides
    nothing.
    """
    full, by_variant = fast_ns(rounds), defaultdict(list)
    for one in rounds:
        by_variant[one.variant].append(_fast(one, full))
    each = [np.concatenate(fast) for fast in by_variant.values()]
    worst = [_hidden(fast[:, 0, probe], fast[:, 1, probe]) for fast in each for probe in range(fast.shape[2])]
    return max(worst, default=0.0)


def _hidden(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """Of one probe, before and after each stretch."""
    p = float((before.mean() + after.mean()) / 2)
    if p == 1 or not before.any():
        return 0.0
    k = max(1e-9, min(1 - 1e-9, (float(after[before].mean()) - p) / (1 - p)))
    between = 1 + k + 2 * (1 - k) / math.log(k)
    return p * (1 - p) * between / (p + (1 - p) * k)


def lucky(rounds: Sequence[Round]) -> float:
    """The share of probes that are too fast for what counts as full speed here, 0 to 1, on the CPU with most of them.

    There are some where the cores were at full speed so seldom that what counts as such is a slower state. Two are
    chance.
    """
    if not rounds:
        return 0.0
    full, each = fast_ns(rounds), [_each_once(one) for one in rounds]
    faster = [
        once & (one.stretches.probes_ns[:, 1] < full[one.variant] / (1 + SLACK))
        for one, once in zip(rounds, each, strict=True)
    ]
    counts, seen = (np.concatenate(masks).sum(axis=0) for masks in (faster, each))
    return float(np.max(counts / np.maximum(seen, 1), where=counts >= LEAST_LUCKY, initial=0.0))


def _each_once(one: Round) -> NDArray[np.bool_]:
    """Which probes after stretches are not those of the stretch before: (stretches, probes).

    The round's own are all its own, and those on each CPU around a turn stand at all of its stretches.
    """
    once = np.ones(one.stretches.probes_ns[:, 1].shape, np.bool_)
    once[:, 1:] = (np.diff(one.stretches.turn, prepend=-1) != 0)[:, None]
    return once


def holds(rounds: Sequence[Round]) -> bool:
    """Whether the cores were at full speed often enough, that is what it is, and they were so for all of that time."""
    return share(rounds) >= LEAST_SHARE and hidden(rounds) <= MOST_HIDDEN and lucky(rounds) <= MOST_LUCKY
