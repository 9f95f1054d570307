"""Fill the generated parts of README.md; with ``--check``, only say whether they are up to date.

A part is a comment such as ``<!-- help: farm run -->`` and the code block or table below it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from farm.record import FAILURE_CLASSES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PART = re.compile(
    r"(<!-- (?P<kind>\w+)(?:: (?P<what>[^>]*))? -->\n)(?P<body>```text\n.*?```\n|(?:\|[^\n]*\n)*)", re.DOTALL
)
WIDE = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}


def filled(text: str) -> str:
    """The text with every generated part made anew."""

    def made(part: re.Match[str]) -> str:
        make = MAKERS.get(part["kind"])
        return part[1] + make(part["what"]) if make else part[0]

    return PART.sub(made, text)


def _help(command: str) -> str:
    return _block(_said(*command.split()[1:], "--help"))


def _table(grid: str) -> str:
    return _block(_said("show", str(ROOT / "results/reference" / Path(grid).stem)))


def _failures(_: str) -> str:
    rows = "".join(f"| `{name}` | {text} |\n" for name, text in FAILURE_CLASSES.items())
    return f"| class | meaning |\n|---|---|\n{rows}"


def _block(text: str) -> str:
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _said(*arguments: str) -> str:
    command = [sys.executable, "-m", "farm", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | WIDE).stdout


MAKERS = {"help": _help, "table": _table, "failures": _failures}


def main() -> int:
    """Write README.md, or with --check say whether it would change."""
    before = README.read_text(encoding="utf-8")
    after = filled(before)
    if "--check" in sys.argv:
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
