"""Classification: one image in, a score a class out. What is kept of a prediction, and whether model and data agree."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.errors import DataError
from farm.tasks.metric import BUILT_IN, Scorer, check_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Turns logits into rows. classes: of the dataset, where they are known."""

    metric: str
    score: Scorer
    classes: int | None

    def table(self, logits: NDArray[np.float32], labels: NDArray[np.int64], start: int) -> pa.Table:
        """One batch's rows. Raises DataError where the model and the dataset do not go together."""
        said = logits.shape[1]
        if self.metric in BUILT_IN:
            self.check_classes(said, labels)
        if not np.isfinite(logits).all():
            where = f"images {start} to {start + len(logits) - 1}"
            raise DataError(f"the model gives NaN or infinite logits in {where}")
        scores = self.score(logits, labels)
        check_finite(scores, range(start, start + len(labels)))
        top = np.sort(logits, axis=1)[:, -2:]
        return pa.table(
            {
                "index": np.arange(start, start + len(labels), dtype=np.int32),
                "label": labels.astype(np.int32),
                "prediction": logits.argmax(axis=1).astype(np.int32),
                "score": scores,
                "gap": (top[:, -1] - top[:, 0]).astype(np.float32) if said > 1 else np.zeros(len(labels), np.float32),
            }
        )

    def check_classes(self, said: int, labels: NDArray[np.int64]) -> None:
        """A metric of the user's own may mean something else by an output."""
        if labels.min() < 0:
            raise DataError(f"a test image's label is {labels.min()}: number the classes from 0 up")
        if (self.classes is not None and self.classes != said) or labels.max() >= said:
            there = self.classes if self.classes is not None else int(labels.max()) + 1
            raise DataError(f"the model tells {said} classes apart, the dataset has {there}: use weights trained on it")
