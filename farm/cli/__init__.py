"""The `farm` command: parse, wire, print. The only place that prints, and the only one that exits."""

import gc
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn, cast

import typer
from typer import Option, TyperException
from typer.core import TyperCommand, TyperGroup

from farm.cli import interrupt
from farm.cli.options import stderr, stdout
from farm.errors import AwayError, FarmError, StageError, message

COMMANDS = {  # each is the function of its name in the module of its name; the line is how its help begins
    "run": "Run what is missing, failed or stale of a grid, and only that; then show its table.",
    "submit": "Send a grid to a cluster, whose head runs it, and show how it goes. It goes on without this terminal.",
    "plan": "Say what `farm run` would do: cells, stages done, failed and waiting, and about how long. Runs nothing.",
    "why": "Say for each stage of a cell: done, or stale and which input changed, or failed and why.",
    "logs": "Print the logs of a cell's stages, wherever they ran: of those that failed, or of all if none did.",
    "layers": "Compare a cell's int8 model with its FP32 IR layer by layer, on test images.",
    "gather": "Rebuild a grid's Parquet files from the store: records, attempts, predictions, latencies, samples.",
    "get": "Hand over a cell's IR with its preprocessing, its record, NNCF's parameters and an example to run it.",
    "list": "List what a grid may name, with parameters and defaults.",
    "doctor": "Check this host before a campaign: what disturbs measurements here, the noise floor, what to change.",
    "show": "Show a grid's table: accuracy, speed and size of each cell, how sure they are, and what failed.",
    "compare": "Compare two runs cell by cell: two versions, two hosts, before and after. Regressions come first.",
    "report": "Make one HTML page of a run: what may be claimed, the table, figures, failures, and how to do it again.",
    "synth": "Make a set of images here: the same as a grid's calibration set, to the byte.",
    "store": "Check that every artefact of a store is what its manifest says, byte for byte.",
    "cluster": "Check a cluster's file: what Ray says of it, and what farm needs of its nodes.",
    "train": "Train a small generator, on a GPU where there is one, and keep it in DIR.",
}


class Commands(TyperGroup):
    """All commands by name. One is imported when it is called, and none to list them."""

    def __init__(self, **settings: Any) -> None:
        """settings: as Typer gives them."""
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=line) for name, line in COMMANDS.items()}

    def resolve_command(  # type: ignore[override]
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, TyperCommand, list[str]]:
        """The command that is called, and its arguments. Raises what Typer raises for one that is not there."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, _imported(str(name)), rest


def _imported(name: str) -> TyperCommand:
    function = "listing" if name == "list" else name  # a module `list` would hide Python's own here
    module = import_module(f"farm.cli.{function}")
    alone = typer.Typer(add_completion=False)
    alone.command(name=name, epilog=module.EXAMPLES)(getattr(module, function))
    return cast("TyperCommand", typer.main.get_command(alone))


app = typer.Typer(
    name="farm",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ask of any model: what do I lose, and what do I gain, when I quantize it with that calibration data?",
    epilog="Start with: farm run jobs/quickstart.yaml",
)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, Option("--version", help="Print the versions that numbers depend on.")] = False,
) -> None:
    """Print versions, or nothing."""
    if version:
        from importlib import metadata  # noqa: PLC0415 - a tenth of what `farm --help` takes

        libraries = ("farm", "openvino", "nncf", "torch", "torchvision", "ray")
        stdout.print(", ".join(f"{name} {metadata.version(name)}" for name in libraries), highlight=False)


COLLECTED = (100_000, 20, 100)  # objects, generations: a plan's, which are many, stay; Python would look at them often
OK, CELLS_FAILED, BAD_INPUT, BUG, INTERRUPTED = 0, 1, 2, 3, 130


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    interrupt.listen()
    gc.set_threshold(*COLLECTED)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # links that break are told once, in farm's own words
    _leave(answer(sys.argv[1:]))


def answer(arguments: Sequence[str]) -> int:
    """Run a command; 0 fine, 1 cells or a stage failed, 2 bad input, 3 a bug in farm, 130 interrupted."""
    interrupt.begun.clear()
    try:
        code = int(app(arguments, standalone_mode=False, prog_name="farm") or OK)
    except TyperException as error:
        if str(error):  # an unknown option, say; `farm` alone has shown its help
            stderr.print(f"farm: {error}; see farm --help", highlight=False)
        code = BAD_INPUT
    except FarmError as error:
        away = isinstance(error, AwayError) and interrupt.begun.is_set()
        again = "; what is finished is kept: run the same command again when it is back" if away else ""
        stderr.print(f"farm: {error}{again}", highlight=False, soft_wrap=True)
        code = CELLS_FAILED if isinstance(error, StageError) else BAD_INPUT
    except KeyboardInterrupt:  # while what a command imports was imported
        code = INTERRUPTED
    except BrokenPipeError:
        code = OK  # the reader of a pipe has seen enough
    except OSError as error:
        kept = "; what is finished is kept" if interrupt.begun.is_set() else ""
        stderr.print(f"farm: {message(error)}{kept}", highlight=False, soft_wrap=True)
        code = BAD_INPUT
    except Exception:  # the one blind except around the CLI  # noqa: BLE001
        stderr.print(traceback.format_exc(), highlight=False, soft_wrap=True)
        stderr.print("this is a bug in farm; the lines above say where")
        code = BUG
    if code == INTERRUPTED:  # Typer's word for Ctrl-C, and ours for being ended
        next_time = "begins anew, with --fresh" if "--fresh" in arguments else "goes on from here"
        kept = f"what is finished is kept; the same command {next_time}"
        stderr.print(f"interrupted: {kept if interrupt.begun.is_set() else 'nothing was begun'}", soft_wrap=True)
    return code


def _leave(code: int) -> NoReturn:
    """Exit with this code and no other.

    A process that has read Parquet aborts in Arrow's own tear-down now and then (pyarrow 26: about one
    exit in a hundred), so Python's and Arrow's tear-down are left out; everything is written by now.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    os._exit(code)
