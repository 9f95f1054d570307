"""What users and strangers named, as it is shown: no command to a terminal, no secret, no formula. Pure.

Secrets are left out where a text is made that is kept (labels, plans, attempts, events); what a terminal would take for
a command is made visible where a text is shown.
"""

import re
import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's categories: controls, marks, nothing at all
LINES = "\n\t"  # controls that a text of several lines has
FORMULA = ("=", "+", "-", "@", "\t")  # what spreadsheets begin a formula with
LONGEST = 20_000  # letters of a text
HIDDEN = "***"

_WORD = r"token|secret|passw(?:or)?d|signature|credential|api[-_]?key|access[-_]?key|authorization"
_VALUE = r"[^\s&;,\"'<>\\{}()\[\]#]+"
SECRETS = (  # kept, what is hidden, end
    re.compile(r"(?P<kept>\bs3[an]?://)[^\s:@\"'<>\\]+:[^\s@\"'<>\\]+(?P<end>@)", re.IGNORECASE),  # a key has slashes
    re.compile(r"(?P<kept>\b[a-z][a-z0-9+.-]*://)[^\s/@\"'<>\\]+(?P<end>@)", re.IGNORECASE),
    re.compile(rf"(?P<kept>[?&;](?:[\w.-]*(?:{_WORD})[\w.-]*|sig|key|auth)=){_VALUE}(?P<end>)", re.IGNORECASE),
    re.compile(
        rf"(?P<kept>(?<![\w?&;.-])[\w-]*(?:{_WORD})\s?[=:]\s?(?:bearer |basic )?){_VALUE}(?P<end>)", re.IGNORECASE
    ),
)


def shown(text: str) -> str:
    """A text for a terminal: without secrets, what it would take for a command visible, not too long."""
    return visible(redacted(shortened(text)))


def visible(text: str) -> str:
    """Control characters and marks that change what is read, escaped as Python escapes them; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if _is_unseen(letter) else letter for letter in text)


def redacted(text: str) -> str:
    """Without what names and opens an account in an address, and without values of what is called a token or a key."""
    for secret in SECRETS:
        text = secret.sub(rf"\g<kept>{HIDDEN}\g<end>", text)
    return text


def shortened(text: str, most: int = LONGEST) -> str:
    """A text of at most so many letters: of a longer one the beginning and the end."""
    if len(text) <= most:
        return text
    left_out = f" ... {len(text) - most:,} letters ... "
    head = max(0, (most - len(left_out)) // 2)
    return f"{text[:head]}{left_out}{text[len(text) - head :]}"


def harmless(text: str) -> str:
    """A text that a spreadsheet takes for text: with an apostrophe before what it would take for a formula."""
    text = visible(text)
    return f"'{text}" if text.startswith(FORMULA) and len(text) > 1 else text


def _is_unseen(letter: str) -> bool:
    return letter not in LINES and unicodedata.category(letter) in UNSEEN


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
