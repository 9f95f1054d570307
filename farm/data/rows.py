"""Row groups of Parquet files, one of them in memory at a time. Knows tables, not images."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from farm.errors import DataError


class Group(NamedTuple):
    """A row group of a file. rows: how many it has."""

    path: Path
    file: pq.ParquetFile
    number: int
    rows: int


@dataclass(slots=True, kw_only=True)
class Rows:
    """The rows of a Parquet file, or of several, by number.

    path, file: the first one. groups: of all. offsets: int64 (groups + 1,), where each of them starts.
    """

    path: Path
    file: pq.ParquetFile
    groups: tuple[Group, ...]
    columns: tuple[str, ...]
    offsets: NDArray[np.int64] = field(init=False)
    last: tuple[int, pa.Table | None] = field(default=(-1, None), init=False)

    def __post_init__(self) -> None:
        self.offsets = np.cumsum([0, *(group.rows for group in self.groups)], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    @property
    def schema(self) -> pa.Schema:
        """Columns, types and metadata."""
        return self.file.schema_arrow

    def read(self, start: int, stop: int) -> pa.Table:
        """The rows start, ..., stop - 1 of the chosen columns. Raises DataError where the file is damaged."""
        at = int(np.searchsorted(self.offsets, start, side="right")) - 1
        parts = []
        while start < stop:
            group, base = self._group(at), int(self.offsets[at])
            end = min(stop, int(self.offsets[at + 1]))
            parts.append(group.slice(start - base, end - start))
            start, at = end, at + 1
        empty = self.schema.empty_table().select(list(self.columns))
        return pa.concat_tables(parts) if parts else empty

    def where(self, row: int) -> str:
        """Which row of which file a row is, for messages."""
        at = int(np.searchsorted(self.offsets, row, side="right")) - 1
        path = self.groups[at].path
        start = next(offset for group, offset in zip(self.groups, self.offsets, strict=False) if group.path == path)
        return f"{path}: row {row - int(start)}"

    def column(self, name: str) -> pa.ChunkedArray:
        """One whole column, for small ones. Raises DataError where the file is damaged."""
        files = {group.path: group.file for group in self.groups} or {self.path: self.file}
        return pa.chunked_array([chunk for path in files for chunk in self._column(path, files[path], name).chunks])

    def _column(self, path: Path, file: pq.ParquetFile, name: str) -> pa.ChunkedArray:
        try:
            return file.read([name]).column(name)
        except (OSError, pa.ArrowException) as error:
            text = f"{path}: column {name!r} cannot be read ({error}): fetch or make the file again"
            raise DataError(text) from error

    def _group(self, at: int) -> pa.Table:
        number, table = self.last
        if number != at or table is None:
            self.last = (-1, None)  # before the new one is read
            path, file, row_group, _ = self.groups[at]
            try:
                table = file.read_row_group(row_group, columns=list(self.columns))
            except (OSError, pa.ArrowException) as error:
                text = f"{path}: row group {row_group} cannot be read ({error}): fetch or make the file again"
                raise DataError(text) from error
            self.last = (at, table)
        return table


def open_rows(path: Path, columns: tuple[str, ...] = ()) -> Rows:
    """Open a file to read these columns, by default all. Raises DataError if it is missing, no Parquet or truncated."""
    try:
        file = pq.ParquetFile(pa.OSFile(str(path)))  # by itself it takes a path such as `a: b` for a URL
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not a Parquet file, or truncated ({reason}): fetch or make the file again") from error
    numbers = range(file.num_row_groups)
    groups = tuple(Group(path, file, number, file.metadata.row_group(number).num_rows) for number in numbers)
    return Rows(path=path, file=file, groups=groups, columns=columns or tuple(file.schema_arrow.names))


def chained(parts: Sequence[Rows]) -> Rows:
    """The rows of files of one schema, one file after another."""
    return replace(parts[0], groups=tuple(group for rows in parts for group in rows.groups))
