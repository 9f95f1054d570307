"""`farm submit`: a grid run by a cluster, with nobody here needed."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from farm.campaign.submit import Submitted, follow
from farm.campaign.submit import submit as sent
from farm.catalog import CATALOG
from farm.cli import interrupt
from farm.cli.options import DEFAULT_RESULTS, Failed, Fresh, Only, Results, say, stderr, stdout
from farm.drive import PATIENCE_S
from farm.errors import InputError
from farm.grid.load import load
from farm.shown import redacted

EXAMPLES = """
farm submit jobs/table1.yaml --address http://127.0.0.1:8265 --results s3://bucket/results

farm submit --follow farm-table1-3f2a91 --address http://127.0.0.1:8265
"""
INTERRUPTED = 130
Dashboard = Annotated[str, Option("--address", metavar="URL", help="Of the cluster's dashboard, which takes jobs.")]


def submit(
    grid_file: Annotated[
        Path | None, Argument(metavar="[GRID.yaml]", help="The grid to run; none with --follow.")
    ] = None,
    address: Dashboard = "http://127.0.0.1:8265",
    only: Only = None,
    failed: Failed = False,
    fresh: Fresh = None,
    no_measure: Annotated[bool, Option("--no-measure", help="Accuracy alone.")] = False,
    wait: Annotated[
        float, Option("--wait", metavar="SECONDS", min=0, help="How long a node is waited for that could go on.")
    ] = PATIENCE_S,
    detach: Annotated[bool, Option("--detach", help="Do not wait for its end.")] = False,
    following: Annotated[
        str, Option("--follow", metavar="JOB", help="Show what a job says that was sent before.")
    ] = "",
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Send a grid to a cluster, whose head runs it, and show how it goes. It goes on without this terminal.

    Its code and files travel that lie in the grid's folder. Exit code: that of `farm run` there; Ctrl-C ends the
    watching alone, with 0.
    """
    if (grid_file is None) == (not following):
        raise InputError("name a grid to send, or a job with --follow: one of them")
    if grid_file is None:
        return _watched(Submitted(name=following, address=address), "")
    if "://" not in results and not Path(results).is_absolute():
        text = "the cluster does not see this folder; name a URL that all nodes reach, or a path that all have mounted"
        raise InputError(f"--results {results}: {text}")
    if redacted(results) != results:
        text = "whoever sees the cluster's jobs would see what opens an account there"
        raise InputError(f"--results {redacted(results)}: {text}; set it in the environment of the cluster's nodes")
    options = [*(f"--only={text}" for text in only or ()), *(f"--fresh={kind}" for kind in fresh or ())]
    options += [*(["--failed"] if failed else []), *(["--no-measure"] if no_measure else [])]
    grid = load(grid_file, CATALOG)
    job = sent(grid, address, [*options, f"--wait={wait:g}", f"--results={results}"])
    say(f"sent as {job.name}; its results: farm show {grid.name} --watch --results {results}")
    if detach:
        say(_next(job))
        return 0
    return _watched(job, grid.name)


def _watched(job: Submitted, grid: str) -> int:
    """Show what a job says until it ends."""
    try:
        code = follow(job, lambda text: stdout.out(text, highlight=False, end=""))
    except KeyboardInterrupt:
        with interrupt.held_off():
            stderr.print(f"{grid or job.name} goes on; {_next(job)}", highlight=False, soft_wrap=True)
        return 0
    return code if code != INTERRUPTED else 1  # there, not here


def _next(job: Submitted) -> str:
    at = f"--address {job.address}"
    return f"watch it: farm submit --follow {job.name} {at}; end it: ray job stop {job.name} {at}"
