"""Fill the generated parts of the pages; with ``--check``, only say whether they are up to date.

A part is a comment such as ``<!-- help: farm run -->`` and the code block, list or table below it.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import claims
import columns
import compared
import layers
import pyarrow.parquet as pq
import seeds

from farm.analysis.analysis import analyse
from farm.record import FAILURE_CLASSES
from farm.report.page.section import answers
from farm.results.folder import Folder
from farm.results.reading import read_run

ROOT = Path(__file__).parents[2]
DOCS = ("study", "measurement", "calibration", "compare", "results", "models", "cluster", "scaling")
GRIDS = ("example", "load")  # marks of whole grids, which tests run as they stand
PAGES = (ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs" / f"{name}.md" for name in DOCS))
REFERENCE = ROOT / "results" / "reference"
PART = re.compile(
    r"(<!-- (?P<kind>\w+)(?:: (?P<what>[^>]*))? -->\n)"
    r"(?P<body>```text\n.*?```\n|(?: *- [^\n]*\n)+|(?:\|[^\n]*\n)*(?:\n> [^\n]*\n)?)",
    re.DOTALL,
)
WIDE = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}


def filled(text: str) -> str:
    """The text with every generated part made anew. Raises KeyError for one that nothing here makes."""

    def made(part: re.Match[str]) -> str:
        return part[0] if part["kind"] in GRIDS else part[1] + MAKERS[part["kind"]](part["what"])

    return PART.sub(made, text)


def _help(command: str) -> str:
    return _block(_printed(*command.split()[1:], "--help"))


def _table(what: str) -> str:
    """What `farm show` prints of a grid's published results. what: the grid's file, and options of the command."""
    grid, *options = shlex.split(what)
    return _block(_printed("show", str(REFERENCE / Path(grid).stem), *options))


def _compare(what: str) -> str:
    """A run beside itself with one calibration set's model in another's place. what: the run, and the two sets."""
    name, calibration, other = what.split()
    return _block(compared.printed(REFERENCE / name, calibration, other))


def _layers(model: str | None) -> str:
    return layers.worst(model) if model else layers.summary()


def _bench(name: str) -> str:
    """A benchmark's rows as a table, and below it what it says of itself and of its host."""
    path = REFERENCE / "bench" / f"{name}.parquet"
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[b"benchmark"])
    host, versions = facts["host"], facts["versions"]
    rows = "".join(f"| {' | '.join(map(_figure, row.values()))} |\n" for row in table.to_pylist())
    head = f"| {' | '.join(table.column_names)} |\n|{'---|' * table.num_columns}\n"
    where = f"{host['cpu_model']} ({host['isa']}), {host['cores']} cores, {host['memory_gib']} GiB"
    what = ", ".join(f"{library} {version}" for library, version in versions.items())
    return f"{head}{rows}\n> {facts['note']} On {where}; {what}; {facts['finished_at'][:10]}.\n"


def _figure(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"  # noqa: PLR2004
    return str(value)


def _failures(_: str) -> str:
    rows = "".join(f"| `{name}` | {text} |\n" for name, text in FAILURE_CLASSES.items())
    return f"| class | meaning |\n|---|---|\n{rows}"


def _block(text: str) -> str:
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _printed(*arguments: str) -> str:
    command = [sys.executable, "-m", "farm", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | WIDE).stdout


def _claims(name: str) -> str:
    return claims.table(read_run(Folder(str(REFERENCE / name))))


def _seeds(name: str) -> str:
    return seeds.table(read_run(Folder(str(REFERENCE / name))))


def _answers(name: str) -> str:
    """The summary of a run's page."""
    given = answers(analyse(read_run(Folder(str(REFERENCE / name)))))
    return "".join(f"- **{question}**\n" + "".join(f"    - {text}\n" for text in given[question]) for question in given)


KILLS = {
    "away": "of the link to the store", "driver": "of the driver", "node": "of a node", "server": "of a fork server",
    "stage": "of a stage's process", "stopped": "of a node that stopped", "worker": "of a Ray worker",
}  # fmt: skip


def _chaos(_: str | None) -> str:
    """What the long storm has left."""
    left = json.loads((REFERENCE / "chaos.json").read_text(encoding="utf-8"))
    kills, host = {KILLS[kind]: count for kind, count in left["kills"].items()}, left["host"]
    rows = {
        "faults": f"{sum(kills.values())}: {', '.join(f'{count} {kind}' for kind, count in kills.items())}",
        "grids, stages": f"{left['grids']}, {left['stages']}",
        "stages lost, or finished more than once": f"{left['lost']}, {left['doubled']}",
        "cells that failed": left["failed"],
        "processes left": left["orphans"],
        "restarts of the killed driver": left["restarts"],
        "anything else that a person would have had to do": left["interventions"],
    }
    table = "".join(f"| {what} | {count} |\n" for what, count in rows.items())
    where = f"{host['cpu_model']} ({host['isa']}), {host['cores']} cores; {left['finished_at'][:10]}"
    return f"| what | |\n|---|---|\n{table}\n> {left['minutes']:.0f} minutes on {where}.\n"


MAKERS = {
    "chaos": _chaos,
    "answers": _answers,
    "claims": _claims,
    "columns": columns.table,
    "files": columns.files,
    "seeds": _seeds,
    "help": _help,
    "table": _table,
    "compare": _compare,
    "failures": _failures,
    "layers": _layers,
    "bench": _bench,
}


def main() -> int:
    """Write the pages, or with --check say whether one would change."""
    stale = 0
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        stale |= before != after
        if "--check" not in sys.argv:
            page.write_text(after, encoding="utf-8")
    return int(stale and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
