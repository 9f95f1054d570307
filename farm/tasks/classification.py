"""Classification: one image in, a score a class out.

Owns what is kept of a prediction, what is told of all of them, and the check that a model and a dataset go together.
Knows no runtime.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.data.imageset import MOST_CLASSES, Block
from farm.data.real import RealImages
from farm.data.sampling import some
from farm.errors import DataError
from farm.plan.facts import Evaluated
from farm.plan.parameters import Evaluate
from farm.tasks.metric import BUILT_IN, Labels, Logits, check_finite, scorer
from farm.tasks.task import Outputs, only

PREDICTIONS = "predictions.parquet"
SCHEMA = pa.schema([  # gap: of the greatest logit to the second
    ("index", pa.int32()),
    ("label", pa.int32()),
    ("prediction", pa.int32()),
    ("score", pa.float32()),
    ("gap", pa.float32()),
])  # fmt: skip


def task(wanted: Evaluate, dataset: RealImages) -> "Classification":
    """The task of an evaluation."""
    return Classification(metric=wanted.metric, classes=dataset.classes, names=dataset.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Turns logits into rows. metric: as in a grid. classes: of the dataset, and their names, where they are known."""

    metric: str
    classes: int | None
    names: tuple[str, ...] = ()
    batched: bool = True

    def rows(self, outputs: Outputs, block: Block, start: int) -> pa.Table:
        """One batch's rows. Raises DataError where the model and the dataset do not go together."""
        return self.answers(only(outputs), block.labels, start)

    def tables(self, table: pa.Table) -> Mapping[str, pa.Table]:
        """The rows alone."""
        return {PREDICTIONS: table}

    def answers(self, logits: Logits, labels: Labels, start: int) -> pa.Table:
        """Rows of logits, as `rows`."""
        outputs = logits.shape[1]
        if self.metric in BUILT_IN:
            self.check_classes(outputs, labels)
        for label in (int(labels.min()), int(labels.max())):
            if not -MOST_CLASSES <= label < MOST_CLASSES:
                raise DataError(f"a test image's label is {label}: number the classes from 0 up")
        if not np.isfinite(logits).all():
            where = f"images {start} to {start + len(logits) - 1}"
            raise DataError(f"the model gives NaN or infinite logits in {where}")
        scores = scorer(self.metric)(logits, labels)
        check_finite(scores, range(start, start + len(labels)))
        top = np.sort(logits, axis=1)[:, -2:]
        gap = top[:, -1] - top[:, 0] if outputs > 1 else np.zeros(len(labels))
        columns = (np.arange(start, start + len(labels)), labels, logits.argmax(axis=1), scores, gap)
        kinds = (column.type.to_pandas_dtype() for column in SCHEMA)
        return pa.table([column.astype(kind) for column, kind in zip(columns, kinds, strict=True)], schema=SCHEMA)

    def facts(self, table: pa.Table) -> Evaluated:
        """What is told of all rows together."""
        prediction, label, score = (table[name].to_numpy() for name in ("prediction", "label", "score"))
        return Evaluated(
            n_images=len(table),
            metric=self.metric,
            score=float(score.mean(dtype=np.float64)),
            classes=self.classes,
            top1=agreement(prediction, label) if self.metric in BUILT_IN else None,
        )

    def check_classes(self, outputs: int, labels: Labels) -> None:
        """A metric of the user's own may mean something else by an output."""
        if labels.min() < 0:
            raise DataError(f"a test image's label is {labels.min()}: number the classes from 0 up")
        if misfit := apart(outputs, self.classes, int(labels.max()), self.names):
            raise DataError(misfit)


def apart(outputs: int, classes: int | None, label: int | None, names: Sequence[str] = ()) -> str:
    """Why a model of so many outputs cannot be judged on a dataset of so many classes; empty if it can.

    label: the greatest of the test images. names: of the classes. None where it is not known.
    """
    if outputs == 1:
        text = "the model gives one score an image, which tells no classes apart"
        return f"{text}: give it two outputs, or a metric that knows what it means, `metric: package.module:function`"
    if classes is None and label is not None and label >= outputs:
        text = f"the model tells {outputs:,} classes apart, a test image's label is {label:,}"
        return f"{text}: number the classes from 0 up, or name those of the labels in `classes`"
    if classes is None or outputs == classes:
        return ""
    called = f" ({some(names, len(names))})" if names else ""
    text = f"the model tells {outputs:,} classes apart, the dataset has {classes:,}{called}"
    if classes > outputs:
        return f"{text}: use a model trained on them, or leave out the images of other classes"
    background = ", the first may be a background" if outputs == classes + 1 else ""
    return f"{text}: name all {outputs:,} in the dataset's `classes`, in the model's order{background}"


def agreement(ours: NDArray[np.int32], theirs: NDArray[np.int32]) -> float:
    """The share of test images of which two models predict the same."""
    return float(np.mean(ours == theirs))
