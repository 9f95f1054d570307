import uuid
from pathlib import Path

import pytest

from farm.axes import Images
from farm.drive.placing import Need
from farm.engine import Work, new_session
from farm.engine.inline import InlineEngine
from farm.inputs import HashMemo, Input
from farm.plan import Stage
from farm.plan.parameters import Evaluate, Synthesize
from farm.record import Outcome
from farm.store import Store

ROOT = Path(__file__).parents[2]


MODULE = Path(__file__).with_name("behaviour.py")
BEHAVIOUR = Input(
    role="factory", path=str(ROOT), sha256=HashMemo(None).content(MODULE), beside=(str(MODULE),), code=True
)


def bag(**options):
    """Parameters for a behaviour, which finds its own in `options`."""
    return Synthesize(images=Images(name="noise", options={"word": "hello", **options}), start=0, stop=1)


class Maker:
    """Makes work for stage functions of `behaviour`, all in one store and session."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(str(folder / "store"))
        self.session = new_session()

    def work(self, behaviour, *, kind="synthesize", inputs=None, stage=None, **limits):
        key = uuid.uuid4().hex * 2
        found = Stage(
            kind=kind,
            key=key,
            label=f"{behaviour} {key[:6]}",
            parameters=stage if isinstance(stage, Evaluate) else bag(**stage or {}),
            inputs=inputs or {},
            files={"factory": BEHAVIOUR},
            libraries={},
        )
        limits = {"timeout_s": 120.0, "memory_gib": 4.0, "cores": 1} | limits
        function = f"tests.engine.behaviour:{behaviour}"
        return Work(stage=found, function=function, store=self.store, session=self.session, **limits)


@pytest.fixture
def maker(tmp_path):
    return Maker(tmp_path)


@pytest.fixture(scope="module")  # its processes take time of whatever runs beside them
def ray_engine(fork_server):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own imports warn of Ray's own future
        from farm.engine.ray import RayEngine

        engine = RayEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def inline_engine(fork_server):
    engine = InlineEngine()
    yield engine
    engine.close()


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def engine(request):
    return request.getfixturevalue(f"{request.param}_engine")


def submit(engine, work):
    """Hand work to the first node that it fits on, or to one that has to refuse it."""
    places = engine.places()
    engine.submit(work, next((place.name for place in places if Need.of(work).fits(place)), places[0].name))


def outcome_of(engine, work):
    """Submit one piece of work and wait for its outcome."""
    submit(engine, work)
    return outcomes_of(engine, 1)[0]


def heard_of(engine, work):
    """Submit one piece of work; all that comes in until it has ended, its outcome last."""
    submit(engine, work)
    found = []
    while not (found and isinstance(found[-1], Outcome)):
        found += engine.wait(60.0)
    return found


def outcomes_of(engine, count):
    found = []
    while len(found) < count:
        found += engine.wait(60.0)
    return found
