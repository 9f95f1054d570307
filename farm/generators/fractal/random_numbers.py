"""Random numbers by counter: those of an item need no other item's. Knows numbers, not what they are for."""

import numpy as np
import torch
from torch import Tensor

LIMIT = 1 << 16  # values that a number has
NUMBERS = 16  # of 16 bits, that one count of Philox gives
WORDS = 4  # the same, in words of 64 bits


def numbers(seed: int, purpose: int, first: int, count: int, each: int, turn: int = 0) -> Tensor:
    """`each` numbers for each of the items first, ..., first + count - 1: of (seed, purpose, turn, each, item) alone.

    numpy's Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), its key set to seed and
    purpose and its counter to turn and item: one call for all items. Returns int16 (count, each), uniform, on the CPU.
    """
    counts = -(-each // NUMBERS)
    philox = np.random.Philox(key=np.array([seed, purpose], np.uint64), counter=(turn << 64) + first * counts)
    words = philox.random_raw(count * counts * WORDS)
    parts = words.astype("<u8", copy=False).view("<i2").astype(np.int16, copy=False)
    return torch.from_numpy(parts.reshape(count, counts * NUMBERS)[:, :each])


def below(random: Tensor, limit: int) -> Tensor:
    """Random int16 as int64 in [0, limit)."""
    return ((random.to(torch.int64) + LIMIT // 2) * limit).bitwise_right_shift(16)


def uniform(random: Tensor) -> Tensor:
    """Random int16 as float32 in [0, 1)."""
    return (random.to(torch.float32) + LIMIT // 2) / LIMIT
