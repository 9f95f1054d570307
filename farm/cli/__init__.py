"""The `farm` command: parse, wire, print. The only place that prints, and the only one that exits."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from typing import Annotated, NoReturn

import typer
from typer import TyperException

from farm.cli import (  # fmt: skip
    compare,
    doctor,
    gather,
    get,
    interrupt,
    layers,
    list_,
    plan,
    report,
    run,
    show,
    synth,
    train,
    why,
)
from farm.cli.options import stderr, stdout
from farm.errors import FarmError

app = typer.Typer(
    name="farm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ask of any model: what do I lose, and what do I gain, when I quantize it with that calibration data?",
    epilog="Start with: farm run jobs/quickstart.yaml",
)
for command, examples in (
    (run.run, run.EXAMPLES),
    (plan.plan, plan.EXAMPLES),
    (why.why, why.EXAMPLES),
    (layers.layers, layers.EXAMPLES),
    (gather.gather, gather.EXAMPLES),
    (get.get, get.EXAMPLES),
    (list_.list_, list_.EXAMPLES),
    (doctor.doctor, doctor.EXAMPLES),
    (show.show, show.EXAMPLES),
    (compare.compare, compare.EXAMPLES),
    (report.report, report.EXAMPLES),
    (synth.synth, synth.EXAMPLES),
    (train.train, train.EXAMPLES),
):
    app.command(name=command.__name__.rstrip("_"), epilog=examples)(command)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the versions that numbers depend on.")] = False,
) -> None:
    """Print versions, or nothing."""
    if version:
        libraries = ("farm", "openvino", "nncf", "torch", "torchvision", "ray")
        stdout.print(", ".join(f"{name} {metadata.version(name)}" for name in libraries), highlight=False)


OK, CELLS_FAILED, BAD_INPUT, BUG, INTERRUPTED = 0, 1, 2, 3, 130


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    interrupt.listen()
    _leave(answer(sys.argv[1:]))


def answer(arguments: Sequence[str]) -> int:
    """Run a command; 0 fine, 1 cells failed, 2 bad input, 3 a bug in farm, 130 interrupted."""
    try:
        code = int(app(arguments, standalone_mode=False, prog_name="farm") or OK)
    except TyperException as error:
        if str(error):  # an unknown option, say; `farm` alone has shown its help
            stderr.print(f"farm: {error}; see farm --help", highlight=False)
        code = BAD_INPUT
    except FarmError as error:
        stderr.print(f"farm: {error}", highlight=False, soft_wrap=True)
        code = BAD_INPUT
    except BrokenPipeError:
        code = OK  # the reader of a pipe has seen enough
    except OSError as error:
        stderr.print(f"farm: {error}; what is finished is kept", highlight=False, soft_wrap=True)
        code = BAD_INPUT
    except Exception:  # the one blind except around the CLI  # noqa: BLE001
        stderr.print(traceback.format_exc(), highlight=False, soft_wrap=True)
        stderr.print("this is a bug in farm; the lines above say where")
        code = BUG
    if code == INTERRUPTED:  # Typer's word for Ctrl-C, and ours for being ended
        stderr.print("interrupted: what is finished is kept; the same command goes on from here")
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
