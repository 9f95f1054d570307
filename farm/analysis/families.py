"""What cells are compared within: a family in accuracy, a place in speed. Knows records."""

from dataclasses import dataclass
from typing import Self

from farm.record import Record


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


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a model's speed was measured; speeds of two places are not compared."""

    model: str
    device: str
    host: str

    @classmethod
    def of(cls, record: Record) -> Self:
        """The place of a cell; its host is empty where that is not known."""
        return cls(record.model, record.device, record.host or "")
