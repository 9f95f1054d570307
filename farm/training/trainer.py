"""One training of a DiStyleGAN: networks, steps, averaged weights. Knows a teacher and a recipe, no files."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from farm.images.distylegan.network import CHANNELS, Config, Generator
from farm.training.augment import augment
from farm.training.discriminator import Discriminator
from farm.training.losses import feature_distance, hinge_discriminator, hinge_generator
from farm.training.recipe import Recipe
from farm.training.replay import Replay
from farm.training.teacher import Teacher

LOSSES = ("discriminator", "feature", "pixel", "adversarial")
PURPOSES = 4  # streams of random numbers of a step
ORDER, STEP = 0, 1
MIRRORED = 0.5  # share of the teacher's images
Terms = dict[str, tuple[float, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What the losses count, and how often those that need the critic's scores join: a recipe, its kind settled."""

    discriminator: float
    feature: float
    pixel: float
    adversarial: float
    full_every: int


@dataclass(slots=True, kw_only=True)
class Trainer:
    """The state of a training. step: generator steps done. averaged: the generator that is kept.

    The order of images and the random numbers of a step follow from (seed, step) alone, so that a training that
    was interrupted goes on as if it had not been. rate: the learning rate, on the device. updates: a step with and
    one without the adversarial losses. noted: the losses of the steps since `losses` was called.
    """

    recipe: Recipe
    teacher: Teacher
    device: str
    student: Generator
    critic: Discriminator
    averaged: Generator
    optimisers: tuple[torch.optim.Adam, torch.optim.Adam]
    random: torch.Generator
    rate: Tensor
    step: int = 0
    updates: dict[bool, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    noted: list[Tensor] = field(default_factory=list)

    @property
    def distilled(self) -> bool:
        """Whether the teacher's latents are known: without them the student is trained adversarially alone."""
        return self.teacher.z is not None

    @property
    def steps_an_epoch(self) -> int:
        """Generator steps of one pass over the teacher's images; what does not fill a batch is left out of it."""
        return max(1, len(self.teacher) // self.recipe.batch)

    def epoch(self) -> Iterator[int]:
        """Train to the end of the epoch that `step` lies in, from where it stands; gives the steps done."""
        order = self._order(self.step // self.steps_an_epoch)
        for at in range(self.step % self.steps_an_epoch, self.steps_an_epoch):
            self._one(order[at * self.recipe.batch : (at + 1) * self.recipe.batch])
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
            "student": self.student.state_dict(),
            "critic": self.critic.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. Raises RuntimeError or KeyError if it is another network's."""
        self.student.load_state_dict(state["student"])
        self.critic.load_state_dict(state["critic"])
        self.averaged.load_state_dict(state["averaged"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
            for group in optimiser.param_groups:
                group["lr"] = self.rate
        self.step = int(state["step"])

    def _one(self, chosen: Tensor) -> None:
        """One step of the generator, after those of the critic, on these of the teacher's images."""
        self.random.manual_seed((self.recipe.seed << 32) + self.step * PURPOSES + STEP)
        self.rate.fill_(self._rate())
        full = self.step % self._weights().full_every == 0
        if full not in self.updates:
            update = partial(self._update, full=full)
            self.updates[full] = Replay(function=update, random=self.random) if self.device == "cuda" else update
        self.noted.append(self.updates[full](chosen))
        self._average()

    def _update(self, chosen: Tensor, *, full: bool) -> Tensor:
        """The steps themselves; nothing in them waits for a value. Returns float32 (4,), the `LOSSES`, NaN: none."""
        labels, real = self.teacher.labels[chosen], self._real(chosen)
        losses: Terms = {}
        if full:
            for _ in range(self.recipe.critic_steps):
                with torch.no_grad():
                    made = self._made(chosen, labels)
                losses |= self._judged(real, made, labels)
                self._descend(self.optimisers[1], losses)
        self.critic.requires_grad_(requires_grad=False)
        learnt = self._learnt(real, self._made(chosen, labels), labels, full=full)
        self._descend(self.optimisers[0], learnt)
        self.critic.requires_grad_(requires_grad=True)
        found = losses | learnt
        none = torch.full((), float("nan"), device=self.device)
        return torch.stack([found[name][1].detach() if name in found else none for name in LOSSES])

    def _judged(self, real: Tensor, made: Tensor, labels: Tensor) -> Terms:
        """The critic's loss."""
        scores, _ = self._seen(torch.cat([real, made]), labels.repeat(2))
        return {"discriminator": (self._weights().discriminator, hinge_discriminator(*scores.float().chunk(2)))}

    def _learnt(self, real: Tensor, made: Tensor, labels: Tensor, *, full: bool) -> Terms:
        """The student's losses."""
        weights, terms = self._weights(), {}
        if self.distilled:
            terms["pixel"] = (weights.pixel, (made - real).abs().mean())
        if weights.feature or full:
            scores, seen = self._seen(torch.cat([made, real]), labels.repeat(2))
            student, teacher = zip(*(maps.chunk(2) for maps in seen), strict=True)
            terms["feature"] = (weights.feature, feature_distance(teacher, student, paired=self.distilled))
            if full:
                terms["adversarial"] = (weights.adversarial, hinge_generator(scores.float().chunk(2)[0]))
        return terms

    def _descend(self, optimiser: torch.optim.Adam, terms: Terms) -> None:
        optimiser.zero_grad(set_to_none=True)
        torch.stack([weight * loss for weight, loss in terms.values()]).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def _seen(self, images: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the critic says of images; the norms of its weights are taken in float32."""
        seen = augment(images, self.random) if self.recipe.augment else images
        with parametrize.cached():
            for module in self.critic.modules():
                if parametrize.is_parametrized(module):
                    _ = module.weight
            with self._lower():
                scores, features = self.critic(seen.contiguous(memory_format=torch.channels_last), labels)
        return scores, features

    def _made(self, chosen: Tensor, labels: Tensor) -> Tensor:
        """The student's images: of the latents of these of the teacher's, or of new ones."""
        if self.teacher.z is not None:
            z = self.teacher.z[chosen]
        else:
            z = torch.randn((len(chosen), self.recipe.z_dim), generator=self.random, device=self.device)
        with self._lower():
            images: Tensor = self.student(z, labels)
        return images.float()

    def _lower(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.precision == "bf16")

    def _real(self, chosen: Tensor) -> Tensor:
        """The teacher's images in [-1, 1], mirrored at random where no latent ties them to a side."""
        images = self.teacher.images[chosen].float() / 127.5 - 1
        if not self.recipe.flip or self.distilled:
            return images
        mirrored = torch.rand((len(chosen), 1, 1, 1), generator=self.random, device=self.device) < MIRRORED
        return torch.where(mirrored, images.flip(3), images)

    def _order(self, epoch: int) -> Tensor:
        random = torch.Generator().manual_seed((self.recipe.seed << 32) + epoch * PURPOSES + ORDER)
        return torch.randperm(len(self.teacher), generator=random).to(self.device)

    def _rate(self) -> float:
        """The recipe's rate, falling to nothing over the last share of the steps."""
        total = self.recipe.epochs * self.steps_an_epoch
        falling = self.recipe.decay * total
        return self.recipe.rate * min(1.0, (total - self.step) / falling if falling else 1.0)

    def _weights(self) -> Weights:
        recipe, distilled = self.recipe, self.distilled
        return Weights(
            discriminator=_or_else(recipe.lambda_discriminator, 0.2 if distilled else 1.0),
            feature=recipe.lambda_feature,
            pixel=recipe.lambda_pixel,
            adversarial=_or_else(recipe.lambda_generator, 0.01 if distilled else 1.0),
            full_every=_or_else(recipe.full_every, 10 if distilled else 1),
        )

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights, and the statistics of its normalisations, a little towards the student's."""
        kept = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(_floating(self.averaged), _floating(self.student), 1 - kept)


def start(recipe: Recipe, teacher: Teacher, device: str) -> Trainer:
    """A training before its first step."""
    torch.manual_seed(recipe.seed)
    torch.backends.cudnn.benchmark = True  # all batches of a training are alike
    z_dim = recipe.z_dim if teacher.z is None else teacher.z.shape[1]
    config = Config(ngf=recipe.ngf, z_dim=z_dim, c_dim=teacher.classes, project_dim=recipe.project_dim, nc=CHANNELS)
    student = _laid(Generator(config), device)
    critic = _laid(Discriminator(recipe.ndf, teacher.classes), device)
    averaged = copy.deepcopy(student).eval().requires_grad_(requires_grad=False)
    rate, fast = torch.tensor(recipe.rate, device=device), device == "cuda"
    adam = [
        torch.optim.Adam(network.parameters(), rate, recipe.betas, fused=fast, capturable=fast)
        for network in (student, critic)
    ]
    return Trainer(
        recipe=recipe,
        teacher=teacher.to(device),
        device=device,
        student=student,
        critic=critic,
        averaged=averaged,
        optimisers=(adam[0], adam[1]),
        random=torch.Generator(device),
        rate=rate,
    )


def _or_else(value: Any, default: Any) -> Any:
    """The value, or a default where the recipe leaves it to the kind of training."""
    return default if value is None else value


def _floating(network: nn.Module) -> list[Tensor]:
    """Weights and statistics, in the order of the network's definition."""
    tensors = (*network.parameters(), *network.buffers())
    return [tensor for tensor in tensors if tensor.is_floating_point()]


def _laid(network: Any, device: str) -> Any:
    moved: nn.Module = network.to(device, memory_format=torch.channels_last)
    return moved
