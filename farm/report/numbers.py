"""How tables, figures and the page write numbers: points, intervals, ratios, counts. Pure."""

from collections.abc import Callable, Sequence

MINUS = "\N{MINUS SIGN}"
NOTHING = "-"  # in place of what is not there
MOST_NAMES = 4
DIGITS = 3  # of a ratio
MOST_TIMES = 10  # of a value that its interval goes to one side, or it knows nothing: a few pairs on a busy host
UNSURE = "±?"


def signed(text: str) -> str:
    """A number's text with a real minus sign."""
    return text.replace("-", MINUS)


def points(share: float) -> str:
    """A share of 1 in percentage points, with two decimals.

    >>> points(0.0123), points(-0.00001)
    ('1.23', '0.00')
    """
    return signed(f"{100 * share:.2f}".replace("-0.00", "0.00"))


def margin_text(margin: float) -> str:
    """A margin, a share of 1, as it was written: ``0.5 points``."""
    number = f"{100 * margin:g}"
    return f"{number} {'point' if number == '1' else 'points'}"


def times(ratio: float) -> str:
    """A ratio of speeds, with three digits, and from 1,000 on with all before the point: ``2.71``, ``14.1``.

    >>> times(9.994), times(9.996), times(142.3), times(1423)
    ('9.99', '10.0', '142', '1,423')
    """
    texts = (f"{ratio:,.{decimals}f}" for decimals in (2, 1))
    return next((text for text in texts if len(text) <= DIGITS + 1), f"{ratio:,.0f}")


def written(value: float | None, pattern: str) -> str:
    """A number of a table in this pattern; a dash where there is none, never 0."""
    return NOTHING if value is None else pattern.format(value)


def give_or_take(value: float | None, low: float | None, high: float | None, pattern: str) -> str:
    """A number of a table with the greater side of its interval, where that is known.

    >>> give_or_take(0.015, 0.003, 0.027, "{:+.4f}")
    '+0.0150 ±.0120'
    >>> give_or_take(0.7, 1e-9, 2.6e16, "{:.2f}")
    '0.70 ±?'
    """
    if value is None or low is None or high is None or low == high:
        return written(value, pattern)
    side = max(value - low, high - value)
    if says_nothing(value, low, high):
        return f"{pattern.format(value)} {UNSURE}"
    side_text = pattern.replace("+", "").format(side)
    return f"{pattern.format(value)} ±{side_text}".replace("±0.", "±.")


def says_nothing(value: float, low: float, high: float) -> bool:
    """Whether an interval is so wide that its ends are no figures to read."""
    return max(value - low, high - value) > max(1.0, MOST_TIMES * abs(value))


def within(shares: Sequence[float]) -> str:
    """How far intervals of ratios go to one side, as shares of 1; in words where that is no figure to read.

    >>> within([0.083]), within([0.104, 0.186])
    ('within 8.3%', 'within 10.4% to 18.6%')
    >>> within([2e20]), within([0.104, 2e20])
    ('not even within a factor of 2', 'within 10.4%, or not even within a factor of 2')
    """
    known = [share for share in shares if share <= 1]
    texts = [f"within {span(known, '{:.1%}'.format)}"] if known else []
    return ", or ".join(texts + ["not even within a factor of 2"] * (len(known) < len(shares)))


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


def span(values: Sequence[float], write: Callable[[float], str] = "{:,}".format) -> str:
    """The least and the most of some numbers, as they are written: ``5``, or ``3 to 5``."""
    least, most = write(min(values)), write(max(values))
    return least if least == most else f"{least} to {most}"
