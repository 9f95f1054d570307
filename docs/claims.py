"""The 2022 study's claims beside farm's numbers: what was found again, what not, and what cannot be told from here.

Their numbers: ``study_2022.csv``, from the tables of the study. Ours: ``results/reference/study``. A verdict follows
from an interval, never from a number alone: over draws of the calibration set where there are several (95 %), else
over test images (Tango, 95 %).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import study_2022 as theirs

from farm.record import Record
from farm.report.accuracy import accuracies
from farm.report.draws import Source, sources
from farm.results.reading import Run
from farm.stats.shares import Estimate

REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_TESTED = "reproduced", "not reproduced", "undecided", "not tested"
CHEAP = 0.011  # what fractals cost three models at most, in the study
REPVGG = ("repvgg_a2",)
THREE = ("resnet20", "vgg16_bn", "mobilenetv2_x1_4")
COLLAPSED = 0.5  # a drop that leaves no use of a model
LARGE = 0.2  # half of what the study's RepVGG lost
MADE = ("parquet{path=cifake/fake.parquet}", "distylegan{weights=farm-cifar10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim. theirs, ours: numbers in words; verdict: one of the four words; reason: why it is that one."""

    text: str
    theirs: str
    ours: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The drops of a run by (model, source, algorithm), each with its 95 % interval, and what its draws say."""

    run: Run
    drops: dict[tuple[str, str, str], Estimate]
    draws: tuple[Source, ...]


def claims(run: Run) -> tuple[Claim, ...]:
    """All of the study's claims, judged by a run of ``jobs/study.yaml``."""
    found = Found(run=run, drops=dict(_drops(run)), draws=tuple(sources(run)))
    return tuple(claim(found) for claim in CLAIMS)


def table(run: Run) -> str:
    """The claims as Markdown."""
    rows = (f"| {c.text} | {c.theirs} | {c.ours} | **{c.verdict}** | {c.reason} |\n" for c in claims(run))
    head = "| the study's claim | its numbers | farm's, with our weights and NNCF | | why |\n|---|---|---|---|---|\n"
    return head + "".join(rows)


def faster_than_ir(found: Found) -> Claim:
    """Int8 runs up to four times as fast as the FP32 IR."""
    return _speed(found, "int8 is up to 4 times as fast as the FP32 IR", "speedup_ir", 4)


def faster_than_pytorch(found: Found) -> Claim:
    """Int8 runs up to fourteen times as fast as PyTorch."""
    return _speed(found, "int8 is up to 14 times as fast as PyTorch", "speedup_pytorch", 14)


def cheap_fractals(found: Found) -> Claim:
    """Fractals cost three models little."""
    ours = {model: drop for model in THREE if (drop := found.drops.get((model, "fractal", "default"))) is not None}
    missing = [model for model in THREE if model not in ours]
    verdict = _every(ours.values(), lambda drop: _at_most(drop, CHEAP))
    reason = f"no weights of {', '.join(missing)} were at hand" if missing else "all three were tested"
    return Claim(
        text=f"fractals cost at most {100 * CHEAP:.1f} points with ResNet20, VGG16-BN and MobileNetV2",
        theirs=theirs.drops(THREE, "fractal"),
        ours=_in_words(ours),
        verdict=verdict,
        reason=reason,
    )


def collapse(found: Found) -> Claim:
    """ShuffleNetV2 is of no use with fractals."""
    ours = _one(found, "shufflenetv2_x2_0", "fractal")
    return Claim(
        text="ShuffleNetV2 x2.0 collapses with fractals",
        theirs=theirs.drops(("shufflenetv2_x2_0",), "fractal"),
        ours=_in_words(ours),
        verdict=_every(ours.values(), lambda drop: _at_least(drop, COLLAPSED)),
        reason=f"collapse: a drop of {100 * COLLAPSED:.0f} points or more; ours are other weights, trained for less",
    )


def default_breaks_repvgg(found: Found) -> Claim:
    """RepVGG loses forty points by default quantization."""
    forms = ("repvgg_a2", "repvgg_a2{deploy=true}")
    ours = {form: drop for form in forms if (drop := found.drops.get((form, _real(found), "default"))) is not None}
    return Claim(
        text="RepVGG-A2 loses about 40 points by default quantization, with real images too",
        theirs=theirs.drops(REPVGG, "cifar10"),
        ours=_in_words(ours),
        verdict=_any(ours.values(), lambda drop: _at_least(drop, LARGE)),
        reason=f"a drop of {100 * LARGE:.0f} points or more in either form would do",
    )


def aware_saves_repvgg(found: Found) -> Claim:
    """Accuracy control wins back what default quantization lost."""
    text = "accuracy-aware quantization saves RepVGG-A2"
    before, after = theirs.drops(REPVGG, "cifar10"), theirs.drops(REPVGG, "cifar10", "accuracy-aware")
    said = f"{before} by default, {after} with control"
    breaks = default_breaks_repvgg(found).verdict
    aware = {key[0]: drop for key, drop in found.drops.items() if key[0].startswith("repvgg") and key[2] != "default"}
    if breaks != REPRODUCED:
        reason = "there was nothing to save: default quantization did not break ours"
        return Claim(text=text, theirs=said, ours=_in_words(aware), verdict=NOT_TESTED, reason=reason)
    verdict = _every(aware.values(), lambda drop: _at_most(drop, CHEAP))
    return Claim(text=text, theirs=said, ours=_in_words(aware), verdict=verdict, reason="")


