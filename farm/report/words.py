"""What variants and metrics are called, the same in tables, figures and on the page. Knows records."""

from collections.abc import Sequence

from farm.record import Record

VARIANTS = {"pytorch": "PyTorch", "ir": "FP32 IR"}
INT8 = "int8 "  # before the algorithm
METRICS = {None: "top-1", "top1": "top-1", "top5": "top-5"}


def variant(record: Record) -> str:
    """``PyTorch``, ``FP32 IR``, or ``int8`` with the algorithm."""
    return VARIANTS.get(record.algorithm, f"{INT8}{record.algorithm}")


def algorithm_of(variant: str) -> str:
    """The algorithm that a variant is named after.

    >>> algorithm_of("FP32 IR"), algorithm_of("int8 default"), algorithm_of("default")
    ('ir', 'default', 'default')
    """
    named = {word: algorithm for algorithm, word in VARIANTS.items()}
    return named.get(variant, variant.removeprefix(INT8))


def metric_of(records: Sequence[Record]) -> str | None:
    """The grid's metric; None where all records are older than metrics, which is top-1."""
    return next((record.metric for record in records if record.metric), None)


def metric_word(metric: str | None) -> str:
    """``top-1``, ``top-5``, or the name of a user's own metric."""
    return METRICS.get(metric, metric or "")
