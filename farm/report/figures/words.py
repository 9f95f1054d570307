"""How captions write numbers. Pure."""

from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"


def points(value: float) -> str:
    """Percentage points, with two decimals and a real minus sign.

    >>> points(-0.001)
    '0.00'
    """
    text = f"{value:.2f}"
    return text.replace("-0.00", "0.00").replace("-", MINUS)


def times(ratio: float) -> str:
    """A ratio of speeds, with three digits."""
    return f"{ratio:.3g}"


def count(number: int, one: str, many: str = "") -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """``a, b and c``; of more than `most`, the first and how many are left."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
