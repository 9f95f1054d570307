"""YAML with the line of every value. Knows no grid.

Safe by construction: nodes are built by PyYAML's safe loader, so a file is data and never code.
"""

from pathlib import Path

import yaml

from farm.errors import Fault, GridError, InputError

YamlPath = tuple[str | int, ...]

MOST_VALUES = 100_000  # of a grid, its aliases written out: each is walked
MOST_BYTES = 2**20

# PyYAML's own errors, what its constructors let through (a 45th of December, an `!!int x`), and a value
# that contains itself or goes on for ever.
UNREADABLE = (yaml.YAMLError, ValueError, AttributeError, RecursionError)


def read(path: Path) -> tuple[object, dict[YamlPath, int]]:
    """The document of a YAML file, and the line (from 1) of each value by its path.

    A mapping's value has the line of its key. Raises InputError if the file cannot be read and
    GridError if it is not YAML or says one key twice.
    """
    try:
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is no grid: it is larger than {MOST_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the grid {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read the grid {path}: it is not UTF-8 text ({error.reason})") from error
    lines: dict[YamlPath, int] = {(): 1}
    faults: list[Fault] = []
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            if (count := _written_out(node, {})) > MOST_VALUES:
                raise yaml.YAMLError(f"it has {count:,} values, its aliases written out, more than {MOST_VALUES:,}")
            _walk(node, (), lines, faults)
        document: object = None if node is None else loader.construct_document(node)
    except UNREADABLE as error:
        raise GridError(str(path), (_syntax_fault(error),)) from error
    if faults:
        raise GridError(str(path), tuple(faults))
    return document, lines


def dotted(path: YamlPath) -> str:
    """``("models", 0, "name")`` as ``models[0].name``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "grid"


def line_of(path: YamlPath, lines: dict[YamlPath, int]) -> int:
    """The line of a path, or of its nearest ancestor that the file has."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _written_out(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values a node stands for, of one that contains itself as many as may be and one more.

    counted: those known so far, by the node's identity.
    """
    if id(node) not in counted:
        counted[id(node)] = MOST_VALUES + 1  # until it is known
        inner = node.value if isinstance(node, yaml.SequenceNode) else ()
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        parts = (*inner, *(value for _, value in pairs))
        counted[id(node)] = 1 + sum(_written_out(part, counted) for part in parts)
    return counted[id(node)]


def _walk(node: yaml.Node, path: YamlPath, lines: dict[YamlPath, int], faults: list[Fault]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            _walk(item, (*path, index), lines, faults)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            line = key.start_mark.line + 1
            if inner in lines:
                faults.append(Fault(line=line, path=dotted(inner), text=f"said twice, first on line {lines[inner]}"))
            lines[inner] = line
            _walk(value, inner, lines, faults)


def _syntax_fault(error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    return Fault(line=mark.line + 1 if mark else 1, path="grid", text=f"not YAML: {what}")
