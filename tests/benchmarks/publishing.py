"""What the performance scripts share: their options, and how their figures are shown and kept.

Rows are dicts with the same keys: `what`, then figures with their units in their names, then `goal` (text),
`met` and `reason` (why a goal is missed), each null where it does not apply. A benchmark is kept as
``results/reference/bench/<name>.parquet``; the schema's metadata hold, under ``benchmark`` and as JSON, its name, a
note, the time in UTC, the host's facts and the versions::

    json.loads(pq.read_schema("results/reference/bench/campaign.parquet").metadata[b"benchmark"])
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from farm.host.facts import host_facts

PUBLISHED = Path(__file__).parents[2] / "results" / "reference" / "bench"
OUT = "FARM_BENCH_OUT"  # where `publish` writes; empty: it only prints
LIBRARIES = ("farm", "openvino", "nncf", "torch", "ray")
TYPES = {"what": pa.string(), "goal": pa.string(), "met": pa.bool_(), "reason": pa.string()}
NO_GOAL: Mapping[str, Any] = {"goal": None, "met": None, "reason": None}
PIPE_WIDTH = 160


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every script has, ``--quick`` and ``--out``; add a script's own, then call `options`."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--quick", action="store_true", help="a trial with small numbers; kept only where --out says so")
    found.add_argument("--out", type=Path, help=f"folder of the Parquet file; also from the environment's {OUT}")
    return found


def options(parsed: argparse.ArgumentParser) -> argparse.Namespace:
    """The options as they are given. Settles where `publish` writes: a trial never replaces what is published."""
    said = parsed.parse_args()
    if said.out is not None:
        os.environ[OUT] = str(said.out)
    elif said.quick:
        os.environ.setdefault(OUT, "")
    return said


def goal(text: str, *, met: bool, reason: str) -> dict[str, Any]:
    """A goal's three columns. reason: why it is missed; left out where it is met."""
    return {"goal": text, "met": met, "reason": None if met else reason}


def publish(name: str, rows: Sequence[Mapping[str, Any]], *, note: str = "") -> None:
    """Show the rows as a table, and keep them as a Parquet file. Raises ValueError if their keys differ."""
    if not rows or any(list(row) != list(rows[0]) for row in rows):
        raise ValueError(f"{name}: the rows of a benchmark have the same keys, and there is at least one")
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, markup=False, emoji=False, highlight=False)
    console.print(_shown(rows))
    if note:
        console.print(f"\n{note}")
    folder = os.environ.get(OUT, str(PUBLISHED))
    if not folder:
        console.print(f"\na trial: not kept ({OUT} or --out keeps it)")
        return
    path = Path(folder) / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(_table(rows, {"name": name, "note": note, **_facts()}), path, compression="zstd")
    console.print(f"\nkept: {path}", soft_wrap=True)


def _facts() -> dict[str, Any]:
    versions = {library: metadata.version(library) for library in LIBRARIES}
    return {
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": host_facts(),
        "versions": {**versions, "python": platform.python_version()},
    }


def _table(rows: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> pa.Table:
    columns = {key: pa.array([row[key] for row in rows], TYPES.get(key)) for key in rows[0]}
    columns = {  # a figure that no row has is still a figure
        key: column.cast(pa.float64()) if pa.types.is_null(column.type) else column for key, column in columns.items()
    }
    return pa.table(columns).replace_schema_metadata({"benchmark": json.dumps(facts)})


def _shown(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for key in rows[0]:
        figures = any(isinstance(row[key], (int, float)) and not isinstance(row[key], bool) for row in rows)
        table.add_column(key, justify="right" if figures else "left")
    for row in rows:
        table.add_row(*map(_text, row.values()))
    return table


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
