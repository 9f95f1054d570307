"""The loop: ready stages out to nodes, outcomes back. Knows the plan and an engine, not what stages do.

ready ──(placing: which node)──> engine ──> outcome ──> done, retried, or failed with all that needs it
"""

from farm.drive.driver import PATIENCE_S, Driver
from farm.drive.progress import Progress

__all__ = ["PATIENCE_S", "Driver", "Progress"]
