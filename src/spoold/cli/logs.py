"""How lines of the log look: for people, or one JSON object a line for what collects them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final

TEXT: Final = "%(asctime)s %(levelname)-8s %(name)s: %(message)s"


def formatter(form: str) -> logging.Formatter:
    """The formatter of `--log-format`: `text` or `json`."""
    return JsonLines() if form == "json" else logging.Formatter(TEXT)


class JsonLines(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …}`, and `error` with the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)
