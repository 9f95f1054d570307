"""An OpenVINO IR as files: ``model.xml`` and ``model.bin``. Knows names and sizes, no content."""

from pathlib import Path

IR = "model.xml"
MIB = 2**20


def size_mib(folder: Path) -> float:
    """Size of an IR, ``model.xml`` and ``model.bin``, in MiB."""
    return sum(path.stat().st_size for path in folder.glob("model.*")) / MIB
