"""One pair: two fresh interpreters that take turns on the same cores. Knows processes, not when pairs are enough.

The conductor is this process, which sleeps during turns. Who has no turn is stopped (SIGSTOP), for the threads of
OpenMP and oneTBB spin for a while after their work. Turns come in blocks of ABBA or BAAB by lot: a host that grows
slower or faster favours neither. A round probes the core that it runs on itself, amid its turns; where several CPUs are
leased, the conductor probes each between turns, when nothing of theirs runs.

Each process is moved in memory by lot. Where in its pages a model lies makes some percent of its speed, up to five of
VGG-16's; left alone, it would lie alike in all pairs of a measurement, by such things as the length of a folder's name
(Mytkowicz et al. 2009 and Curtsinger, Berger 2013, both ASPLOS), and no interval would know.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from farm.codec import decode
from farm.measuring import signals
from farm.measuring.pairing import CELL
from farm.measuring.probe import Probe, fastest, is_fast
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round
from farm.measuring.runner import MEMORY_FORMAT
from farm.measuring.running import Answer, RunningRound

TURN_NS = 30_000_000  # timed; before that it settles
LEAST_IN_TURN = 3  # inferences of the slower of the two
MOST_TIMES = 5  # as long as each is to be timed at full speed, a pair may last
MOST_S = 3.0  # but no longer than this, unless more is asked for: a slow model would wait for ever
PAGE, ALIGNED = 4096, 16  # bytes: the kernel moves a process's heap by pages, by lot, and malloc aligns to these
LONGER = 200  # letters: that is how many names' lengths there are
MOVED = 1 << 20  # at least, so that no gap which an interpreter's start leaves takes it


@dataclass(frozen=True, slots=True)
class Playing:
    """The rounds of a pair, by variant, and their company. length_ns: of a turn."""

    rounds: Mapping[str, RunningRound]
    company: Sequence[RunningRound]
    length_ns: int

    def turn(self, variant: str) -> int:
        """A turn; the cell's, amid company that begins before and ends after it. Gives how much was at full speed."""
        beside = self.company if variant == CELL else ()
        for one in beside:
            one.begin(2 * self.length_ns)
        full_speed_ns = self.rounds[variant].turn(self.length_ns)
        for one in beside:
            one.finish()
        return full_speed_ns


