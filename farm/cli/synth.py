"""`farm synth`: a set of images, made here. Parses and tells; `farm.campaign.sets` does."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from typer import Argument, Option

from farm.campaign.sets import Order, make
from farm.catalog import CATALOG
from farm.catalog.sources import SourceParameters, Synthetic
from farm.cli.entry import entry_of
from farm.cli.options import NoProgress, say, stderr
from farm.cli.param import assignments, checked
from farm.cli.progress import console
from farm.data.formats import FORMATS
from farm.data.imageset import BLOCK
from farm.errors import DataError, InputError
from farm.grid.choice import Calibration
from farm.grid.label import Label
from farm.plan.facts import Written
from farm.report.numbers import count
from farm.suggest import did_you_mean

SIZE = (32, 32)
SIZE_FORM = re.compile(r"([1-9]\d*)(?:x([1-9]\d*))?")
DEVICES = ("auto", "cpu", "cuda")
EXAMPLES = """
farm synth fractal --count 5000 --out fractals

farm synth noise --size 224x224 --seed 7 --out noise --preview noise.png

farm synth distylegan --count 50000 --out photos --format png

farm synth distylegan --param precision=bf16 --count 1000000 --out million --device cuda

farm synth distylegan --latents z.npz --out images.npz --raw

A folder of shards is a calibration set: calibrations: [{name: shards, path: fractals, count: 5000}]
"""

Parameters = Annotated[
    list[str] | None, Option(metavar="KEY=VALUE", help="Any other parameter, as a grid has it. May be repeated.")
]
Layout = Annotated[
    str, Option("--format", metavar="|".join(FORMATS), help="; ".join(f"{k}: {v.doc}" for k, v in FORMATS.items()))
]
Latents = Annotated[
    Path | None,
    Option(
        metavar="FILE.npz",
        help="Make exactly these: z (n, z_dim), labels (n,) or none; -1: no class. z_dim is 512 of the shipped "
        "distylegan and of NVIDIA's stylegan2-ada; else what the network was trained with.",
    ),
]


def synth(
    source: Annotated[str, Argument(metavar="SOURCE", help="A source of `farm list sources`, e.g. fractal.")],
    out: Annotated[Path, Option(metavar="DIR|FILE", help="A folder, a single FILE.parquet, or with --raw a FILE.npz.")],
    count: Annotated[
        int | None, Option(metavar="N", help="How many images; more than before: the set goes on. 1000 by default.")
    ] = None,
    seed: Annotated[int | None, Option(metavar="N", help="Another seed is another set. 0 by default.")] = None,
    size: Annotated[
        str | None, Option(metavar="HxW", help="Height and width, where a source has them free. 32x32 by default.")
    ] = None,
    weights: Annotated[
        str | None, Option(metavar="PATH", help="A generator's checkpoint; looked for here and in FARM_DATA.")
    ] = None,
    param: Parameters = None,
    layout: Layout = "shards",
    shard: Annotated[
        int, Option(metavar="N", help=f"Images of a shard, a multiple of {BLOCK}: what a killed run loses at most.")
    ] = 8192,
    batch: Annotated[
        int | None, Option(min=1, metavar="N", help=f"Images in memory at once, in blocks of {BLOCK}; changes no byte.")
    ] = None,
    latents: Latents = None,
    raw: Annotated[
        bool, Option("--raw", help="Floats in [-1, 1] as the network gives them: `images`, N x 3 x H x W.")
    ] = False,
    preview: Annotated[
        Path | None, Option(metavar="SHEET.png", help="Also save a sheet with the first 64 images.")
    ] = None,
    device: Annotated[str, Option(metavar="|".join(DEVICES), help="What computes: a GPU where there is one.")] = "auto",
    threads: Annotated[
        int | None, Option(min=1, metavar="N", help="Cores to work on, leased as a stage's are. All by default.")
    ] = None,
    verify: Annotated[
        bool, Option("--verify", help="Check what is there by its checksums, not only by its size; say what was found.")
    ] = False,
    quiet: NoProgress = False,
) -> int:
    """Make a set of images here: the same as a grid's calibration set, to the byte.

    Image i depends on the source, its parameters, the seed and i alone.
    The same command again makes only what is missing, or of another size
    than it was; a greater --count adds to the set, and what it adds to a
    last shard makes that one anew. Ctrl-C keeps whole shards.
    set.json, beside them, says what they are, with a checksum each.
    """
    given = {"count": count, "seed": seed, "size": _size(size), "weights": weights}
    choice = _choice(source, {name: value for name, value in given.items() if value is not None}, assignments(param))
    order = Order(
        choice=choice, out=out, layout=layout, shard=shard, batch=batch, latents=latents, preview=preview,
        device=device, threads=threads, verify=verify,
    )  # fmt: skip
    _check(order, raw=raw)
    if latents and (count is not None or "count" in assignments(param)):
        raise InputError(f"--latents {latents}: its latents are the images, one each: leave --count out")
    written = make(order, console(quiet=quiet, alone=True))
    _show(order, written)
    if not raw:
        _show_entry(order, written.n_images, quiet=quiet)
    return 0


def _check(order: Order, *, raw: bool) -> None:
    """Raises InputError for what is unknown, or does not go together."""
    out, layout, source = order.out, order.layout, order.choice
    for option, name, names in (("--format", layout, FORMATS), ("--device", order.device, DEVICES)):
        if name not in names:
            raise InputError(f"{option} {name}{did_you_mean(name, names)}")
    if order.shard < BLOCK or order.shard % BLOCK:
        raise InputError(f"--shard {order.shard}: must be a multiple of {BLOCK}, such as 8192")
    if raw != (order.form == "raw"):
        raise InputError(f"--out {out}: --raw writes one FILE.npz, and nothing else does")
    if (raw or order.latents) and not source.spec.network:
        able = ", ".join(name for name, spec in CATALOG.sources.items() if spec.network)
        raise InputError(f"{source.name}: --latents and --raw are for sources with a generator network: {able}")
    if order.latents and order.latents.resolve() == out.resolve():
        raise InputError(f"--out {out}: these are the latents: choose another --out")
    if order.form == "parquet" and not FORMATS[layout].single:
        raise InputError(f"--out {out}: --format {layout} fills a folder")
    if order.verify and order.form != "folder":
        raise InputError(f"--out {out}: --verify is for folders, whose set.json holds checksums; a file is made anew")
    if order.preview:
        from farm.report import contact_sheet  # noqa: PLC0415 - Pillow is for those who ask for pictures

        contact_sheet.check("--preview", order.preview, apart=out if order.form == "folder" else None)


def _choice(source: str, given: Mapping[str, Any], assigned: Mapping[str, Any]) -> Calibration:
    """A source with all its parameters. Raises InputError with every fault."""
    if source not in CATALOG.sources:
        raise InputError(f"unknown source {source!r}{did_you_mean(source, CATALOG.sources)}")
    spec, twice = CATALOG.sources[source], sorted(given.keys() & assigned.keys())
    if twice:
        raise InputError(f"--param {twice[0]}: --{twice[0]} says it already")
    parameters = checked(cast("type[SourceParameters]", spec.parameters), {**given, **assigned}, f"{source}: ")
    if isinstance(parameters, Synthetic) and parameters.size is None:
        parameters = parameters.model_copy(update={"size": SIZE})
    return Calibration(name=source, label=Label(source), spec=spec, parameters=parameters)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = SIZE_FORM.fullmatch(text)
    if sides is None:
        raise InputError(f"--size {text}: write HEIGHTxWIDTH in pixels, such as 32x32, or one number for both")
    return int(sides[1]), int(sides[2] or sides[1])


def _show(order: Order, written: Written) -> None:
    """How many images there are, how many of them were made, and with --verify what was found."""
    made, seconds, (height, width) = written.n_made, max(written.made_s, 1e-9), written.size
    rate = f"{made:,} made in {seconds:,.1f} s, {made / seconds:,.0f} images/s"
    how = rate if made else "nothing to make: all of it was there"
    verified = _verified(written) if order.verify else []
    known = [written.note] if written.note else []
    for line in (*verified, f"{written.n_images:,} images of {height}x{width}; {how}", *known):
        say(f"{order.out}: {line}")


def _verified(written: Written) -> list[str]:
    """What `--verify` found of the shards that were there."""
    sound, unsound = written.sound, written.unsound
    if not sound and not unsound:
        return ["nothing there to verify"]
    if not unsound:
        images = count(sum(stop - start for start, stop in sound), "image")
        return [f"{count(len(sound), 'shard')} with {images}: all checksums equal"]
    heading = f"{len(sound):,} of {count(len(sound) + len(unsound), 'shard')} kept; to be made again:"
    return [heading, *(f"images {start} to {stop - 1}: {why}" for start, stop, why in unsound)]


def _show_entry(order: Order, count: int, *, quiet: bool) -> None:
    """How a grid calibrates with the set, where one can; else what is in the way."""
    try:
        text = entry_of(order.layout, order.out, count, order.shard)
    except (DataError, OSError) as error:  # what else lies there: the set itself is made
        stderr.print(f"no grid can calibrate with it as it is: {error}", highlight=False, soft_wrap=True)
        return
    if text:
        say(f"to calibrate with it: {text}")
    elif order.layout == "hf" and not quiet:
        one_file = shlex.quote(f"{order.out}.parquet")
        stderr.print(f"to calibrate with it, make one file: --out {one_file}", highlight=False, soft_wrap=True)
