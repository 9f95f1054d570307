"""Cells -> the de-duplicated DAG of stages they need, each with its key. Pure: files are located by the caller.

cell resnet20/fractal/default/CPU

synthesize fractal ──┐ (a large set: one stage a shard)
export resnet20 ─────┴─ quantize ─┬─ evaluate
      ├──────────────────────────┬┴─ measure (paired with the FP32 IR)
      └─ evaluate (reference) ───┘
"""

from farm.plan.build import build
from farm.plan.document import as_json
from farm.plan.stage import Plan, Planned, Stage, base, dependents, key_of

__all__ = ["Plan", "Planned", "Stage", "as_json", "base", "build", "dependents", "key_of"]
