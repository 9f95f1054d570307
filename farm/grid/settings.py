"""Settings of a whole grid: how speed is measured, what may be claimed, limits by stage kind. Pure."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from farm.spec import Parameters, fault

LEAST_GPU = 0.01
Limit = Annotated[float, Field(gt=0, le=10_000_000)]


class Measuring(Parameters):
    """How a cell's speed is measured: `farm.plan.parameters.Rounds` in its key, and `farm.plan.Effort` in none.

    So more effort for one cell leaves the others' measurements valid.
    """

    pairs: tuple[int, int] = Field(
        (6, 24), description="least and most pairs of processes: the cell's and its FP32 IR's"
    )
    target: float = Field(0.02, gt=0, description="x IR known within this share, at 99 %, is enough: no more pairs")
    min_seconds: Limit = Field(
        0.2,
        description="time that each of a pair is timed at full speed, or five times as long in all",
    )
    min_inferences: int = Field(
        20, ge=1, description="the same in inferences of the slower one, as long as they took when it was warm"
    )
    warmup_seconds: Limit = Field(0.1, description="untimed inferences of each before the first turn")
    budget_s: Limit = Field(
        60.0, description="no further pair starts after this many seconds, or three times as many before the first look"
    )
    max_redone: int = Field(
        8,
        ge=0,
        description="pairs that other programs disturbed and that are measured again; 3 if none was undisturbed",
    )
    preprocess: bool = Field(False, description="time the way from uint8 pixels to the input too, as the study did")
    per_node: int = Field(1, ge=1, le=64, description="measurements that share a node, each on its part of the cores")

    @field_validator("pairs", mode="before")
    @classmethod
    def _least_and_most(cls, pairs: object) -> object:
        """A number stands for exactly so many."""
        return (pairs, pairs) if isinstance(pairs, int) else tuple(pairs) if isinstance(pairs, list) else pairs

    @field_validator("pairs")
    @classmethod
    def _in_order(cls, pairs: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= pairs[0] <= pairs[1]:
            raise fault("must be a number of pairs, or the least and the most: [6, 24]")
        return pairs


def _lendable(share: float) -> float:
    if 0 < share < LEAST_GPU:
        raise fault(f"must be 0, or from {LEAST_GPU:g} to 1")
    return share


class Claims(Parameters):
    """What calibration sets are held against, and which loss does not matter. In no key: claims are made of records."""

    reference: str | None = Field(
        None, description="the set of real images: a calibration without its seed; else the one named like the dataset"
    )
    margin: float = Field(0.005, gt=0, description="a loss up to this does not matter: of top-1 and top-5 a share of 1")


class Settings(Parameters):
    """Settings of the whole grid. Each limit is by stage kind.

    Two of them are in keys: how rounds are run, and the size of shards, which changes no image but which stages
    there are.
    """

    measure: Measuring = Measuring()
    claims: Claims = Claims()
    timeout_s: Mapping[str, Limit] = Field({}, description="time limit of a stage kind, in seconds")
    memory_gib: Mapping[str, Limit] = Field({}, description="memory limit of a stage kind, in GiB")
    cores: Mapping[str, Annotated[int, Field(ge=1)]] = Field({}, description="cores of a stage kind")
    gpus: Mapping[str, Annotated[float, Field(ge=0, le=1), AfterValidator(_lendable)]] = Field(
        {}, description="share of a GPU of a stage kind: of one that there must be, or 0; 1 of any there is by default"
    )
    shard_images: int = Field(
        8192, ge=256, multiple_of=256, description="images of a shard: a larger set is made in several stages"
    )
