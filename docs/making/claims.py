"""The 2022 study's claims beside farm's numbers: what was found again, what not, and what cannot be told from here.

Their numbers: ``study_2022.csv``, from the tables of the study. Ours: a published run of ``jobs/study.yaml``. What is
concluded follows from an interval, never from a number alone: over seeds of the calibration set where there are several
(95 %), else over test images (Tango, 95 %).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import study_2022 as theirs
from evidence import (
    NOT_REPRODUCED,
    NOT_TESTED,
    REPRODUCED,
    UNDECIDED,
    Evidence,
    at_least,
    at_most,
    every,
    evidence_of,
    holds,
    in_words,
    of_whom,
    real,
    some,
    standings,
)  # fmt: skip

from farm.grid.label import Label
from farm.report.numbers import count, points
from farm.results.reading import Run
from farm.stats.shares import Estimate

CHEAP = 0.011  # what fractals cost three models at most, in the study
REPVGG = ("repvgg_a2",)
THREE = ("resnet20", "vgg16_bn", "mobilenetv2_x1_4")
COLLAPSED = 0.5  # a drop that leaves no use of a model
LARGE = 0.2  # half of what the study's RepVGG lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim. theirs, ours: numbers in words; conclusion: one of the four words; reason: why it is that one."""

    text: str
    theirs: str
    ours: str
    conclusion: str
    reason: str


def claims(run: Run) -> tuple[Claim, ...]:
    """All of the study's claims, judged by a run of ``jobs/study.yaml``."""
    evidence = evidence_of(run)
    return tuple(claim(evidence) for claim in CLAIMS)


def table(run: Run) -> str:
    """The claims as Markdown."""
    rows = (f"| {c.text} | {c.theirs} | {c.ours} | **{c.conclusion}** | {c.reason} |\n" for c in claims(run))
    head = "| the study's claim | its numbers | farm's, with our weights and NNCF | | why |\n|---|---|---|---|---|\n"
    return head + "".join(rows)


def faster_than_ir(evidence: Evidence) -> Claim:
    """Int8 runs up to four times as fast as the FP32 IR."""
    return _speed(evidence, "int8 is up to 4 times as fast as the FP32 IR", "speedup_ir", 3.5)


def faster_than_pytorch(evidence: Evidence) -> Claim:
    """Int8 runs up to fourteen times as fast as PyTorch."""
    return _speed(evidence, "int8 is up to 14 times as fast as PyTorch", "speedup_pytorch", 13.5)


def cheap_fractals(evidence: Evidence) -> Claim:
    """Fractals cost three models little."""
    ours = {model: drop for model in THREE if (drop := evidence.drops.get((model, "fractal", "default"))) is not None}
    missing = [model for model in THREE if model not in ours]
    conclusion = every(ours.values(), lambda drop: at_most(drop, CHEAP))
    if missing and conclusion == REPRODUCED:
        conclusion = UNDECIDED
    lacking = f"of those that were tested, yes; no weights of {', '.join(missing)} were at hand"
    reason = lacking if missing else "all three were tested"
    whom = of_whom(evidence, [(model, "fractal", "default") for model in ours])
    return Claim(
        text=f"fractals cost at most {100 * CHEAP:.1f} points with ResNet20, VGG16-BN and MobileNetV2",
        theirs=theirs.drops(THREE, "fractal"),
        ours=in_words(ours),
        conclusion=conclusion,
        reason=whom + reason,
    )


def collapse(evidence: Evidence) -> Claim:
    """ShuffleNetV2 is of no use with fractals."""
    ours = _one(evidence, "shufflenetv2_x2_0", "fractal")
    whom = of_whom(evidence, [(model, "fractal", "default") for model in ours])
    return Claim(
        text="ShuffleNetV2 x2.0 collapses with fractals",
        theirs=theirs.drops(("shufflenetv2_x2_0",), "fractal"),
        ours=in_words(ours),
        conclusion=every(ours.values(), lambda drop: at_least(drop, COLLAPSED)),
        reason=f"{whom}collapse: {100 * COLLAPSED:.0f} points or more; ours are weights trained for less",
    )


def default_breaks_repvgg(evidence: Evidence) -> Claim:
    """RepVGG loses forty points by default quantization."""
    forms = ("repvgg_a2", "repvgg_a2{deploy=true}")
    ours = {form: drop for form in forms if (drop := evidence.drops.get((form, real(evidence), "default"))) is not None}
    whom = of_whom(evidence, [(form, real(evidence), "default") for form in ours])
    return Claim(
        text="RepVGG-A2 loses about 40 points by default quantization, with real images too",
        theirs=theirs.drops(REPVGG, "cifar10"),
        ours=in_words(ours),
        conclusion=some(ours.values(), lambda drop: at_least(drop, LARGE)),
        reason=f"{whom}a drop of {100 * LARGE:.0f} points or more in either form would do",
    )


