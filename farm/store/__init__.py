"""Artefacts and attempts by key, on a local path or any fsspec URL. The only builder of their paths.

    <root>/<kind>/<first two hex digits>/<key>/<copy>/...     an artefact's files
    <root>/<kind>/<first two hex digits>/<key>/manifest.json  written last; names the copy that counts
    <root>/attempts/<key>/<n>.json, <n>.log                   every attempt, fine or failed
    <root>/damaged/<kind>/<key>-<copy>/...                    an artefact that was no longer what it was, set aside

Each writer puts its files into a copy of its own and then tries to put the manifest: the first
manifest wins, the loser's copy is removed. So an artefact is either whole or not there.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from glob import escape
from itertools import count
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from farm.codec import decode, encode, members, now
from farm.damage import reading
from farm.errors import AwayError, DamageError, DataError, InputError
from farm.files import is_plain, new_folder, sha256, sync, write_whole
from farm.record import Outcome
from farm.remote import opened
from farm.shown import redacted
from farm.store.manifest import MANIFEST, REMEDY, File, Manifest

__all__ = ["MANIFEST", "Store"]

DAMAGED = "damaged"
CHUNK = 8 << 20  # bytes read at once
CHANGED = "it is not what its manifest says"
REMAKE = f"remove {MANIFEST} above it, and run the grid again"


class Store:
    """One store. Cheap to make; pickles as its URL."""

    def __init__(self, url: str, cache: Path | None = None, *, reached: bool = False) -> None:
        """url: a local path or an fsspec URL. cache: where a remote store's artefacts are read from.

        reached: whether another process has reached it.
        """
        self.url = url
        self.cache = cache or Path(tempfile.gettempdir()) / f"farm-store-{os.getuid()}"
        self.fs, self.root = opened(url, reached=reached)
        self.local_fs = isinstance(self.fs, LocalFileSystem)

    def __reduce__(self) -> tuple[Callable[..., "Store"], tuple[str, Path]]:
        """Pickle as the URL: a file system object may hold connections."""
        return (partial(Store, reached=True), (self.url, self.cache))

    def check_writable(self) -> None:
        """Raises InputError if nothing can be written, AwayError if no answer comes, before any work is done."""
        try:
            with self.probe():
                return
        except AwayError:
            raise
        except OSError as error:
            text = f"cannot write to {redacted(self.url)}: {error.strerror or error}; choose another --results"
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
        path = f"{self._folder(uri)}/{MANIFEST}"
        return _is_there(path) if self.local_fs else bool(self.fs.exists(path))

    def present(self, uris: Iterable[str]) -> set[str]:
        """Those of the uris whose artefact is there. A remote store is listed once a kind."""
        if self.local_fs:
            return {uri for uri in uris if _is_there(f"{self._folder(uri)}/{MANIFEST}")}
        wanted = set(uris)
        there = set()
        for kind in {uri.partition("/")[0] for uri in wanted}:
            for path in self.fs.find(f"{self.root}/{kind}") if self.fs.exists(f"{self.root}/{kind}") else ():
                if path.endswith(f"/{MANIFEST}"):
                    there.add(f"{kind}/{path.split('/')[-2]}")
        return wanted & there

    def manifest(self, uri: str) -> Manifest | None:
        """The artefact's manifest, or None if there is no whole artefact. Raises DamageError if it is damaged."""
        try:
            content = self.fs.cat_file(f"{self._folder(uri)}/{MANIFEST}")
        except FileNotFoundError:
            return None
        with reading(f"{self._folder(uri)}/{MANIFEST}", REMEDY, uri):
            manifest = decode(Manifest, json.loads(content))
            manifest.check(uri)
        return manifest

    def whole(self, uri: str) -> Manifest | None:
        """The manifest, as `manifest` has it; a local artefact's files have the sizes that it says.

        Raises DamageError for one that has not.
        """
        manifest = self.manifest(uri)
        if manifest is not None and self.local_fs:
            self._check_sizes(uri, manifest)
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

        Sizes are checked each time. Raises InputError if there is no such artefact, DamageError if it is damaged.
        """
        manifest = self._there(uri)
        copy = f"{self._folder(uri)}/{manifest.copy}"
        if self.local_fs:
            self._check_sizes(uri, manifest)
            return Path(copy)
        target = self.cache / hashlib.sha256(self.url.encode()).hexdigest()[:16] / uri / manifest.copy
        if target.exists() and _of_other_size(target, manifest):
            shutil.rmtree(target)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with new_folder(target) as new:
                new.mkdir(mode=0o700)
                for name, file in manifest.files.items():
                    self._fetch(uri, f"{copy}/{name}", file, new / name)
        return target

    def read(self, uri: str, *names: str) -> bytes:
        """The first of these files that an artefact has, checked by its digest. Raises as `open`."""
        manifest = self._there(uri)
        name = next((name for name in names if name in manifest.files), None)
        if name is None:
            raise DamageError(f"{self._folder(uri)}/{MANIFEST}", f"it names no {names[0]}", REMEDY, uri)
        for again in (not self.local_fs, False):
            path = self.open(uri) / name
            content = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(content).hexdigest() == manifest.files[name].sha256:
                return content
            if again:  # of the copy on this host
                shutil.rmtree(path.parent)
        raise DamageError(str(path), CHANGED, REMAKE, uri)

    def check(self, uri: str) -> None:
        """Raises DamageError if an artefact that is there is not what its manifest says, byte for byte."""
        manifest = self.manifest(uri)
        if manifest is None:
            return
        for name, file in manifest.files.items():
            path = f"{self._folder(uri)}/{manifest.copy}/{name}"
            if not self._is_sound(path, file):
                raise DamageError(path, CHANGED, REMAKE, uri)

    def set_aside(self, uri: str, why: str = "", copy: str = "") -> Outcome | None:
        """Move an artefact out of the way if it is damaged: then it is missing, and is made again.

        why: what showed that it is, where digests do not, and in which copy: another is not meant. Returns what was
        written down of it, as an attempt; None if it is sound, or not there any more. Raises OSError where nothing can
        be moved.
        """
        path, label = f"{self._folder(uri)}/{MANIFEST}", ""
        try:
            content = self.fs.cat_file(path)
            self.check(uri)
            manifest = self.manifest(uri)
        except FileNotFoundError:
            return None
        except DamageError as error:
            why = f"damaged: {error.place}: {error.why}"
        else:
            if not why or manifest is None or manifest.copy != copy:
                return None
        place = f"{self.root}/{DAMAGED}/{uri}-{uuid.uuid4().hex[:8]}"
        if not self._moved(path, f"{place}/{MANIFEST}", content):
            return None  # another process was first
        with suppress(ValueError, OSError):  # the manifest is out of the way: what it names need not be
            manifest = decode(Manifest, json.loads(content))
            label = manifest.label
            if is_plain(manifest.copy):
                self.fs.mv(f"{self._folder(uri)}/{manifest.copy}", f"{place}/{manifest.copy}", recursive=True)
        at = now()
        outcome = Outcome(uri=uri, label=label, error_class="damaged", error_type=DamageError.__name__)
        message = f"{why}; set aside in {self._shown(place)}"
        return self.add_attempt(uri, replace(outcome, error_message=message, started_at=at, finished_at=at))

    def _moved(self, path: str, target: str, content: bytes) -> bool:
        """Whether a file with this content was moved by this very call. One with another is put back."""
        self.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        try:
            if self.fs.cat_file(path) != content:
                return False
            self.fs.mv(path, target)
        except FileNotFoundError:
            return False
        if (moved := self.fs.cat_file(target)) == content:
            return True
        self._put_once(path, moved)
        return False

    def uris(self) -> list[str]:
        """All artefacts that are there, in order."""
        found = (path.split("/") for path in self.fs.glob(f"{escape(self.root)}/*/??/*/{MANIFEST}"))
        return sorted(f"{parts[-4]}/{parts[-2]}" for parts in found)

    def hand_over(self, uri: str, names: Mapping[str, bool], folder: Path) -> None:
        """Copy these files of an artefact into a folder, each checked by its digest. Raises as `open`.

        names: and whether the artefact must have such a file.
        """
        manifest = self._there(uri)
        for name, needed in names.items():
            if name in manifest.files:
                self._fetch(uri, f"{self._folder(uri)}/{manifest.copy}/{name}", manifest.files[name], folder / name)
            elif needed:
                raise DamageError(f"{self._folder(uri)}/{MANIFEST}", f"it names no {name}", REMEDY, uri)

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
            numbered = replace(
                outcome, attempt=number, log="" if log is None else self._shown(f"{folder}/{number}.log")
            )
            content = {**members(numbered), "written": uuid.uuid4().hex}  # no two attempts are alike
            if self._put_once(f"{folder}/{number}.json", encode(content, indent=1).encode()):
                break
        if log is not None:
            self.fs.put_file(str(log), f"{folder}/{numbered.attempt}.log")
        return numbered

    def log(self, outcome: Outcome) -> str:
        """What an attempt's process said; empty if it left no log."""
        try:
            content = self.fs.cat_file(f"{self._attempts(outcome.uri)}/{outcome.attempt}.log")
        except FileNotFoundError:
            return ""
        return bytes(content).decode(errors="replace")

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

    def _check_sizes(self, uri: str, manifest: Manifest) -> None:
        folder = Path(self._folder(uri), manifest.copy)
        if name := _of_other_size(folder, manifest):
            raise DamageError(f"{folder}/{name}", CHANGED, REMAKE, uri)

    def _is_sound(self, path: str, file: File, *, again: bool = True) -> bool:
        """Whether a file of the store is what its manifest says; of another size, nothing of it is read.

        A local disk that cannot give it back, twice, has lost it.
        """
        digest = hashlib.sha256()
        try:
            found = self.fs.info(path)
            if found["type"] != "file" or found["size"] != file.bytes:
                return False
            for start in range(0, file.bytes, CHUNK):
                digest.update(self.fs.cat_file(path, start=start, end=min(start + CHUNK, file.bytes)))
        except FileNotFoundError:
            return False
        except OSError as error:
            if not self.local_fs or error.errno != errno.EIO:
                raise
            return again and self._is_sound(path, file, again=False)
        return digest.hexdigest() == file.sha256

    def _fetch(self, uri: str, path: str, file: File, target: Path) -> None:
        """Copy a file of the store, if it is what its manifest says; of its size before anything is copied."""
        with suppress(FileNotFoundError):
            found = self.fs.info(path)
            if found["type"] == "file" and found["size"] == file.bytes:
                self.fs.get_file(path, str(target))
                if sha256(target) == file.sha256:
                    return
        raise DamageError(path, CHANGED, REMAKE, uri)

    def _folder(self, uri: str) -> str:
        kind, key = _parts(uri)
        return f"{self.root}/{kind}/{key[:2]}/{key}"

    def _attempts(self, uri: str) -> str:
        return f"{self.root}/attempts/{_parts(uri)[1]}"

    def _shown(self, path: str) -> str:
        """A path of the store as one opens it: a local path, or a URL."""
        return path if self.local_fs else str(self.fs.unstrip_protocol(path))

    def put(self, path: str, content: bytes, *, first: bool = False) -> bool:
        """Write a small file whole that may be lost with the machine. path: below the root.

        first: unless there is one already; whether it is this one.
        """
        path = f"{self.root}/{path}"
        if self.local_fs:
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        if first:
            return self._put_once(path, content, durable=False)
        if self.local_fs:
            write_whole(Path(path), content, durable=False)
        else:
            self.fs.pipe_file(path, content)
        return True

    def _put_once(self, path: str, content: bytes, *, durable: bool = True) -> bool:
        """Write a file whole, unless there is one already; whether it is this one."""
        while not self.local_fs:
            try:
                self.fs.pipe_file(path, content, mode="create")
            except FileExistsError:  # perhaps by a try of this very call, whose answer was lost
                with suppress(FileNotFoundError):  # it is gone already: once more
                    return bool(self.fs.cat_file(path) == content)
            else:
                return True
        try:
            write_whole(Path(path), content, first=True, durable=durable)
        except FileExistsError:
            return False
        return True

    def _remove(self, folder: str) -> None:
        if self.fs.exists(folder):
            self.fs.rm(folder, recursive=True)


def _is_there(path: str) -> bool:
    """Whether a local file is there. Raises OSError where that cannot be told: of a mount that is away, say."""
    try:
        os.stat(path)  # noqa: PTH116 - of ten thousands of stages
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _of_other_size(folder: Path, manifest: Manifest) -> str:
    """The first file of a local copy that has not the size that the manifest says; empty if all have."""
    for name, file in manifest.files.items():
        try:
            if (folder / name).stat().st_size != file.bytes:
                return name
        except FileNotFoundError:
            return name
    return ""


def _parts(uri: str) -> tuple[str, str]:
    """A uri's kind and key. Raises DataError if it is a path that leads elsewhere."""
    kind, _, key = uri.partition("/")
    if not (is_plain(kind) and is_plain(key)):
        raise DataError(f"{uri!r} names no artefact: it must be a kind and a key")
    return kind, key
