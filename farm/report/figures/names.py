"""What cells are called in figures: only what differs within the run, and not too long. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from farm.analysis.families import together
from farm.grid.label import Label
from farm.record import Record, source_of
from farm.report.words import VARIANTS

LONGEST = 40  # characters that an axis or a legend has room for
HEAD, MIDDLE, TAIL = 12, 13, 13  # characters of a name that is cut, and two signs of it
CUT = "…"
GAP = "\N{EM SPACE}"  # parts the pieces of an axis label; no name has it, see `plain`
DEFAULT = "default"

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is shown of the run's models, sets and places, each by what it is of; no two of one kind are alike.

    models, sets: by label; of sets also without a seed. groups: by model and device. speeds: by model, device and
    host. places: by device and host. lines: by set and algorithm.
    """

    models: Mapping[str, str]
    sets: Mapping[str, str]
    groups: Mapping[tuple[str, str], str]
    speeds: Mapping[tuple[str, str, str | None], str]
    places: Mapping[tuple[str, str | None], str]
    lines: Mapping[tuple[str, str], str]

    def model(self, model: str) -> str:
        """The model alone."""
        return self.models[model]

    def group(self, model: str, device: str) -> str:
        """The model, with its device where there are several: who is compared with each other in accuracy."""
        return self.groups[model, device]

    def measured(self, record: Record) -> str:
        """The model, with device and host where there are several: who is compared with each other in speed."""
        return self.speeds[record.model, record.device, record.host]

    def place(self, record: Record) -> str:
        """The device, with its host where there are several."""
        return self.places[record.device, record.host]

    def calibration(self, name: str) -> str:
        """The calibration set, or its source, alone; also one of which the run has no record."""
        return self.sets.get(name) or _cut(plain(name))

    def series(self, source: str | None, algorithm: str) -> str:
        """The calibration source, or set, with its algorithm where that must be said; or which baseline."""
        if source is None:
            return VARIANTS.get(algorithm, _cut(plain(algorithm)))
        return self.lines[source, algorithm]


def names_of(records: Sequence[Record]) -> Names:
    """What must be said in figures of these records."""
    models, devices = differing(record.model for record in records), differing(record.device for record in records)
    several, hosts = len(devices) > 1, len({record.host for record in records if record.fps is not None}) > 1
    sets, algorithms = _sets(records), _algorithms({r.algorithm for r in records if r.calibration is not None})
    where = {
        (record.device, record.host): f"{devices[record.device]} of {record.host}" if hosts else devices[record.device]
        for record in records
    }
    groups = {(r.model, r.device): f"{models[r.model]} on {devices[r.device]}" for r in records}
    speeds = {(r.model, r.device, r.host): f"{models[r.model]} on {where[r.device, r.host]}" for r in records}
    lines = {
        (name, record.algorithm): ", ".join(filter(None, (sets[name], algorithms[record.algorithm])))
        for record in records
        for name in (source_of(record), record.calibration)
        if name
    }
    return Names(
        models=apart(models),
        sets=apart(sets),
        groups=apart(groups if several else {key: models[key[0]] for key in groups}),
        speeds=apart(speeds if several or hosts else {key: models[key[0]] for key in speeds}),
        places=apart(where),
        lines=apart(lines),
    )


def _sets(records: Sequence[Record]) -> dict[str, str]:
    """Of each source and each set what tells it from the others; a source of one set and that set are the same."""
    sets = together((source, str(record.calibration)) for record in records if (source := source_of(record)))
    alone = {names[0]: source for source, names in sets.items() if len(set(names)) == 1}
    shown = differing([*sets, *(name for names in sets.values() for name in names if name not in alone)])
    return {**{name: shown[source] for name, source in alone.items()}, **shown}


def _algorithms(algorithms: Collection[str]) -> dict[str, str]:
    """What must be said of each algorithm: nothing of the default one, nor where there is one only."""
    shown = differing(algorithms)
    return {label: "" if label == DEFAULT or len(shown) == 1 else text for label, text in shown.items()}


