"""The study's Tables 1 and 2: a row a model, accuracy and FPS of its variants side by side. Knows rows, not runs.

Draws of one calibration set share a column: the mean over them stands there, of FPS only where they hold and are of
one host.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from farm.analysis.rows import Row
from farm.record import Record, accuracy_of, source_of
from farm.report.numbers import written
from farm.report.table import BEST, WORSE
from farm.report.texttable import Column, Entry, TextTable
from farm.report.words import VARIANTS, metric_of, metric_word

ALGORITHMS = {"table1": "default", "table2": "accuracy-aware"}
LAYOUTS = ("cells", *ALGORITHMS)
NOISY = "~"
LEGEND = {
    BEST: "best calibration set of the row, by the number alone",
    WORSE: "significantly worse than with real images (p < 0.05 by Holm): the source, or every draw of it",
    NOISY: "noisy, or the mean over draws of which one is: its interval is too wide, or too few pairs were undisturbed",
}
DRAWS = "a calibration set with several seeds: the mean over its draws"
HOSTS = "no FPS where draws of a calibration set were measured on different hosts, of which a mean says nothing"
NAMES = ("model", "algorithm", "device")
Line = tuple[str, str, str]  # those three
Worse = AbstractSet[tuple[str, str, str, str]]  # model, source, algorithm, device


def laid_out(rows: Sequence[Row], layout: str, worse: Worse = frozenset()) -> TextTable:
    """A run's rows as ``table1`` (algorithm default, with FPS) or ``table2`` (accuracy-aware, accuracies only).

    worse: sources that are significantly worse than real images over their draws. Without a cell of that algorithm
    the table has no row, see `fills`.
    """
    lines = _lines(rows, ALGORITHMS[layout])
    keys = _keys(lines)
    every = [row.record for cells in lines.values() for drawn in cells.values() for row in drawn]
    speeds = layout == "table1" and any(record.fps is not None for record in every)
    quantities = (metric_word(metric_of(every)), *(("FPS",) if speeds else ()))
    named = [index for index in range(len(NAMES)) if index == 0 or len({line[index] for line in lines}) > 1]
    names = [[Entry(text=line[index], value=line[index]) for index in named] for line in lines]
    accuracies = [_accuracies(line, cells, keys, worse) for line, cells in lines.items()]
    fps = [[_fps(cells.get(key, ())) for key in keys] if speeds else [] for cells in lines.values()]
    headings = [VARIANTS.get(key, key) for key in keys]
    return TextTable(
        columns=(
            *(Column(heading=NAMES[index], kind="name") for index in named),
            *(Column(heading=heading, group=quantity) for quantity in quantities for heading in headings),
        ),
        rows=tuple((*first, *second, *third) for first, second, third in zip(names, accuracies, fps, strict=True)),
        legend=tuple(_legend([*accuracies, *fps], lines, speeds=speeds)),
    )


def fills(rows: Sequence[Row], layout: str) -> bool:
    """Whether there is a cell of the layout's algorithm, or of any where each cell is a row."""
    algorithm = ALGORITHMS.get(layout)
    return any(algorithm is None or _is_of(row.record, algorithm) for row in rows)


def lacking(layout: str) -> str:
    """What is said where there is none."""
    return f"no cell of the algorithm {ALGORITHMS[layout]!r}"


def _is_of(record: Record, algorithm: str) -> bool:
    return record.calibration is not None and record.algorithm.partition("{")[0] == algorithm


def _keys(lines: Mapping[Line, Mapping[str, Sequence[Row]]]) -> list[str]:
    """What the columns of each quantity are of: baselines first, then each calibration set as it comes."""
    keys = dict.fromkeys(key for cells in lines.values() for key in cells)
    return [*(key for key in VARIANTS if key in keys), *(key for key in keys if key not in VARIANTS)]


def _lines(rows: Sequence[Row], algorithm: str) -> dict[Line, dict[str, list[Row]]]:
    """By model, algorithm and device: the cells of each column, baselines with every algorithm of their model."""
    lines: dict[Line, dict[str, list[Row]]] = {}
    for row in rows:
        record = row.record
        if _is_of(record, algorithm):
            lines.setdefault((record.model, record.algorithm, record.device), {})
    for row in rows:
        record = row.record
        for (model, which, device), cells in lines.items():
            own = record.algorithm in (VARIANTS if record.calibration is None else (which,))
            if own and (record.model, record.device) == (model, device):
                cells.setdefault(_column(row), []).append(row)
    return lines


def _column(row: Row) -> str:
    """A baseline's algorithm, else the calibration set without its seed; of older records, all of it."""
    record = row.record
    return source_of(record) or record.algorithm


def _accuracies(line: Line, cells: Mapping[str, Sequence[Row]], keys: Sequence[str], worse: Worse) -> list[Entry]:
    means = {key: _mean([accuracy_of(row.record) for row in cells.get(key, ())]) for key in keys}
    sets = [mean for key, mean in means.items() if key not in VARIANTS and mean is not None]
    best = max(sets) if sets and max(sets) > min(sets) else None
    model, algorithm, device = line
    found = []
    for key, mean in means.items():
        drawn = cells.get(key, ())
        bad = (model, key, algorithm, device) in worse or _are_worse(drawn)
        marks = (BEST if key not in VARIANTS and mean is not None and mean == best else "") + (WORSE if bad else "")
        found.append(Entry(text=written(mean, "{:.4f}"), marks=marks, value=mean))
    return found


def _are_worse(rows: Sequence[Row]) -> bool:
    """Whether every draw is: all that can be said where there is but one draw of real images."""
    return bool(rows) and all(row.judged.standing == "worse" for row in rows)


def _fps(rows: Sequence[Row]) -> Entry:
    """The mean over draws of one host, those that are invalid left out."""
    there = _holding(rows)
    mean = None if _apart(rows) else _mean([record.fps for record in there])
    noisy = mean is not None and any(record.verdict == "noisy" for record in there)
    return Entry(text=written(mean, "{:,.1f}"), marks=NOISY if noisy else "", value=mean)


def _apart(rows: Sequence[Row]) -> bool:
    return len({record.host for record in _holding(rows)}) > 1


def _holding(rows: Sequence[Row]) -> list[Record]:
    """Those whose FPS is of what was asked for, noisy or not."""
    return [row.record for row in rows if row.record.fps is not None and row.record.verdict != "invalid"]


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _legend(
    entries: Sequence[Sequence[Entry]], lines: Mapping[Line, Mapping[str, Sequence[Row]]], *, speeds: bool
) -> list[str]:
    marks = {mark for row in entries for entry in row for mark in entry.marks}
    said = [f"{mark} {text}" for mark, text in LEGEND.items() if mark in marks]
    every = [drawn for cells in lines.values() for drawn in cells.values()]
    apart = [HOSTS] if speeds and any(map(_apart, every)) else []
    return [*said, *apart, *([DRAWS] if any(len(drawn) > 1 for drawn in every) else [])]
