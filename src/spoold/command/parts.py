"""Typed access to the live parts of a server that handlers of higher layers need (configuration, clients, …)."""

from __future__ import annotations

from typing import Any, TypeVar, cast

T = TypeVar("T")


class Parts:
    """One instance a type, put in by `app.py`."""

    def __init__(self) -> None:
        """Start empty."""
        self._parts: dict[type[Any], Any] = {}

    def add(self, part: object) -> None:
        """Make `part` reachable under its class."""
        self._parts[type(part)] = part

    def get(self, kind: type[T]) -> T:
        """The part of class `kind`. raises: KeyError: the server has none."""
        return cast("T", self._parts[kind])

    def own(self, kind: type[T]) -> T:
        """The part of class `kind`, made with its defaults when it is first asked for."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        return cast("T", self._parts[kind])
