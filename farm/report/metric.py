"""A metric as it is shown: what it is called, and how it and what is lost of it are written. Knows no records.

Shares are written in percent and points, as people say them; a metric of the user's own as it is.
"""

from dataclasses import dataclass
from typing import NamedTuple

from farm.report.numbers import MINUS, margin_text, points, signed
from farm.stats.shares import Estimate
from farm.tasks.metric import is_share

WORDS = {None: "top-1", "top1": "top-1", "top5": "top-5", "map": "mAP", "ap50": "AP50", "ap75": "AP75"}
DECIMALS = 4  # of a metric that is no share


class Method(NamedTuple):
    """What intervals and tests are called. score, drop: the intervals. test: of no loss."""

    score: str
    drop: str
    test: str


@dataclass(frozen=True, slots=True)
class Metric:
    """name: as in a grid; None of results that are older than metrics, which is top-1."""

    name: str | None

    @property
    def in_percent(self) -> bool:
        """Whether it is a share of 1, which people say in percent."""
        return self.name in WORDS

    @property
    def of_images(self) -> bool:
        """Whether it is the share of images that are right."""
        return is_share(self.name)

    @property
    def word(self) -> str:
        """``top-1``, ``top-5``, or the name of a user's own metric."""
        return WORDS.get(self.name, self.name or "")

    @property
    def title(self) -> str:
        """The same where a sentence begins: a user's own name stays as it is."""
        return self.word.capitalize() if self.word.islower() and self.in_percent else self.word

    @property
    def article(self) -> str:
        """The same as a sentence's subject: ``A top-1``."""
        return f"A {self.word}" if self.word.islower() and self.in_percent else f"The {self.word}"

    @property
    def axis(self) -> str:
        """What an axis or a tooltip of scores is called, with the unit."""
        return f"{self.word}, %" if self.in_percent else self.word

    @property
    def points(self) -> str:
        """What losses are counted in; empty of a metric that has no unit."""
        return "points" if self.in_percent else ""

    @property
    def in_points(self) -> str:
        """The same in a sentence, after a comma."""
        return ", in percentage points" if self.in_percent else ""

    @property
    def method(self) -> Method:
        """How sure it is, by whose methods."""
        if self.of_images:
            return Method("Wilson's", "Tango's score interval for paired answers", "McNemar's test image by image")
        if self.in_percent:
            return Method(
                "the bootstrap's", "that of the same samples of the images", "the bootstrap's test sample by sample"
            )
        differences = "that of the differences between the images' scores"
        return Method("Student's", differences, "Student's test image by image")

    @property
    def format(self) -> str:
        """How a figure writes a number of it that is `scaled`."""
        return ".2f" if self.in_percent else f".{DECIMALS}f"

    def scaled(self, value: float) -> float:
        """A score or a loss in percent or points, as figures draw it; one of the user's own as it is."""
        return 100 * value if self.in_percent else value

    def number(self, value: float) -> str:
        """A score or a loss, without its unit.

        >>> Metric("top1").number(0.0123), Metric("my:metric").number(0.0123)
        ('1.23', '0.0123')
        """
        return points(value) if self.in_percent else signed(f"{value:.{DECIMALS}f}".replace("-0.0000", "0.0000"))

    def score(self, value: float) -> str:
        """A score: ``88.18 %``."""
        return f"{self.number(value)} %" if self.in_percent else self.number(value)

    def amount(self, loss: float) -> str:
        """A loss: ``1.23 points``."""
        return f"{self.number(loss)} points" if self.in_percent else self.number(loss)

    def margin(self, margin: float) -> str:
        """A margin as it was written: ``0.5 points``."""
        return margin_text(margin) if self.in_percent else f"{margin:g}"

    def either_way(self, margin: float) -> str:
        """What lies within a margin: minus 0.5 to 0.5 points."""
        number = f"{self.scaled(margin):g}"
        return f"{MINUS}{number} to {number} {self.points}".rstrip()

    def with_interval(self, loss: Estimate) -> str:
        """A loss with its interval: ``1.23 points (1.00 to 1.50)``."""
        return f"{self.amount(loss.value)} ({self.number(loss.low)} to {self.number(loss.high)})"