@dataclass(slots=True, kw_only=True)
class Conductor:
    """Conducts the pairs of one measurement.

    requests: by variant, of one lease. scratch: a folder of its own. seconds, inferences: that each variant is timed at
    full speed in a pair, at least. company: on cores of their own, infer while the cell has a turn, and never else.
    probe: of no CPU where rounds feel all themselves. seen_ns: what rounds' probes took in pairs so far, by variant.
    """

    requests: dict[str, RoundRequest]
    scratch: Path
    probe: Probe
    rng: Random
    seconds: float
    inferences: int
    company: Sequence[RoundRequest] = ()
    seen_ns: dict[str, list[int]] = field(default_factory=dict)

    def pair(self, longer: float = 1.0) -> list[Round]:
        """The rounds of a pair, with nothing marked. longer: times as long as usual.

        It ends when both were timed at full speed for so long, or all in all for five times as long, or three seconds.

        Raises RuntimeError if a round fails, RoundCrashed if a signal ends one.
        """
        with ExitStack() as stack:
            started = {
                name: stack.enter_context(self.kind(name)(self._fresh(name, request), self.scratch / name))
                for name, request in self._asked().items()
            }
            for one in started.values():
                one.compiled()
            slowest_ns = max([one.warmed_up() for one in started.values()])
            both = {variant: started.pop(variant) for variant in self.requests}
            playing = Playing(both, [*started.values()], max(TURN_NS, LEAST_IN_TURN * slowest_ns))
            cpus = next(iter(both.values())).request.cpus
            before, own = signals.read(cpus), signals.read_own()
            order, probes = self._play(playing, longer * max(self.seconds * 1e9, self.inferences * slowest_ns))
            used, after = signals.of_own([(own, signals.read_own())]), signals.read(cpus)
            answers = {variant: one.end() for variant, one in both.items()}
        used_s = used["used_s"] + sum(answer.facts["used_s"] for answer in answers.values())
        meanwhile = signals.between(before, after, len(cpus), used_s)
        around = np.stack([probes[:-1], probes[1:]], axis=1)
        rounds = [
            _in_order(round_of(self.requests[variant], variant, answer, meanwhile), order, around)
            for variant, answer in answers.items()
        ]
        for each in rounds:
            self.seen_ns.setdefault(each.variant, []).extend(each.stretches.probes_ns[:, 1, :1].ravel().tolist())
        self.keep_format(rounds)
        return rounds

    def keep_format(self, rounds: Sequence[Round]) -> None:
        """Later rounds run in the memory format that those of the first pair chose."""
        for one in rounds:
            if chosen := json.loads(one.properties).get(MEMORY_FORMAT):
                self.requests[one.variant] = replace(self.requests[one.variant], memory_format=chosen)

    def kind(self, name: str) -> type[RunningRound]:  # noqa: ARG002 - benchmarks have others take the place of one
        """Of a round of a pair or of its company, by its name."""
        return RunningRound

    def _asked(self) -> dict[str, RoundRequest]:
        """What is asked of each by its name, in the order in which they start: of the two by lot, then their company.

        Who starts first finds another memory than who starts second.
        """
        first = {name: self.requests[name] for name in self.rng.sample([*self.requests], len(self.requests))}
        return first | {f"company{number}": request for number, request in enumerate(self.company)}

    def _fresh(self, name: str, request: RoundRequest) -> RoundRequest:
        """What is asked of a fresh process: with what is known of full speed, and where in memory it lies by lot."""
        moved, longer = MOVED + ALIGNED * self.rng.randrange(PAGE // ALIGNED), self.rng.randrange(LONGER)
        return replace(request, fast_ns=float(fastest(self.seen_ns.get(name, ()))), moved=moved, longer=longer)

    def _play(self, playing: Playing, wanted_ns: float) -> tuple[list[str], NDArray[np.int64]]:
        """Blocks until both had so much at full speed, or have had their time.

        Gives whose turn each was, (turns,), and the probes around them, (turns + 1, CPUs).
        """
        order: list[str] = []
        probes, full_speed_ns = [self.probe.read()], dict.fromkeys(playing.rounds, 0)
        most_ns = max(wanted_ns, min(MOST_TIMES * wanted_ns, MOST_S * 1e9))
        while min(full_speed_ns.values()) < wanted_ns and len(order) * playing.length_ns < 2 * most_ns:
            for variant in self._block():
                timed_ns = playing.turn(variant)
                order.append(variant)
                probes.append(self.probe.read())
                full_speed_ns[variant] += timed_ns if _fast(probes) else 0
        return order, np.array(probes, np.int64)

    def _block(self) -> tuple[str, ...]:
        """Two turns of each, in an order by lot."""
        one, other = self.requests
        return (one, other, other, one) if self.rng.random() < 0.5 else (other, one, one, other)  # noqa: PLR2004


def _fast(probes: Sequence[tuple[int, ...]]) -> bool:
    """Whether the last two probes of each CPU were fast, as far as those so far can tell."""
    return bool(is_fast(probes[-2:], fastest(probes)).all())


def round_of(request: RoundRequest, variant: str, answer: Answer, meanwhile: Mapping[str, float | None]) -> Round:
    """A round as it is kept, of what was asked, what it answered and what went on meanwhile."""
    asked = {"asked": json.dumps(request.asked, sort_keys=True), "cpus": request.cpus}
    told = decode(Round, {"variant": variant, **asked, **answer.facts, **meanwhile})
    return replace(told, stretches=answer.stretches)


def _in_order(one: Round, order: Sequence[str], around: NDArray[np.int64]) -> Round:
    """A round with its turns numbered as those of the pair, and the probes around each, (turns, 2, CPUs)."""
    turn = np.flatnonzero([variant == one.variant for variant in order])[one.stretches.turn]
    probes_ns = np.concatenate([one.stretches.probes_ns, around[turn]], axis=2)
    return replace(one, stretches=replace(one.stretches, turn=turn, probes_ns=probes_ns))


def probe_of(request: RoundRequest) -> Probe:
    """The conductor's probe of a measurement: of each leased CPU if they are several."""
    several = len(request.cpus) > 1
    return Probe(request.cpus if several and request.probed else ())
