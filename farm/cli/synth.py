"""`farm synth`: a set of images, made here. Parses and tells; `farm.cli.making` does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.catalog import CATALOG
from farm.catalog.sources import SourceParameters, Synthetic
from farm.cli import sheet
from farm.cli.assignments import assignments
from farm.cli.entry import ONE_FILE
from farm.cli.making import RAW_FILE, make
from farm.cli.opening import Order
from farm.data.formats import FORMATS
from farm.data.imageset import BLOCK
from farm.errors import InputError
from farm.grid.choice import Calibration
from farm.grid.faults import check
from farm.grid.label import Label
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


def synth(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A source of `farm list sources`, e.g. fractal.")],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR|FILE", help="A folder, a single FILE.parquet, or with --raw a FILE.npz."),
    ],
    count: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many images; more than before: the set goes on. 1000 by default."),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Another seed is another set. 0 by default.")] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Height and width, where a source has them free. 32x32 by default."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="PATH", help="A generator's checkpoint; looked for here and in FARM_DATA.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Any other parameter, as a grid has it. May be repeated."),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--format", metavar="|".join(FORMATS), help="; ".join(f"{k}: {v.doc}" for k, v in FORMATS.items())
        ),
    ] = "shards",
    shard: Annotated[
        int,
        typer.Option(metavar="N", help=f"Images of a shard, a multiple of {BLOCK}: what a killed run loses at most."),
    ] = 8192,
    batch: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help=f"Images in memory at once, in blocks of {BLOCK}; changes no byte."),
    ] = None,
    latents: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="Make exactly these: z (n, z_dim), labels (n,) or none; -1: no class. z_dim is 512 of the shipped "
            "distylegan and of NVIDIA's stylegan2-ada; else what the network was trained with.",
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Floats in [-1, 1] as the network gives them: `images`, N x 3 x H x W.")
    ] = False,
    preview: Annotated[
        Path | None, typer.Option(metavar="SHEET.png", help="Also save a sheet with the first 64 images.")
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="|".join(DEVICES), help="What computes: a GPU where there is one.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Cores to work on, leased as a stage's are. All by default.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Check what is there by its checksums, not only by its size; say what was found."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> int:
    """Make a set of images here: the same as a grid's calibration set, to the byte.

    Image i depends on the source, its parameters, the seed and i alone.
    The same command again makes only what is missing, or of another size
    than it was; a greater --count adds to the set, and what it adds to a
    last shard makes that one anew. Ctrl-C keeps whole shards.
    set.json, beside them, says what they are, with a checksum each.
    """
    given = {"count": count, "seed": seed, "size": _size(size), "weights": weights}
    choice = _choice(source, {key: value for key, value in given.items() if value is not None}, param or [])
    if layout not in FORMATS:
        raise InputError(f"--format {layout}{did_you_mean(layout, FORMATS)}")
    if device not in DEVICES:
        raise InputError(f"--device {device}{did_you_mean(device, DEVICES)}")
    if shard < BLOCK or shard % BLOCK:
        raise InputError(f"--shard {shard}: must be a multiple of {BLOCK}, such as 8192")
    if raw != (out.suffix == RAW_FILE):
        raise InputError(f"--out {out}: --raw writes one FILE{RAW_FILE}, and nothing else does")
    if (raw or latents) and not choice.spec.network:
        able = ", ".join(name for name, spec in CATALOG.sources.items() if spec.network)
        raise InputError(f"{source}: --latents and --raw are for sources with a generator network: {able}")
    if latents and (count is not None or "count" in assignments(param or [])):
        raise InputError(f"--latents {latents}: its latents are the images, one each: leave --count out")
    if out.suffix == ONE_FILE and not FORMATS[layout].single:
        raise InputError(f"--out {out}: --format {layout} fills a folder")
    if verify and out.suffix in (ONE_FILE, RAW_FILE):
        raise InputError(f"--out {out}: --verify is for folders, whose set.json holds checksums; a file is made anew")
    if preview:
        sheet.check("--preview", preview, apart=None if out.suffix in (ONE_FILE, RAW_FILE) else out)
    return make(
        Order(
            choice=choice, out=out, layout=layout, shard=shard, batch=batch, latents=latents, preview=preview,
            device=device, threads=threads, verify=verify, quiet=quiet,
        )
    )  # fmt: skip


def _choice(source: str, given: Mapping[str, Any], param: list[str]) -> Calibration:
    """A source with all its parameters. Raises InputError with every fault."""
    if source not in CATALOG.sources:
        raise InputError(f"unknown source {source!r}{did_you_mean(source, CATALOG.sources)}")
    spec, assigned, faults = CATALOG.sources[source], assignments(param), []
    twice = sorted(given.keys() & assigned.keys())
    if twice:
        raise InputError(f"--param {twice[0]}: --{twice[0]} says it already")
    checked = check(
        spec.parameters,
        {**given, **assigned},
        (),
        lambda path, text: faults.append(f"{source}: {'.'.join(map(str, path))}: {text}"),
    )
    if not isinstance(checked, SourceParameters):
        raise InputError("\n".join(faults))
    if isinstance(checked, Synthetic) and checked.size is None:
        checked = checked.model_copy(update={"size": SIZE})
    return Calibration(name=source, label=Label(source), spec=spec, parameters=checked)


def _size(text: str | None) -> tuple[int, int] | None:
    found = SIZE_FORM.fullmatch(text) if text is not None else None
    if text is not None and found is None:
        raise InputError(f"--size {text}: write HEIGHTxWIDTH in pixels, such as 32x32, or one number for both")
    return (int(found[1]), int(found[2] or found[1])) if found else None
