"""One training of a DiStyleGAN: its order, seeds, rate and averaged weights. Knows a teacher and a recipe, no files."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from farm.generators.distylegan.network import CHANNELS, Config, Generator
from farm.generators.distylegan.training.discriminator import Discriminator
from farm.generators.distylegan.training.recipe import Recipe, settled
from farm.generators.distylegan.training.replay import Replay
from farm.generators.distylegan.training.teacher import Teacher
from farm.generators.distylegan.training.update import LOSSES, Update

PURPOSES = 4  # streams of random numbers of a step
ORDER, STEP = 0, 1
SPREAD, KEPT = 0x9E3779B1, 0xFFFFFFFF  # an odd number far from any step's; the bits that a CPU's generator takes


@dataclass(slots=True, kw_only=True)
class Trainer:
    """The state of a training. step: generator steps done. averaged: the generator that is kept.

    The order of images and the random numbers of a step follow from (seed, step) alone, so that a training that
    was interrupted goes on as if it had not been. rate: the learning rate, on the device. updates: the update with and
    without adversarial losses, as it is run. noted: the losses of the steps since `losses` was called.
    """

    update: Update
    averaged: Generator
    rate: Tensor
    step: int = 0
    updates: dict[bool, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    noted: list[Tensor] = field(default_factory=list)

    @property
    def recipe(self) -> Recipe:
        """Every number that shapes the result."""
        return self.update.recipe

    @property
    def steps_an_epoch(self) -> int:
        """Generator steps of one pass over the teacher's images; what does not fill a batch is left out of it."""
        return max(1, len(self.update.teacher) // self.recipe.batch)

    @property
    def total(self) -> int:
        """Generator steps of the whole training."""
        return self.recipe.epochs * self.steps_an_epoch

    def epoch(self) -> Iterator[int]:
        """Train to the end of the epoch that `step` lies in, from where it stands; gives the steps done."""
        epoch, first = divmod(self.step, self.steps_an_epoch)
        random = torch.Generator().manual_seed(_mixed(self.recipe.seed, epoch * PURPOSES + ORDER))
        order = torch.randperm(len(self.update.teacher), generator=random).to(self.update.device)
        for chosen in torch.split(order, self.recipe.batch)[first : self.steps_an_epoch]:
            self._one(chosen)
            self.step += 1
            yield self.step

    def losses(self) -> dict[str, float]:
        """The mean of each loss since it was last asked for; NaN for one that this training does not have."""
        noted = torch.stack(self.noted).nanmean(dim=0).tolist() if self.noted else [float("nan")] * len(LOSSES)
        self.noted.clear()
        return dict(zip(LOSSES, noted, strict=True))

    def state(self) -> dict[str, Any]:
        """Everything that a training needs to go on: tensors and plain values."""
        return {
            "step": self.step,
            "student": self.update.student.state_dict(),
            "critic": self.update.critic.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.update.optimisers],
            "noted": torch.stack(self.noted).cpu() if self.noted else torch.empty(0, len(LOSSES)),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. Raises RuntimeError or KeyError if it is another network's."""
        self.update.student.load_state_dict(state["student"])
        self.update.critic.load_state_dict(state["critic"])
        self.averaged.load_state_dict(state["averaged"])
        for optimiser, saved in zip(self.update.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
            for group in optimiser.param_groups:
                group["lr"] = self.rate
        self.step = int(state["step"])
        self.noted = list(state.get("noted", torch.empty(0)).to(self.update.device))  # older checkpoints have none

    def _one(self, chosen: Tensor) -> None:
        """One step of the generator, after those of the critic, on these of the teacher's images."""
        random = self.update.random
        random.manual_seed(_mixed(self.recipe.seed, self.step * PURPOSES + STEP))
        self.rate.fill_(self._rate())
        full = self.step % (self.recipe.full_every or 1) == 0
        if full not in self.updates:
            update = partial(self.update, full=full)
            self.updates[full] = Replay(function=update, random=random) if self.update.device == "cuda" else update
        self.noted.append(self.updates[full](chosen))
        self._average()

    def _rate(self) -> float:
        """The recipe's rate, falling to nothing over the last share of the steps."""
        falling = self.recipe.decay * self.total
        return self.recipe.rate * min(1.0, (self.total - self.step) / falling if falling else 1.0)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights, and the statistics of its normalisations, a little towards the student's."""
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(_floating(self.averaged), _floating(self.update.student), 1 - decay)


def start(recipe: Recipe, teacher: Teacher, device: str) -> Trainer:
    """A training before its first step. Raises InputError for a recipe that cannot be, as `recipe.settled`."""
    recipe = settled(recipe, distilled=teacher.z is not None)
    torch.manual_seed(recipe.seed)
    torch.backends.cudnn.benchmark = True  # all batches of a training are alike
    z_dim = recipe.z_dim if teacher.z is None else teacher.z.shape[1]
    config = Config(ngf=recipe.ngf, z_dim=z_dim, c_dim=teacher.classes, project_dim=recipe.project_dim, nc=CHANNELS)
    student, critic = Generator(config), Discriminator(recipe.ndf, teacher.classes)
    for network in (student, critic):
        network.to(device).to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(student).eval().requires_grad_(requires_grad=False)
    rate, fast = torch.tensor(recipe.rate, device=device), device == "cuda"
    adam = partial(torch.optim.Adam, lr=rate, betas=recipe.betas, fused=fast, capturable=fast)
    update = Update(
        recipe=recipe, teacher=teacher.to(device), device=device, student=student, critic=critic,
        optimisers=(adam(student.parameters()), adam(critic.parameters())), random=torch.Generator(device),
    )  # fmt: skip
    return Trainer(update=update, averaged=averaged, rate=rate)


def _mixed(seed: int, number: int) -> int:
    """A seed of 32 bits, for torch's generator on a CPU takes no more of one; seed 0 leaves the number as it is."""
    return (seed * SPREAD + number) & KEPT


def _floating(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in (*network.parameters(), *network.buffers()) if tensor.is_floating_point()]
