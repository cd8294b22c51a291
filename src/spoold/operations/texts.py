"""Bytes as JSON has them: text where they are UTF-8, base64 where they are not."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from spoold.operations.files import OperationError


def to_json(data: bytes) -> str | dict[str, str]:
    """The text that `data` is in UTF-8, or `{"base64": …}`; `from_json` is the way back."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def from_json(value: Any) -> bytes:
    """The bytes that stand for `value`. raises: OperationError: it is neither text nor base64."""
    if isinstance(value, str):
        # Halves of surrogate pairs are no text; `to_json` never writes them.
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise OperationError(f"no text: {value[:40]!r}") from error
    if isinstance(value, dict) and set(value) == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise OperationError(f"no base64: {value['base64'][:40]!r}") from error
    raise OperationError(f'expected a text or {{"base64": …}}, and not {str(value)[:40]}')
