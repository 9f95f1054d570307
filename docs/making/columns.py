"""What docs/results.md and the README say of the gathered files: from `farm.results.tables.ROWS`, and of events."""

from farm.columns import described
from farm.results.events import EVENTS, Event
from farm.results.tables import (
    ATTEMPTS,
    CLASSES,
    DETECTIONS,
    LATENCIES,
    PREDICTIONS,
    RECORDS,
    RESAMPLES,
    ROWS,
    SAMPLES,
)

ABOUT = {
    RECORDS: "a row a cell: accuracy, speed, size, how sure they are, what failed",
    PREDICTIONS: "a row a cell and test image: what the model says of it",
    DETECTIONS: "of detectors, a row a cell and test image: boxes, and which are right",
    CLASSES: "of detectors, a row a cell and class: the metric of that class alone",
    RESAMPLES: "of detectors, a row a cell and sample of the test images: the metric of that sample",
    LATENCIES: "a row a stretch of a turn: every latency in nanoseconds, how fast the core was, and what disturbed it",
    ATTEMPTS: "a row for each try of a stage, fine or failed",
    SAMPLES: "64 images of each calibration set",
    EVENTS: "a line for each thing that the driver saw, while it runs",
}
TABLES: dict[str, tuple[type, ...]] = {**ROWS, EVENTS: (Event,)}


def table(name: str) -> str:
    """The columns of one file, a row each."""
    columns = described(*TABLES[name])
    rows = (f"| `{one.name}` | {one.arrow} | {one.unit} | {one.meaning} |\n" for one in columns)
    return "| column | type | unit | meaning |\n|---|---|---|---|\n" + "".join(rows)


def files(page: str) -> str:
    """The files, a row each, with a link to their columns. page: that has them, from where this stands."""
    rows = (
        f"| [`{name}{'' if '.' in name else '/'}`]({page}#{name.replace('.', '')}) | {about} |\n"
        for name, about in ABOUT.items()
    )
    return "| file | what it holds |\n|---|---|\n" + "".join(rows)
