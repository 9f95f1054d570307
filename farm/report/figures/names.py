"""What cells are called in figures: only the parts that differ within the run, and not too long. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from farm.grid.label import Label
from farm.grid.selection import labels_of
from farm.record import Record
from farm.report.words import VARIANTS

LONGEST = 40  # characters that an axis or a legend has room for
GAP = "\N{EM SPACE}"  # parts the pieces of an axis label; no name has it, see `plain`
DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which parts of a cell's name must be said, because they differ within the run.

    algorithms: what is said of each beside its set; nothing of the default one, or where there is one only.
    """

    algorithms: Mapping[str, str]
    devices: bool
    hosts: bool

    def group(self, model: str, device: str) -> str:
        """The model, with its device where there are several: who is compared with each other in accuracy."""
        return short(f"{model} on {device}" if self.devices else model)

    def measured(self, record: Record) -> str:
        """The model, with device and host where there are several: who is compared with each other in speed."""
        return short(f"{record.model} on {self.place(record)}" if self.devices or self.hosts else record.model)

    def place(self, record: Record) -> str:
        """The device, with its host where there are several."""
        return short(f"{record.device} of {record.host}" if self.hosts else record.device)

    def series(self, source: str | None, algorithm: str) -> str:
        """The calibration source, with its algorithm where that must be said; or which baseline."""
        if source is None:
            return VARIANTS.get(algorithm, short(algorithm))
        named = self.algorithms.get(algorithm, "")
        return short(f"{source}, {named}" if named else source)


def names_of(records: Sequence[Record]) -> Names:
    """What must be said in figures of these records."""
    return Names(
        algorithms=_brief({labels_of(record).algorithm: None for record in records if record.calibration is not None}),
        devices=len({record.device for record in records}) > 1,
        hosts=len({record.host for record in records if record.fps is not None}) > 1,
    )


def _brief(algorithms: Collection[Label]) -> dict[str, str]:
    """What must be said of each algorithm: its parameters only where its name is not enough.

    >>> _brief([Label("default"), Label("accuracy-aware{max_drop=0.02}")])
    {'default': '', 'accuracy-aware{max_drop=0.02}': 'accuracy-aware'}
    """
    if len(algorithms) == 1:
        return {}
    names = [label.name for label in algorithms]
    brief = {label: name if names.count(name) == 1 else label for label, name in zip(algorithms, names, strict=True)}
    return {label: "" if label == DEFAULT else name for label, name in brief.items()}


def plain(text: str) -> str:
    """A name on one line, without what XML cannot hold and what parts labels."""
    return re.sub(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff{GAP}]+", " ", text)


def short(text: str) -> str:
    """A name that is not longer than there is room for: both its ends, and between them what tells it from others.

    >>> short("folder{path=/a/very/long/path/to/some/images/of/cats}")
    'folder{path=/a/ve…8539…e/images/of/cats}'
    """
    text = plain(text)
    if len(text) <= LONGEST:
        return text
    tag = sha256(text.encode()).hexdigest()[:4]
    return f"{text[:17]}…{tag}…{text[-17:]}"
