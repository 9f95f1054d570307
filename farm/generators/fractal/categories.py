"""Categories: a system each, which its images share, and the system's variations. Remembers those it has found."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from farm.errors import DataError
from farm.generators.fractal import ifs
from farm.generators.fractal.chaos import frame
from farm.generators.fractal.ifs import Systems
from farm.generators.fractal.random_numbers import numbers

Indices = NDArray[np.int64]

SEARCH = 1  # purpose of the random numbers
TURNS = 1024  # random systems tried for a category; more than half of all fill a fifth of the canvas


class Categories:
    """The systems of `count` categories, found when they are first asked for; a function of (seed, fill, category).

    A category has the first of its random systems that fills at least `fill` of the canvas. Memory grows with the
    categories that are used, by 0.6 KiB each, and not with images. Threads that ask at once do the work twice, with
    the same outcome: what is known is marked so after it is written.

    systems: of all categories. frames: float32 (count, VARIATIONS, 4), low and span of each variation's attractor;
    span 0 where it fills too little. searched, tested: which of these are known.
    """

    def __init__(self, *, seed: int, count: int, fill: float, device: str) -> None:
        self.seed, self.count, self.fill, self.device = seed, count, fill, device
        self.systems = Systems(
            maps=torch.zeros((count, ifs.MAPS, ifs.COEFFICIENTS), device=device),
            bounds=torch.zeros((count, ifs.MAPS), device=device),
            many=torch.zeros(count, dtype=torch.int64, device=device),
        )
        self.frames = torch.zeros((count, ifs.VARIATIONS, 4), device=device)
        self.searched = np.zeros(count, np.bool_)
        self.tested = np.zeros((count, ifs.VARIATIONS), np.bool_)

    def varied(self, categories: Indices, variations: Indices) -> tuple[Systems, Tensor]:
        """The systems of some categories, varied, and their attractors' frames, float32 (n, 4).

        A variation that fills too little gives way to the category's own system. Raises DataError if a category has
        none that fills enough.
        """
        missing = np.unique(categories[~self.searched[categories]])
        for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1) if len(missing) else ():
            self._find(run)
        unknown = ~self.tested[categories, variations]
        if unknown.any():
            self._test(*np.unique(np.stack((categories[unknown], variations[unknown])), axis=1))
        at, vectors = self._there(categories), self._there(variations)
        vectors = torch.where(self.frames[at, vectors, 2] > 0, vectors, 0)
        return ifs.varied(self.systems.part(at), vectors), self.frames[at, vectors]

    def _find(self, run: Indices) -> None:
        """Search the systems of consecutive categories: one random system for each, until it fills enough."""
        missing = run
        for turn in range(TURNS):
            random = numbers(self.seed, SEARCH, int(run[0]), len(run), ifs.NUMBERS, turn)
            systems = ifs.candidates(random[missing - run[0]].to(self.device))
            frames, fill = frame(systems)
            good = fill >= self.fill
            enough = good.cpu().numpy()
            at = self._there(missing[enough])
            for name in ("maps", "bounds", "many"):
                getattr(self.systems, name)[at] = getattr(systems, name)[good]
            self.frames[at, 0] = frames[good]
            self.tested[missing[enough], 0] = True
            self.searched[missing[enough]] = True
            missing = missing[~enough]
            if not len(missing):
                return
        text = f"none of the first {TURNS} attractors of category {missing[0]} fills so much of the canvas"
        raise DataError(f"`fill: {self.fill}`: {text}: set `fill` lower")

    def _test(self, categories: Indices, variations: Indices) -> None:
        """See which variations of systems that were found fill enough too."""
        at, vectors = self._there(categories), self._there(variations)
        frames, fill = frame(ifs.varied(self.systems.part(at), vectors))
        self.frames[at, vectors] = torch.where((fill >= self.fill)[:, None], frames, 0)
        self.tested[categories, variations] = True

    def _there(self, indices: Indices) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(indices)).to(self.device)
