"""Official sources that are not on this machine yet: fetched before the run, with a progress bar."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from farm.errors import DataError
from farm.inputs import Input, fetch
from farm.plan import Plan


class Downloads:
    """Fetches what stages need; a source that failed is not asked again."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        """Progress goes to the console."""
        self.console = console
        self.quiet = quiet
        self.failed: dict[str, str] = {}

    def fetch(self, plan: Plan, uris: Collection[str], *, unsettled: bool = False) -> bool:
        """Fetch the stages' inputs that are not here, or only those whose content is not known yet; any done?"""
        files = [found for uri in uris for found in plan.stages[uri].files.values()]
        needed = {
            found.url: found
            for found in files
            if found.url and not found.missing and found.url not in self.failed and not Path(found.path).exists()
        }
        done = False
        for url, found in needed.items():
            if unsettled and found.settled:
                continue
            try:
                _fetch(found, self.console, quiet=self.quiet)
                done = True
            except DataError as error:
                self.failed[url] = str(error)
        return done

    def told(self, plan: Plan) -> Plan:
        """The plan in which what could not be fetched is a missing input."""
        if not self.failed:
            return plan
        stages = {
            uri: replace(stage, files={role: self._missing(found) for role, found in stage.files.items()})
            for uri, stage in plan.stages.items()
        }
        return replace(plan, stages=stages)

    def _missing(self, found: Input) -> Input:
        gone = found.url in self.failed and not Path(found.path).exists()
        return replace(found, missing=self.failed[found.url]) if gone else found


def _fetch(found: Input, console: Console, *, quiet: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=quiet) as bar:
        task = bar.add_task(found.url.rpartition("/")[2], total=None)
        fetch(found, lambda got, total: bar.update(task, advance=got, total=total))
