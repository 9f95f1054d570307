"""What Ray itself says of a file for its cluster launcher. Starts nothing, needs no cloud."""

import contextlib
import copy
import io
import logging
from collections.abc import Mapping
from typing import Any

import click
import jsonschema
from ray.autoscaler._private.util import prepare_config, validate_config

logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)  # it tells of what it fills in
FAULTS = (ValueError, LookupError, TypeError, AttributeError, ImportError, RuntimeError, AssertionError)


def prepared(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The file as Ray fills it in, and why Ray would refuse it; empty if it would not."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            whole = prepare_config(copy.deepcopy(dict(document)))
            validate_config(whole)
    except jsonschema.ValidationError as error:
        place = ".".join(map(str, error.absolute_path))
        return document, f"{place}: {error.message}" if place else str(error.message)
    except click.ClickException as error:  # its words were printed
        return document, said.getvalue().strip() or str(error)
    except FAULTS as error:
        return document, str(error) or type(error).__name__
    return whole, ""
