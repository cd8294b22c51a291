"""The client of the simple protocol, under the name that its users import: `from spoold.simple import Client`."""

from __future__ import annotations

from spoold.client.simple import Client, ClientError, CommandError, ConnectionFailed, TimedOut

__all__ = ["Client", "ClientError", "CommandError", "ConnectionFailed", "TimedOut"]
