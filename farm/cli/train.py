"""`farm train`: a generator for calibration images, trained on a teacher's. Parses and tells; a stage does."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from farm.campaign.alone import carried_out, is_bad_input, stage_of
from farm.campaign.listener import Listener
from farm.campaign.resolve import inputs_of
from farm.catalog import CATALOG
from farm.cli.entry import entry
from farm.cli.options import DEFAULT_RESULTS, Address, NoProgress, Results, say
from farm.cli.param import assignments, checked, meanings
from farm.cli.progress import console
from farm.errors import InputError
from farm.generators.distylegan.training import CHECKPOINT
from farm.generators.distylegan.training.recipe import Recipe, settled
from farm.host.facts import gpu_count
from farm.host.lease import host_cores
from farm.inputs import Input
from farm.plan import Stage
from farm.plan.facts import Trained
from farm.plan.parameters import Train
from farm.record import Outcome
from farm.results.location import Location
from farm.spec import InputSpec
from farm.suggest import did_you_mean

KIND, STUDENT = "train", "distylegan"
EXAMPLES = """
farm train distylegan --images cifar10/train.parquet --out my-gan

farm train distylegan --images photos/ --out my-gan --param epochs=300 --hours 8 --judge resnet20

A teacher's latents make it a distillation:

farm synth stylegan2-ada --weights cifar10.pkl --latents z.npz --out teacher

farm train distylegan --images teacher --latents z.npz --out student

Then, in a grid: calibrations: [{name: distylegan, weights: student}]

The recipe's numbers, by --param KEY=VALUE, with their defaults:

""" + meanings(Recipe)


def train(
    student: Annotated[str, Argument(metavar="STUDENT", help="What is trained: distylegan.")],
    images: Annotated[
        Path,
        Option(metavar="PATH", help="The teacher's images: an image folder, a Parquet file, or what farm synth made."),
    ],
    out: Annotated[Path, Option(metavar="DIR", help="Checkpoints, curves, sample sheets and the generator.")],
    latents: Annotated[
        Path | None,
        Option(metavar="FILE.npz", help="What the images were made of: z (n, z_dim). Without it: not distilled."),
    ] = None,
    param: Annotated[
        list[str] | None, Option(metavar="KEY=VALUE", help="A number of the recipe, see below. May be repeated.")
    ] = None,
    hours: Annotated[
        float | None, Option(min=0, metavar="H", help="Stop, whole, after so many hours in all; else the last epoch.")
    ] = None,
    judge: Annotated[
        list[str] | None,
        Option(metavar="MODEL", help="A CIFAR-10 classifier that judges the result at the end. May be repeated."),
    ] = None,
    threads: Annotated[
        int | None,
        Option(min=1, metavar="N", help="Cores to train on. By default this host's; 1 on a GPU or by --address."),
    ] = None,
    address: Address = None,
    engine: Annotated[str, Option(help="ray, or inline: without Ray.")] = "ray",
    quiet: NoProgress = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Train a small generator, on a GPU where there is one, and keep it in DIR.

    The same command goes on from the last checkpoint, whatever ended it. DIR must be a folder that the worker sees.

    Exit code 0: fine, 1: it failed, 2: bad input, 130: interrupted (the same command goes on).
    """
    if student != STUDENT:
        raise InputError(f"unknown student {student!r}{did_you_mean(student, (STUDENT,))}")
    recipe = checked(Recipe, assignments(param), "--param ")
    settled(recipe, distilled=latents is not None)
    listener = console(quiet=quiet, failures=False)
    stage = _stage(recipe, out.resolve(), hours, _located(images, latents, judge or [], listener))
    store = Location.of(results).store
    store.files.check_writable()
    before = _saved(out)
    outcome = carried_out(stage, store, _cores(threads, address), listener, engine=engine, address=address)
    if not outcome.ok:
        return _failed(out, outcome, anew=_saved(out) != before)
    manifest = store.manifest(stage.uri)
    if manifest is not None:
        _tell(out, manifest.facts_as(Trained))
    return 0


def _cores(threads: int | None, address: str | None) -> int | None:
    """What to ask for: all of this host's, where nothing else trains; a GPU needs but one, other nodes may be small."""
    return threads or (None if address is not None or gpu_count() else len(host_cores()))


def _stage(recipe: Recipe, out: Path, hours: float | None, files: Mapping[str, Input]) -> Stage:
    content = "+".join(files[role].sha256 for role in ("images", "latents") if role in files)
    until_s = hours * 3600 if hours is not None else None
    parameters = Train(recipe=recipe.model_dump(), out=str(out), content=content, until_s=until_s)
    return stage_of(KIND, f"{STUDENT} {out.name}", parameters, files, equipped=True)


def _located(images: Path, latents: Path | None, judges: list[str], listener: Listener) -> dict[str, Input]:
    """The teacher's files and the judges' weights. Raises InputError for all that is missing."""
    inputs = inputs_of(Path("train"), listener, frozenset(judges))
    located: dict[str, Input | None] = {}
    for role, path in (("images", images), ("latents", latents)):
        if path is not None:
            wanted = InputSpec(role=role, parameter="path", hint=f"give --{role} a path")
            located[role] = inputs.locate(wanted, {"path": str(path)}, {"name": f"--{role}"})
    for name in judges:
        if name not in CATALOG.models or not CATALOG.models[name].inputs[0].released:
            zoo = [model for model, spec in CATALOG.models.items() if spec.inputs and spec.inputs[0].released]
            raise InputError(f"--judge {name}: no classifier of the zoo{did_you_mean(name, zoo)}")
        located[f"judge:{name}"] = inputs.locate(
            CATALOG.models[name].inputs[0], {}, {"name": name, "dataset": "cifar10"}
        )
    return inputs.here(located)


def _saved(out: Path) -> int | None:
    """When the training in this folder was last saved, in nanoseconds; None if there is none."""
    path = out / CHECKPOINT
    return path.stat().st_mtime_ns if path.exists() else None


def _failed(out: Path, outcome: Outcome, *, anew: bool) -> int:
    """Tell of a failed stage; the exit code. Raises InputError where what the user gave is at fault.

    anew: whether it was saved before it failed. One that is refused may have met the training of something else.
    """
    kept = f"what is trained is kept in {out}"
    if is_bad_input(outcome):
        raise InputError(f"{outcome.error_message}; {kept}" if anew else outcome.error_message)
    log = f"\n    log: {outcome.log}" if outcome.log else ""
    again = f"next: {shlex.join(['farm', *sys.argv[1:]])}"
    say(f"{outcome.error_class}: {outcome.label}\n    {outcome.error_message}{log}")
    say(again if _saved(out) is None else f"{kept}; {again}")
    return 1


def _tell(out: Path, facts: Trained) -> None:
    how = "distilled" if facts.distilled else "trained adversarially, not distilled"
    ended = "" if facts.finished else "; not finished: the same command with more --hours goes on"
    steps = f"{facts.epochs} epochs, {facts.steps:,} steps, {facts.hours:.2f} h on {facts.device}"
    say(f"{out}: {how} on {facts.images:,} images; {steps}{ended}")
    for name, judged in facts.judged_by.items():
        text = f"agrees with the class on {judged.agreement:.1%} (teacher {judged.agreement_real:.1%})"
        distances = f"FID {judged.fid:.3f}, KID {judged.kid:.4f} of its own features"
        say(f"{name}: {text}; {distances}, not Inception's")
    say(f"to calibrate with it: {entry(STUDENT, weights=str(out))}")
