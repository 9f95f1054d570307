"""All tables of choices in one value, for the code that takes them as an argument."""

from farm.images import DATASETS, SOURCES
from farm.models import MODELS, PREPROCESSING
from farm.spec import Catalog
from farm.stages import ALGORITHMS, BASELINES, DEVICES, STAGES

CATALOG = Catalog(
    models=MODELS,
    datasets=DATASETS,
    sources=SOURCES,
    algorithms=ALGORITHMS,
    baselines=BASELINES,
    devices=DEVICES,
    stages=STAGES,
    preprocessing=PREPROCESSING,
)
