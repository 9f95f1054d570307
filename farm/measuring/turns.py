"""One pair: two fresh interpreters that take turns on the same cores. Knows processes, not when pairs are enough.

The conductor is this process, which sleeps during turns and times the probe between them. Who has no turn is stopped
(SIGSTOP), for the threads of OpenMP and oneTBB spin for a while after their work. Turns come in blocks of ABBA or BAAB
by lot: a host that grows slower or faster favours neither.
"""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from farm.codec import decode
from farm.measuring import signals
from farm.measuring.pairing import CELL
from farm.measuring.probe import Probe
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round, Turns
from farm.measuring.running import Answer, RunningRound

TURN_NS = 15_000_000  # timed; before that it settles
LEAST_IN_TURN = 3  # inferences of the slower of the two
WARM_UP_NS = 1  # the first turn is as long as the round itself finds right
MEMORY_FORMATS = ("contiguous_format", "channels_last")
TRIAL_S = 0.2  # of each of PyTorch's memory formats, to choose one


@dataclass(frozen=True, slots=True)
class Playing:
    """The rounds of a pair, by variant, and their company. length_ns: of a turn."""

    rounds: Mapping[str, RunningRound]
    company: Sequence[RunningRound]
    length_ns: int

    def turn(self, variant: str) -> None:
        """A turn; the cell's, amid company that begins before and ends after it."""
        beside = self.company if variant == CELL else ()
        for one in beside:
            one.begin(2 * self.length_ns)
        self.rounds[variant].turn(self.length_ns)
        for one in beside:
            one.finish()


@dataclass(slots=True, kw_only=True)
class Conductor:
    """Conducts the pairs of one measurement.

    requests: by variant, of one lease. scratch: a folder of its own. inferences: that each variant times in a pair, at
    least. company: on cores of their own, infer while the cell has a turn, and never else.
    """

    requests: dict[str, RoundRequest]
    scratch: Path
    probe: Probe
    rng: Random
    inferences: int
    company: Sequence[RoundRequest] = ()

    def pair(self, seconds: float) -> list[Round]:
        """The rounds of a pair, with no turn marked. seconds: that each variant is timed, at least.

        Raises RuntimeError if a round fails, RoundCrashed if a signal ends one.
        """
        with ExitStack() as stack:
            names = [*self.requests, *(f"company{number}" for number in range(len(self.company)))]
            started = [
                stack.enter_context(RunningRound(request, self.scratch / name))
                for name, request in zip(names, (*self.requests.values(), *self.company), strict=True)
            ]
            for one in started:
                one.compiled()
            slowest_ns = max([one.turn(WARM_UP_NS) for one in started])
            rounds = dict(zip(self.requests, started, strict=False))
            playing = Playing(rounds, started[len(rounds) :], max(TURN_NS, LEAST_IN_TURN * slowest_ns))
            blocks = math.ceil(max(seconds * 1e9, self.inferences * slowest_ns) / playing.length_ns / 2)
            cpus = started[0].request.cpus
            before, own = signals.read(cpus), signals.read_own()
            order, probes = self._play(playing, blocks)
            used, after = signals.of_own([(own, signals.read_own())]), signals.read(cpus)
            answers = {variant: one.end() for variant, one in rounds.items()}
        used_s = used["used_s"] + sum(answer.facts["used_s"] for answer in answers.values())
        meanwhile = signals.between(before, after, len(cpus), used_s)
        around = np.stack([probes[:-1], probes[1:]], axis=1)
        return [
            _round(self.requests[variant], variant, answer, meanwhile, order, around)
            for variant, answer in answers.items()
        ]

    def _play(self, playing: Playing, blocks: int) -> tuple[list[str], NDArray[np.int64]]:
        """So many blocks: whose turn each was, (turns,), and the probes around them, (turns + 1, CPUs)."""
        order = [variant for _ in range(blocks) for variant in self._block()]
        probes = [self.probe.read()]
        for variant in order:
            playing.turn(variant)
            probes.append(self.probe.read())
        return order, np.array(probes, np.int64)

    def _block(self) -> tuple[str, ...]:
        """Two turns of each, in an order by lot."""
        one, other = self.requests
        return (one, other, other, one) if self.rng.random() < 0.5 else (other, one, one, other)  # noqa: PLR2004


def _round(
    request: RoundRequest,
    variant: str,
    answer: Answer,
    meanwhile: Mapping[str, float | None],
    order: Sequence[str],
    around: NDArray[np.int64],
) -> Round:
    own = np.flatnonzero([each == variant for each in order])
    turns = Turns(
        turn=own,
        inferences=answer.inferences,
        wall_ns=answer.wall_ns,
        probes_ns=around[own],
        full_speed=np.zeros(len(own), np.bool_),
        latencies_ns=answer.latencies_ns,
    )
    asked = {"asked": json.dumps(request.asked, sort_keys=True), "cpus": request.cpus}
    return replace(decode(Round, {"variant": variant, **asked, **answer.facts, **meanwhile}), turns=turns)


def faster_format(conductor: Conductor) -> str:
    """PyTorch's memory format in which the network runs faster: a short pair of both."""
    request = conductor.requests[CELL]
    both = {name: replace(request, memory_format=name) for name in MEMORY_FORMATS}
    rounds = replace(conductor, requests=both, inferences=1).pair(TRIAL_S)
    return max(rounds, key=lambda one: one.fps).variant
