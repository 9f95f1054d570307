"""What `farm synth` makes a set with: files found, cores leased, a device chosen. Knows no form of writing."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from farm.cli.options import stderr
from farm.data.imageset import BLOCK, Files, ImageSet, at_once, size_of
from farm.errors import InputError
from farm.generators.equipment import Equipment
from farm.grid.choice import Calibration
from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import Core
from farm.inputs import HashMemo, Input, cache_folder, default_search, fetch, locate
from farm.spec import resolve
from farm.stages import synthesize


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for, checked. choice: the source with all its parameters; the rest as `synth` has it."""

    choice: Calibration
    out: Path
    layout: str
    shard: int
    batch: int | None
    latents: Path | None
    preview: Path | None
    device: str
    threads: int | None
    verify: bool
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A set to be written. contents: SHA-256 of the files behind it. together: images asked for at once."""

    images: ImageSet
    contents: Mapping[str, str]
    together: int


@contextmanager
def opened(order: Order) -> Iterator[Opened]:
    """The set, and cores to compute it on. Raises InputError and DataError for what cannot be used."""
    files, contents = _located(order)
    device = _device(order)
    with _cores(order) as cores:
        equipment = Equipment(device=device, workers=len(cores), say=lambda text: say(order, text))
        images = _images(order, files, equipment)
        together = -(-order.batch // BLOCK) * BLOCK if order.batch else at_once(size_of(images), len(cores))
        yield Opened(images=images, contents=contents, together=together)


def say(order: Order, text: str) -> None:
    """A line for the user, unless they want none."""
    if not order.quiet:
        stderr.print(text, highlight=False, soft_wrap=True)


def _located(order: Order) -> tuple[dict[str, Path], dict[str, str]]:
    """The source's files by role, fetched where they lie elsewhere, and the SHA-256 of their content."""
    choice, memo = order.choice, HashMemo(cache_folder() / "hashes.json")
    search = default_search(Path("synth"))
    names = {"name": choice.name, "dataset": ""}
    looked = [locate(spec, dict(choice.parameters), names, search, memo) for spec in choice.spec.inputs]
    inputs = [found for found in looked if found is not None]
    missing = [found.missing for found in inputs if found.missing]
    if missing:
        raise InputError(f"{choice.name}: {'; '.join(missing)}")
    contents = {found.role: _content(order, found, memo) for found in inputs}
    if order.latents:
        contents["latents"] = _sha256(order.latents)
    memo.save()
    sys.path[:0] = [found.path for found in inputs if found.code]
    return {found.role: Path(found.path) for found in inputs if not found.code}, contents


def _content(order: Order, found: Input, memo: HashMemo) -> str:
    if found.url and not Path(found.path).exists():
        say(order, f"fetching {found.url}")
        return memo.content(fetch(found))
    return found.sha256


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _device(order: Order) -> str:
    equipped = order.choice.spec.equipped
    if not equipped and order.device == "cuda":
        raise InputError(f"--device cuda: `{order.choice.name}` is not computed on GPUs: leave it out")
    if not equipped or order.device == "cpu":
        return "cpu"
    import torch  # noqa: PLC0415 - seconds that only a source that needs it pays

    there = torch.cuda.is_available()
    if order.device == "cuda" and not there:
        raise InputError("--device cuda: torch sees no GPU here; leave it out, and the CPU computes")
    return "cuda" if there else "cpu"


@contextmanager
def _cores(order: Order) -> Iterator[tuple[Core, ...]]:
    """Cores leased as any stage's, so that no measurement on this host is disturbed; this process stays on them."""
    asked = host_cores(), order.threads, lock_folder()
    with ExitStack() as holding:
        try:
            held = holding.enter_context(lease(*asked, wait_s=0))
        except TimeoutError:
            say(order, "waiting for cores that stages of farm hold; --threads takes fewer")
            held = holding.enter_context(lease(*asked))
        os.sched_setaffinity(0, held.cpus)
        yield held.cores


def _images(order: Order, files: Files, equipment: Equipment) -> ImageSet:
    choice = order.choice
    if order.latents is None:
        return synthesize.opened(choice.name, dict(choice.parameters), files, equipment)
    from farm.generators import latents  # noqa: PLC0415 - torch is for those who ask for a network's images

    network = resolve(choice.spec.network)(dict(choice.parameters), files, equipment)
    given = latents.read(order.latents, network)
    return latents.images(network, choice.name, given, choice.seed or 0, equipment)
