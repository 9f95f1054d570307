"""Did you mean: the choice that a misspelt word is closest to, or some of those that there are. Pure."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from itertools import takewhile

MOST = 12  # names of those that there are
CLOSE = 5  # of them, the one that begins most alike


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """``", did you mean 'fractal'?"``, or the choices there are when none is close: the first, and how many more."""
    names = list(choices)
    close = get_close_matches(word.lower(), [name.lower() for name in names], n=CLOSE, cutoff=0.5)
    if close:
        best = max(close, key=lambda name: _likeness(name, word.lower()))
        return f", did you mean {next(name for name in names if name.lower() == best)!r}?"
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return f"; there are {', '.join(names[:MOST])}{more}" if names else ""


def _likeness(name: str, word: str) -> tuple[float, int]:
    """How alike two words are, and how many letters they begin with in common."""
    beginning = takewhile(lambda letters: letters[0] == letters[1], zip(name, word, strict=False))
    return round(SequenceMatcher(None, name, word).ratio(), 6), sum(1 for _ in beginning)
