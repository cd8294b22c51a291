"""The console in a real browser: what a person sees and does.

Pictures of the pages are written to the directory that SPOOLD_PICTURES names, for CI to keep.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.conftest import missing_peer
from tests.console.conftest import PASSWORD, Site, open_site

from spoold.testing.process import LOOPBACK, free_port

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = os.environ.get("SPOOLD_PICTURES", "")
expect.set_options(timeout=15_000)
DESKTOP, PHONE = (1280, 860), (390, 844)
HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>\'"&amp;'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        missing_peer("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        # Containers give Chromium no namespaces for its own sandbox; it sees nothing but this test's server.
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def open_page(browser: Browser, site: Site, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> Page:
    context = browser.new_context(
        base_url=site.url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None
    )
    page.faults = faults  # type: ignore[attr-defined]
    return page


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of the server without a password; it must have met no error at the end."""
    opened = open_page(browser, site)
    yield opened
    assert opened.faults == []  # type: ignore[attr-defined]
    assert opened.evaluate("window.hurt") is None
    opened.context.close()


@pytest.fixture(scope="module")
def queue_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def shared_site(queue_port: int) -> Iterator[Site]:
    """With a door that takes items under leases."""
    yield from open_site("--memory", "--memcached-queue", f"{LOOPBACK}:{queue_port}")


def tile(page: Page, label: str) -> str:
    return page.locator(".tile", has_text=label).locator("dd").inner_text()


def test_the_overview_is_live(page: Page, site: Site) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    items = page.locator(".tile", has_text="Items waiting").locator("dd")
    expect(items).to_have_text("0")
    site.redis.rpush("jobs", *range(25))
    expect(items).to_have_text("25")
    expect(page.locator(".bars")).to_contain_text("jobs")
    expect(page.locator(".chart").first.locator("path.line")).to_have_count(1)
    site.redis.delete("jobs")
    expect(items).to_have_text("0")


def test_queues_are_sorted_and_filtered(page: Page, site: Site) -> None:
    for name, length in (("alpha", 2), ("beta", 5), ("gamma", 1)):
        site.redis.rpush(name, *range(length))
    page.goto("/#/queues")
    names = (
        page.locator("tbody tr").filter(has_not=page.locator(".badge", has_text="empty")).locator("td:first-child a")
    )
    expect(names).to_have_text(["beta", "alpha", "gamma"])
    page.get_by_role("button", name="Name").click()
    expect(names).to_have_text(["alpha", "beta", "gamma"])
    expect(page.locator("th[aria-sort]")).to_have_text("Name")
    page.keyboard.press("/")
    page.keyboard.type("am")
    expect(names).to_have_text(["gamma"])
    site.redis.rpush("gamma", "x", "y")
    expect(page.locator("tbody tr", has_text="gamma").locator("td.num").first).to_have_text("3")


def test_items_are_pushed_looked_at_moved_and_purged(page: Page, site: Site) -> None:
    site.redis.rpush("jobs", json.dumps({"task": "mail", "to": ["a@b"], "id": 9007199254740993}))
    page.goto("/#/queues")
    page.get_by_role("link", name="jobs").click()
    expect(page.locator(".item pre")).to_contain_text('"id": 9007199254740993')
    expect(page.locator(".item .badge")).to_have_text("json")

    page.get_by_role("button", name="Push").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Item", exact=True).fill("first line\nsecond line")
    dialog.get_by_label("Each line is an item").check()
    dialog.get_by_label("Where").select_option("head")
    dialog.get_by_role("button", name="Push").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".item")).to_have_count(3)
    assert site.redis.lrange("jobs", 0, 1) == [b"second line", b"first line"]

    page.get_by_role("button", name="Move").click()
    dialog.get_by_label("To").fill("elsewhere")
    dialog.get_by_label("How many").fill("2")
    dialog.get_by_role("button", name="Move").click()
    expect(page.locator(".item")).to_have_count(1)
    assert site.redis.lrange("elsewhere", 0, -1) == [b"second line", b"first line"]

    page.get_by_role("button", name="Purge").click()
    dialog.get_by_label("Name:").fill("job")
    dialog.get_by_role("button", name="Delete everything").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not the name")
    assert site.redis.exists("jobs")
    dialog.get_by_label("Name:").fill("jobs")
    dialog.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_text("Nothing in it")).to_be_visible()
    assert not site.redis.exists("jobs")


