"""Official sources that are not on this machine yet: fetched before the run, with a progress bar."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from farm.errors import DataError
from farm.inputs import Input, fetch
from farm.plan import Plan


def with_downloads(plan: Plan, wanted: Collection[str], console: Console, *, quiet: bool) -> Plan:
    """The plan after fetching what the wanted stages need; what could not be fetched is a missing input."""
    needed = {
        found.url: found
        for uri in wanted
        for found in plan.stages[uri].files.values()
        if found.url and not Path(found.path).exists()
    }
    failed: dict[str, str] = {}
    for url, found in needed.items():
        try:
            _fetch(found, console, quiet=quiet)
        except DataError as error:
            failed[url] = str(error)
    if not failed:
        return plan
    stages = {
        uri: replace(stage, files={role: _missing(found, failed) for role, found in stage.files.items()})
        for uri, stage in plan.stages.items()
    }
    return replace(plan, stages=stages)


def _missing(found: Input, failed: dict[str, str]) -> Input:
    return replace(found, missing=failed[found.url]) if found.url in failed else found


def _fetch(found: Input, console: Console, *, quiet: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=quiet) as bar:
        task = bar.add_task(found.url.rpartition("/")[2], total=None)
        fetch(found, lambda got, total: bar.update(task, advance=got, total=total))
