"""Which cells a user names, by an axis or whole. Knows labels, not where they come from; imports nothing heavy."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from farm.errors import InputError
from farm.grid.label import AXES, NO_CALIBRATION, CellLabels, Label
from farm.record import Record
from farm.suggest import did_you_mean


def labels_of(record: Record) -> CellLabels:
    """A record's labels, which are text in its table."""
    texts = (record.model, record.calibration or NO_CALIBRATION, record.algorithm, record.device)
    return CellLabels(*map(Label, texts))


def means(name: str, label: Label) -> bool:
    """Whether a name means a label: the label itself, or what stands before its parameters."""
    return name in (label, label.name)


def names(labels: Iterable[Label]) -> list[str]:
    """All that means one of these labels or several, sorted.

    >>> names([Label("fractal{seed=1}"), Label("noise")])
    ['fractal', 'fractal{seed=1}', 'noise']
    """
    return sorted({name for label in labels for name in (label, label.name)})


def only(texts: Sequence[str], cells: Mapping[str, CellLabels]) -> list[str]:
    """The cells that the ``--only`` options mean, in their own order; all of them where there is no option.

    They are those that are named whole, and those that have one of the names given on each axis that is named.
    cells: their labels by name. Raises InputError if an option means no cell, or all of them together none.
    """
    axes: dict[str, set[str]] = {}
    for text in texts:
        if text not in cells:
            axis, name = _axis_and_name(text, cells)
            axes.setdefault(axis, set()).add(name)
    chosen = [
        cell for cell, labels in cells.items() if cell in texts or ((axes or not texts) and _has_all(labels, axes))
    ]
    if not chosen:
        raise InputError("--only: no cell is meant by all of them together")
    return chosen


def options(wanted: Collection[str], cells: Mapping[str, CellLabels]) -> list[str] | None:
    """Few ``AXIS=NAME`` for ``--only`` that mean the wanted cells and no other; an empty list means all cells.

    wanted: at least one of the cells. None where no names on axes tell them from the others. Cells as for `only`.

    >>> cells = {m + s: CellLabels(*map(Label, [m, f"noise{{seed={s}}}", "aware", "CPU"])) for m in "ab" for s in "12"}
    >>> options(["a1", "b1"], cells), options(["a1", "a2"], cells), options([*cells], cells)
    (['calibration=noise{seed=1}'], ['model=a'], [])
    >>> options(["a1", "b2"], cells) is None
    True
    """
    axes = {axis: _shortest({cells[cell][at] for cell in wanted}, cells, at) for at, axis in enumerate(AXES)}
    if not _exactly(wanted, axes, cells):
        return None
    for axis in sorted(axes, key=lambda axis: len(axes[axis]), reverse=True):
        fewer = {other: labels for other, labels in axes.items() if other != axis}
        axes = fewer if _exactly(wanted, fewer, cells) else axes
    return [f"{axis}={label}" for axis, labels in axes.items() for label in labels]


def _shortest(labels: AbstractSet[Label], cells: Mapping[str, CellLabels], at: int) -> list[str]:
    """Names that mean these labels: bare ones, where they mean no other label of this axis."""
    bare = {label.name for label in labels}
    covered = {named[at] for named in cells.values() if named[at].name in bare}
    return sorted(bare if covered == labels else labels)


def _exactly(wanted: Collection[str], axes: Mapping[str, Collection[str]], cells: Mapping[str, CellLabels]) -> bool:
    return {cell for cell, labels in cells.items() if _has_all(labels, axes)} == {*wanted}


def _axis_and_name(text: str, cells: Mapping[str, CellLabels]) -> tuple[str, str]:
    """``model=resnet20`` in its parts. Raises InputError if it means no cell."""
    axis, _, name = text.partition("=")
    if "/" in axis:
        raise InputError(f"--only {text}: no such cell{did_you_mean(text, cells)}")
    if axis not in AXES or not name:
        raise InputError(f"--only {text}: write AXIS=NAME{did_you_mean(axis, AXES)}")
    there = {getattr(labels, axis) for labels in cells.values()}
    if not any(means(name, label) for label in there):
        raise InputError(f"--only {text} means no cell{did_you_mean(name, names(there))}")
    return axis, name


def _has_all(labels: CellLabels, axes: Mapping[str, Collection[str]]) -> bool:
    """Whether a cell has one of the names on each axis that is named."""
    return all(any(means(name, getattr(labels, axis)) for name in wanted) for axis, wanted in axes.items())
