"""`farm list`: what a grid may name."""

import json
from collections.abc import Mapping
from typing import Annotated

from rich.markup import escape
from typer import Argument

from farm.catalog import CATALOG
from farm.cli.options import Json, stdout
from farm.errors import InputError
from farm.spec import Spec
from farm.suggest import did_you_mean

EXAMPLES = """
farm list sources

farm list models --json
"""


def listing(
    what: Annotated[str, Argument(help="models, sources, datasets, tasks, algorithms, baselines or devices")],
    as_json: Json = False,
) -> int:
    """List what a grid may name, with parameters and defaults."""
    tables = ("models", "sources", "datasets", "tasks", "algorithms", "baselines", "devices")
    if what not in tables:
        raise InputError(f"cannot list {what!r}{did_you_mean(what, tables)}")
    specs: Mapping[str, Spec] = getattr(CATALOG, what)
    if as_json:
        stdout.print_json(json.dumps({name: spec.parameters.model_json_schema() for name, spec in specs.items()}))
        return 0
    for name, spec in specs.items():
        stdout.print(f"[bold]{name}[/]  {escape(spec.doc)}", markup=True, highlight=False)
        for parameter, field in spec.parameters.model_fields.items():
            default = "needed" if field.is_required() else json.dumps(field.default)
            text = f"    {parameter} = {escape(default)}  [dim]{escape(field.description or '')}[/]"
            stdout.print(text, markup=True, highlight=False)
    return 0
