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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from farm.codec import decode, encode
from farm.damage import damaged, reading
from farm.errors import DataError, InputError
from farm.files import is_plain, new_folder, sha256, sync, write_whole
from farm.record import Outcome
from farm.store.manifest import MANIFEST, REMEDY, File, Manifest

__all__ = ["MANIFEST", "Store"]

CHANGED = "it is not what its manifest says"
REMAKE = f"remove {MANIFEST} above it, and run the grid again"


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
        """The artefact's manifest, or None if there is no whole artefact. Raises DataError if it is damaged."""
        try:
            content = self.fs.cat_file(f"{self._folder(uri)}/{MANIFEST}")
        except FileNotFoundError:
            return None
        with reading(f"{self._folder(uri)}/{MANIFEST}", REMEDY):
            manifest = decode(Manifest, json.loads(content))
            manifest.check(uri)
        return manifest

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
            won = self._put_once(f"{self._folder(uri)}/{MANIFEST}", encode(whole, indent=1).encode())
        finally:
            if not won:
                self._remove(target)
        return won

    def open(self, uri: str) -> Path:
        """A local folder with the artefact's files; a remote one is copied to the cache once, and checked.

        Raises InputError if there is no such artefact, DataError if it is damaged.
        """
        manifest = self._there(uri)
        copy = f"{self._folder(uri)}/{manifest.copy}"
        if self.local_fs:
            return Path(copy)
        target = self.cache / hashlib.sha256(self.url.encode()).hexdigest()[:16] / uri / manifest.copy
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with new_folder(target) as new:
                new.mkdir(mode=0o700)
                for name, file in manifest.files.items():
                    self._fetch(f"{copy}/{name}", file, new / name)
        return target

    def read(self, uri: str, *names: str) -> bytes:
        """The first of these files that an artefact has, checked by its digest. Raises as `open`."""
        manifest = self._there(uri)
        name = next((name for name in names if name in manifest.files), None)
        if name is None:
            raise damaged(f"{self._folder(uri)}/{MANIFEST}", f"it names no {names[0]}", REMEDY)
        path = self.open(uri) / name
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != manifest.files[name].sha256:
            raise damaged(str(path), CHANGED, REMAKE)
        return content

    def hand_over(self, uri: str, names: Mapping[str, bool], folder: Path) -> None:
        """Copy these files of an artefact into a folder, each checked by its digest. Raises as `open`.

        names: and whether the artefact must have such a file.
        """
        manifest = self._there(uri)
        for name, needed in names.items():
            if name in manifest.files:
                self._fetch(f"{self._folder(uri)}/{manifest.copy}/{name}", manifest.files[name], folder / name)
            elif needed:
                raise damaged(f"{self._folder(uri)}/{MANIFEST}", f"it names no {name}", REMEDY)

    def discard(self, uri: str) -> None:
        """Forget an artefact, manifest first, so that it is never seen half."""
        if self.has(uri):
            self.fs.rm_file(f"{self._folder(uri)}/{MANIFEST}")
            self._remove(self._folder(uri))

    def add_attempt(self, uri: str, outcome: Outcome, log: Path | None = None) -> Outcome:
        """Write an attempt down under the next free number; returns it with its number and its log's place."""
        folder = self._attempts(uri)
        self.fs.makedirs(folder, exist_ok=True)
        for number in count(len(self._attempt_files(uri)) + 1):
            numbered = replace(outcome, attempt=number, log="" if log is None else f"{folder}/{number}.log")
            if self._put_once(f"{folder}/{number}.json", encode(numbered, indent=1).encode()):
                break
        if log is not None:
            self.fs.put_file(str(log), numbered.log)
        return numbered

    def attempts(self, uri: str) -> tuple[Outcome, ...]:
        """Every attempt of a stage, oldest first. Raises DataError if one is damaged."""
        outcomes = []
        for path in self._attempt_files(uri):
            content = self.fs.cat_file(path)
            with reading(path, "remove it"):
                outcomes.append(decode(Outcome, json.loads(content)))
        return tuple(sorted(outcomes, key=lambda outcome: outcome.attempt))

    def _attempt_files(self, uri: str) -> list[str]:
        folder = self._attempts(uri)
        if not self.fs.exists(folder):
            return []
        return [path for path in self.fs.ls(folder, detail=False) if path.endswith(".json")]

    def _there(self, uri: str) -> Manifest:
        manifest = self.manifest(uri)
        if manifest is None:
            raise InputError(f"{uri} is not in the store {self.url}")
        return manifest

    def _fetch(self, path: str, file: File, target: Path) -> None:
        """Copy a file of the store, if it is what its manifest says; of its size before anything is copied."""
        with suppress(FileNotFoundError):
            found = self.fs.info(path)
            if found["type"] == "file" and found["size"] == file.bytes:
                self.fs.get_file(path, str(target))
                if sha256(target) == file.sha256:
                    return
        raise damaged(path, CHANGED, REMAKE)

    def _folder(self, uri: str) -> str:
        kind, key = _parts(uri)
        return f"{self.root}/{kind}/{key[:2]}/{key}"

    def _attempts(self, uri: str) -> str:
        return f"{self.root}/attempts/{_parts(uri)[1]}"

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


def _parts(uri: str) -> tuple[str, str]:
    """A uri's kind and key. Raises DataError if it is a path that leads elsewhere."""
    kind, _, key = uri.partition("/")
    if not (is_plain(kind) and is_plain(key)):
        raise DataError(f"{uri!r} names no artefact: it must be a kind and a key")
    return kind, key
