"""A stack machine that reads pickles and runs nothing. Knows opcodes and plain containers, no class and no file.

Opcodes are parsed only (by `pickletools`), and build dicts, lists, tuples, sets, numbers, strings and bytes. A name
never leads to an import: it stands for a function of a table or is refused, like every opcode that NVIDIA's files do
without. So is what takes memory or time out of proportion to the file: steps or arguments without end, and keys that
are not strings (a tuple of tuples of one tuple takes forever to hash). What a memo repeats is shared, and nothing here
copies, compares or shows what it has built.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

MOST_STEPS = 300_000  # a network for 1024x1024, its discriminator and its average take fewer than 100,000
STEP = 256  # bytes that are as dear as a step
SHOWN = 60  # characters of a file's text in a message
MOST_ARGUMENTS = 16

VALUES = (  # they push what stands beside them
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY: Mapping[str, Callable[[], object]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
FILLING = {"SETITEMS": dict, "APPENDS": list, "ADDITEMS": set}

Names = Mapping[tuple[str, str], Callable[..., object]]


class Refused(Exception):  # noqa: N818 - a verdict; whoever knows the file makes an error of it
    """Why a pickle is not read, in words that go on after the file's name."""


class Unknown(Refused):
    """A name that is not in the table."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(module, name)
        self.module, self.name = module, name

    def __str__(self) -> str:
        return f"asks for {shown(f'{self.module}.{self.name}')}, which is code: none of it was run"


@dataclass(slots=True)
class Budget:
    """What a file and all that is nested in it may still cost, in bytes: of arguments, and `STEP` for each step."""

    left: int

    def spend(self, cost: int) -> None:
        """Take it off. Raises Refused if there is not so much left."""
        self.left -= cost
        if self.left < 0:
            raise Refused(f"takes more than {MOST_STEPS:,} steps or arguments to build, which no network does")


def shown(text: str) -> str:
    """A file's text as a message may hold it: printable, and not too long."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


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

    def step(self, opcode: str, argument: Any) -> None:
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
        elif opcode in FILLING:
            items, self.stack = self.stack, self.below.pop()
            _fill(self.stack[-1], FILLING[opcode], items)
        else:
            self._other(opcode, argument)

    def _other(self, opcode: str, argument: Any) -> None:  # noqa: C901, PLR0912 - a case an opcode
        pop, push = self.stack.pop, self.stack.append
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.below.append(self.stack)
                self.stack = []
            case "TUPLE":
                items, self.stack = self.stack, self.below.pop()
                self.stack.append(tuple(items))
            case "SETITEM":
                value, key = pop(), pop()
                _fill(self.stack[-1], dict, [key, value])
            case "APPEND":
                item = pop()
                _fill(self.stack[-1], list, [item])
            case "GET" | "BINGET" | "LONG_BINGET":
                push(self.memo[argument])
            case "PUT" | "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
            case "GLOBAL":
                module, _, name = argument.partition(" ")
                push(self._named(module, name))
            case "STACK_GLOBAL":
                name, module = pop(), pop()
                push(self._named(module, name))
            case "REDUCE" | "NEWOBJ":
                arguments, function = pop(), pop()
                push(_called(function, arguments))
            case "BUILD":
                state = pop()
                self.settle(self.stack[-1], state)
            case "BINPERSID":
                push(self.load(pop()))
            case _:
                raise Refused(f"the opcode {opcode}, which NVIDIA's pickles do without")

    def _named(self, module: object, name: object) -> Name:
        if type(module) is not str or type(name) is not str:
            raise Refused("a name that is no text")
        if (module, name) not in self.names:
            raise Unknown(module, name)
        return Name(self.names[module, name])


def _no_objects(_: object) -> object:
    """Refuse persistent ids."""
    raise Refused("an object that is kept elsewhere")


def run(
    file: IO[bytes],
    names: Names,
    budget: Budget,
    *,
    settle: Callable[[object, object], None],
    load: Callable[[object], object] = _no_objects,
) -> object:
    """What the pickle that begins here builds; the file is left at its end.

    Raises Refused if it is damaged, is not made as NVIDIA's are, or asks for what is not in the table.
    """
    machine = Machine(names=names, load=load, settle=settle)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            about = len(argument) if isinstance(argument, str | bytes) else 0
            budget.spend(STEP + (argument.bit_length() // 8 if type(argument) is int else about))
            if opcode.name == "STOP":
                break
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise Refused(f"damaged or truncated ({type(error).__name__}: {shown(str(error))})") from error


def _called(function: object, arguments: object) -> object:
    if type(function) is not Name or type(arguments) is not tuple:
        raise Refused("calls what is no function")
    if len(arguments) > MOST_ARGUMENTS:
        raise Refused(f"a call with {len(arguments)} arguments")
    return function.make(*arguments)


def _fill(target: object, kind: type, items: list[object]) -> None:
    """Put items into a container of this kind; of a dict, keys and values by turns."""
    keys = items[::2] if kind is dict else items if kind is set else []
    if type(target) is not kind or not all(type(key) is str for key in keys):
        raise Refused(f"items of what is no {kind.__name__}" + (", or keys that are no text" if keys else ""))
    if isinstance(target, dict):
        target.update(zip(items[::2], items[1::2], strict=True))
    elif isinstance(target, list):
        target.extend(items)
    elif isinstance(target, set):
        target.update(items)
