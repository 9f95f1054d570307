"""Contact sheets as files: what can be written, asked before any work. Knows no sheet; Pillow decides."""

import io
from pathlib import Path

from farm.errors import InputError


def check(option: str, path: Path, apart: Path | None = None) -> None:
    """Raise InputError if Pillow writes no picture with such a suffix, or not there.

    option: that gives the path, for the message. apart: a folder that it must not lie in, as a set of images is to.
    """
    from PIL import Image  # noqa: PLC0415 - for those who ask for pictures

    form = Image.registered_extensions().get(path.suffix.lower())
    try:
        if form is None:
            raise InputError(_refused(option, path))
        Image.new("RGB", (1, 1)).save(io.BytesIO(), form)
    except (OSError, ValueError, KeyError) as error:  # what Pillow raises of forms that it only reads
        raise InputError(_refused(option, path)) from error
    if apart is not None and path.resolve().is_relative_to(apart.resolve()):
        raise InputError(f"{option} {path}: {apart} is for the set alone: name a file elsewhere")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {path.parent}: make it, or name another file")


def _refused(option: str, path: Path) -> str:
    ending = f"as {path.suffix}" if path.suffix else "without a suffix"
    return f"{option} {path}: no picture can be written {ending}: name a file such as {path.stem or 'sheet'}.png"
