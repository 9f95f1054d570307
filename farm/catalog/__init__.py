"""Every table of choices: models, datasets, sources, algorithms, tasks, devices, stages. Imports nothing heavy.

An entry is a frozen spec whose function is named as ``"module:function"`` and resolved in the process that calls it.
"""

from farm.catalog.algorithms import ALGORITHMS, BASELINES
from farm.catalog.datasets import DATASETS
from farm.catalog.devices import DEVICES
from farm.catalog.models import MODELS, PREPROCESSING
from farm.catalog.sources import SOURCES
from farm.catalog.stages import STAGES
from farm.catalog.tasks import TASKS
from farm.spec import Catalog, resolve

CATALOG = Catalog(
    models=MODELS,
    datasets=DATASETS,
    sources=SOURCES,
    algorithms=ALGORITHMS,
    baselines=BASELINES,
    devices=DEVICES,
    stages=STAGES,
    preprocessing=PREPROCESSING,
    tasks=TASKS,
    members={"torchvision": lambda: resolve("farm.models.describe:torchvision_names")()},  # noqa: PLW0108 - when asked
)
