"""A training from its first step to its last, in a folder, whatever interrupts it. Knows the clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from farm.data.imageset import Pixels
from farm.errors import DataError
from farm.generators.distylegan import checkpoint
from farm.generators.distylegan.training import output
from farm.generators.distylegan.training.recipe import Recipe
from farm.generators.distylegan.training.teacher import Teacher
from farm.generators.distylegan.training.trainer import Trainer, start
from farm.generators.generated import grey_levels, normal

SAY_S, SAVE_S = 5.0, 120.0
SHOWN = 8  # images of each class on a sheet
MOVING = {"epochs"}  # what may change when a training goes on: longer is the same training, unless the rate decays


@dataclass(slots=True, kw_only=True)
class Run:
    """A training and its folder. rows: the curves so far. begun: on the clock, as if it had never been interrupted."""

    trainer: Trainer
    folder: Path
    identity: str
    say: Callable[[str], None]
    rows: list[dict[str, float]] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    @property
    def finished(self) -> bool:
        """Whether the recipe's last epoch is done."""
        return self.trainer.step >= self.trainer.total

    @property
    def spent_s(self) -> float:
        """Seconds of training, those of earlier sessions included."""
        return time.monotonic() - self.begun

    def epochs(self, until_s: float | None) -> None:
        """Train until the recipe's last epoch, or until so many seconds are spent; save and tell now and then."""
        saved_s = self.spent_s
        while not self.finished:
            epoch, told_s, first = self.trainer.step // self.trainer.steps_an_epoch, self.spent_s, self.trainer.step
            for step in self.trainer.epoch():
                if step % self.trainer.steps_an_epoch == 0:
                    self._note(epoch)  # before anything is saved: what is saved here begins with the next epoch
                now_s = self.spent_s
                if now_s - told_s >= SAY_S:
                    self.say(self._progress(epoch, (step - first) / max(1e-9, now_s - told_s)))
                    told_s, first = now_s, step
                if until_s is not None and now_s >= until_s:
                    return
                if now_s - saved_s >= SAVE_S:
                    self.save()
                    saved_s = self.spent_s

    def _note(self, epoch: int) -> None:
        losses = self.trainer.losses()  # waits for a GPU, which the clock should see
        seconds, done = self.spent_s, self.rows[-1]["seconds"] if self.rows else 0.0
        speed = self.trainer.steps_an_epoch * self.trainer.recipe.batch / max(1e-9, seconds - done)
        row = {"epoch": epoch + 1, "step": self.trainer.step, **losses, "seconds": seconds, "images_per_s": speed}
        self.rows.append(row)
        output.write_curves(self.folder, self.rows)
        output.write_samples(self.folder, epoch + 1, samples(self.trainer), SHOWN)

    def save(self) -> None:
        """Write the checkpoint, and the generator as it stands."""
        epochs = self.trainer.recipe.epochs
        extra = {"identity": self.identity, "epochs": epochs, "rows": self.rows, "spent_s": self.spent_s}
        output.save(self.folder, {**self.trainer.state(), **extra})
        averaged = self.trainer.averaged
        checkpoint.save(self.folder, averaged.state_dict(), averaged.config, {"ndf": self.trainer.recipe.ndf})

    def _progress(self, epoch: int, steps_per_s: float) -> str:
        trainer = self.trainer
        left_s = (trainer.total - trainer.step) / max(1e-9, steps_per_s)
        minutes, hours = left_s / 60, left_s / 3600
        left = f"{hours:.1f} h" if hours >= 1 else f"{minutes:.0f} min" if minutes >= 1 else f"{left_s:.0f} s"
        speed = steps_per_s * trainer.recipe.batch
        return f"epoch {epoch + 1} of {trainer.recipe.epochs}, {speed:,.0f} images/s, {left} left"


def train(
    recipe: Recipe,
    teacher: Teacher,
    content: str,
    folder: Path,
    *,
    device: str,
    say: Callable[[str], None],
    until_s: float | None = None,
) -> dict[str, Any]:
    """Train in a folder that is this process's alone, going on from what lies there; returns the training's facts.

    content: the SHA-256 of the teacher's images and latents. until_s: seconds of training after which to stop,
    whole; None for the recipe's last epoch. Raises DataError if the folder holds another training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    identity = repr((sorted(recipe.model_dump(exclude=MOVING).items()), content))
    run = Run(trainer=start(recipe, teacher, device), folder=folder, identity=identity, say=say)
    state = output.load(folder)
    if state is not None:
        _go_on(run, state)
    run.epochs(until_s)
    run.save()
    return {
        "finished": run.finished,
        "distilled": run.trainer.update.distilled,
        "epochs": run.trainer.step // run.trainer.steps_an_epoch,
        "steps": run.trainer.step,
        "images": len(teacher),
        "hours": round(run.spent_s / 3600, 3),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
    }


def samples(trainer: Trainer) -> Pixels:
    """Images of each class from the averaged weights, of the same latents every time: uint8 (n, 32, 32, 3)."""
    classes = trainer.update.teacher.classes
    z = torch.from_numpy(normal(trainer.recipe.seed, 0, classes * SHOWN, trainer.averaged.config.z_dim))
    labels = torch.arange(classes).repeat_interleave(SHOWN)
    with torch.inference_mode():
        images = trainer.averaged(z.to(trainer.update.device), labels.to(trainer.update.device))
    return grey_levels(images.float().cpu().numpy())


def _go_on(run: Run, state: dict[str, Any]) -> None:
    if state.get("identity") != run.identity:
        text = "holds a training of other images or with other numbers"
        raise DataError(f"{run.folder} {text}: give the same ones to go on with it, or another --out")
    recipe = run.trainer.recipe
    if recipe.decay and state.get("epochs", recipe.epochs) != recipe.epochs:
        text = f"holds a training of {state['epochs']} epochs, whose learning rate falls towards the last of them"
        raise DataError(f"{run.folder} {text}: give epochs={state['epochs']} to go on with it, or another --out")
    run.trainer.restore(state)
    run.rows, run.begun = list(state["rows"]), time.monotonic() - float(state["spent_s"])
    run.say(f"going on after step {run.trainer.step:,}")
