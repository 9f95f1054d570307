"""Image files that tests make."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def pixels(count: int, size: tuple[int, int] = (6, 5), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), np.uint8)


def encode(image: np.ndarray, mode: str = "RGB", kind: str = "PNG") -> bytes:
    target = BytesIO()
    Image.fromarray(image).convert(mode).save(target, kind)
    return target.getvalue()


def write_parquet(
    path: Path,
    encoded: Sequence[bytes | None],
    labels: Sequence[int | None] | None,
    *,
    column: str = "img",
    metadata: dict[str, str] | None = None,
    group: int = 4,
) -> Path:
    """A file in the Hugging Face layout, `group` rows in a row group."""
    values = [None if content is None else {"bytes": content, "path": f"{i}.png"} for i, content in enumerate(encoded)]
    columns = {column: pa.array(values, IMAGE)} | ({} if labels is None else {"label": pa.array(labels, pa.int64())})
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path, row_group_size=group)
    return path
