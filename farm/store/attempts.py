"""What is written down of every try of a stage, fine or failed: who, when, how it ended, and what it said."""

import json
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from farm.codec import decode, encode, members
from farm.damage import reading
from farm.record import Outcome
from farm.store import names
from farm.store.files import Files

SUFFIX = ".json"


class Attempts:
    """Those in one store's files."""

    def __init__(self, files: Files) -> None:
        """Nothing is read yet."""
        self.files = files

    def of(self, uri: str, written: Collection[str] | None = None) -> tuple[Outcome, ...]:
        """Every attempt of a stage, oldest first. Raises DataError if one is damaged.

        written: the names of its attempts' files, where they are known.
        """
        folder, outcomes = names.attempts(uri), []
        for name in self.files.names(folder) if written is None else written:
            if not name.endswith(SUFFIX):
                continue
            with suppress(FileNotFoundError):  # removed meanwhile
                content = self.files.content(f"{folder}/{name}")
                with reading(self.files.path(f"{folder}/{name}"), "remove it"):
                    outcomes.append(decode(Outcome, json.loads(content)))
        return tuple(sorted(outcomes, key=lambda outcome: outcome.attempt))

    def add(self, uri: str, outcome: Outcome, log: Path | None = None) -> Outcome:
        """Write an attempt down under the next free number; returns it with its number and its log's place."""
        folder = names.attempts(uri)
        written = sum(name.endswith(SUFFIX) for name in self.files.names(folder))
        for number in count(written + 1):
            place = "" if log is None else self.files.shown(f"{folder}/{number}.log")
            numbered = replace(outcome, attempt=number, log=place)
            content = {**members(numbered), "written": uuid.uuid4().hex}  # no two attempts are alike
            if self.files.put_once(f"{folder}/{number}{SUFFIX}", encode(content, indent=1).encode()):
                break
        if log is not None:
            self.files.fs.put_file(str(log), self.files.path(f"{folder}/{numbered.attempt}.log"))
        return numbered

    def log(self, outcome: Outcome) -> str:
        """What an attempt's process said; empty if it left no log."""
        try:
            content = self.files.content(f"{names.attempts(outcome.uri)}/{outcome.attempt}.log")
        except FileNotFoundError:
            return ""
        return content.decode(errors="replace")
