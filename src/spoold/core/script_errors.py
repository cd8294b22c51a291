"""What goes wrong with scripts and functions, in Redis's words: a part of the tree in `core/errors.py`."""

from __future__ import annotations

from spoold.core.errors import CommandError, SpooldError


class ScriptError(CommandError):
    """What a script raised or returned: its text as it is, code and all."""

    def __init__(self, message: bytes) -> None:
        """message: the wire text without the leading `-`."""
        self.message = message.replace(b"\r", b" ").replace(b"\n", b" ")
        SpooldError.__init__(self, self.message.decode("utf-8", "replace"))


class NoScript(CommandError):
    code = "NOSCRIPT"
    text = "No matching script. Please use EVAL."


class NothingRuns(CommandError):
    code = "NOTBUSY"
    text = "No scripts in execution right now."


class Unkillable(CommandError):
    code = "UNKILLABLE"
    text = (
        "Sorry the script already executed write commands against the dataset. You can either wait the script"
        " termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
    )


class BusyScript(CommandError):
    code = "BUSY"
    text = "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."


class BusyFunction(CommandError):
    code = "BUSY"
    text = "Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."


class UnknownInScript(CommandError):
    text = "Unknown Redis command called from script"


class WrongArityInScript(CommandError):
    text = "Wrong number of args calling Redis command from script"


class NotFromScript(CommandError):
    text = "This Redis command is not allowed from script"


class BlockInScript(CommandError):
    """BLOCK, where nothing may block."""

    def __init__(self, name: str) -> None:
        """name: the command, lower case."""
        super().__init__(f"{name} command is not allowed with BLOCK option from scripts")


class ReadOnlyScript(CommandError):
    text = "Write commands are not allowed from read-only scripts."


class NoScriptArguments(CommandError):
    text = "Please specify at least one argument for this redis lib call"


class BadScriptArguments(CommandError):
    text = "Lua redis lib command arguments must be strings or integers"


class ScriptMemory(CommandError):
    text = "not enough memory"


class NegativeNumkeys(CommandError):
    text = "Number of keys can't be negative"


class BadNumkeys(CommandError):
    text = "Bad number of keys provided"


class NoSuchFunction(CommandError):
    text = "Function not found"


class NoSuchLibrary(CommandError):
    text = "Library not found"


class WritesInReadOnly(CommandError):
    text = "Can not execute a script with write flag using *_ro command."
