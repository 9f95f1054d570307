"""Sentences on accuracy: which set is as good as real images, and which model breaks. Never stronger than the claims.

Two kinds of claim are kept apart. Over several draws it is of the *source* (`farm.analysis.replicates`); with one draw
only of *these two models* (`farm.analysis.accuracy`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from farm.analysis.accuracy import Accuracy, Where
from farm.analysis.replicates import Source
from farm.analysis.standing import Standing
from farm.record import Record, source_of
from farm.report.numbers import count, listed, margin_text, points, span, with_interval
from farm.results.reading import Run
from farm.stats.shares import Estimate

BROKEN = 0.05  # of top-1: who surely loses more is said to break

OTHERS: tuple[Standing, ...] = ("better", "worse", "undecided")

UNNAMED = (
    "The grid names no set of real images, so none is held against them "
    "(settings.claims.reference names one, or a calibration set of the data set's own name)."
)
OBSERVED = "These are observations: {why}, so no interval is given and nothing is claimed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One set held against real images, with one model. draws: of the set; None for the claim on two models."""

    group: tuple[str, str, str]  # the set, algorithm, device
    model: str
    loss: Estimate
    standing: Standing
    draws: int | None


def as_good_as_real(run: Run, found: Mapping[str, Accuracy], draws: Sequence[Source]) -> list[str]:
    """Which calibration sets are as good as real images: a sentence for each set, and what it is said of."""
    real = run.claims.reference
    if real is None:
        return [UNNAMED]
    held = [*_of_sources(draws), *_of_models(run.records, found, draws)]
    if not held:
        lacking = "" if run.predictions else ": predictions of single images are not beside these records"
        return [f"No set could be held against {real}, the real images{lacking}."]
    held.sort(key=lambda each: (each.draws is None, each.group))
    groups = groupby(held, key=lambda each: (each.draws is None, each.group))
    several = len({each.group[1:] for each in held}) > 1
    sentences = [_standing(list(group), real, run.claims.margin, several=several) for _, group in groups]
    if any(each.draws is not None for each in held):
        sentences.append(
            "Over several draws this is said of the sources: the interval holds the doubt of the draws and of the "
            "test images."
        )
    if any(each.draws is None for each in held):
        sentences.append(
            "Where one draw of a set is held against one of real images, this is said of the two int8 models, "
            "never of the two sources: another draw may do otherwise."
        )
    return sentences


def _of_sources(draws: Sequence[Source]) -> Iterator[Held]:
    for each in draws:
        if each.loss is not None and each.standing is not None:
            group = (each.source, each.algorithm, each.device)
            yield Held(group=group, model=each.model, loss=each.loss, standing=each.standing, draws=each.seeds)


def _of_models(records: Sequence[Record], found: Mapping[str, Accuracy], draws: Sequence[Source]) -> Iterator[Held]:
    """The cells that no claim over several draws speaks for."""
    spoken = {(each.model, each.source, each.algorithm, each.device) for each in draws if each.standing is not None}
    for record in records:
        real = found[record.cell].real if record.cell in found else None
        key = (record.model, record.calibration_source, record.algorithm, record.device)
        if real is not None and real.standing is not None and key not in spoken:
            group = (str(record.calibration), record.algorithm, record.device)
            yield Held(group=group, model=record.model, loss=real.loss, standing=real.standing, draws=None)


def _standing(held: Sequence[Held], real: str, margin: float, *, several: bool) -> str:
    """One set over all its models: for how many it is equivalent, and what of the others."""
    name, algorithm, device = held[0].group
    where = f" under {algorithm} on {device}" if several else ""
    equal = sum(each.standing == "equivalent" for each in held)
    within, models = margin_text(margin), count(len(held), "model")
    if held[0].draws is None:
        verb = "is" if equal == 1 else "are"
        who = f"{equal or 'none'} of {models} {verb}"
        if len(held) == 1:
            who = f"{held[0].model} is{'' if equal else ' not'}"
        text = f"Calibrated with {name}{where}, {who} shown to be equivalent to "
        text += f"{'itself' if len(held) == 1 else 'the same'} calibrated with {real}, within {within}"
    else:
        shown = f"equivalent to {real} within {within}"
        said = f"is {shown} for {equal} of {models}" if equal else f"is not shown to be {shown} for any of {models}"
        text = f"{name}{where} {said}, over {span([each.draws or 0 for each in held])} draws"
    return "; ".join([text, *_others(held)]) + "."


def _others(held: Sequence[Held]) -> Iterator[str]:
    """For each other standing, the models that lost or gained most."""
    for word in OTHERS:
        those = sorted((each for each in held if each.standing == word), key=lambda each: -abs(each.loss.value))
        if those:
            yield f"{word} for {listed([f'{each.model}, {_loss(each.loss)}' for each in those], most=3)}"


def _loss(loss: Estimate) -> str:
    if loss.value >= 0:
        return f"{with_interval(loss)} lost"
    gain = Estimate(value=-loss.value, low=-loss.high, high=-loss.low)
    return f"{with_interval(gain)} gained"


