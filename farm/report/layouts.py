"""The study's Tables 1 and 2: a row a model, accuracy and FPS of its variants side by side. Knows rows, not runs.

Seeds of one calibration set share a column: the mean over them stands there, of FPS only where they hold and are of
one host.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from farm.analysis.analysis import AgainstReal
from farm.analysis.families import Family, together
from farm.analysis.rows import Row
from farm.grid.selection import labels_of
from farm.record import Record, accuracy_of, metric_of, source_of
from farm.report.metric import Metric
from farm.report.numbers import written
from farm.report.table import BEST, WORSE
from farm.report.texttable import Entry, Heading, TextTable
from farm.report.words import VARIANTS

ALGORITHMS = {"table1": "default", "table2": "accuracy-aware"}
LAYOUTS = ("cells", *ALGORITHMS)
NOISY = "~"
LEGEND = {
    BEST: "best calibration set of the row, by the number alone",
    WORSE: "significantly worse than with real images (p < 0.05 by Holm): the source, or every seed of it",
    NOISY: "noisy, or the mean over seeds of which one is: its interval is too wide, or too few pairs were undisturbed",
}
SEEDS = "a calibration set with several seeds: the mean over them"
HOSTS = "no FPS where seeds of a calibration set were measured on different hosts, of which a mean says nothing"
NAMES = ("model", "algorithm", "device")
Cells = Mapping[str, Sequence[Row]]  # of one line: by what its columns are of
Worse = set[tuple[Family, str]]  # and the source


def laid_out(rows: Sequence[Row], layout: str, against_real: Sequence[AgainstReal] = ()) -> TextTable:
    """A run's rows as ``table1`` (algorithm default, with FPS) or ``table2`` (accuracy-aware, accuracies only).

    against_real: the sets of the run beside real images. Without a cell of that algorithm the table has no row, see
    `fills`.
    """
    lines = _lines(rows, ALGORITHMS[layout])
    keys = _keys(lines)
    every = [row.record for cells in lines.values() for members in cells.values() for row in members]
    speeds = layout == "table1" and any(record.fps is not None for record in every)
    quantities = (Metric(metric_of(every)).word, *(("FPS",) if speeds else ()))
    named = [name for name in NAMES if name == NAMES[0] or len({getattr(line, name) for line in lines}) > 1]
    names = [[Entry(text=getattr(line, name), value=getattr(line, name)) for name in named] for line in lines]
    standings = together(((one.family, one.source), one.standing) for one in against_real)
    worse = {source for source, words in standings.items() if {*words} == {"worse"}}  # over seeds, or every seed
    accuracies = [_accuracies(line, cells, keys, worse) for line, cells in lines.items()]
    fps = [[_fps(cells.get(key, ())) for key in keys] if speeds else [] for cells in lines.values()]
    variants = [VARIANTS.get(key, key) for key in keys]
    return TextTable(
        headings=(
            *(Heading(text=name, kind="name") for name in named),
            *(
                Heading(text=variant, group=quantity, rank=index)
                for index, (quantity, variant) in enumerate(product(quantities, variants))
            ),
        ),
        rows=tuple((*first, *second, *third) for first, second, third in zip(names, accuracies, fps, strict=True)),
        legend=tuple(_legend([*accuracies, *fps], lines, speeds=speeds)),
        more="--wide shows all",
    )


def fills(rows: Sequence[Row], layout: str) -> bool:
    """Whether there is a cell of the layout's algorithm, or of any where each cell is a row."""
    algorithm = ALGORITHMS.get(layout)
    return any(algorithm is None or _is_of(row.record, algorithm) for row in rows)


def lacking(layout: str) -> str:
    """What is said where there is none."""
    return f"no cell of the algorithm {ALGORITHMS[layout]!r}"


def _is_of(record: Record, algorithm: str) -> bool:
    return record.calibration is not None and labels_of(record).algorithm.name == algorithm


def _keys(lines: Mapping[Family, Cells]) -> list[str]:
    """What the columns of each quantity are of: baselines first, then each calibration set as it comes."""
    keys = dict.fromkeys(key for cells in lines.values() for key in cells)
    return [*(key for key in VARIANTS if key in keys), *(key for key in keys if key not in VARIANTS)]


def _lines(rows: Sequence[Row], algorithm: str) -> dict[Family, dict[str, list[Row]]]:
    """A line a family: the cells of each column, baselines with every algorithm of their model."""
    lines: dict[Family, dict[str, list[Row]]] = {
        Family.of(row.record): {} for row in rows if _is_of(row.record, algorithm)
    }
    for row in rows:
        record = row.record
        for line, cells in lines.items():
            fits = record.algorithm in (VARIANTS if record.calibration is None else (line.algorithm,))
            if fits and (record.model, record.device) == (line.model, line.device):
                cells.setdefault(source_of(record) or record.algorithm, []).append(row)
    return lines


def _accuracies(line: Family, cells: Cells, keys: Sequence[str], worse: Worse) -> list[Entry]:
    means = {key: _mean([accuracy_of(row.record) for row in cells.get(key, ())]) for key in keys}
    sets = {key: mean for key, mean in means.items() if key not in VARIANTS and mean is not None}
    best = {key for key, mean in sets.items() if mean == max(sets.values()) > min(sets.values())}
    marks = {key: BEST * (key in best) + WORSE * ((line, key) in worse and key in cells) for key in keys}
    return [Entry(text=written(mean, "{:.4f}"), marks=marks[key], value=mean) for key, mean in means.items()]


def _fps(rows: Sequence[Row]) -> Entry:
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


def _legend(entries: Sequence[Sequence[Entry]], lines: Mapping[Family, Cells], *, speeds: bool) -> list[str]:
    marks = {mark for row in entries for entry in row for mark in entry.marks}
    texts = [f"{mark} {text}" for mark, text in LEGEND.items() if mark in marks]
    every = [members for cells in lines.values() for members in cells.values()]
    apart = [HOSTS] if speeds and any(map(_apart, every)) else []
    return [*texts, *apart, *([SEEDS] if any(len(members) > 1 for members in every) else [])]
