"""A stack machine that reads pickles and runs nothing. Knows opcodes and plain containers, no class and no file.

A pickle is a program that may import and call anything. Here its opcodes are parsed only (by `pickletools`), and what
they build is dicts, lists, tuples, sets, numbers, strings and bytes. A name never leads to an import: it is looked up
in a table, and stands for a function of that table or is refused, like every opcode that NVIDIA's files do without.

What takes memory or time out of proportion to the file is refused too: steps without end, arguments without end, and
keys that are not strings (a tuple of tuples of one tuple takes forever to hash). The rest is linear: what a memo
repeats is shared, and nothing here copies, compares or shows what it has built.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from farm.generators.stylegan2.refused import STEP, Budget, Refused, Unknown, shown

MOST_ARGUMENTS = 16

VALUES = frozenset(  # they push what stands beside them
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    )
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY: Mapping[str, Callable[[], object]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

Names = Mapping[tuple[str, str], Callable[..., object]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name:
    """A name of the table, on the stack. make: what it stands for."""

    make: Callable[..., object]


@dataclass(slots=True, kw_only=True)
class Machine:
    """The stack of one pickle.

    names: what may be made, by module and name. load: a persistent id -> its object. settle: an object and the state
    that the pickle would give it; raises Refused unless the object can do without.
    """

    names: Names
    load: Callable[[object], object]
    settle: Callable[[object, object], None]
    stack: list[object] = field(default_factory=list)
    below: list[list[object]] = field(default_factory=list)  # the stacks under the marks
    memo: dict[int, object] = field(default_factory=dict)

    def step(self, opcode: str, argument: object) -> None:
        """Take one opcode. Raises Refused, or IndexError or KeyError where stack or memo have nothing."""
        if opcode in VALUES:
            self.stack.append(argument)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in EMPTY:
            self.stack.append(EMPTY[opcode]())
        elif opcode in TUPLES:
            items = [self.stack.pop() for _ in range(TUPLES[opcode])]
            self.stack.append(tuple(reversed(items)))
        elif opcode in STEPS:
            STEPS[opcode](self, argument)
        else:
            raise Refused(f"the opcode {opcode}, which NVIDIA's pickles do without")

    def over_mark(self) -> list[object]:
        """Take what lies over the last mark off the stack."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def call(self, _: object) -> None:
        """Put what a name of the table makes in place of the name and its arguments."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if type(name) is not Name or type(arguments) is not tuple:
            raise Refused("calls what is no function")
        if len(arguments) > MOST_ARGUMENTS:
            raise Refused(f"a call with {len(arguments)} arguments")
        self.stack.append(name.make(*arguments))

    def find(self, module: object, name: object) -> None:
        """Put a name of the table on the stack."""
        if type(module) is not str or type(name) is not str:
            raise Refused("a name that is no text")
        if (module, name) not in self.names:
            raise Unknown(module, name)
        self.stack.append(Name(self.names[module, name]))


def run(
    file: IO[bytes],
    names: Names,
    budget: Budget,
    load: Callable[[object], object],
    settle: Callable[[object, object], None],
) -> object:
    """What the pickle that begins here builds; the file is left at its end.

    Raises Refused if it is damaged, is not made as NVIDIA's are, or asks for what is not in the table.
    """
    machine = Machine(names=names, load=load, settle=settle)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            budget.spend(STEP + _size(argument))
            if opcode.name == "STOP":
                break
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise Refused(f"damaged or truncated ({type(error).__name__}: {shown(str(error))})") from error


def _size(argument: object) -> int:
    """Bytes of an argument, about."""
    if type(argument) is int:
        return argument.bit_length() // 8
    return len(argument) if isinstance(argument, str | bytes) else 0


def no_objects(_: object) -> object:
    """Refuse persistent ids."""
    raise Refused("an object that is kept elsewhere")


def no_state(_target: object, _state: object) -> None:
    """Refuse to give any object a state."""
    raise Refused("a state for an object that takes none")


def _mark(machine: Machine, _: object) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _tuple(machine: Machine, _: object) -> None:
    items = machine.over_mark()
    machine.stack.append(tuple(items))


def _set_item(machine: Machine, _: object) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _put(machine.stack[-1], [key, value])


def _put(target: object, items: list[object]) -> None:
    keys, values = items[::2], items[1::2]
    if type(target) is not dict or not all(type(key) is str for key in keys):
        raise Refused("items of what is no dict, or keys that are no text")
    target.update(zip(keys, values, strict=True))


def _append(target: object, items: list[object]) -> None:
    if type(target) is not list:
        raise Refused("items of what is no list")
    target.extend(items)


def _add(target: object, items: list[object]) -> None:
    if type(target) is not set or not all(type(item) is str for item in items):
        raise Refused("items of what is no set, or that are no text")
    target.update(items)


def _onto_marked(put: Callable[[object, list[object]], None]) -> Callable[[Machine, object], None]:
    """Put all that lies over the mark into the container under it."""

    def step(machine: Machine, _: object) -> None:
        items = machine.over_mark()
        put(machine.stack[-1], items)

    return step


def _append_one(machine: Machine, _: object) -> None:
    item = machine.stack.pop()
    _append(machine.stack[-1], [item])


def _get(machine: Machine, index: int) -> None:
    machine.stack.append(machine.memo[index])


def _memoize(machine: Machine, index: int | None) -> None:
    machine.memo[len(machine.memo) if index is None else index] = machine.stack[-1]


def _global(machine: Machine, names: str) -> None:
    module, _, name = names.partition(" ")
    machine.find(module, name)


def _stack_global(machine: Machine, _: object) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.find(module, name)


def _state(machine: Machine, _: object) -> None:
    state = machine.stack.pop()
    machine.settle(machine.stack[-1], state)


def _load(machine: Machine, _: object) -> None:
    machine.stack.append(machine.load(machine.stack.pop()))


def _nothing(_machine: Machine, _: object) -> None:
    """Take an opcode that is about the file alone."""


STEPS: Mapping[str, Callable[[Machine, Any], None]] = {  # pickletools gives each opcode's argument in its own type
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _memoize),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), Machine.call),
    "MARK": _mark,
    "TUPLE": _tuple,
    "SETITEM": _set_item,
    "SETITEMS": _onto_marked(_put),
    "APPEND": _append_one,
    "APPENDS": _onto_marked(_append),
    "ADDITEMS": _onto_marked(_add),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "BUILD": _state,
    "BINPERSID": _load,
}