def what_it_costs(run: Run, found: Mapping[str, Accuracy]) -> list[str]:
    """What int8 loses against its FP32 IR, which model breaks, and what a mean hides."""
    int8 = [record for record in run.records if record.calibration is not None]
    judged = [(record, accuracy) for record in int8 if (accuracy := found.get(record.cell)) and accuracy.fp32]
    if not judged:
        return _observed(int8, _unjudged(int8, run, found))
    losses = [(record, accuracy.fp32.loss) for record, accuracy in judged if accuracy.fp32]
    return [*_broken(losses), _shares(losses, run.claims.margin), _most_lost(losses), *_hidden(judged)]


def _unjudged(int8: Sequence[Record], run: Run, found: Mapping[str, Accuracy]) -> str:
    """Why no int8 cell could be held against its FP32 IR."""
    if not run.predictions:
        return "predictions of single images are not beside these records"
    if any(record.cell in found for record in int8):
        return "no FP32 IR of the same model and device was judged on the same images"
    return "the metric is not top-1, or predictions of these cells are not beside the records"


def _observed(int8: Sequence[Record], why: str) -> list[str]:
    """What was seen, where nothing may be claimed."""
    seen = [(drop, record) for record in int8 if (drop := _drop(record)) is not None]
    if not seen:
        return ["No int8 cell has an accuracy to compare with its FP32 IR."]
    drop, record = max(seen, key=lambda each: each[0])
    least = min(drop for drop, _ in seen)
    top1 = record.top1_drop is not None
    what = "points of top-1" if top1 else f"of {record.metric or 'the score'}"
    low, high = (points(least), points(drop)) if top1 else (f"{least:.4f}", f"{drop:.4f}")
    images = f" on {count(record.n_images, 'test image')}" if record.n_images else ""
    return [
        f"Int8 was seen to lose between {low} and {high} {what}{images}, most {_named(record)}.",
        OBSERVED.format(why=why),
    ]


def _drop(record: Record) -> float | None:
    """Of top-1 where that is known, as all claims are; the tables' is of the grid's metric."""
    return record.top1_drop if record.top1_drop is not None else record.score_drop


def _named(record: Record) -> str:
    return f"{record.model} calibrated with {record.calibration} ({record.algorithm})"


def _shares(losses: Sequence[tuple[Record, Estimate]], margin: float) -> str:
    less = sum(loss.high < margin for _, loss in losses)
    more = sum(loss.low > margin for _, loss in losses)
    rest = len(losses) - less - more
    parts = [
        f"{less or 'none'} surely {'lose' if less > 1 else 'loses'} less than {margin_text(margin)} of top-1",
        f"{more} surely {'loses' if more == 1 else 'lose'} more" if more else "",
        f"{rest} may lose either" if rest else "",
    ]
    cells = count(len(losses), "int8 cell")
    return f"Of {cells}, each held against its FP32 IR, {listed([part for part in parts if part])}."


def _broken(losses: Sequence[tuple[Record, Estimate]]) -> Iterator[str]:
    """Each model that surely loses a lot; or that none does, as far as that is known."""
    limit = margin_text(BROKEN)
    broken = [(record, loss) for record, loss in losses if loss.low > BROKEN]
    several = len({record.device for record, _ in losses}) > 1
    drawn = Counter(_set(record) for record, _ in losses)
    for (model, algorithm, device), group in groupby(sorted(broken, key=_where), key=_where):
        those = list(group)
        values = [loss.value for _, loss in those]
        lost = points(values[0]) if len(values) == 1 else f"{points(min(values))} to {points(max(values))}"
        under = f"{algorithm} on {device}" if several else algorithm
        sets = Counter(_set(record) for record, _ in those)
        named = listed([_in_draws(key[-1], number, drawn[key]) for key, number in sets.items()])
        yield f"{model} breaks under {under} when calibrated with {named}: {lost} points lost."
    if not broken and all(loss.high < BROKEN for _, loss in losses):
        yield f"No model breaks: each cell that was judged surely loses less than {limit}."
    elif not broken:
        yield f"No model is shown to break (to lose more than {limit}), but not every cell is shown to lose less."


def _where(each: tuple[Record, Estimate]) -> Where:
    return (each[0].model, each[0].algorithm, each[0].device)


def _set(record: Record) -> tuple[str, str, str, str]:
    """What draws of one source, with one model, algorithm and device, share; the source last."""
    return (record.model, record.algorithm, record.device, str(source_of(record)))


def _in_draws(source: str, broken: int, drawn: int) -> str:
    """The source alone where all its draws broke; else in how many of them."""
    return source if broken == drawn else f"{source} (in {broken} of {drawn} draws)"


def _most_lost(losses: Sequence[tuple[Record, Estimate]]) -> str:
    record, loss = max(losses, key=lambda each: each[1].value)
    if loss.value <= 0:
        return "No cell was seen to lose any accuracy."
    return f"Most was lost by {_named(record)}: {with_interval(loss)}."


def _hidden(judged: Sequence[tuple[Record, Accuracy]]) -> Iterator[str]:
    """The class that lost most of all, where that is more than its cell's mean tells."""
    known = [(accuracy.worst_class_drop or 0.0, record, accuracy) for record, accuracy in judged if accuracy.fp32]
    drop, record, accuracy = max(known, key=lambda each: each[0])
    mean = accuracy.fp32.loss.value if accuracy.fp32 else 0.0
    if drop > mean:
        yield (
            f"A mean hides classes: {_named(record)} lost {points(drop)} points on class {accuracy.worst_class} "
            f"and {points(mean)} over all (seen in these images, the worst of all classes, without an interval)."
        )
