"""examples/huey runs as its README says, and prints what stands there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from spoold.testing.process import ServerProcess

HUEY = Path(__file__).parents[2] / "examples/huey"
README = (HUEY / "README.md").read_text("utf-8")
WAIT_S = 60


def test_the_producer_and_the_consumer_of_the_readme(tmp_path: Path) -> None:
    shown = re.search(r"The producer prints:\n\n((?:    .*\n)+)", README)
    command = re.search(r"^    huey_consumer (.*)$", README, re.MULTILINE)
    assert shown is not None
    assert command is not None
    wanted = "".join(line[4:] for line in shown[1].splitlines(keepends=True))
    with ServerProcess(tmp_path / "data") as server, (tmp_path / "log").open("w") as log:
        variables = {**os.environ, "SPOOLD_URL": server.url}
        # As the script of the same name does, which need not be on the path here.
        start = [sys.executable, "-m", "huey.bin.huey_consumer", *command[1].split()]
        consumer = subprocess.Popen(start, cwd=HUEY, env=variables, stdout=log, stderr=log)
        try:
            producer = subprocess.run(
                [sys.executable, "producer.py"],
                cwd=HUEY,
                env=variables,
                capture_output=True,
                text=True,
                timeout=WAIT_S,
            )
        finally:
            consumer.send_signal(signal.SIGINT)
            consumer.wait(WAIT_S)
    printed = (tmp_path / "log").read_text()
    assert (producer.stdout, producer.stderr) == (wanted, ""), printed
    assert consumer.returncode == 0
    assert {"mail to ann: hello", "mail to zoe: a second later", "ann pays 1200"} <= {*printed.splitlines()}
    assert "mail to max" not in printed


def test_the_embedded_one_keeps_what_it_did_not_do(tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "embedded.py", str(tmp_path / "jobs")],
            cwd=HUEY,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
        assert done.stderr == ""
        assert re.fullmatch(r"left over from the last run: [01]\n\[0, 2, 4, 6, 8\]\n", done.stdout)
