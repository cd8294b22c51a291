"""Read the option-rich tail of a request from left to right."""

from __future__ import annotations

from collections.abc import Sequence

from spoold.core.errors import CommandError, NotAnInteger, SyntaxFault
from spoold.core.numerals import parse_float, parse_int


def parse_at_least(text: bytes, least: int, error: type[CommandError]) -> int:
    """Read an integer that must not be below `least`. raises: `error` for whatever else it is."""
    try:
        number = parse_int(text)
    except NotAnInteger:
        raise error from None
    if number < least:
        raise error
    return number


class Args:
    """A reader over arguments; what is missing or left over is a syntax error."""

    __slots__ = ("_items", "_next")

    def __init__(self, items: Sequence[bytes]) -> None:
        """items: the arguments still to be read."""
        self._items = items
        self._next = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._next < len(self._items)

    def __len__(self) -> int:
        """How many arguments are left."""
        return len(self._items) - self._next

    def take(self) -> bytes:
        """The next argument as it is. raises: SyntaxFault: none is left."""
        if self._next >= len(self._items):
            raise SyntaxFault
        item = self._items[self._next]
        self._next += 1
        return item

    def word(self) -> bytes:
        """The next argument in upper case. raises: SyntaxFault: none is left."""
        return self.take().upper()

    def peek(self) -> bytes:
        """The next argument in upper case, left in place; b"" if none is left."""
        return self._items[self._next].upper() if self else b""

    def skip(self, word: bytes) -> bool:
        """Take the next argument if it is `word` (upper case). returns: whether it was."""
        if self.peek() == word:
            self._next += 1
            return True
        return False

    def int(self) -> int:
        """The next argument as a signed 64-bit number. raises: SyntaxFault, NotAnInteger."""
        return parse_int(self.take())

    def float(self) -> float:
        """The next argument as a double. raises: SyntaxFault, NotAFloat."""
        return parse_float(self.take())

    def rest(self) -> list[bytes]:
        """All that is left."""
        items = list(self._items[self._next :])
        self._next = len(self._items)
        return items

    def end(self) -> None:
        """raises: SyntaxFault: something is left."""
        if self:
            raise SyntaxFault
