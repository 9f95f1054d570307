"""Content that is not what farm wrote: whatever its reading raises becomes one error. Knows no form of a file."""

from collections.abc import Iterator
from contextlib import contextmanager

from farm.errors import DamageError, InputError

WRONG = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, NotImplementedError)


@contextmanager
def reading(place: str, remedy: str, uri: str = "") -> Iterator[None]:
    """While a file's content is parsed and checked, and nothing else is done: what that raises becomes a DamageError.

    place: of the file. remedy: what to do, in the imperative. uri: of the artefact that it belongs to.
    """
    try:
        yield
    except WRONG as error:
        why = f"{error} is not there" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise DamageError(place, why, remedy, uri) from error


def check_schema(place: str, schema: object, newest: int) -> None:
    """Raises InputError if a file is of a schema that this farm does not know yet, ValueError if of none."""
    if type(schema) is not int or schema < 1:
        raise ValueError(f"its schema is {schema!r:.40}")
    if schema > newest:
        text = f"its schema is {schema}, and this one reads up to {newest}; update farm"
        raise InputError(f"{place} is of a newer farm: {text}")
