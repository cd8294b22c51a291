"""The half of a test that runs where the framework is installed: calls functions of one app module.

    python driver.py APP        APP: a module of apps/, such as rq_app

Reads one JSON list `[function, arguments]` a line from standard input, answers each with one line on standard output:
`{"value": …}`, or `{"error": type, "text": …}` if the function raised. A coroutine function runs in the driver's one
event loop, which stands still between calls. What the framework prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import traceback


def main() -> None:
    """Serve calls until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a framework that prints must not be taken for an answer
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            value = getattr(app, name)(*arguments)
            if inspect.isawaitable(value):
                value = loop.run_until_complete(value)
            answer = {"value": value}
        except Exception as error:  # noqa: BLE001 - whatever the framework raises is what the test asked for
            traceback.print_exc()
            answer = {"error": type(error).__name__, "text": str(error)}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
