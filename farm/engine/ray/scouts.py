"""What waits for a node, told to Ray's autoscaler: by tasks that need the same and do nothing.

One that gets a node is over at once, and all of them are gone with the run, whatever ends that.
"""

import time
from collections import Counter
from collections.abc import Sequence

import ray
from ray import ObjectRef

from farm.engine import Work
from farm.engine.ray.needs import CPU, GPU, bundle

AGAIN_S = 1.0  # between looks at them

Needs = tuple[tuple[str, float], ...]


class Scouts:
    """Those that are out."""

    def __init__(self) -> None:
        """None is."""
        self.out: dict[ObjectRef[None], Needs] = {}
        self.looked_at = float("-inf")

    def wish(self, works: Sequence[Work]) -> None:
        """Have one out for each piece of work, sent again where one has found a node; call the others back."""
        now = time.monotonic()
        if works and now < self.looked_at + AGAIN_S:
            return
        self.looked_at = now
        over, _ = ray.wait(list(self.out), num_returns=len(self.out), timeout=0) if self.out else ((), ())
        for scout in over:
            del self.out[scout]
        wanted = Counter(tuple(sorted(bundle(work).items())) for work in works)
        for scout, needs in list(self.out.items()):
            if wanted[needs]:
                wanted[needs] -= 1
            else:
                ray.cancel(scout)
                del self.out[scout]
        for needs in wanted.elements():
            self.out[_sent(needs)] = needs


def _sent(needs: Needs) -> "ObjectRef[None]":
    asked = dict(needs)
    more = {name: count for name, count in asked.items() if name not in (CPU, GPU)}
    return _look_around.options(num_cpus=asked[CPU], num_gpus=asked.get(GPU, 0.0), resources=more).remote()


@ray.remote(max_retries=0)
def _look_around() -> None:
    """Nothing: that it could run is what it was for."""
