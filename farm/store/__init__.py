"""Artefacts by key, on a local path or any fsspec URL: `farm.store.names` says where.

Each writer puts its files into a copy of its own and then tries to put the manifest: the first
manifest wins, the loser's copy is removed. So an artefact is either whole or not there.
"""

import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from glob import escape
from pathlib import Path

from farm.codec import decode, encode
from farm.damage import reading
from farm.errors import DamageError, InputError
from farm.files import new_folder, sha256, sync
from farm.store import names
from farm.store.attempts import Attempts
from farm.store.files import Files
from farm.store.listing import FEW, Seen, listed
from farm.store.manifest import REMEDY, File, Manifest
from farm.store.names import MANIFEST

__all__ = ["MANIFEST", "Store"]

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
        self.files = Files(url, reached=reached)
        self.attempts = Attempts(self.files)

    def __reduce__(self) -> tuple[Callable[..., "Store"], tuple[str, Path]]:
        """Pickle as the URL: a file system object may hold connections."""
        return (partial(Store, reached=True), (self.url, self.cache))

    def has(self, uri: str) -> bool:
        """Whether the artefact is there, whole."""
        return self.files.has(names.manifest(uri))

    def listed(self, uris: Collection[str]) -> Mapping[str, Seen]:
        """What there is of these stages, artefacts and attempts, and what will tell that it has changed."""
        return listed(self.files, uris)

    def present(self, uris: Collection[str]) -> set[str]:
        """Those of the uris whose artefact is there."""
        if self.files.local or len(uris) <= FEW:
            return {uri for uri, there in zip(uris, self.files.each(self.has, uris), strict=True) if there}
        return {uri for uri, seen in listed(self.files, uris, tried=False).items() if seen.there}

    def manifest(self, uri: str) -> Manifest | None:
        """The artefact's manifest, or None if there is no whole artefact. Raises DamageError if it is damaged."""
        try:
            content = self.files.content(names.manifest(uri))
        except (FileNotFoundError, NotADirectoryError):
            return None
        with reading(self.files.path(names.manifest(uri)), REMEDY, uri):
            manifest = decode(Manifest, json.loads(content))
            manifest.check(uri)
        return manifest

    def whole(self, uri: str) -> Manifest | None:
        """The manifest, as `manifest` has it; a local artefact's files have the sizes that it says.

        Raises DamageError for one that has not.
        """
        manifest = self.manifest(uri)
        if manifest is not None and self.files.local:
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
        target = f"{names.artefact(uri)}/{copy}"
        files, won = {}, False
        try:
            self.files.fs.makedirs(self.files.path(target), exist_ok=True)
            for path in sorted(folder.iterdir()):
                files[path.name] = File(sha256=sha256(path), bytes=path.stat().st_size)
                placed = self.files.path(f"{target}/{path.name}")
                self.files.fs.put_file(str(path), placed)
                if self.files.local:
                    sync(Path(placed))
            whole = replace(manifest, uri=uri, copy=copy, files=files)
            won = self.files.put_once(names.manifest(uri), encode(whole, indent=1).encode())
        finally:
            if not won:
                self.files.remove(target)
        return won

    def open(self, uri: str, manifest: Manifest | None = None) -> Path:
        """A local folder with the artefact's files; a remote one is copied to the cache once, and checked.

        Sizes are checked each time. manifest: the artefact's, where it is at hand. Raises InputError if there is no
        such artefact, DamageError if it is damaged.
        """
        manifest = manifest or self._there(uri)
        if self.files.local:
            self._check_sizes(uri, manifest)
            return Path(self.files.path(f"{names.artefact(uri)}/{manifest.copy}"))
        target = self.cache / hashlib.sha256(self.url.encode()).hexdigest()[:16] / uri / manifest.copy
        if target.exists() and _of_other_size(target, manifest):
            shutil.rmtree(target)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with new_folder(target) as new:
                new.mkdir(mode=0o700)
                for name in manifest.files:
                    self._fetch(uri, manifest, name, new)
        return target

    def read(self, uri: str, *asked: str, manifest: Manifest | None = None) -> bytes:
        """The first of these files that an artefact has, checked by its digest. manifest, and what it raises: `open`'s.

        asked: names of files.
        """
        manifest = manifest or self._there(uri)
        name = next((name for name in asked if name in manifest.files), None)
        if name is None:
            raise self._unnamed(uri, asked[0])
        for again in (not self.files.local, False):
            path = self.open(uri, manifest) / name
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
            place = f"{names.artefact(uri)}/{manifest.copy}/{name}"
            if not self.files.is_sound(place, file.bytes, file.sha256):
                raise DamageError(self.files.path(place), CHANGED, REMAKE, uri)

    def uris(self) -> list[str]:
        """All artefacts that are there, in order."""
        found = self.files.fs.glob(f"{escape(self.files.root)}/*/??/*/{MANIFEST}")
        parts = (path.split("/") for path in found)
        return sorted(f"{each[-4]}/{each[-2]}" for each in parts)

    def hand_over(self, uri: str, wanted: Mapping[str, bool], folder: Path) -> None:
        """Copy these files of an artefact into a folder, each checked by its digest. Raises as `open`.

        wanted: by their names, and whether the artefact must have such a file.
        """
        manifest = self._there(uri)
        for name, needed in wanted.items():
            if name in manifest.files:
                self._fetch(uri, manifest, name, folder)
            elif needed:
                raise self._unnamed(uri, name)

    def discard(self, uri: str) -> None:
        """Forget an artefact, manifest first, so that it is never seen half."""
        if self.has(uri):
            self.files.fs.rm_file(self.files.path(names.manifest(uri)))
            self.files.remove(names.artefact(uri))

    def _there(self, uri: str) -> Manifest:
        manifest = self.manifest(uri)
        if manifest is None:
            raise InputError(f"{uri} is not in the store {self.url}")
        return manifest

    def _unnamed(self, uri: str, name: str) -> DamageError:
        return DamageError(self.files.path(names.manifest(uri)), f"it names no {name}", REMEDY, uri)

    def _check_sizes(self, uri: str, manifest: Manifest) -> None:
        folder = Path(self.files.path(f"{names.artefact(uri)}/{manifest.copy}"))
        if name := _of_other_size(folder, manifest):
            raise DamageError(f"{folder}/{name}", CHANGED, REMAKE, uri)

    def _fetch(self, uri: str, manifest: Manifest, name: str, folder: Path) -> None:
        """Copy a file of the store into a folder, if it is what its manifest says."""
        place, file = f"{names.artefact(uri)}/{manifest.copy}/{name}", manifest.files[name]
        if not self.files.fetched(place, file.bytes, file.sha256, folder / name):
            raise DamageError(self.files.path(place), CHANGED, REMAKE, uri)


def _of_other_size(folder: Path, manifest: Manifest) -> str:
    """The first file of a local copy that has not the size that the manifest says; empty if all have."""
    for name, file in manifest.files.items():
        try:
            if (folder / name).stat().st_size != file.bytes:
                return name
        except FileNotFoundError:
            return name
    return ""