def differing(labels: Iterable[str]) -> dict[str, str]:
    """Each label without the parameters that all of its name share, and of paths the last parts that tell them apart.

    >>> [*differing(["folder{count=9,path=/my/cats/a}", "folder{count=9,path=/my/dogs/a}", "noise{count=9}"]).values()]
    ['folder{path=cats/a}', 'folder{path=dogs/a}', 'noise']
    """
    by_name = together((label.name, label) for label in dict.fromkeys(map(Label, labels)))
    return {str(label): text for same in by_name.values() for label, text in _differing(same).items()}


def _differing(same: Sequence[Label]) -> dict[Label, str]:
    """same: labels of one name."""
    parameters = {label: label.parameters for label in same}
    if not all(label.having(each) == label for label, each in parameters.items()):
        return {label: str(label) for label in same}  # a free name that has braces
    keys = dict.fromkeys(key for each in parameters.values() for key in each)
    values = {key: [each.get(key) for each in parameters.values()] for key in keys}
    told = {key: _tails({text for text in texts if text}) for key, texts in values.items() if len(set(texts)) > 1}
    return {
        label: label.having({key: told[key].get(text, text) for key, text in each.items() if key in told})
        for label, each in parameters.items()
    }


def _tails(values: Collection[str]) -> dict[str, str]:
    """Of each path the last parts that no other value ends with; other values stand as they are.

    >>> _tails(["/a/cats/train", "/a/dogs/train", "9"])
    {'/a/cats/train': 'cats/train', '/a/dogs/train': 'dogs/train', '9': '9'}
    """
    parts = {value: value.strip('"/').split("/") for value in values}
    ends = Counter("/".join(one[at:]) for one in parts.values() for at in range(len(one)))
    tails = {}
    for value, one in parts.items():
        tail = next((end for at in range(len(one) - 1, 0, -1) if ends[end := "/".join(one[at:])] == 1), value)
        tails[value] = value if value.startswith(("[", "{")) else tail
    return tails


def apart(texts: Mapping[Key, str]) -> dict[Key, str]:
    """Each text on one line and not too long, no two different ones alike.

    Of those that would be alike once they are cut, more is shown: from where they begin to differ; and a number where
    that is not enough.
    """
    lines = {text: plain(text) for text in dict.fromkeys(texts.values())}
    alike = together((_cut(line), line) for line in dict.fromkeys(lines.values()))
    cut = {line: _cut(line, _shared(same)) for same in alike.values() for line in same}
    shown: dict[str, str] = {}
    taken: set[str] = set()
    for text, line in lines.items():
        shown[text] = next(one for one in _numbered(cut[line]) if one not in taken)
        taken.add(shown[text])
    return {key: shown[text] for key, text in texts.items()}


def _numbered(text: str) -> Iterator[str]:
    """The text itself, then with 2 and so on, never too long."""
    yield text
    for number in count(2):
        mark = f" ({number})"
        yield text[: LONGEST - len(mark)] + mark


def _shared(lines: Sequence[str]) -> int:
    """How many letters they begin with that are the same in all; 0 of one line."""
    letters = enumerate(zip(*lines, strict=False))
    return next((at for at, here in letters if len(set(here)) > 1), 0)


def _cut(line: str, same: int = 0) -> str:
    """A line that is not too long: both its ends and, between them, how it goes on after letters that others share.

    >>> _cut("a-network-of-one-hundred-and-twenty-seven-layers")
    'a-network-of-one-hun…twenty-seven-layers'
    """
    if len(line) <= LONGEST:
        return line
    if not same:
        return f"{line[: LONGEST // 2]}{CUT}{line[1 - LONGEST // 2 :]}"
    start = min(max(same, HEAD), len(line) - TAIL - MIDDLE)
    return f"{line[:HEAD]}{CUT}{line[start : start + MIDDLE]}{CUT}{line[-TAIL:]}"


def plain(text: str) -> str:
    """A name on one line, without what XML cannot hold and what parts labels."""
    return re.sub(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff{GAP}]+", " ", text)
