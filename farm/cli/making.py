"""The work of `farm synth`: images made, written and told about. Knows an opened set, not what is behind it."""

import io
import os
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from farm.catalog import CATALOG
from farm.cli import interrupt
from farm.cli.entry import ONE_FILE, entry_of
from farm.cli.opening import Opened, Order, opened, say
from farm.cli.options import stderr, stdout
from farm.data import setfolder
from farm.data.formats import FORMATS
from farm.data.imageset import ImageSet, Wrote, size_of
from farm.errors import DataError, InputError
from farm.files import replaced
from farm.plan.choices import options

RAW_FILE = ".npz"
SHOWN = 64  # images of a preview
ROWS = 4


def make(order: Order) -> int:
    """Make the set, or what is missing of it. Raises InputError and DataError for what cannot be used."""
    with opened(order) as found:
        if order.preview:
            _save_preview(order, found.images, order.preview)
        if order.out.suffix == RAW_FILE:
            return _write_raw(order, found.images)
        return _write_file(order, found) if order.out.suffix == ONE_FILE else _write_folder(order, found)


def _write_folder(order: Order, found: Opened) -> int:
    images, count = found.images, len(found.images)
    if order.layout == "png" and count < (images.classes or 0):
        raise InputError(f"--format png: {count} images show not all of {images.classes} classes: make more of them")
    note = getattr(images, "note", "")
    told = {"size": list(size_of(images)), "classes": images.classes, "farm": metadata.version("farm")}
    told |= {"note": note} if note else {}
    with setfolder.claimed(order.out, _made(order, found.contents), count, told) as folder:
        missing = folder.missing(verify=order.verify)
        if order.verify:
            _tell_verified(order, folder, missing)
        total, done, begun = sum(stop - start for start, stop in missing), 0, time.monotonic()
        if total < count:
            say(order, f"{count - total:,} of {count:,} images are there")
        with _shown(order, total) as show:
            for number, (start, stop) in enumerate(missing, 1):
                folder.make(images, start, stop, found.together, _shifted(show, done - start))
                done += stop - start
                if not stderr.is_terminal:
                    rate = done / (time.monotonic() - begun)
                    say(order, f"[{number}/{len(missing)}] images {start} to {stop - 1}: {rate:,.0f} images/s")
    _tell(order, images, "nothing to make: all of it was there" if not total else _rate(total, begun))
    _tell_entry(order, count)
    return 0


def _write_file(order: Order, found: Opened) -> int:
    """One Parquet file."""
    count = len(found.images)
    with _replaced(order) as new, _shown(order, count) as show:
        begun = time.monotonic()
        FORMATS[order.layout].write(new, found.images, 0, count, found.together, show)
    _tell(order, found.images, _rate(count, begun))
    _tell_entry(order, count)
    return 0


def _write_raw(order: Order, images: ImageSet) -> int:
    """A network's images as they are."""
    from farm.generators import latents  # noqa: PLC0415 - torch is for those who ask for a network's images
    from farm.generators.aligned import Aligned  # noqa: PLC0415

    if not isinstance(images, Aligned) or images.floats is None:
        raise InputError(f"{order.choice.name}: its images are not a network's own, so there is nothing raw about them")
    with _replaced(order) as new, _shown(order, len(images)) as show:
        begun = time.monotonic()
        for done in latents.write_raw(new, images, images.floats):
            show(done)
    _tell(order, images, _rate(len(images), begun))
    return 0


@contextmanager
def _replaced(order: Order) -> Iterator[Path]:
    """A new file that takes the place of the one asked for when it is whole."""
    try:
        with replaced(order.out) as new:
            yield new
    except OSError as error:
        raise InputError(f"cannot write {order.out}: {_reason(error)}; choose another --out") from error


def _reason(error: OSError) -> str:
    """The system's own words: Arrow's name a temporary file."""
    return os.strerror(error.errno) if error.errno else str(error)


