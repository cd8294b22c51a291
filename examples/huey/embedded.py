"""The same without a server: jobs, consumer and data directory in one process."""

from __future__ import annotations

import sys

from spoold.contrib.huey import SpooldHuey

huey = SpooldHuey("shop", path=sys.argv[1] if len(sys.argv) > 1 else "jobs")


@huey.task()
def double(number: int) -> int:
    """A job."""
    return 2 * number


if __name__ == "__main__":
    left = len(huey)
    consumer = huey.create_consumer(workers=2)
    consumer.start()
    print("left over from the last run:", left)
    results = [double(number) for number in range(5)]
    print([result.get(blocking=True, timeout=30) for result in results])
    double(99)  # perhaps it runs before the consumer stops, perhaps after the next start: it is on disk
    consumer.stop(graceful=True)
