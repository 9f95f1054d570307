"""`farm store`: whether all that a store holds is still what it was."""

import json
from enum import StrEnum
from typing import Annotated

from rich import progress as bars
from typer import Argument, Option

from farm.cli.options import DEFAULT_RESULTS, Json, NoProgress, Results, at, say, stderr, stdout
from farm.errors import DamageError, InputError
from farm.report.numbers import count
from farm.results.location import Location
from farm.store import Store
from farm.store.aside import set_aside

EXAMPLES = """
farm store verify

farm store verify --set-aside --results s3://bucket/results
"""


class Action(StrEnum):
    """What is done with a store."""

    VERIFY = "verify"


def store(
    action: Annotated[Action, Argument(help="verify: read all of it, and compare sizes and SHA-256 with manifests.")],
    set_aside: Annotated[
        bool, Option("--set-aside", help="Move what is damaged out of the way; the next run makes it again.")
    ] = False,
    quiet: NoProgress = False,
    as_json: Json = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Check that every artefact of a store is what its manifest says, byte for byte.

    Exit code 0: all of it is, 1: some is damaged, 2: bad input.
    """
    place = Location.of(results).store
    if not place.files.fs.exists(place.files.root):
        raise InputError(f"there is no store {place.url}: name where results lie with --results")
    uris, damaged = place.uris(), dict[str, str]()
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn())
    with bars.Progress(*columns, bars.TimeRemainingColumn(), console=stderr, disable=quiet) as bar:
        for uri in bar.track(uris, description=f"{action} {place.url}"):
            if fault := _fault(place, uri):
                damaged[uri] = _aside(place, uri) if set_aside else fault
                if not as_json:
                    say(f"{uri}: {damaged[uri]}")
    if as_json:
        stdout.print_json(json.dumps({"artefacts": len(uris), "damaged": damaged}))
        return 1 if damaged else 0
    if not damaged:
        say(f"{count(len(uris), 'artefact', 'artefacts')} in {place.url}, all of them whole")
        return 0
    verb = "set aside" if set_aside else "damaged"
    next_step = "run the grids again" if set_aside else f"next: farm store verify --set-aside{at(results)}"
    say(f"{len(damaged)} of {count(len(uris), 'artefact', 'artefacts')} in {place.url} {verb}; {next_step}")
    return 1


def _fault(place: Store, uri: str) -> str:
    """Why an artefact is not what it was; empty if it is."""
    try:
        place.check(uri)
    except DamageError as error:
        return str(error)
    return ""


def _aside(place: Store, uri: str) -> str:
    """Where a damaged artefact lies now, in words."""
    outcome = set_aside(place, uri)
    return outcome.error_message if outcome else "is gone: another process has set it aside"
