"""One step of a DiStyleGAN's two networks: what each sees, its losses, its descent. Knows no epochs and no seeds.

TinyGAN (Chang, Lu 2020, arXiv 2009.13829), section 3: distances to the teacher's images in pixels and in the
discriminator's features, and hinge losses (Lim, Ye 2017, arXiv 1705.02894) between the student and the teacher.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import parametrize

from farm.generators.distylegan.network import Generator
from farm.generators.distylegan.training.augment import augment
from farm.generators.distylegan.training.discriminator import FEATURE_WEIGHTS, Discriminator
from farm.generators.distylegan.training.recipe import Recipe
from farm.generators.distylegan.training.teacher import Teacher

LOSSES = {  # and what weighs them in a recipe
    "discriminator": "lambda_discriminator",
    "feature": "lambda_feature",
    "pixel": "lambda_pixel",
    "adversarial": "lambda_generator",
}
MIRRORED = 0.5  # share of the teacher's images
Losses = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A step as a function of the images that were chosen, and of the state of `random`; it changes the networks.

    recipe: settled. optimisers: the student's and the critic's. All of it lies on one device.
    """

    recipe: Recipe
    teacher: Teacher
    device: str
    student: Generator
    critic: Discriminator
    optimisers: tuple[torch.optim.Adam, torch.optim.Adam]
    random: torch.Generator

    @property
    def distilled(self) -> bool:
        """Whether the teacher's latents are known: without them the student is trained adversarially alone."""
        return self.teacher.z is not None

    def __call__(self, chosen: Tensor, *, full: bool) -> Tensor:
        """One step of the generator, after those of the critic where it is full, on these of the teacher's images.

        Nothing in it waits for a value. Returns float32 (4,), the `LOSSES`, NaN: none.
        """
        labels, real = self.teacher.labels[chosen], self._real(chosen)
        losses: Losses = {}
        for _ in range(self.recipe.critic_steps if full else 0):
            with torch.no_grad():
                made = self._made(chosen, labels)
            scores, _ = self._seen(torch.cat([real, made]), labels.repeat(2))
            losses["discriminator"] = hinge_discriminator(*scores.float().chunk(2))
            self._descend(self.optimisers[1], losses)
        self.critic.requires_grad_(requires_grad=False)
        learnt = self._learnt(real, self._made(chosen, labels), labels, full=full)
        self._descend(self.optimisers[0], learnt)
        self.critic.requires_grad_(requires_grad=True)
        losses |= learnt
        none = torch.full((), float("nan"), device=self.device)
        return torch.stack([losses[name].detach() if name in losses else none for name in LOSSES])

    def _learnt(self, real: Tensor, made: Tensor, labels: Tensor, *, full: bool) -> Losses:
        """The student's losses."""
        losses: Losses = {}
        if self.distilled:
            losses["pixel"] = (made - real).abs().mean()
        if self.recipe.lambda_feature or full:
            scores, seen = self._seen(torch.cat([made, real]), labels.repeat(2))
            student, teacher = zip(*(maps.chunk(2) for maps in seen), strict=True)
            losses["feature"] = feature_distance(teacher, student, paired=self.distilled)
            if full:
                losses["adversarial"] = -scores.float().chunk(2)[0].mean()  # the hinge loss of who is judged
        return losses

    def _descend(self, optimiser: torch.optim.Adam, losses: Losses) -> None:
        optimiser.zero_grad(set_to_none=True)
        weighted = torch.stack([getattr(self.recipe, LOSSES[name]) * loss for name, loss in losses.items()])
        weighted.sum().backward()  # type: ignore[no-untyped-call]
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


def hinge_discriminator(real: Tensor, made: Tensor) -> Tensor:
    """Of its scores (n,): the teacher's images should have 1 or more, the student's -1 or less."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def feature_distance(teacher: Sequence[Tensor], student: Sequence[Tensor], *, paired: bool) -> Tensor:
    """L1 of features (n, C, h, w) of four blocks, weighted.

    paired: image i of one is meant to be image i of the other. Else their means over the images are compared
    (Salimans et al. 2016, "Improved Techniques for Training GANs", section 3.1), which need no latents.
    """
    distances = []
    for weight, real, made in zip(FEATURE_WEIGHTS, teacher, student, strict=True):
        features = (made.float(), real.detach().float())
        compared = features if paired else (maps.mean(dim=0) for maps in features)
        distances.append(weight * functional.l1_loss(*compared))
    return torch.stack(distances).sum()