def as_good_as_real(found: Found) -> Claim:
    """Synthetic images are as good as real ones."""
    held, of = _standings(found)
    equal = [model for model, word in held if word == "equivalent"]
    worse = sorted({model for model, word in held if word == "worse"})
    margin = f"{_points(found.run.claims.margin)} points"
    ours = f"equivalent within {margin} in {len(equal)} of {len(held)} pairs of model and source" if held else "-"
    verdict = NOT_TESTED if not held else REPRODUCED if len(equal) == len(held) else UNDECIDED
    reason = f"Stable Diffusion's images and farm's own GAN's, neither of which the study had; {of}"
    return Claim(
        text="synthetic images are as good as real ones",
        theirs=theirs.gap(),
        ours=ours,
        verdict=NOT_REPRODUCED if worse else verdict,
        reason=f"{reason}; worse with {', '.join(worse)}" if worse else reason,
    )


def _standings(found: Found) -> tuple[list[tuple[str, str]], str]:
    """How made images stand to real ones, with each model and source, by default quantization; and of what it holds."""
    draws = [each for each in found.draws if each.standing and each.source in MADE and each.algorithm == "default"]
    if draws:
        return [(each.model, str(each.standing)) for each in draws], f"over draws, on {_images(found)} test images"
    judged = accuracies(found.run)
    records = [each for each in found.run.records if each.calibration_source in MADE and each.algorithm == "default"]
    beside = [(each.model, judged[each.cell].real) for each in records if each.cell in judged]
    held = [(model, str(real.standing)) for model, real in beside if real is not None]
    return held, f"these models, with one draw of each set, on {_images(found)} test images"


def beats_its_teacher(found: Found) -> Claim:  # noqa: ARG001 - nothing of farm's can say
    """The distilled GAN is sometimes better than what it was distilled from."""
    lines = "`{name: stylegan2-ada, weights: cifar10.pkl}` and `{name: distylegan, weights: FOLDER}`"
    return Claim(
        text="DiStyleGAN sometimes beats its teacher StyleGAN2-ADA",
        theirs=theirs.better_than_teacher(),
        ours="-",
        verdict=NOT_TESTED,
        reason=f"needs the distilled weights and the teacher's: where they are at hand, {lines} in a grid",
    )


CLAIMS: Sequence[Callable[[Found], Claim]] = (
    faster_than_ir,
    faster_than_pytorch,
    cheap_fractals,
    collapse,
    default_breaks_repvgg,
    aware_saves_repvgg,
    as_good_as_real,
    beats_its_teacher,
)


def _drops(run: Run) -> Iterator[tuple[tuple[str, str, str], Estimate]]:
    """Drops over test images, and over draws instead where there are several."""
    judged = accuracies(run)
    for record in run.records:
        known = judged.get(record.cell)
        if record.calibration_source and known is not None and known.fp32 is not None and not record.calibration_seed:
            yield (record.model, record.calibration_source, _algorithm(record.algorithm)), known.fp32.loss
    for source in sources(run):
        yield (source.model, source.source, _algorithm(source.algorithm)), source.drop


def _algorithm(label: str) -> str:
    return label.partition("{")[0]


def _real(found: Found) -> str:
    return found.run.claims.reference or "cifar10"


def _one(found: Found, model: str, source: str) -> dict[str, Estimate]:
    drop = found.drops.get((model, source, "default"))
    return {} if drop is None else {model: drop}


def _at_most(drop: Estimate, limit: float) -> str:
    return REPRODUCED if drop.high <= limit else NOT_REPRODUCED if drop.low > limit else UNDECIDED


def _at_least(drop: Estimate, limit: float) -> str:
    return REPRODUCED if drop.low >= limit else NOT_REPRODUCED if drop.high < limit else UNDECIDED


def _every(drops: Iterable[Estimate], judge: Callable[[Estimate], str]) -> str:
    return _joined([judge(drop) for drop in drops], (NOT_REPRODUCED, UNDECIDED, REPRODUCED))


def _any(drops: Iterable[Estimate], judge: Callable[[Estimate], str]) -> str:
    return _joined([judge(drop) for drop in drops], (REPRODUCED, UNDECIDED, NOT_REPRODUCED))


def _joined(words: Sequence[str], order: Sequence[str]) -> str:
    """The first of the words, in this order, that was said; nothing said is not tested."""
    return next((word for word in order if word in words), NOT_TESTED)


def _in_words(drops: Mapping[str, Estimate]) -> str:
    if not drops:
        return "-"
    said = (
        f"{_points(drop.value)} [{_points(drop.low)}, {_points(drop.high)}] ({each})" for each, drop in drops.items()
    )
    return f"drop {', '.join(said)} points"


def _points(share: float) -> str:
    return f"{100 * share:.2f}"


def _images(found: Found) -> str:
    return f"{max((record.n_images or 0 for record in found.run.records), default=0):,}"


def _speed(found: Found, text: str, column: str, times: float) -> Claim:
    said = theirs.speed(column.removeprefix("speedup_"))
    measured = [
        record
        for record in found.run.records
        if record.calibration and record.verdict == "valid" and getattr(record, f"{column}_low") is not None
    ]
    if not measured:
        reason = "no measurement that holds is published with this run"
        return Claim(text=text, theirs=said, ours="-", verdict=NOT_TESTED, reason=reason)
    best: Record = max(measured, key=lambda record: float(getattr(record, column)))
    value, low, high = (float(getattr(best, column + end)) for end in ("", "_low", "_high"))
    verdict = REPRODUCED if low >= times else NOT_REPRODUCED if high < times else UNDECIDED
    ours = f"up to {value:.2f} [{low:.2f}, {high:.2f}] times ({best.model})"
    reason = f"on {best.cpu_model}, {best.threads} threads"
    return Claim(text=text, theirs=said, ours=ours, verdict=verdict, reason=reason)
