"""How a DiStyleGAN is trained: every number that shapes the result. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from farm.errors import InputError
from farm.spec import Parameters

Beta = Annotated[float, Field(ge=0, lt=1)]


class Recipe(Parameters):
    """The study's hyper-parameters by default, where it states them; all are part of a training's key."""

    epochs: int = Field(150, ge=1, description="passes over the teacher's images")
    batch: int = Field(128, ge=2, description="images a step")
    rate: float = Field(2e-4, gt=0, description="Adam's learning rate, of both networks")
    betas: tuple[Beta, Beta] = Field(
        (0.5, 0.999), description="Adam's decay rates, of the gradient's mean and of its square's"
    )
    decay: float = Field(
        0.0, ge=0, le=1, description="last share of the steps, 0 to 1, in which the rate falls to nothing"
    )
    lambda_pixel: float = Field(0.2, ge=0, description="weight of the L1 distance of pixels; needs latents")
    lambda_feature: float = Field(1.0, ge=0, description="weight of the L1 distance of the discriminator's features")
    lambda_generator: float | None = Field(
        None, ge=0, description="weight of the generator's adversarial loss; 0.01 with latents, 1 without"
    )
    lambda_discriminator: float | None = Field(
        None, ge=0, description="weight of the discriminator's loss; 0.2 with latents, 1 without"
    )
    full_every: int | None = Field(
        None, ge=1, description="the adversarial loss joins every so many steps; 10 with latents, 1 without"
    )
    critic_steps: int = Field(1, ge=1, description="steps of the discriminator for one of the generator")
    augment: bool = Field(True, description="shift, tint and cut both kinds of images before the discriminator")
    flip: bool = Field(True, description="mirror the teacher's images at random; not done with latents")
    ema: float = Field(0.999, ge=0, lt=1, description="decay a step of the averaged weights, which are the ones kept")
    ngf: int = Field(256, ge=8, multiple_of=8, description="channels of the generator's first map")
    ndf: int = Field(128, ge=8, description="channels of the discriminator")
    z_dim: int = Field(512, ge=1, description="length of a latent; the teacher's where it gives them")
    project_dim: int = Field(128, ge=1, description="length of the projected latent")
    precision: Literal["bf16", "f32"] = Field("bf16", description="of convolutions and products while training")
    seed: int = Field(0, ge=0, lt=2**31, description="of weights, order, latents and augmentation")


def settled(recipe: Recipe, *, distilled: bool) -> Recipe:
    """The recipe as it is used, with nothing left open. Raises InputError if steps lack a loss."""
    discriminator, adversarial, every = (0.2, 0.01, 10) if distilled else (1.0, 1.0, 1)
    every = recipe.full_every or every
    if not distilled and recipe.lambda_feature == 0 and every > 1:
        text = f"lambda_feature=0 and full_every={every} without latents leave the steps between nothing to learn from"
        raise InputError(f"{text}: give full_every=1, a lambda_feature above 0, or --latents")
    usual = {"lambda_discriminator": discriminator, "lambda_generator": adversarial, "full_every": every}
    open_ones = {name: value for name, value in usual.items() if getattr(recipe, name) is None}
    return recipe.model_copy(update={**open_ones, "flip": recipe.flip and not distilled})
