"""Which files a DiStyleGAN's checkpoint consists of. Knows their names, and opens none."""

from pathlib import Path

from farm.data.imageset import Arguments, Files
from farm.errors import DataError

WEIGHTS, CONFIG, PACKED = "generator.pt", "config.json", ".safetensors"
ADVICE = f"give a folder with {WEIGHTS} and {CONFIG}"


def check(_parameters: Arguments, files: Files) -> None:
    """Raise DataError unless ``files["weights"]`` is a packed file, or a folder with both of the study's files."""
    path: Path = files["weights"]
    if path.suffix == PACKED and path.is_file():
        return
    lacking = [name for name in (WEIGHTS, CONFIG) if not (path / name).is_file()]
    if lacking:
        fault = f"no {' and no '.join(lacking)} in it" if path.is_dir() else "not a folder"
        raise DataError(f"{path}: {fault}: {ADVICE}")
