"""What clients raise, but for TypeError and ValueError: a value that can't be sent.

ClientError
├── CommandError        the server answered with an error
└── ConnectionFailed    also a ConnectionError: no connection could be made, or it broke
    └── TimedOut        also a TimeoutError: no answer in time
"""

from __future__ import annotations

from spoold.core.errors import SpooldError


class ClientError(SpooldError):
    """Root of what a client raises."""


class CommandError(ClientError):
    """The server answered with an error. message: its text."""

    def __init__(self, message: str) -> None:
        """message: without the leading `-`."""
        self.message = message
        super().__init__(message)


class ConnectionFailed(ClientError, ConnectionError):
    """No connection could be made, or it broke: the command may or may not have been carried out."""


class TimedOut(ConnectionFailed, TimeoutError):
    """The server did not answer in time: the command may or may not have been carried out."""
