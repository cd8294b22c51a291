"""What `huey_consumer` imports: SPOOLD_TEST_HUEY is kind, address and name."""

from __future__ import annotations

import os

from tests.contrib.tasks import build, define

huey = build(*os.environ["SPOOLD_TEST_HUEY"].split("|"))
tasks = define(huey)