def test_a_new_queue_begins_with_an_item(page: Page, site: Site) -> None:
    page.goto("/#/queues")
    page.get_by_role("button", name="New queue").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("fresh")
    dialog.get_by_label("Type").select_option("set")
    dialog.get_by_label("First item").fill("ü")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("link", name="fresh")).to_be_visible()
    assert site.redis.smembers("fresh") == {"ü".encode()}


def test_hostile_names_and_items_are_text(page: Page, site: Site) -> None:
    site.redis.rpush(HOSTILE, HOSTILE, json.dumps({HOSTILE: HOSTILE}), pickle.dumps({HOSTILE: 1}))
    site.redis.hset("hash", HOSTILE, HOSTILE)
    site.redis.xadd("stream", {HOSTILE: HOSTILE})
    site.redis.config_set("slowlog-log-slower-than", 0)
    site.redis.set(HOSTILE + "2", HOSTILE)
    site.redis.config_set("slowlog-log-slower-than", 10_000)
    page.goto("/#/")
    expect(page.locator(".bars")).to_contain_text(HOSTILE)
    page.goto("/#/queues")
    page.get_by_role("link", name=HOSTILE, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.locator(".item pre").first).to_have_text(HOSTILE)
    page.get_by_role("button", name="Purge").click()
    expect(page.get_by_role("dialog")).to_contain_text(HOSTILE)
    page.keyboard.press("Escape")
    for where in ("keys", "slowlog", "clients", "queue?db=0&key=hash", "queue?db=0&key=stream"):
        page.goto(f"/#/{where}")
        expect(page.locator("main")).to_contain_text("onerror" if where != "clients" else "Clients")
    page.goto("/#/command")
    page.get_by_label("Command").fill("LRANGE " + json.dumps(HOSTILE) + " 0 0")
    page.keyboard.press("Enter")
    expect(page.locator(".log pre")).to_contain_text("onerror")
    assert page.locator("main img, main script").count() == 0


def test_names_that_are_no_text_lead_to_their_queue(page: Page, site: Site) -> None:
    site.redis.rpush(b"\xff\x00%", b"\x01\x02")
    page.goto("/#/queues")
    page.get_by_role("link", name="\\xff\\x00%").click()
    expect(page.locator(".item pre")).to_contain_text("01 02")


def test_a_lease_is_retried_and_dropped(page: Page, site: Site, queue_port: int) -> None:
    site.redis.rpush("work", "a", "b")
    with (
        socket.create_connection((LOOPBACK, queue_port), 10) as first,
        socket.create_connection((LOOPBACK, queue_port), 10) as second,
    ):
        for worker in (first, second):
            worker.sendall(b"get work/open\r\n")
            assert b"VALUE" in worker.recv(1000)
        page.goto("/#/leases")
        expect(page.locator("tbody tr")).to_have_count(2)
        page.get_by_role("button", name=re.compile("^Retry")).first.click()
        expect(page.locator("tbody tr")).to_have_count(1)
        assert site.redis.lrange("work", 0, -1) == [b"a"]
        page.get_by_role("button", name=re.compile("^Drop")).click()
        page.get_by_role("dialog").get_by_role("button", name="Drop").click()
        expect(page.get_by_text("Nothing is out")).to_be_visible()
    assert site.redis.lrange("work", 0, -1) == [b"a"]


def test_a_key_is_deleted_after_a_question(page: Page, site: Site) -> None:
    site.redis.set("session", "v", ex=300)
    page.goto("/#/keys")
    row = page.locator("tbody tr", has_text="session")
    expect(row).to_contain_text("string")
    row.get_by_role("button", name="Delete session").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert site.redis.exists("session")
    row.get_by_role("button", name="Delete session").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert not site.redis.exists("session")


