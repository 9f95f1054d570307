"""Whether a located input is on this host what it was where the run was planned. Knows no stage and no store."""

from pathlib import Path
from typing import Literal

from farm.inputs.content import HashMemo
from farm.inputs.locate import CODE, Input

Astray = Literal["", "absent", "another"]


def astray(file: Input, memo: HashMemo) -> Astray:
    """Whether an input is absent here, or has another content than its key says; empty if it is what it was.

    What comes from an address is checked when it is fetched. What cannot be read counts as absent.
    """
    if file.url:
        return ""
    try:
        content = (
            memo.content(Path(place(file)), CODE) if file.code else memo.content(Path(file.path), beside=_beside(file))
        )
    except OSError:
        return "absent"
    return "" if content == file.sha256 else "another"


def _beside(file: Input) -> tuple[Path, ...]:
    return tuple(map(Path, file.beside))


def place(file: Input) -> str:
    """What its content is of: a file, a folder, or the module or package of a user's code."""
    return file.beside[0] if file.code else file.path
