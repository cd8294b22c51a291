"""Who may ask, and from where: passwords, tokens, foreign pages, names that point here."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest
import redis
from tests.console.conftest import ACTION, PASSWORD, Site, open_site, text

from spoold.console.logins import ATTEMPTS
from spoold.testing.process import LOOPBACK, ServerProcess, StartFailed, free_port
from support.certificates import certificates, client_context


@pytest.fixture
def fresh_closed_site() -> Iterator[Site]:
    yield from open_site(password=PASSWORD)


def log_in(site: Site, password: str = PASSWORD) -> httpx.Response:
    return site.http.post("/api/v1/session", json={"password": password}, headers=ACTION)


def test_with_a_password_nothing_is_told_to_strangers_but_that(closed_site: Site) -> None:
    for path in ("/api/v1/overview", "/api/v1/queues", "/api/v1/keys", "/metrics"):
        assert closed_site.http.get(path).status_code == 401
    assert closed_site.get("/session") == {"password_needed": True, "user": None}
    for path in ("/", "/app.js", "/healthz", "/readyz", "/api/v1/openapi.json"):
        assert closed_site.http.get(path).status_code == 200


def test_a_log_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(closed_site: Site) -> None:
    response = log_in(closed_site)
    assert response.json() == {"password_needed": True, "user": "default"}
    cookie = response.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert closed_site.get("/overview")["writable"]
    closed_site.post("/session/end")
    assert closed_site.http.get("/api/v1/overview").status_code == 401


def test_a_token_is_worth_nothing_after_the_log_out(closed_site: Site) -> None:
    cookie = log_in(closed_site).headers["set-cookie"].partition(";")[0]
    closed_site.post("/session/end")
    assert closed_site.http.get("/api/v1/overview", headers={"cookie": cookie}).status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer {}", "bearer {}", "Basic ZGVmYXVsdDpjb3JyZWN0IGhvcnNl", "Basic OmNvcnJlY3QgaG9yc2U="]
)
def test_programs_give_the_password_with_each_request(closed_site: Site, header: str) -> None:
    headers = {"authorization": header.format(PASSWORD)}
    assert closed_site.http.get("/metrics", headers=headers).status_code == 200
    body = {"key": text("q"), "items": [text("a")]}
    bearer = header.lower().startswith("bearer")
    refused = closed_site.http.post("/api/v1/queue/push", json=body, headers=headers)
    assert refused.status_code == (200 if bearer else 403)  # browsers send Basic of their own accord
    assert closed_site.http.post("/api/v1/queue/push", json=body, headers={**headers, **ACTION}).status_code == 200


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic !", "Digest x", "Basic ZGVmYXVsdDp3cm9uZw=="])
def test_what_is_no_password_is_refused(closed_site: Site, header: str) -> None:
    assert closed_site.http.get("/api/v1/overview", headers={"authorization": header}).status_code == 401


def test_after_many_wrong_passwords_not_even_the_right_one_is_looked_at(fresh_closed_site: Site) -> None:
    for _ in range(ATTEMPTS):
        assert log_in(fresh_closed_site, "wrong").status_code == 401
    refused = log_in(fresh_closed_site)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 61


def test_a_changed_password_ends_sessions(fresh_closed_site: Site) -> None:
    assert log_in(fresh_closed_site).status_code == 200
    fresh_closed_site.redis.config_set("requirepass", "another")
    assert fresh_closed_site.http.get("/api/v1/overview").status_code == 401
    assert log_in(fresh_closed_site, "another").status_code == 200


def test_a_user_of_the_access_list_has_its_own_rights(fresh_closed_site: Site) -> None:
    fresh_closed_site.redis.execute_command(
        "ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+select", "+type", "+spoold|peek"
    )
    body = {"user": "reader", "password": "pw"}
    assert fresh_closed_site.http.post("/api/v1/session", json=body, headers=ACTION).json()["user"] == "reader"
    push = {"key": text("q"), "items": [text("a")]}
    refused = fresh_closed_site.http.post("/api/v1/queue/push", json=push, headers=ACTION)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "noperm")
    assert fresh_closed_site.get("/queue/items", key="q")["items"] == []
    assert fresh_closed_site.http.get("/metrics").status_code == 403


def test_no_action_comes_from_a_foreign_page(site: Site) -> None:
    body = {"key": text("q"), "items": [text("a")]}
    for headers in (
        {},
        {**ACTION, "origin": "http://evil.example"},
        {**ACTION, "origin": f"http://{LOOPBACK}:1"},
        {**ACTION, "origin": "null"},
        {**ACTION, "sec-fetch-site": "cross-site"},
        {**ACTION, "sec-fetch-site": "same-site"},
    ):
        assert site.http.post("/api/v1/queue/push", json=body, headers=headers).status_code == 403
    form = {"content-type": "application/x-www-form-urlencoded", **ACTION}
    assert site.http.post("/api/v1/queue/push", content=b"key=q", headers=form).status_code == 415
    assert site.redis.dbsize() == 0
    own = {**ACTION, "origin": site.url, "sec-fetch-site": "same-origin"}
    assert site.http.post("/api/v1/queue/push", json=body, headers=own).status_code == 200


def test_nothing_is_done_by_get(site: Site) -> None:
    described = site.http.get("/api/v1/openapi.json").json()
    actions = [path for path, methods in described["paths"].items() if "post" in methods and "get" not in methods]
    assert len(actions) > 5
    for path in actions:
        response = site.http.get(path)
        assert response.status_code == 405
        assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7379", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_without_a_password_only_names_of_this_machine_are_answered(site: Site, host: str) -> None:
    response = site.http.get("/api/v1/queues", headers={"host": host})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "wrong-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "127.0.0.9:80", "[::1]:7379"])
def test_names_of_this_machine_are_answered(site: Site, host: str) -> None:
    assert site.http.get("/api/v1/queues", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/style.css", "/icon.svg", "/metrics", "/healthz", "/api/v1/queues", "/nothing"]
)
def test_every_answer_says_what_a_browser_may_do(site: Site, path: str) -> None:
    headers = site.http.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"


def test_other_machines_are_let_in_only_with_a_password() -> None:
    with pytest.raises(StartFailed, match="there is no password"):
        ServerProcess(options=["--memory", "--http", "0.0.0.0:0"]).start()


def test_a_port_in_use_is_one_line_that_names_the_option() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        address = f"{LOOPBACK}:{taken.getsockname()[1]}"
        with pytest.raises(StartFailed) as failure:
            ServerProcess(options=["--memory", "--http", address]).start()
    line = failure.value.stderr.strip()
    assert len(line.splitlines()) == 1
    assert address in line
    assert "--http" in line


def test_a_unix_socket_serves_too(tmp_path) -> None:
    path = tmp_path / "http.sock"
    with ServerProcess(options=["--memory", "--http", f"unix:{path}"]):
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            assert client.get("/healthz").text == "ok\n"


def test_what_is_no_http_is_answered_and_the_server_goes_on(site: Site) -> None:
    for junk in (b"\x00" * 100, b"GET / HTTP/9\r\n\r\n", b"GET /" + b"a" * 100_000):
        with socket.create_connection((LOOPBACK, site.port), 10) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            try:
                answer = connection.recv(100)
            except ConnectionResetError:
                answer = b""
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert site.http.get("/healthz").status_code == 200


def test_a_redis_client_is_told_that_it_is_at_the_wrong_door(site: Site) -> None:
    with redis.Redis(port=site.port) as client, pytest.raises(redis.ResponseError, match="this port speaks HTTP"):
        client.execute_command("PING")


def test_the_console_speaks_tls_where_its_address_says_so(tmp_path) -> None:
    made = certificates()
    cert, key = made.server.write(tmp_path, "server")
    port = free_port()
    address = f"tls:{LOOPBACK}:{port}"
    options = ["--http", address, "--tls-cert", str(cert), "--tls-key", str(key), "--password", PASSWORD, "--memory"]
    with (
        ServerProcess(options=options),
        httpx.Client(base_url=f"https://localhost:{port}", verify=client_context(made.ca)) as client,
    ):
        logged_in = client.post("/api/v1/session", json={"password": PASSWORD}, headers=ACTION)
        assert "Secure" in logged_in.headers["set-cookie"].split("; ")
        assert client.get("/api/v1/overview").status_code == 200


def test_the_http_listener_can_be_off(tmp_path) -> None:
    with ServerProcess(options=["--memory", "--http", "off"]) as server:
        assert "http" not in server.stdout_text()


def test_the_default_port_may_be_taken_by_another_server() -> None:
    with socket.socket() as holder:
        try:
            holder.bind((LOOPBACK, 7379))
            holder.listen()
        except OSError:
            pass  # someone has it already: as good
        with ServerProcess(options=["--memory"], env={"SPOOLD_HTTP": "127.0.0.1:7379"}) as server:
            said = server.stdout_text()
    assert "http" in said
    assert "off:" in said
