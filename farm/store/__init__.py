"""Artefacts and attempts by key, on a local path or any fsspec URL. The only builder of their paths.

    <root>/<kind>/<first two hex digits>/<key>/<copy>/...     an artefact's files
    <root>/<kind>/<first two hex digits>/<key>/manifest.json  written last; names the copy that counts
    <root>/attempts/<key>/<n>.json, <n>.log                   every attempt, fine or failed

Each writer puts its files into a copy of its own and then tries to put the manifest: the first
manifest wins, the loser's copy is removed. So an artefact is either whole or not there.
"""

import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from farm.codec import decode, encode
from farm.errors import InputError
from farm.files import new_folder, sha256, sync, write_whole
from farm.record import Outcome
from farm.store.manifest import File, Manifest, dumps, loads

MANIFEST = "manifest.json"


class Store:
    """One store. Cheap to make; pickles as its URL."""

    def __init__(self, url: str, cache: Path | None = None) -> None:
        """url: a local path or an fsspec URL. cache: where a remote store's artefacts are read from."""
        self.url = url
        self.cache = cache or Path(tempfile.gettempdir()) / f"farm-store-{os.getuid()}"
        try:
            self.fs, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"cannot open the store {url}: {error}") from error
        self.root = str(root).rstrip("/")
        self.local_fs = isinstance(self.fs, LocalFileSystem)

    def __reduce__(self) -> tuple[type["Store"], tuple[str, Path]]:
        """Pickle as the URL: a file system object may hold connections."""
        return (Store, (self.url, self.cache))

    def check_writable(self) -> None:
        """Raises InputError if nothing can be written, before any work is done."""
        try:
            with self.probe():
                return
        except OSError as error:
            text = f"cannot write to {self.url}: {error.strerror or error}; choose another --results"
            raise InputError(text) from error

    @contextmanager
    def probe(self) -> Iterator[str]:
        """A file in the store for as long as the context lasts; another host that `sees` its name shares the store."""
        name = f".probe-{uuid.uuid4().hex}"
        self.fs.makedirs(self.root, exist_ok=True)
        self.fs.pipe_file(f"{self.root}/{name}", b"")
        try:
            yield name
        finally:
            self.fs.rm_file(f"{self.root}/{name}")

    def sees(self, probe: str) -> bool:
        """Whether a probe that another process left is there."""
        return bool(self.fs.exists(f"{self.root}/{probe}"))

    def has(self, uri: str) -> bool:
        """Whether the artefact is there, whole."""
        return bool(self.fs.exists(f"{self._folder(uri)}/{MANIFEST}"))

    def present(self, uris: Iterable[str]) -> set[str]:
        """Those of the uris whose artefact is there. A remote store is listed once a kind."""
        if self.local_fs:
            return {uri for uri in uris if os.path.exists(f"{self._folder(uri)}/{MANIFEST}")}  # noqa: PTH110
        wanted = set(uris)
        there = set()
        for kind in {uri.partition("/")[0] for uri in wanted}:
            for path in self.fs.find(f"{self.root}/{kind}") if self.fs.exists(f"{self.root}/{kind}") else ():
                if path.endswith(f"/{MANIFEST}"):
                    there.add(f"{kind}/{path.split('/')[-2]}")
        return wanted & there

    def manifest(self, uri: str) -> Manifest | None:
        """The artefact's manifest, or None if there is no whole artefact."""
        try:
            return loads(self.fs.cat_file(f"{self._folder(uri)}/{MANIFEST}"))
        except FileNotFoundError:
            return None

    def commit(self, uri: str, folder: Path, manifest: Manifest) -> bool:
        """Put a finished folder under its uri, manifest last. False if another writer was first.

        manifest: but for what the store fills in. Raises OSError if the store cannot take it (a full disk); then, or
        if it is interrupted, nothing of it is left.
        """
        if self.has(uri):
            return False
        copy = uuid.uuid4().hex[:8]
        target = f"{self._folder(uri)}/{copy}"
        files, won = {}, False
        try:
            self.fs.makedirs(target, exist_ok=True)
            for path in sorted(folder.iterdir()):
                files[path.name] = File(sha256=sha256(path), bytes=path.stat().st_size)
                self.fs.put_file(str(path), f"{target}/{path.name}")
                if self.local_fs:
                    sync(Path(target, path.name))
            whole = replace(manifest, uri=uri, copy=copy, files=files)
            won = self._put_once(f"{self._folder(uri)}/{MANIFEST}", dumps(whole))
        finally:
            if not won:
                self._remove(target)
        return won

    def open(self, uri: str) -> Path:
        """A local folder with the artefact's files; a remote one is copied to the cache once."""
        manifest = self.manifest(uri)
        if manifest is None:
            raise InputError(f"{uri} is not in the store {self.url}")
        copy = f"{self._folder(uri)}/{manifest.copy}"
        if self.local_fs:
            return Path(copy)
        target = self.cache / hashlib.sha256(self.url.encode()).hexdigest()[:16] / uri / manifest.copy
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with new_folder(target) as new:
                new.mkdir(mode=0o700)
                for name in manifest.files:
                    self.fs.get_file(f"{copy}/{name}", str(new / name))
        return target

    def discard(self, uri: str) -> None:
        """Forget an artefact, manifest first, so that it is never seen half."""
        if self.has(uri):
            self.fs.rm_file(f"{self._folder(uri)}/{MANIFEST}")
            self._remove(self._folder(uri))

    def add_attempt(self, uri: str, outcome: Outcome, log: Path | None = None) -> Outcome:
        """Write an attempt down under the next free number; returns it with its number and its log's place."""
        folder = f"{self.root}/attempts/{uri.partition('/')[2]}"
        self.fs.makedirs(folder, exist_ok=True)
        number = len(self._attempt_files(uri)) + 1
        while True:
            log_url = f"{folder}/{number}.log" if log is not None else ""
            numbered = replace(outcome, attempt=number, log=log_url)
            if self._put_once(f"{folder}/{number}.json", encode(numbered, indent=1).encode()):
                break
            number += 1
        if log is not None:
            self.fs.put_file(str(log), log_url)
        return numbered

    def attempts(self, uri: str) -> tuple[Outcome, ...]:
        """Every attempt of a stage, oldest first."""
        outcomes = [decode(Outcome, json.loads(self.fs.cat_file(path))) for path in self._attempt_files(uri)]
        return tuple(sorted(outcomes, key=lambda outcome: outcome.attempt))

    def _attempt_files(self, uri: str) -> list[str]:
        folder = f"{self.root}/attempts/{uri.partition('/')[2]}"
        if not self.fs.exists(folder):
            return []
        return [path for path in self.fs.ls(folder, detail=False) if path.endswith(".json")]

    def _folder(self, uri: str) -> str:
        kind, _, key = uri.partition("/")
        return f"{self.root}/{kind}/{key[:2]}/{key}"

    def _put_once(self, path: str, content: bytes) -> bool:
        """Write a file whole, unless there is one already. On an object store the last race is not closed."""
        if not self.local_fs:
            if self.fs.exists(path):
                return False
            self.fs.pipe_file(path, content)
            return True
        try:
            write_whole(Path(path), content, first=True)
        except FileExistsError:
            return False
        return True

    def _remove(self, folder: str) -> None:
        if self.fs.exists(folder):
            self.fs.rm(folder, recursive=True)
