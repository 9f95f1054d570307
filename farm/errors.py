"""The error tree. Knows no other part of farm.

    FarmError                 anything farm says in one clear sentence
    ├── InputError            what the user gave cannot be used (exit code 2)
    │   └── GridError         a grid file's faults, all of them at once
    ├── DataError             a file's content is not what it should be (raised inside a stage)
    │   └── DamageError       what farm itself wrote is no longer what it was
    ├── AwayError             what holds the results cannot be reached (an OSError too; exit code 2)
    ├── EngineError           no engine could take the work (no such node, Ray not reachable)
    └── StageError            a stage of no grid failed, and not because of what the user gave (exit code 1)

Every error passes all its arguments to ``super().__init__`` and formats in ``__str__``, so that it
survives pickling between processes.
"""

from dataclasses import dataclass

LONGEST = 200  # characters of what a parser says


def message(error: BaseException) -> str:
    """What an error says, its notes behind it: ``no such file; factory 'photos:train': item 5``."""
    return "; ".join([str(error) or repr(error), *getattr(error, "__notes__", ())])


class FarmError(Exception):
    """Something farm can say in one clear sentence."""


class InputError(FarmError):
    """What the user gave cannot be used: a path, a name, an option."""


class DataError(FarmError):
    """The content of a file is not what it should be. Raised inside a stage, so only its cells fail."""


class DamageError(DataError):
    """``damaged: PLACE: WHY; REMEDY``: what farm wrote is no longer what it was. uri: of the artefact it belongs to."""

    def __init__(self, place: str, why: str, remedy: str, uri: str = "") -> None:
        """Keep all arguments, so that the error survives pickling."""
        super().__init__(place, why, remedy, uri)
        self.place = place
        self.why = " ".join(why.split())
        self.remedy = remedy
        self.uri = uri

    def __str__(self) -> str:
        """One sentence, however long the parser's own words are."""
        why = self.why if len(self.why) <= LONGEST else f"{self.why[:LONGEST]} ..."
        return f"damaged: {self.place}: {why}; {self.remedy}"


class AwayError(FarmError, OSError):
    """What holds the results cannot be reached."""


class EngineError(FarmError):
    """No engine could take the work."""


class StageError(FarmError):
    """A stage of no grid failed, and not because of what the user gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in a grid file: where, and what to do about it."""

    line: int
    path: str
    text: str


class GridError(InputError):
    """All faults of one grid file at once, as ``file:line: path: what, did you mean ...``."""

    def __init__(self, file: str, faults: tuple[Fault, ...]) -> None:
        """Keep both arguments, so that the error survives pickling."""
        super().__init__(file, faults)
        self.file = file
        self.faults = faults

    def __str__(self) -> str:
        """One line a fault, in the order of the file."""
        ordered = sorted(self.faults, key=lambda fault: (fault.line, fault.path))
        return "\n".join(f"{self.file}:{f.line}: {f.path}: {f.text}" for f in ordered)
