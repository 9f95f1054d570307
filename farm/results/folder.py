"""One grid's results folder, ``results/<grid>/``, on a local path or any fsspec URL. Files are replaced whole."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from farm.damage import reading
from farm.errors import InputError
from farm.files import write_whole
from farm.plan import Plan, dumps, loads, without_secrets
from farm.remote import opened
from farm.results import parquet

PLAN = "plan.json"


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
        return bytes(self.fs.cat_file(f"{self.root}/{name}"))

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
        return reading(self.path(name), "`farm gather` makes it anew")

    def write(self, name: str, table: pa.Table, counter: str | None = None) -> None:
        """Write a Parquet file whole. counter: a column that counts up, which as differences takes next to no room."""
        sink = pa.BufferOutputStream()
        dictionaries = [column for column in table.column_names if column != counter] if counter else True
        encodings = {counter: "DELTA_BINARY_PACKED"} if counter else None
        pq.write_table(
            table, sink, compression="zstd", use_dictionary=dictionaries, column_encoding=encodings,
            write_page_checksum=True,
        )  # fmt: skip
        self._replace(name, sink.getvalue().to_pybytes())

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a Parquet file, or some of its columns. Raises InputError if it is not there, DataError if damaged."""
        try:
            content = self.content(name)
        except FileNotFoundError as error:
            raise InputError(f"there is no {self.path(name)}: run the grid, or `farm gather` it") from error
        with self.reading(name):
            return parquet.parsed(content, columns)

    def keep_only(self, folder: str, names: Collection[str]) -> None:
        """Remove a subfolder's files that are not among the names."""
        for name in self.names(folder):
            if name not in names:
                self.fs.rm_file(f"{self.root}/{name}")

    def _replace(self, name: str, content: bytes) -> None:
        target = f"{self.root}/{name}"
        self.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        path = self.local(name)
        if path is None:
            self.fs.pipe_file(target, content)
        else:
            write_whole(path, content, durable=False)  # the store is the truth: all can be gathered again
