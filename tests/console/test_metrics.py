"""/metrics, /healthz, /readyz: what machines ask, and that it agrees with INFO."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.console.conftest import Site, open_site

from spoold.console.census import FRESH_S, MOST_QUEUES

DASHBOARD = Path(__file__).parents[2] / "packaging/grafana-dashboard.json"
PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text("utf-8")


Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture(scope="module")
def shared_site() -> Iterator[Site]:
    """With data on disk."""
    yield from open_site("--durability", "always")


def scrape_until(site: Site, holds: Callable[[Samples], bool]) -> Samples:
    """A count of queues is kept for a few seconds."""
    deadline_s = time.monotonic() + 20 * FRESH_S
    while not holds(found := scrape(site)):
        assert time.monotonic() < deadline_s
        site.redis.blpop("nothing", FRESH_S / 4)
    return found


def scrape(site: Site) -> Samples:
    """Sample name → labels → value."""
    response = site.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: Samples = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_commands_are_counted_and_timed_by_name(site: Site) -> None:
    site.redis.config_resetstat()
    for _ in range(7):
        site.redis.set("k", "v")
    found = scrape(site)
    assert found["spoold_commands_total"][(("command", "set"),)] == 7
    buckets = {
        dict(labels)["le"]: count
        for labels, count in found["spoold_command_duration_seconds_bucket"].items()
        if ("command", "set") in labels
    }
    assert buckets["+Inf"] == 7
    assert list(buckets.values()) == sorted(buckets.values())


def test_figures_agree_with_info(site: Site) -> None:
    site.redis.rpush("q", *range(10))
    info = site.redis.info("everything")
    found = scrape(site)
    assert found["spoold_keys"][(("db", "0"),)] == info["db0"]["keys"] == 1
    assert found["spoold_expired_keys_total"][()] == info["expired_keys"]
    assert found["spoold_connections_total"][()] >= info["total_connections_received"]
    assert found["spoold_writes_refused"][()] == 0
    assert found["spoold_turns_written_total"][()] >= info["spoold_turns"]


def test_the_longest_queues_have_labels_and_no_more(site: Site) -> None:
    pipeline = site.redis.pipeline(transaction=False)
    for number in range(3 * MOST_QUEUES):
        pipeline.rpush(f"q{number}", *range(number + 1))
    pipeline.rpush(b'we"ird\\\n\xff', *range(1000))
    pipeline.execute()
    lengths = scrape_until(site, lambda found: len(found.get("spoold_queue_length", ())) >= MOST_QUEUES)[
        "spoold_queue_length"
    ]
    assert len(lengths) == MOST_QUEUES
    assert {dict(labels)["queue"] for labels in lengths} >= {f"q{3 * MOST_QUEUES - 1}", 'we"ird\\\n\\xff'}


def test_health_and_readiness(site: Site) -> None:
    assert site.http.get("/healthz").text == "ok\n"
    assert site.http.get("/readyz").text == "ready\n"


def test_the_dashboard_and_the_page_name_metrics_that_there_are(site: Site) -> None:
    site.redis.rpush("q", "a")
    exposed = set(scrape_until(site, lambda found: "spoold_queue_length" in found))
    shown = set(
        re.findall(r"spoold_[a-z_]+", " ".join(target["expr"] for target in targets(json.loads(DASHBOARD.read_text()))))
    )
    assert shown
    assert shown <= exposed
    named = re.findall(r"^# TYPE (spoold_[a-z_]+) ", site.http.get("/metrics").text, re.MULTILINE)
    families = {re.sub(r"_total$", "", name) for name in named}
    told = {re.sub(r"_total$", "", name) for name in re.findall(r"^\| `(spoold_[a-z_]+)", PAGE, re.MULTILINE)}
    assert told == families


def targets(dashboard: dict) -> list[dict]:
    return [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
