"""Cells -> the de-duplicated DAG of stages they need, each with its key. Pure: files are located by the caller.

cell resnet20/fractal/default/CPU

synthesize fractal ──┐ (a large set: one stage a shard)
export resnet20 ─────┴─ quantize ─┬─ evaluate
      ├──────────────────────────┬┴─ measure (paired with the FP32 IR)
      └─ evaluate (FP32) ────────┘
"""

from farm.plan.document import dumps, loads
from farm.plan.stage import Effort, Plan, PlannedCell, Stage, base, dependents, judges, recipe, without_secrets

__all__ = [
    "Effort",
    "Plan",
    "PlannedCell",
    "Stage",
    "base",
    "dependents",
    "dumps",
    "judges",
    "loads",
    "recipe",
    "without_secrets",
]
