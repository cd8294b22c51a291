"""`python -m spoold`."""

from __future__ import annotations

from spoold.cli.main import main

main()
