"""`farm logs`: what a cell's stages said, wherever they ran."""

from typing import Annotated

from typer import Option

from farm.cli.options import DEFAULT_RESULTS, Cell, CellGrid, Json, Results, say, stdout
from farm.codec import encode, members
from farm.errors import InputError
from farm.record import Outcome
from farm.results.location import Location
from farm.suggest import did_you_mean

EXAMPLES = """
farm logs 'resnet20/fractal/default/CPU{threads=1}'

farm logs 'resnet20/-/ir/CPU{threads=1}' --stage measure --attempts all
"""


def logs(
    cell: Cell,
    stage: Annotated[str, Option("--stage", metavar="ROLE", help="Only this one, such as evaluate or measure.")] = "",
    attempts: Annotated[str, Option("--attempts", help="last, or all.")] = "last",
    grid: CellGrid = None,
    as_json: Json = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Print the logs of a cell's stages, wherever they ran: of those that failed, or of all if none did."""
    if attempts not in ("last", "all"):
        raise InputError(f"--attempts {attempts}: there are last and all{did_you_mean(attempts, ('last', 'all'))}")
    found, store = Location.of(results).cell(cell, grid), Location.of(results).store
    if stage and stage not in found.stages:
        raise InputError(f"--stage {stage}: {cell} has {', '.join(found.stages)}{did_you_mean(stage, found.stages)}")
    tried = {role: store.attempts.of(one.uri) for role, one in found.stages.items() if stage in ("", role)}
    failed = {role: each for role, each in tried.items() if each and not each[-1].ok}
    shown = {role: each if attempts == "all" else each[-1:] for role, each in (failed or tried).items()}
    if as_json:
        rows = [
            {"role": role, **members(outcome), "text": store.attempts.log(outcome)}
            for role, each in shown.items()
            for outcome in each
        ]
        stdout.print_json(encode(rows))
        return 0
    for role, each in shown.items():
        if not each:
            say(f"== {role}: not tried yet")
        for outcome in each:
            say(f"== {role}, {_heading(outcome)}")
            if text := store.attempts.log(outcome).rstrip("\n"):
                say(text)
    return 0


def _heading(outcome: Outcome) -> str:
    """Which attempt it was, how it ended, where, and where its log lies."""
    ended = "ok" if outcome.ok else f"{outcome.error_class}: {outcome.error_message}"
    where = f" on {outcome.host}" if outcome.host else ""
    return f"attempt {outcome.attempt}{where}, {ended}{f'; {outcome.log}' if outcome.log else '; no log'}"
