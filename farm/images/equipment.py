"""What a source may compute with. Knows devices by name, no source."""

from collections.abc import Callable
from dataclasses import dataclass


def _nobody(_text: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What a source is lent where it is computed; none of it is in a key.

    device: torch's name of it, ``cpu`` or ``cuda``. workers: blocks computed at once on a CPU, by one thread each.
    say: tells the user something, in a line.
    """

    device: str = "cpu"
    workers: int = 1
    say: Callable[[str], None] = _nobody


PLAIN = Equipment()