def aware_saves_repvgg(evidence: Evidence) -> Claim:
    """Accuracy control wins back what default quantization lost."""
    text = "accuracy-aware quantization saves RepVGG-A2"
    before, after = theirs.drops(REPVGG, "cifar10"), theirs.drops(REPVGG, "cifar10", "accuracy-aware")
    numbers = f"{before} by default, {after} with control"
    breaks = default_breaks_repvgg(evidence).conclusion
    images = real(evidence)
    aware = {
        model: drop
        for (model, source, algorithm), drop in evidence.drops.items()
        if model.startswith("repvgg") and source == images and algorithm == "accuracy-aware"
    }
    conclusion = every(aware.values(), lambda drop: at_most(drop, CHEAP))
    reason = f"saved: a drop of at most {points(CHEAP)} points with real images"
    if breaks != REPRODUCED:
        conclusion, reason = NOT_TESTED, "there was nothing to save: default quantization did not break ours"
    whom = of_whom(evidence, [(model, images, "accuracy-aware") for model in aware])
    return Claim(text=text, theirs=numbers, ours=in_words(aware), conclusion=conclusion, reason=whom + reason)


def as_good_as_real(evidence: Evidence) -> Claim:
    """Synthetic images are as good as real ones."""
    words, of = standings(evidence)
    equal = [model for model, word in words if word == "equivalent"]
    worse = sorted({model for model, word in words if word == "worse"})
    margin = f"{points(evidence.analysis.run.claims.margin)} points"
    ours = f"equivalent within {margin} in {len(equal)} of {len(words)} pairs of model and source" if words else "-"
    unknown = _unknown(model for model, _ in words)
    shown = len(equal) == len(words) and not unknown
    conclusion = NOT_TESTED if not words else REPRODUCED if shown else UNDECIDED
    reason = f"Stable Diffusion's images and farm's own GAN's, neither of which the study had; {of}"
    return Claim(
        text="synthetic images are as good as real ones",
        theirs=theirs.gap(),
        ours=ours,
        conclusion=NOT_REPRODUCED if worse else conclusion,
        reason="; ".join([reason, *([f"worse with {', '.join(worse)}"] if worse else unknown)]),
    )


def beats_its_teacher(evidence: Evidence) -> Claim:  # noqa: ARG001 - nothing of farm's can say
    """The distilled GAN is sometimes better than what it was distilled from."""
    lines = "`{name: stylegan2-ada, weights: cifar10.pkl}` and `{name: distylegan, weights: FOLDER}`"
    return Claim(
        text="DiStyleGAN sometimes beats its teacher StyleGAN2-ADA",
        theirs=theirs.better_than_teacher(),
        ours="-",
        conclusion=NOT_TESTED,
        reason=f"needs the distilled weights and the teacher's: where they are at hand, {lines} in a grid",
    )


CLAIMS: Sequence[Callable[[Evidence], Claim]] = (
    faster_than_ir,
    faster_than_pytorch,
    cheap_fractals,
    collapse,
    default_breaks_repvgg,
    aware_saves_repvgg,
    as_good_as_real,
    beats_its_teacher,
)


def _one(evidence: Evidence, model: str, source: str) -> dict[str, Estimate]:
    drop = evidence.drops.get((model, source, "default"))
    return {} if drop is None else {model: drop}


def _speed(evidence: Evidence, text: str, column: str, times: float) -> Claim:
    numbers = theirs.speed(column.removeprefix("speedup_"))
    measured = [
        record for record in evidence.analysis.run.records if record.calibration and holds(record, column, evidence)
    ]
    if not measured:
        reason = "no measurement that holds is published with this run"
        return Claim(text=text, theirs=numbers, ours="-", conclusion=NOT_TESTED, reason=reason)
    best = max(measured, key=lambda record: float(getattr(record, column)))
    value, low, high = (float(getattr(best, column + end)) for end in ("", "_low", "_high"))
    surest, most = (max(float(getattr(record, column + end)) for record in measured) for end in ("_low", "_high"))
    unknown = _unknown(record.model for record in measured)
    slower = UNDECIDED if unknown else NOT_REPRODUCED
    conclusion = REPRODUCED if surest >= times else UNDECIDED if most >= times else slower
    ours = f"up to {value:.2f} [{low:.2f}, {high:.2f}] times ({best.model})"
    reason = f"reached from {times:g} times on; on {best.cpu_model}, {count(int(best.threads or 0), 'thread')}"
    return Claim(
        text=text,
        theirs=numbers,
        ours=ours,
        conclusion=conclusion,
        reason="; ".join([reason, *(unknown if surest < times else [])]),
    )


def _unknown(models: Iterable[str]) -> list[str]:
    """A sentence on the study's models that are not among these, in any form; none if all are."""
    lacking = sorted(set(theirs.models()) - {Label(model).name for model in models})
    return [f"nothing is known of {', '.join(lacking)}"] if lacking else []
