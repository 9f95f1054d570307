"""What variants are called, the same in tables, figures and on the page. Knows records."""

from farm.record import Record, as_given

VARIANTS = {"pytorch": "PyTorch", "ir": "FP32 IR"}
INT8 = "int8 "  # before the algorithm
AS_GIVEN = "int8 as given"
AS_IT_COMES = "quantized as it comes: judged as given, and not quantized again"
SATURATING = "{0} has no int8 dot products, and sums in 16 bits may overflow: another processor may tell other classes"
DOUBTS = {  # by what is implausible of a model, with its figure: as `farm.results.doubts` finds it
    "at_chance": "right no more often than a guess among {0} classes: check its preprocessing (`mean`, `std`, "
    "`scale`), its weights, and the order of the classes",
    "one_class": "all test images are taken for class {0}: check its preprocessing (`mean`, `std`, `scale`, `mode`)",
    "nothing_found": "nothing is found in any test image: check its preprocessing, `decode`, and `score_threshold`",
    "input_range": "pixels of 0 and 255 become {0:.3g} and {1:.3g} in its input: check `mean`, `std` and `scale`, "
    "which is a factor on 0 to 255",
}


def variant(record: Record) -> str:
    """``PyTorch``, ``FP32 IR``, ``int8 as given``, or ``int8`` with the algorithm."""
    if as_given(record):
        return AS_GIVEN
    return VARIANTS.get(record.algorithm, f"{INT8}{record.algorithm}")


def algorithm_of(variant: str) -> str:
    """The algorithm that a variant is named after.

    >>> algorithm_of("FP32 IR"), algorithm_of("int8 as given"), algorithm_of("int8 default"), algorithm_of("default")
    ('ir', 'ir', 'default', 'default')
    """
    named = {AS_GIVEN: "ir", **{word: algorithm for algorithm, word in VARIANTS.items()}}
    return named.get(variant, variant.removeprefix(INT8))
