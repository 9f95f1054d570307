"""What cells are compared within in accuracy: a family. Knows records."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

from farm.record import Record

Key = TypeVar("Key", bound=Hashable)
Member = TypeVar("Member")


@dataclass(frozen=True, slots=True, order=True)
class Family:
    """Cells that differ by their calibration set only; their tests are corrected together."""

    model: str
    algorithm: str
    device: str

    @classmethod
    def of(cls, record: Record) -> Self:
        """The family of a cell."""
        return cls(record.model, record.algorithm, record.device)


def together(members: Iterable[tuple[Key, Member]]) -> dict[Key, list[Member]]:
    """The members of each key, keys in the order of their first sight."""
    groups: dict[Key, list[Member]] = {}
    for key, member in members:
        groups.setdefault(key, []).append(member)
    return groups
