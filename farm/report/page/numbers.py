"""How the page writes numbers: points, intervals, counts. Pure."""

from collections.abc import Sequence

from farm.stats.shares import Estimate

MINUS = "\N{MINUS SIGN}"
MOST_NAMES = 4


def signed(text: str) -> str:
    """A number's text with a real minus sign."""
    return text.replace("-", MINUS)


def points(share: float) -> str:
    """A share of 1 in percentage points, with two decimals.

    >>> points(0.0123)
    '1.23'
    """
    return signed(f"{100 * share + 0:.2f}").replace(f"{MINUS}0.00", "0.00")


def margin_text(margin: float) -> str:
    """A margin, a share of 1, as it was written: ``0.5 points``."""
    return plural_points(f"{100 * margin:g}")


def plural_points(number: str) -> str:
    """``1 point``, ``0.5 points``."""
    return f"{number} {'point' if number == '1' else 'points'}"


def with_interval(loss: Estimate) -> str:
    """A loss in points with its interval: ``1.23 points (1.00 to 1.50)``."""
    return f"{points(loss.value)} points ({points(loss.low)} to {points(loss.high)})"


def times(ratio: float) -> str:
    """A ratio of speeds, with three digits: ``2.71``, ``14.1``."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"  # noqa: PLR2004


def count(number: int, one: str, many: str = "") -> str:
    """``1 cell``, ``2 cells``, ``10,000 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """``a``, ``a and b``, ``a, b and c``; of more than `most`, the first and how many are left.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def span(values: Sequence[int]) -> str:
    """The least and the most of some counts: ``5``, or ``3 to 5``."""
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
