"""One declaration for each way into the API: what it takes, what it gives, what it does.

Checking of requests, the OpenAPI description and the routes derive from it; nothing is said twice. To add an endpoint,
write a function under `@endpoint` in one of the modules that `api.py` lists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from spoold.acl.users import User
from spoold.console import shapes
from spoold.console.caller import Caller
from spoold.console.shapes import Json

REQUIRED: Final = object()
_INTEGER_DIGITS: Final = 18


class Problem(Exception):
    """A request that is answered with an error.

    status: of HTTP. code: for programs. text: for people.
    """

    def __init__(self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        """headers: of the response."""
        self.status = status
        self.code = code
        self.text = text
        self.headers = dict(headers or {})
        super().__init__(text)


@dataclass(frozen=True)
class Field:
    """One argument.

    kind: `integer`, `text`, `bytes` (a key or a pattern, percent-encoded in a URL, a VALUE in a body), `values` (a list
        of VALUEs), `texts`, `number`.
    default: REQUIRED where it must be given. low, high: of a number, or of a length.
    """

    name: str
    kind: str
    text: str
    default: Any = REQUIRED
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()

    def schema(self, *, in_body: bool) -> Json:
        """Its JSON schema."""
        if self.kind in ("integer", "number"):
            limits = {"minimum": self.low, "maximum": self.high}
            found: Json = {"type": self.kind, **{word: limit for word, limit in limits.items() if limit is not None}}
        elif self.kind == "values":
            found = {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Value"},
                "minItems": 1,
                "maxItems": self.high,
            }
        elif self.kind == "texts":
            found = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": self.high}
        elif self.kind == "bytes" and in_body:
            return {"$ref": "#/components/schemas/Value"}
        else:
            found = {"type": "string"}
            if self.choices:
                found["enum"] = list(self.choices)
            if self.high is not None:
                found["maxLength"] = self.high
            if self.low is not None:
                found["minLength"] = self.low
        if self.default is not REQUIRED and self.default not in (None, b""):
            found["default"] = self.default.decode() if isinstance(self.default, bytes) else self.default
        return found

    def from_url(self, raw: bytes) -> Any:
        """Read it from a URL. raises: Problem."""
        if self.kind == "bytes":
            return raw
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise self.wrong("is no UTF-8") from None
        if self.kind != "integer":
            return self.checked(text)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= _INTEGER_DIGITS):
            raise self.wrong("is no integer")
        return self.checked(int(text))

    def from_body(self, value: Any) -> Any:
        """Read it from a JSON body. raises: Problem."""
        try:
            if self.kind == "bytes":
                return shapes.take(value)
            if self.kind == "values":
                if not isinstance(value, list):
                    raise ValueError("expected a list")
                return self.checked([shapes.take(item) for item in value])
            if self.kind == "texts":
                if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                    raise ValueError("expected a list of strings")
                return self.checked([item.encode() for item in value])
            if self.kind == "text" and isinstance(value, str):
                value.encode()
        except ValueError as error:
            raise self.wrong(str(error)) from None
        if isinstance(value, float) and value.is_integer() and self.kind == "integer" and abs(value) < 2**53:
            value = int(value)  # JSON knows one kind of number
        fits = {"integer": (int,), "number": (int, float), "text": (str,)}[self.kind]
        if not isinstance(value, fits) or isinstance(value, bool) or (isinstance(value, float) and not isfinite(value)):
            raise self.wrong(f"is no {self.kind}")
        return self.checked(value)

    def checked(self, value: Any) -> Any:
        """The value, if it keeps the limits. raises: Problem."""
        if self.choices and value not in self.choices:
            raise self.wrong(f"is none of {', '.join(self.choices)}")
        size = value if isinstance(value, (int, float)) else len(value)
        low = 1 if isinstance(value, list) and self.low is None else self.low
        if low is not None and size < low:
            raise self.wrong(f"is less than {low}" if isinstance(value, (int, float)) else "is too short")
        if self.high is not None and size > self.high:
            raise self.wrong(f"is more than {self.high}" if isinstance(value, (int, float)) else "is too long")
        return value

    def wrong(self, why: str) -> Problem:
        """The problem with it."""
        return Problem(400, "bad-request", f"{self.name} {why}")


@dataclass(frozen=True)
class Call:
    """One request to an endpoint.

    caller: runs commands as its user. given: its arguments by name. address: of the client, for people.
    user: None where the endpoint is public and no one is logged in. token: of the session, empty without one.
    parts: what the endpoint's module was given.
    """

    caller: Caller | None
    given: Mapping[str, Any]
    user: User | None
    address: str
    token: str
    parts: Any

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    @property
    def client(self) -> Caller:
        """The caller, where someone is logged in."""
        assert self.caller is not None  # noqa: S101 - endpoints that are not public have one
        return self.caller


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Endpoint:
    """A declared function.

    returns: the JSON schema of what it gives. public: no one need be logged in.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    fields: tuple[Field, ...]
    returns: Json
    public: bool
    tag: str


def endpoint(
    method: str, path: str, *fields: Field, returns: Json, public: bool = False
) -> Callable[[Handler], Handler]:
    """Declare the function below as the endpoint `method` `path`; the first line of its docstring is the summary."""

    def declare(handler: Handler) -> Handler:
        summary = (handler.__doc__ or "").strip().partition("\n")[0]
        tag = handler.__module__.rpartition(".")[2]
        handler.endpoint = Endpoint(method, path, handler, summary, fields, returns, public, tag)  # type: ignore[attr-defined]
        return handler

    return declare


def table(**properties: Json) -> Json:
    """The schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def rows(item: Json) -> Json:
    """The schema of an array."""
    return {"type": "array", "items": item}


INTEGER: Final[Json] = {"type": "integer"}
NUMBER: Final[Json] = {"type": "number"}
TEXT: Final[Json] = {"type": "string"}
TRUTH: Final[Json] = {"type": "boolean"}
MAYBE_INTEGER: Final[Json] = {"type": ["integer", "null"]}
MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}
SHOWN: Final[Json] = {"$ref": "#/components/schemas/Bytes"}
SHOWN_ITEM: Final[Json] = {"$ref": "#/components/schemas/Item"}

DB: Final = Field("db", "integer", "Database.", 0, 0, 15)
KEY: Final = Field("key", "bytes", "Name of the key.")
