"""What cells are compared within in accuracy: a family. Knows records."""

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
