"""One grid's results folder, ``results/<grid>/``, on a local path or any fsspec URL. Files are replaced whole."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from farm.damage import reading
from farm.errors import InputError
from farm.files import write_whole
from farm.plan import Plan, dumps, loads, without_secrets
from farm.remote import each, mark, opened, read_whole
from farm.results import parquet

PLAN = "plan.json"
AHEAD = 16  # remote files that are read before they are asked for


class Folder:
    """Reads and writes one grid's gathered files by name."""

    def __init__(self, url: str) -> None:
        """url: ``<results>/<grid>``, a local path or an fsspec URL."""
        self.url = url.rstrip("/")
        self.fs, self.root = opened(self.url)

    def path(self, name: str) -> str:
        """Where a file lies, for people."""
        return f"{self.url}/{name}"

    def local(self, name: str) -> Path | None:
        """A file's path; None where the folder is no local one."""
        return Path(self.root, name) if isinstance(self.fs, LocalFileSystem) else None

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self.fs.exists(f"{self.root}/{name}"))

    def content(self, name: str) -> bytes:
        """A file's bytes. Raises FileNotFoundError, and InputError of a pipe, which would be waited at for ever."""
        path = self.local(name)
        if path is not None and path.exists() and not path.is_file():
            raise InputError(f"{path} is no file: remove it")
        return read_whole(self.fs, f"{self.root}/{name}")

    def names(self, folder: str) -> list[str]:
        """The Parquet files of a subfolder, in order, none half written; none where it is not there."""
        if not self.has(folder):
            return []
        paths = self.fs.ls(f"{self.root}/{folder}", detail=False)
        names = (str(path).rpartition("/")[2] for path in paths)
        return sorted(f"{folder}/{name}" for name in names if name.endswith(".parquet"))

    def write_plan(self, plan: Plan) -> Plan:
        """Write plan.json, the first file of every run, without secrets of addresses; the plan that it holds."""
        kept = without_secrets(plan)
        self._replace(PLAN, dumps(kept).encode())
        return kept

    def read_plan(self) -> Plan:
        """Read plan.json. Raises InputError if there is none: nothing was run here; DataError if it is damaged."""
        try:
            content = self.content(PLAN)
        except FileNotFoundError as error:
            raise InputError(f"{self.url} has no {PLAN}: run a grid first (farm run jobs/quickstart.yaml)") from error
        with reading(self.path(PLAN), "run the grid again"):
            return loads(content, self.path(PLAN))

    def reading(self, name: str) -> AbstractContextManager[None]:
        """While a gathered file of this name is parsed and checked: as `farm.damage.reading`."""
        return reading(self.path(name), "`farm gather --fresh` makes it anew")

    def write(self, name: str, table: pa.Table, *more: pa.Table, counter: str | None = None) -> None:
        """Write a Parquet file whole, with a row group of each table.

        more: of the same columns. counter: a column that counts up, which as differences takes next to no room.
        """
        sink = pa.BufferOutputStream()
        dictionaries = [column for column in table.column_names if column != counter] if counter else True
        encodings = {counter: "DELTA_BINARY_PACKED"} if counter else None
        with pq.ParquetWriter(
            sink, table.schema, compression="zstd", use_dictionary=dictionaries, column_encoding=encodings,
            write_page_checksum=True,
        ) as writer:  # fmt: skip
            for group in (table, *more):
                writer.write_table(group)
        self._replace(name, sink.getvalue().to_pybytes())

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a Parquet file, or some of its columns. Raises InputError if it is not there, DataError if damaged."""
        try:
            content = self.content(name)
        except FileNotFoundError as error:
            raise InputError(f"there is no {self.path(name)}: run the grid, or `farm gather` it") from error
        with self.reading(name):
            return parquet.parsed(content, columns)

    def read_each(self, names: Sequence[str], columns: Sequence[str] | None = None) -> Iterator[tuple[str, pa.Table]]:
        """Read several Parquet files, in order, some of them at once where they are remote. As `read`."""
        for start in range(0, len(names), AHEAD):
            some = names[start : start + AHEAD]
            yield from zip(some, each(self.fs, lambda name: self.read(name, columns), some), strict=True)

    def put(self, name: str, content: bytes) -> None:
        """Write a small file whole."""
        self._replace(name, content)

    def marks(self) -> dict[str, str]:
        """All files that there are, and what tells each from another that takes its place."""
        if not self.has(""):
            return {}
        found = self.fs.find(self.root, detail=True)
        return {path.removeprefix(self.root).lstrip("/"): mark(info) for path, info in found.items()}

    def keep_only(self, folder: str, names: Collection[str]) -> None:
        """Remove a subfolder's files that are not among the names."""
        for name in self.names(folder):
            if name not in names:
                with suppress(FileNotFoundError):  # by another process
                    self.fs.rm_file(f"{self.root}/{name}")

    def _replace(self, name: str, content: bytes) -> None:
        target = f"{self.root}/{name}"
        self.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        path = self.local(name)
        if path is None:
            self.fs.pipe_file(target, content)
        else:
            write_whole(path, content, durable=False)  # the store is the truth: all can be gathered again
