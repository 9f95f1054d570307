"""A set of images made as files, here: one stage, run as a grid's are. Knows no form of writing."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from farm.campaign.alone import carried_out, is_bad_input, stage_of
from farm.campaign.listener import NOBODY, Listener
from farm.campaign.resolve import inputs_of
from farm.catalog import CATALOG
from farm.data import setfolder
from farm.engine.process import scratch_folder
from farm.errors import FarmError, InputError, StageError
from farm.files import locked, replaced_for, sha256
from farm.grid.choice import Calibration
from farm.host.lease import host_cores, lease, lock_folder
from farm.host.versions import version_of
from farm.inputs import Input
from farm.plan.choices import images, options
from farm.plan.facts import Written
from farm.plan.parameters import Files
from farm.record import Outcome
from farm.store import Store

SHOWN, ROWS = 64, 4  # images of a preview
FORMS = {".parquet": "parquet", ".npz": "raw"}  # by the suffix of what is written; else it is a folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be made, checked. choice: the source with all its parameters; the rest as `farm synth` has it."""

    choice: Calibration
    out: Path
    layout: str = "shards"
    shard: int = 8192
    batch: int | None = None
    latents: Path | None = None
    preview: Path | None = None
    device: str = "auto"
    threads: int | None = None
    verify: bool = False

    @property
    def form(self) -> str:
        """As `farm.plan.parameters.Files` has it."""
        return FORMS.get(self.out.suffix, "folder")


def make(order: Order, listener: Listener = NOBODY) -> Written:
    """Make the set, or what is missing of it. Raises InputError for what cannot be used, StageError if it failed."""
    choice, files = order.choice, _files(order, listener)
    if order.device == "cuda" and not choice.spec.equipped:
        raise InputError(f"--device cuda: `{choice.name}` is not computed on GPUs: leave it out")
    threads = order.threads or len(host_cores())
    _wait_for_cores(threads, listener)
    with tempfile.TemporaryDirectory(prefix="set-", dir=scratch_folder()) as folder, locked(Path(folder)):
        store, equipped = Store(f"{folder}/store"), choice.spec.equipped and order.device != "cpu"
        with _target(order) as out:
            stage = stage_of("files", choice.name, _parameters(order, out, files), files, equipped=equipped)
            outcome = carried_out(stage, store, threads, listener)
            manifest = store.manifest(stage.uri)
            if manifest is None:
                raise _failure(outcome, outcome.error_message.replace(str(out), str(order.out)))
        if order.preview:
            _save_preview(order.choice.name, store.open(stage.uri), order.preview)
    return manifest.facts_as(Written)


def _failure(outcome: Outcome, text: str) -> FarmError:
    if is_bad_input(outcome):
        return InputError(text)
    return StageError(f"{outcome.error_class}: {text}\n{outcome.traceback}".rstrip())


def _files(order: Order, listener: Listener) -> dict[str, Input]:
    """The source's files by role, and latents of the user's own."""
    choice = order.choice
    inputs = inputs_of(Path("synth"), listener, frozenset({choice.name}))
    names = {"name": choice.name, "dataset": ""}
    located = {spec.role: inputs.locate(spec, dict(choice.parameters), names) for spec in choice.spec.inputs}
    files = inputs.here(located, f"{choice.name}: ")
    if order.latents:
        try:
            content = sha256(order.latents)
        except OSError as error:
            raise InputError(f"cannot read {order.latents}: {error.strerror}") from error
        files["latents"] = Input(role="latents", path=str(order.latents.resolve()), sha256=content)
    return files


def _parameters(order: Order, out: Path, files: dict[str, Input]) -> Files:
    """What the stage is told; as `made` what makes the set this one and no other, as a stage's key has it."""
    choice = order.choice
    made = {
        "source": choice.name,
        "version": CATALOG.stages["synthesize"].version,
        "parameters": {name: value for name, value in options(choice).items() if name != "count"},
        "contents": {role: file.sha256 for role, file in files.items()},
        "libraries": {name: version_of(name) for name in choice.spec.libraries},
        "layout": order.layout,
        "shard_images": order.shard,
    }
    return Files(
        images=images(choice, None), out=str(out), form=order.form, made=made, batch=order.batch, device=order.device,
        verify=order.verify, preview=SHOWN if order.preview else 0,
    )  # fmt: skip


def _wait_for_cores(threads: int, listener: Listener) -> None:
    """Say so where the stage will have to wait. Raises InputError for more cores than the host lends."""
    try:
        with lease(host_cores(), threads, lock_folder(), wait_s=0):
            return
    except TimeoutError:
        listener.say("waiting for cores that stages of farm hold; --threads takes fewer")


@contextmanager
def _target(order: Order) -> Iterator[Path]:
    """What the stage writes to: the folder, or a new file that takes the place of the one asked for at the end."""
    if order.form == "folder":
        try:
            yield order.out.resolve()
        except KeyboardInterrupt:  # a stage that it ends cannot clean up behind it
            setfolder.sweep(order.out.resolve())
            raise
        return
    with replaced_for("--out", order.out) as new:
        yield new.resolve()


def _save_preview(name: str, artefact: Path, path: Path) -> None:
    from farm.report import contact_sheet  # noqa: PLC0415 - Pillow is for those who ask for pictures
    from farm.results.tables import first_images  # noqa: PLC0415

    rows = enumerate(first_images(artefact, SHOWN))
    samples = [{"calibration": name, "index": index, "label": label, "png": png} for index, (png, label) in rows]
    contact_sheet.save("--preview", path, samples, ROWS)
