"""Why a pickle is not read, and what reading one may cost. Knows no pickles."""

from dataclasses import dataclass

MOST_STEPS = 300_000  # a network for 1024x1024, its discriminator and its average take fewer than 100,000
STEP = 256  # bytes that are as dear as a step
SHOWN = 60  # characters of a file's text in a message


class Refused(Exception):  # noqa: N818 - a verdict; whoever knows the file makes an error of it
    """Why a pickle is not read, in words that go on after the file's name."""


class Unknown(Refused):
    """A name that is not in the table."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(module, name)
        self.module, self.name = module, name

    def __str__(self) -> str:
        return f"asks for {shown(f'{self.module}.{self.name}')}, which is code: none of it was run"


@dataclass(slots=True)
class Budget:
    """What a file and all that is nested in it may still cost, in bytes: of arguments, and `STEP` for each step."""

    left: int

    def spend(self, cost: int) -> None:
        """Take it off. Raises Refused if there is not so much left."""
        self.left -= cost
        if self.left < 0:
            raise Refused(f"takes more than {MOST_STEPS:,} steps or arguments to build, which no network does")


def budget_of(size: int) -> Budget:
    """What a file of so many bytes may cost: its arguments are read once, and what is nested in them once more."""
    return Budget(STEP * MOST_STEPS + 2 * size)


def shown(text: str) -> str:
    """A file's text as a message may hold it: printable, and not too long."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
