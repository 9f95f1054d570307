"""What users and strangers named, as it is shown: no command to a terminal, no secret, no formula. Pure.

Secrets are left out where a text is made that is kept (labels, plans, attempts, events); what a terminal would take for
a command is made visible where a text is shown.
"""

import re
import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's categories: controls, marks, nothing at all
LINES = "\n\t"  # controls that a text of several lines has
FORMULA = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # what begins one in a spreadsheet
JOINERS = "\u200c\u200d"  # of Persian's letters, and of emoji
LONGEST = 20_000  # letters of a text
HIDDEN = "***"

_WORD = (
    r"(?:token|secret|passw(?:or)?d|pwd|signature|credential|(?:api|access|private|auth)[-_]?key(?:id)?|authorization|jwt)"
    r"(?![a-z])"
)
_VALUE = r"[^\s&;,\"'<>\\{}()\[\]#]{1,4000}"
_USER, _KEY = r"[^\s/:@\"'<>]{1,200}", r"[^\s@\"'<>]{1,400}"
MARKS = re.compile(rf":/|{_WORD}|[?&;](?:sig|key|auth|pass)", re.IGNORECASE)  # without one there is no secret
SECRETS = tuple(  # what is hidden stands between `kept` and `end`; every part is bounded, so that none takes long
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<kept>\bs3[an]?:/{{1,2}}){_USER}:{_KEY}(?P<end>@)",  # a key may have slashes
        rf"(?P<kept>\bhttps?://){_USER}:(?![0-9]+/){_KEY}(?P<end>@)",
        r"(?P<kept>\b(?:https?|ftp)://)[^\s/\"'<>\\]{1,400}(?P<end>@)",
        rf"(?P<kept>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{{0,20}}://){_USER}:[^\s/\"'<>]{{1,400}}(?P<end>@)",
        rf"(?P<kept>[?&;](?:[\w.-]{{0,40}}?{_WORD}|sig|key|auth|pass)[\w.\[\]-]{{0,20}}=)[^\s&;\"'<>]{{1,4000}}(?P<end>)",
        rf"(?P<kept>{_WORD}[\w-]{{0,20}}[\"']?(?:\s?=|\s?:\s)\s?[\"']?(?:bearer |basic )?){_VALUE}(?P<end>)",
        rf"(?P<kept>--[\w-]{{0,20}}{_WORD}\s){_VALUE}(?P<end>)",
    )
)


def shown(text: str) -> str:
    """A text for a terminal: without secrets, what it would take for a command visible, not too long."""
    return visible(shortened(redacted(text)))


def visible(text: str) -> str:
    """Control characters and marks that change what is read, escaped as Python escapes them; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if _is_unseen(letter) else letter for letter in text)


def redacted(text: str) -> str:
    """Without what names and opens an account in an address, and without values of what is called a token or a key."""
    if MARKS.search(text):
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
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) and len(text) > 1 else text


def in_line(text: str) -> str:
    """A name in a sentence: as `visible`, and in one line."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _is_unseen(letter: str) -> bool:
    return letter not in LINES and letter not in JOINERS and unicodedata.category(letter) in UNSEEN


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