def _made(order: Order, contents: Mapping[str, str]) -> dict[str, Any]:
    """What makes the set this one and no other, as a stage's key has it."""
    choice = order.choice
    parameters = {key: value for key, value in options(choice).items() if key != "count"}
    return {
        "source": choice.name,
        "version": CATALOG.stages["synthesize"].version,
        "parameters": parameters,
        "contents": dict(contents),
        "libraries": {name: metadata.version(name) for name in choice.spec.libraries},
        "layout": order.layout,
        "shard_images": order.shard,
    }


def _save_preview(order: Order, images: ImageSet, path: Path) -> None:
    from PIL import Image  # noqa: PLC0415 - for those who ask for pictures

    from farm.report.contact_sheet import contact_sheet  # noqa: PLC0415

    block = images.block(0, min(SHOWN, len(images)))
    samples = []
    for index, pixels in enumerate(block.images):
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        samples.append({"calibration": order.choice.name, "index": index, "label": -1, "png": png.getvalue()})
    try:
        contact_sheet(samples, ROWS).save(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {_reason(error)}; choose another --preview") from error


@contextmanager
def _shown(order: Order, total: int) -> Iterator[Wrote]:
    """A progress bar with images/s and the time to go; told how many images are made so far."""
    rate = TextColumn("{task.fields[rate]:>7,.0f} images/s")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    begun = time.monotonic()
    with Progress(*columns, console=stderr, disable=order.quiet or not stderr.is_terminal) as bar:
        task = bar.add_task(order.choice.name, total=total, rate=0.0)
        yield interrupt.heeding(
            lambda done: bar.update(task, completed=done, rate=done / max(time.monotonic() - begun, 1e-9))
        )


def _shifted(show: Wrote, by: int) -> Wrote:
    """`show`, with `by` added to the index."""
    return lambda index: show(index + by)


def _tell(order: Order, images: ImageSet, how: str) -> None:
    height, width = size_of(images)
    stdout.print(f"{order.out}: {len(images):,} images of {height}x{width}; {how}", highlight=False, soft_wrap=True)


def _tell_entry(order: Order, count: int) -> None:
    """How a grid calibrates with the set, where one can; else what is in the way."""
    try:
        found = entry_of(order.layout, order.out, count, order.shard)
    except (DataError, OSError) as error:  # what else lies there: the set itself is made
        stderr.print(f"no grid can calibrate with it as it is: {error}", highlight=False, soft_wrap=True)
        return
    if found:
        stdout.print(f"to calibrate with it: {found}", highlight=False, soft_wrap=True)
    elif order.layout == "hf":
        say(order, f"to calibrate with it, make one file: --out {shlex.quote(f'{order.out}{ONE_FILE}')}")


def _tell_verified(order: Order, folder: setfolder.SetFolder, missing: Mapping[tuple[int, int], str]) -> None:
    """What `--verify` found of the shards that were there."""
    from farm.report.numbers import count  # noqa: PLC0415 - scipy is for those who ask

    unsound = {start: (stop, why) for (start, stop), why in missing.items() if start in folder.ranges}
    sound = [each for each in folder.ranges.values() if each.start not in unsound]
    images = sum(each.stop - each.start for each in sound)
    lines = [f"{count(len(sound), 'shard')} with {count(images, 'image')}: all checksums equal"]
    if unsound:
        lines = [f"{len(sound):,} of {count(len(folder.ranges), 'shard')} kept; to be made again:"]
        lines += [f"images {start} to {stop - 1}: {why}" for start, (stop, why) in unsound.items()]
    for line in lines if folder.ranges else ["nothing there to verify"]:
        stdout.print(f"{order.out}: {line}", highlight=False, soft_wrap=True)


def _rate(count: int, begun: float) -> str:
    seconds = time.monotonic() - begun
    return f"{count:,} made in {seconds:,.1f} s, {count / max(seconds, 1e-9):,.0f} images/s"
