"""What a pickle says, as text, without loading it.

Loading a pickle runs what its writer wants to be run. This only reads its opcodes, with a stack of plain text: a class
is its name, a call is written as a call, and nothing is ever looked up, imported or called.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

# A pickle of more opcodes is shown up to there, deeper ones are cut, and so is text that becomes longer.
_MOST_OPCODES: Final = 20_000
_DEEPEST: Final = 40
_MOST_CHARACTERS: Final = 20_000


class NotAPickle(ValueError):
    """The bytes are no pickle, or one that is damaged."""


@dataclass
class _Call:
    """What a pickle would call, and with what; state: what it would set on the result."""

    name: Any
    arguments: Any
    state: Any = None


@dataclass
class _Name:
    """A class or function, by name."""

    text: str


@dataclass
class _Items:
    """A list, tuple, set or dict (then pairs) by its brackets."""

    brackets: str
    items: list[Any] = field(default_factory=list)


class _Mark:
    """Where a run of items begins on the stack."""


_MARK: Final = _Mark()
_Stack: TypeAlias = list[Any]

_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: Final = {"EMPTY_DICT": "{}", "EMPTY_LIST": "[]", "EMPTY_TUPLE": "()", "EMPTY_SET": "{*}"}
_MARKED: Final = {"DICT": "{}", "LIST": "[]", "TUPLE": "()", "FROZENSET": "{*}"}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def outline(data: bytes) -> str:
    """Say what the pickle `data` holds, much as Python's repr of it would. raises: NotAPickle."""
    stack: _Stack = []
    memo: dict[int, Any] = {}
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if opcode.name == "STOP":
                break
            if count > _MOST_OPCODES:
                stack.append(_Name("…"))
                break
            _step(stack, memo, opcode.name, argument)
        text = _show(stack[-1], 0)
    except (ValueError, IndexError, KeyError, UnicodeError, OverflowError, TypeError, AttributeError) as error:
        raise NotAPickle(str(error)) from error
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…"


def _step(stack: _Stack, memo: dict[int, Any], name: str, argument: Any) -> None:
    """Do one opcode."""
    if name in ("PROTO", "FRAME"):
        return
    if name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
        memo[argument] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET", "GET"):
        stack.append(memo[argument])
    elif name == "MARK":
        stack.append(_MARK)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _EMPTY:
        stack.append(_Items(_EMPTY[name]))
    elif name in _MARKED:
        items = _run(stack)
        stack.append(_Items(_MARKED[name], items))
    elif name in _TUPLES:
        count = _TUPLES[name]
        items = stack[-count:]
        del stack[-count:]
        stack.append(_Items("()", items))
    elif name in ("SETITEM", "APPEND"):
        count = 2 if name == "SETITEM" else 1
        items = stack[-count:]
        del stack[-count:]
        _into(stack[-1], items)
    elif name in ("SETITEMS", "APPENDS", "ADDITEMS"):
        items = _run(stack)
        _into(stack[-1], items)
    elif name == "POP":
        stack.pop()
    elif name == "POP_MARK":
        _run(stack)
    elif name == "DUP":
        stack.append(stack[-1])
    else:
        _step_object(stack, name, argument)


def _step_object(stack: _Stack, name: str, argument: Any) -> None:
    """Opcodes about classes and calls; what is left carries a constant."""
    if name == "GLOBAL":
        stack.append(_Name(str(argument).replace(" ", ".")))
    elif name == "STACK_GLOBAL":
        attribute, module = stack.pop(), stack.pop()
        stack.append(_Name(f"{module}.{attribute}"))
    elif name in ("REDUCE", "NEWOBJ"):
        arguments, callee = stack.pop(), stack.pop()
        stack.append(_Call(callee, arguments))
    elif name == "NEWOBJ_EX":
        keywords, arguments, callee = stack.pop(), stack.pop(), stack.pop()
        stack.append(_Call(callee, arguments, keywords))
    elif name == "INST":
        stack.append(_Call(_Name(str(argument).replace(" ", ".")), _Items("()", _run(stack))))
    elif name == "OBJ":
        callee, *items = _run(stack)
        stack.append(_Call(callee, _Items("()", items)))
    elif name == "BUILD":
        state = stack.pop()
        if isinstance(stack[-1], _Call):
            stack[-1].state = state
    elif name in ("PERSID", "BINPERSID"):
        stack.append(_Name(f"persistent {argument if name == 'PERSID' else stack.pop()!r}"))
    elif name in ("EXT1", "EXT2", "EXT4"):
        stack.append(_Name(f"extension {argument}"))
    elif name == "NEXT_BUFFER":
        stack.append(_Name("buffer"))
    elif name != "READONLY_BUFFER":
        stack.append(argument)


def _run(stack: _Stack) -> list[Any]:
    """Take what stands behind the last mark off the stack, and the mark. raises: ValueError: there is none."""
    at = len(stack) - 1
    while stack[at] is not _MARK:
        at -= 1
        if at < 0:
            raise ValueError("no mark")
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _into(target: Any, items: list[Any]) -> None:
    if isinstance(target, _Call):  # a subclass of dict or list
        if not isinstance(target.state, _Items):
            target.state = _Items("[]")
        target = target.state
    target.items += items


def _show(value: Any, depth: int) -> str:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, _Name):
        return f"<{value.text}>"
    if isinstance(value, _Call):
        name = value.name.text if isinstance(value.name, _Name) else _show(value.name, depth + 1)
        arguments = value.arguments
        inside = _joined(arguments.items, depth) if isinstance(arguments, _Items) else _show(arguments, depth + 1)
        state = "" if value.state is None else f" {_show(value.state, depth + 1)}"
        return f"{name}({inside}){state}"
    if isinstance(value, _Items):
        if value.brackets == "{}":
            pairs = zip(value.items[::2], value.items[1::2], strict=False)
            return "{" + _cut([f"{_show(key, depth + 1)}: {_show(item, depth + 1)}" for key, item in pairs]) + "}"
        comma = "," if value.brackets == "()" and len(value.items) == 1 else ""
        return f"{value.brackets[0]}{_joined(value.items, depth)}{comma}{value.brackets[-1]}"
    return repr(value)


def _joined(items: list[Any], depth: int) -> str:
    return _cut([_show(item, depth + 1) for item in items])


def _cut(parts: list[str]) -> str:
    text = ", ".join(parts)
    # A pickle that names one long value many times would grow without bound.
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…"
