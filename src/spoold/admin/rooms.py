"""The modules with commands about the server itself."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from spoold.admin import connection

ADMIN: Final[tuple[ModuleType, ...]] = (connection,)
