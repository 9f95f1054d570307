from farm.api import compare as compare
from farm.api import load as load
from farm.api import plan as plan
from farm.api import read as read
from farm.api import run as run

__version__: str
