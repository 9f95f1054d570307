"""Grid files, stages and stores that several tests make."""

import gc
import http.server
import sys
import threading
import tomllib
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from xdist.scheduler import LoadFileScheduling

from farm.axes import Device, Images, Preprocessing
from farm.catalog import CATALOG
from farm.engine import new_session
from farm.engine.process import session_folder
from farm.engine.spawn.client import lifeline
from farm.engine.spawn.server import REPORTS
from farm.grid.cell import Grid, expand
from farm.grid.load import load
from farm.inputs import Input
from farm.plan import Plan, Stage
from farm.plan.build import build
from farm.plan.parameters import Evaluate
from farm.spec import InputSpec
from tests import s3

# As in farm's own processes: each report forks the process that sends it, which takes longer than many a conversion.
sys.modules[REPORTS] = None

pytest_plugins = ["tests.stages.bench"]  # a stage's process without its engine, for all that stages are made of

# A busy host is slow, not wrong; and coverage, which must be whole, must not depend on luck.
hypothesis.settings.register_profile("farm", deadline=None, derandomize=True)
hypothesis.settings.load_profile("farm")

ROOT = Path(__file__).parents[1]
COVERED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["coverage"]["run"]["include"]


def mirrors(test: Path, covered: str) -> bool:
    """Whether a test's file mirrors a module of the pure core, or a module of one of its folders."""
    module = Path(covered.replace("farm/", "tests/", 1))
    return test.parent == ROOT / module.parent and module.name in ("*", test.name.removeprefix("test_"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Trace only the pure core's own tests, fixtures included, and no slow ones: tracing doubles what a test takes."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    tracer = plugin.cov_controller if plugin else None
    of_core = any(mirrors(item.path, covered) for covered in COVERED)
    if tracer is None or (of_core and not item.get_closest_marker("slow")):
        return (yield)
    tracer.pause()
    try:
        return (yield)
    finally:
        tracer.resume()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests, begin with the files that have most of what takes long."""
    if hasattr(config, "workerinput"):
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported by now is looked through for garbage no more: with PyTorch in it, that takes half a second."""
    gc.collect()
    gc.freeze()


class Scheduling(LoadFileScheduling):
    """A file's tests stay in one process, for what they share is made once; so do all in a browser."""

    def _split_scope(self, nodeid: str) -> str:
        path = super()._split_scope(nodeid)
        return "browser" if "/browser/" in path else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Share tests out by what they have in common."""
    config.option.loadscopereorder = False  # it would begin with files of many tests, which are short
    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory):
    """One session of stages, and cores that no other process of these tests waits for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FARM_SESSION", f"tests-{uuid.uuid4().hex[:8]}")
        patch.setenv("FARM_LOCKS", str(tmp_path_factory.mktemp("locks")))
        yield


@pytest.fixture(scope="session")
def fork_server(surroundings):
    """Holds the session's fork server, so that engines that close one after another start it once."""
    with lifeline(session_folder(new_session())):
        yield


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """The URL of a real S3 server on this host, which all s3:// places of these tests are on."""
    with s3.served(tmp_path_factory.mktemp("s3")) as url, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment(url).items():
            patch.setenv(name, value)
        yield url


# torchvision is asked for its names in a process of its own; here it has two.
OFFLINE = replace(CATALOG, members={"torchvision": lambda: ("resnet50", "mobilenet_v3_small")})

SMALL: Mapping[str, Any] = {
    "name": "small",
    "dataset": "digits",
    "models": ["resnet20"],
    "calibrations": ["noise"],
    "algorithms": ["default"],
    "devices": ["CPU"],
    "baselines": ["pytorch", "ir"],
}


class GridFiles:
    """Writes grid files into one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, content: str | bytes, name: str = "grid.yaml") -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def small(self, **changes: Any) -> Path:
        """The small grid with some keys changed, or left out where they are None."""
        document = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
        return self.write(yaml.safe_dump(document, sort_keys=False))

    def grid(self, **changes: Any) -> Grid:
        return load(self.small(**changes), OFFLINE)


@pytest.fixture
def files(tmp_path: Path) -> GridFiles:
    return GridFiles(tmp_path)


@pytest.fixture(scope="session")
def shared_files(tmp_path_factory: pytest.TempPathFactory) -> GridFiles:
    """For property tests, whose many examples share one folder."""
    return GridFiles(tmp_path_factory.mktemp("grids"))


@dataclass(frozen=True, kw_only=True)
class Located:
    """A `locate` that finds every file, or says that it is missing. contents: role -> SHA-256."""

    contents: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    folder: str = "/data"

    def __call__(self, wanted: InputSpec, parameters: Mapping[str, Any], names: Mapping[str, str]) -> Input | None:
        asked = parameters.get(wanted.parameter) if wanted.parameter else None
        if wanted.optional and not isinstance(asked, str):
            return None
        path = f"{self.folder}/{names.get('name', 'grid')}.{wanted.role}"
        if wanted.role in self.missing:
            return Input(role=wanted.role, path=path, missing=f"no {wanted.role}: looked for {path}")
        return Input(role=wanted.role, path=path, sha256=self.contents.get(wanted.role, f"content of {path}"))


def version_one(_distribution: str) -> str:
    return "1.0"


def plan_of(grid: Grid, locate: Located | None = None, **describe: Any) -> Plan:
    return build(grid, expand(grid), CATALOG, locate or Located(), version_one, **describe)


class Server(http.server.ThreadingHTTPServer):
    """Serves what a test puts into `files`, by path, and keeps which paths were asked for.

    sends: how many bytes of a file, all if None.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.tells_length = True
        self.sends: int | None = None


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for a `Server`."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.sends])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


class Clock:
    """A clock that stands until a test moves it."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def evaluation(device: Device) -> Evaluate:
    images, preprocessing = Images(name="digits"), Preprocessing(size=(32, 32))
    return Evaluate(device=device, metric="top1", dataset=images, preprocessing=preprocessing)


def stage(kind: str, key: str, *needs: Stage, missing: str = "", device: Device | None = None) -> Stage:
    """A stage by hand, for what comes after planning."""
    return Stage(
        kind=kind,
        key=key,
        label=f"label of {key}",
        parameters=evaluation(device or Device()),
        inputs={f"input{index}": need.uri for index, need in enumerate(needs)},
        files={"weights": Input(role="weights", missing=missing)} if missing else {},
        libraries={},
    )
