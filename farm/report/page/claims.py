"""Sentences on accuracy: which set is as good as real images, and which model breaks. Never stronger than the claims.

Two kinds of claim are told apart. Over several seeds it is of the *source* (`farm.analysis.replicates`); with one seed
only of *these two models* (`farm.analysis.accuracy`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from farm.analysis.accuracy import Accuracy
from farm.analysis.analysis import AgainstReal, Analysis
from farm.analysis.families import Family
from farm.analysis.standing import Standing
from farm.record import Record, drop_of, source_of
from farm.report.metric import Metric
from farm.report.numbers import count, listed, margin_text, points, span
from farm.stats.shares import Estimate

BROKEN = 0.05  # of a share of images: who surely loses more is said to break
OTHERS: tuple[Standing, ...] = ("better", "worse", "undecided")
VERDICTS: dict[Standing, str] = {
    "equivalent": "that is equivalent, within {within}",
    "worse": "that is worse",
    "better": "that is better",
    "undecided": "whether that is equivalent, within {within}, is undecided",
}

UNNAMED = (
    "The grid names no set of real images, so none is held against them "
    "(settings.claims.reference names one, or a calibration set of the data set's own name)."
)
OBSERVED = "These are observations: {why}, so no interval is given and nothing is claimed."
OF_SOURCES = (
    "Over several seeds this is said of the sources: the interval holds the doubt of the seeds and of the test images."
)
OF_MODELS = (
    "Where one seed of a set is held against one of real images, this is said of the two int8 models, "
    "never of the two sources: another seed may do otherwise."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """An int8 cell beside its FP32 IR, with the 95 % interval of what it lost."""

    record: Record
    accuracy: Accuracy
    lost: Estimate


def as_good_as_real(analysis: Analysis) -> list[str]:
    """Which calibration sets are as good as real images: a sentence for each set, and what it is said of."""
    run, beside = analysis.run, sorted(analysis.against_real, key=_set)
    if run.claims.reference is None:
        return [UNNAMED]
    if not beside:
        lacking = "" if run.has_answers else ": predictions of single images are not beside these records"
        return [f"No set could be held against {run.claims.reference}, the real images{lacking}."]
    several = len({(one.family.algorithm, one.family.device) for one in beside}) > 1
    return [
        *(_standing(list(group), analysis, several=several) for _, group in groupby(beside, key=_set)),
        *([OF_SOURCES] if any(one.seeds is not None for one in beside) else []),
        *([OF_MODELS] if any(one.seeds is None for one in beside) else []),
    ]


def _set(beside: AgainstReal) -> tuple[bool, str, str, str]:
    """What a sentence is of: one set over all its models; sources first."""
    return (beside.seeds is None, beside.name, beside.family.algorithm, beside.family.device)


def _standing(beside: Sequence[AgainstReal], analysis: Analysis, *, several: bool) -> str:
    """One set over all its models: for how many it is equivalent, and what of the others; of one model, which it is."""
    first, real = beside[0], analysis.run.claims.reference
    where = f" under {first.family.algorithm} on {first.family.device}" if several else ""
    over = "" if first.seeds is None else f", over {span([one.seeds or 0 for one in beside])} seeds"
    metric = Metric(analysis.metric)
    within = metric.margin(analysis.run.claims.margin)
    if len(beside) == 1:
        loss, verb = _loss(first.loss, metric)
        who = f"Calibrated with {first.name}{where}, {first.family.model} {verb} {loss}"
        return f"{who} against {real}{over}: {VERDICTS[first.standing].format(within=within)}."
    equal, models = sum(one.standing == "equivalent" for one in beside), count(len(beside), "model")
    if first.seeds is None:
        who = f"{equal or 'none'} of {models} {'is' if equal == 1 else 'are'}"
        text = f"Calibrated with {first.name}{where}, {who} shown to be equivalent to the same calibrated with {real}"
        text += f", within {within}"
    else:
        shown = f"equivalent to {real} within {within}"
        verb = f"is {shown} for {equal} of {models}" if equal else f"is not shown to be {shown} for any of {models}"
        text = f"{first.name}{where} {verb}{over}"
    return "; ".join([text, *_others(beside, metric)]) + "."


def _others(beside: Sequence[AgainstReal], metric: Metric) -> Iterator[str]:
    """For each other standing, the models that lost or gained most."""
    for word in OTHERS:
        those = sorted((one for one in beside if one.standing == word), key=lambda one: -abs(one.loss.value))
        if those:
            named = [f"{one.family.model}, {' '.join(_loss(one.loss, metric))}" for one in those]
            yield f"{word} for {listed(named, most=3)}"


def _loss(loss: Estimate, metric: Metric) -> tuple[str, str]:
    """How much, and whether it was lost or gained."""
    if loss.value >= 0:
        return metric.with_interval(loss), "lost"
    gain = Estimate(value=-loss.value, low=-loss.high, high=-loss.low)
    return metric.with_interval(gain), "gained"


def what_it_costs(analysis: Analysis) -> list[str]:
    """What int8 loses against its FP32 IR, which model breaks, and what a mean hides."""
    run, accuracies, metric = analysis.run, analysis.accuracies, Metric(analysis.metric)
    int8 = [record for record in run.records if record.calibration is not None]
    losses = [
        Loss(record=record, accuracy=accuracy, lost=accuracy.fp32.loss)
        for record in int8
        if (accuracy := accuracies.get(record.cell)) is not None and accuracy.fp32 is not None
    ]
    if not losses:
        return _observed(int8, _why_not(int8, analysis))
    broken = _broken(losses) if metric.in_percent else ()
    shares = _shares(losses, run.claims.margin, metric)
    return [*broken, shares, _most_lost(losses, metric), *_hidden(losses, metric)]


def _why_not(int8: Sequence[Record], analysis: Analysis) -> str:
    """Why no int8 cell could be held against its FP32 IR."""
    if not analysis.run.has_answers:
        return "predictions of single images are not beside these records"
    if any(record.cell in analysis.accuracies for record in int8):
        return "no FP32 IR of the same model and device was judged on the same images"
    return "predictions of these cells are not beside the records, or of one image"


def _observed(int8: Sequence[Record], why: str) -> list[str]:
    """What was seen, where nothing may be claimed."""
    drops = {record.cell: drop for record in int8 if (drop := drop_of(record)) is not None}
    if not drops:
        return ["No int8 cell has an accuracy to compare with its FP32 IR."]
    least, drop = min(drops.values()), max(drops.values())
    record = next(record for record in int8 if drops.get(record.cell) == drop)
    metric = Metric(record.metric)
    between = f"between {metric.number(least)} and {metric.amount(drop)} of {metric.word}"
    images = f" on {count(record.n_images, 'test image')}" if record.n_images else ""
    return [
        f"Int8 was seen to lose {between}{images}, most {_named(record)}.",
        OBSERVED.format(why=why),
    ]


def _named(record: Record) -> str:
    return f"{record.model} calibrated with {record.calibration} ({record.algorithm})"


def _shares(losses: Sequence[Loss], margin: float, metric: Metric) -> str:
    less = sum(loss.lost.high < margin for loss in losses)
    more = sum(loss.lost.low > margin for loss in losses)
    rest = len(losses) - less - more
    parts = [
        f"{less or 'none'} surely {'lose' if less > 1 else 'loses'} less than {metric.margin(margin)} of {metric.word}",
        f"{more} surely {'loses' if more == 1 else 'lose'} more" if more else "",
        f"of {rest} it is not sure" if rest else "",
    ]
    cells = count(len(losses), "int8 cell")
    return f"Of {cells}, each held against its FP32 IR, {listed([part for part in parts if part])}."


def _broken(losses: Sequence[Loss]) -> Iterator[str]:
    """Each model that surely loses a lot; or that none does, as far as that is known. Of a share of images."""
    limit = margin_text(BROKEN)
    broken = sorted((loss for loss in losses if loss.lost.low > BROKEN), key=_family)
    several = len({loss.record.device for loss in losses}) > 1
    seeds = Counter(_source(loss) for loss in losses)
    for family, group in groupby(broken, key=_family):
        those = list(group)
        values = [loss.lost.value for loss in those]
        lost = points(values[0]) if len(values) == 1 else f"{points(min(values))} to {points(max(values))}"
        under = f"{family.algorithm} on {family.device}" if several else family.algorithm
        sets = Counter(_source(loss) for loss in those)
        some = {one: f" (in {number} of {seeds[one]} seeds)" for one, number in sets.items() if number < seeds[one]}
        named = listed([f"{source}{some.get((family, source), '')}" for _, source in sets])
        yield f"{family.model} breaks under {under} when calibrated with {named}: {lost} points lost."
    if not broken and all(loss.lost.high < BROKEN for loss in losses):
        yield f"No model breaks: each cell that was judged surely loses less than {limit}."
    elif not broken:
        yield f"No model is shown to break (to lose more than {limit}), but not every cell is shown to lose less."


def _family(loss: Loss) -> Family:
    return Family.of(loss.record)


def _source(loss: Loss) -> tuple[Family, str]:
    """What seeds of one source, within one family, share."""
    return (_family(loss), str(source_of(loss.record)))


def _most_lost(losses: Sequence[Loss], metric: Metric) -> str:
    most = max(losses, key=lambda loss: loss.lost.value)
    if most.lost.value <= 0:
        return f"No cell was seen to lose any {'accuracy' if metric.in_percent else metric.word}."
    return f"Most was lost by {_named(most.record)}: {metric.with_interval(most.lost)}."


def _hidden(losses: Sequence[Loss], metric: Metric) -> Iterator[str]:
    """The class that lost most of all, where that is more than its cell's mean tells."""
    most = max(losses, key=lambda loss: loss.accuracy.worst_class_drop or 0.0)
    drop, mean = most.accuracy.worst_class_drop or 0.0, most.lost.value
    if drop > mean:
        yield (
            f"A mean hides classes: {_named(most.record)} lost {metric.amount(drop)} on class "
            f"{most.accuracy.worst_class} and {metric.number(mean)} over all (seen in these images, the worst of "
            "all classes, without an interval)."
        )
