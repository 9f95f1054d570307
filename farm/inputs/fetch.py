"""Official files brought to this host, checked by their content."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from farm.errors import DataError
from farm.files import replaced
from farm.inputs.locate import Input

CHUNK = 1 << 20

DownloadProgress = Callable[[int, int | None], None]  # bytes so far, bytes in all where the server says


def fetch(wanted: Input, progress: DownloadProgress | None = None) -> Path:
    """The input's path on this host, downloaded and checked first if it is not there.

    Two processes may fetch at once; the first to finish wins. Raises DataError if the address cannot be
    reached or sends something else than the expected content.
    """
    path = Path(wanted.path)
    if path.exists() or not wanted.url:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replaced(path) as new:
            with new.open("xb") as target:
                digest = _download(wanted.url, target.write, progress)
            if not digest.startswith(wanted.sha256):
                raise DataError(f"{wanted.url} sent other content than expected: SHA-256 {digest}, not {wanted.sha256}")
    except OSError as error:
        text = f"cannot download {wanted.url}: {getattr(error, 'reason', None) or error}"
        raise DataError(f"{text}; fetch it by hand to {path}, or put it into FARM_DATA") from error
    return path


def _download(url: str, write: Callable[[bytes], object], progress: DownloadProgress | None) -> str:
    digest = hashlib.sha256()
    import urllib.request  # noqa: PLC0415 - 0.05 s that who downloads nothing need not pay

    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - https and http alike: the content is checked
        length = response.headers.get("Content-Length")
        while chunk := response.read(CHUNK):
            write(chunk)
            digest.update(chunk)
            if progress is not None:
                progress(len(chunk), int(length) if length else None)
    return digest.hexdigest()
