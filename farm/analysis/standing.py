"""What may be claimed of a difference: Holm's correction, equivalence within a margin, and the word for it. Pure.

"As good as real data" is a claim of equivalence: that no difference was found does not show it. It holds at 5 % where
the 90 % interval lies inside the margin (two one-sided tests, Schuirmann 1987, J. Pharmacokinet. Biopharm. 15).
One rule serves claims against real images and the comparison of two runs; docs/claims.md says which interval either
gives it, and why.
"""

from collections.abc import Sequence
from typing import Literal

from farm.stats.shares import ALPHA, Estimate

EQUIVALENCE_ALPHA = 0.10  # of the two-sided interval that must lie inside the margin

Standing = Literal["equivalent", "worse", "better", "undecided"]
STANDINGS: tuple[Standing, ...] = ("equivalent", "worse", "better", "undecided")


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values of one family, corrected for their number (Holm 1979, Scand. J. Stat. 6), in the same order.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    count, worst = len(p_values), 0.0
    corrected = [0.0] * count
    for rank, index in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        worst = max(worst, min(1.0, (count - rank) * p_values[index]))
        corrected[index] = worst
    return tuple(corrected)


def standing(loss: Estimate, p: float, margin: float, least: float = 0.0) -> Standing:
    """The word for a loss. loss: with the interval that must lie inside the margin. p: of no loss, corrected.

    A loss that is surely there and surely within the margin is equivalent: the margin says what does not matter.
    least: what a loss or gain that is surely there must be more than to be called worse or better.
    """
    if -margin < loss.low and loss.high < margin:
        return "equivalent"
    if p < ALPHA and abs(loss.value) > least:
        return "worse" if loss.value > 0 else "better"
    return "undecided"