def test_the_configuration_is_changed(page: Page, site: Site) -> None:
    page.goto("/#/configuration")
    page.get_by_label("Filter").fill("slowlog-max")
    page.get_by_role("button", name="Change slowlog-max-len").click()
    page.get_by_label("Value").fill("nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("slowlog-max-len")
    page.get_by_label("Value").fill("77")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr", has_text="slowlog-max-len")).to_contain_text("77")
    assert site.redis.config_get("slowlog-max-len") == {"slowlog-max-len": "77"}


def test_the_command_box_answers_and_remembers(page: Page, site: Site) -> None:
    site.redis.rpush("q", "a", "b")
    page.goto("/#/command")
    expect(page.get_by_label("Command")).to_be_focused()
    page.keyboard.type("lrange q 0 -1\n")
    expect(page.locator(".log pre").last).to_have_text("1) a\n2) b")
    page.keyboard.type("llen\n")
    expect(page.locator(".log pre").last).to_contain_text("(error) ERR wrong number of arguments")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Command")).to_have_value("lrange q 0 -1")


def test_everything_is_reached_with_the_keyboard(page: Page, site: Site) -> None:
    site.redis.rpush("jobs", "a")
    page.goto("/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Queues")).to_be_focused()
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="jobs")
    expect(link).to_be_visible()
    for _ in range(40):
        if page.evaluate("document.activeElement.textContent") == "jobs":
            break
        page.keyboard.press("Tab")
    page.wait_for_timeout(2500)  # two refreshes: the focus stays where it was
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="jobs")).to_be_visible()
    page.get_by_role("button", name="Push").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type("typed")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert site.redis.llen("jobs") == 1


def test_light_and_dark_follow_the_system_until_one_is_chosen(browser: Browser, site: Site) -> None:
    page = open_page(browser, site, scheme="dark")
    page.goto("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    switch = page.get_by_role("button", name="Theme")
    switch.click()
    expect(switch).to_have_text("Theme: light")
    assert page.evaluate(ground) != dark
    page.reload()
    expect(switch).to_have_text("Theme: light")
    switch.click()
    assert page.evaluate(ground) == dark
    page.context.close()


def test_a_password_is_asked_for_and_the_wrong_one_is_told(browser: Browser, closed_site: Site) -> None:
    page = open_page(browser, closed_site)
    page.goto("/#/queues")
    password = page.get_by_label("Password")
    expect(password).to_be_focused()
    password.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("User or password is wrong.")
    password.fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    page.reload()
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(password).to_be_visible()
    page.reload()
    expect(password).to_be_visible()
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def test_a_server_that_ends_and_comes_back_is_told(browser: Browser) -> None:
    for site in open_site():
        page = open_page(browser, site)
        page.goto("/")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        site.server.terminate()
        expect(page.locator("#alarm")).to_contain_text("does not answer")
        site.server.start()
        expect(page.locator("#alarm")).to_be_hidden()
        page.context.close()


@pytest.mark.parametrize(
    ("label", "size", "scheme"), [("desktop", DESKTOP, "light"), ("dark", DESKTOP, "dark"), ("phone", PHONE, "light")]
)
def test_every_page_fits_its_window(
    browser: Browser, site: Site, label: str, size: tuple[int, int], scheme: str
) -> None:
    furnish(site)
    page = open_page(browser, site, size, scheme)
    for where in (
        "",
        "queues",
        "queue?db=0&key=celery",
        "leases",
        "keys",
        "clients",
        "slowlog",
        "configuration",
        "command",
    ):
        page.goto(f"/#/{where}")
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{PICTURES}/{label}-{where.partition('?')[0] or 'overview'}.png")
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def furnish(site: Site) -> None:
    """Queues as there may be in a shop."""
    site.redis.rpush("celery", *[json.dumps({"id": n, "task": "shop.send_receipt", "args": [n]}) for n in range(300)])
    site.redis.rpush("huey.mail", *[pickle.dumps((n, "mail.send")) for n in range(40)])
    site.redis.sadd("crawl", *[f"https://example.org/{n}" for n in range(80)])
    site.redis.zadd("rq:scheduled", {f"job-{n}": n for n in range(20)})
    site.redis.xadd("events", {"kind": "signup"})
    site.redis.rpush("a-name-without-an-end-" * 10, "x")
    site.redis.set("session:1", "x" * 100, ex=300)
