"""The modules with commands about scripts and functions."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from spoold.scripting import commands, function_commands, script_commands

SCRIPTING: Final[tuple[ModuleType, ...]] = (commands, script_commands, function_commands)
