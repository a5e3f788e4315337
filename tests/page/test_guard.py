"""Who may ask: not another site, not a rebound name, not without the token; and never more than is allowed."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.page.browse import report_file
from oncoraft.page.guard import POLICY, Guard
from oncoraft.page.page import listening, main, parse, token_of

pytestmark = pytest.mark.xdist_group("page")  # one page, one model, one browser for all of them


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An application that tells how much it was sent."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def asked(
    guard: Guard, method: str = "POST", path: str = "/", host: str = "localhost:8181", content: Any = b"x", **headers: str
) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://localhost:8181") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, content=content, headers={"host": host, **named})

    return asyncio.run(go())


LOOPBACK = Guard(echo, "127.0.0.1", largest=1000)


@pytest.mark.parametrize("host", ["localhost:8181", "127.0.0.1:8181", "[::1]:8181", "LOCALHOST"])
def test_a_page_of_this_machine_may_ask(host: str) -> None:
    assert asked(LOOPBACK, host=host).status_code == 200
    assert asked(LOOPBACK, host=host, origin=f"http://{host}", sec_fetch_site="same-origin").status_code == 200


@pytest.mark.parametrize("host", ["evil.example:8181", "localhost.evil.example", "127.0.0.1.nip.io:8181", "192.168.0.7:8181", ""])
def test_a_rebound_name_may_not(host: str) -> None:
    assert asked(LOOPBACK, host=host).status_code == 421
    assert asked(LOOPBACK, "GET", host=host).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"origin": "http://localhost.evil.example:8181"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
    ],
)
def test_another_site_may_not(headers: dict[str, str]) -> None:
    assert asked(LOOPBACK, **headers).status_code == 403
    assert asked(LOOPBACK, "GET", **headers).status_code == 403


def test_a_link_from_elsewhere_opens_the_page_and_sends_nothing() -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert asked(LOOPBACK, "GET", **link).status_code == 200
    assert asked(LOOPBACK, "POST", **link).status_code == 403
    assert asked(LOOPBACK, "GET", **(link | {"sec_fetch_dest": "iframe"})).status_code == 403


def test_beyond_loopback_nobody_asks_without_the_token() -> None:
    guard = Guard(echo, "0.0.0.0", token="a-token-of-some-length")
    assert asked(guard, host="hospital.example:8181").status_code == 401
    assert asked(guard, host="x", authorization="Bearer another").status_code == 401
    assert asked(guard, host="x", cookie="oncoraft_token=a b; =;").status_code == 401
    assert asked(guard, host="x", authorization="Bearer a-token-of-some-length").status_code == 200
    opened = asked(guard, "GET", "/?token=a-token-of-some-length", host="x")
    assert opened.status_code == 200
    assert "HttpOnly; SameSite=Strict" in opened.headers["set-cookie"]
    assert asked(guard, "GET", host="x", cookie="oncoraft_token=a-token-of-some-length").status_code == 200


def test_a_body_beyond_the_bound_is_refused_told_or_not() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    assert asked(LOOPBACK, content=b"x" * 1000).text == "1000"
    assert asked(LOOPBACK, content=b"x" * 1001).status_code == 413
    assert asked(LOOPBACK, content=parts()).status_code == 413


def test_every_answer_forbids_what_the_page_does_not_need() -> None:
    for answer in (asked(LOOPBACK), asked(LOOPBACK, host="evil.example")):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["../secret.html", "report/../../secret.html", "report/link.html", "tables/one.csv", "report/x\0.html", "a" * 5000, "report"]
)
def test_no_file_but_those_of_a_report_is_read(tmp_path: Path, path: str) -> None:
    root = tmp_path / "results"
    for folder in ("report", "tables"):
        (root / folder).mkdir(parents=True)
    for file in (tmp_path / "secret.html", root / "report" / "index.html", root / "tables" / "one.csv"):
        file.write_text("x")
    (root / "report" / "link.html").symlink_to(tmp_path / "secret.html")
    assert report_file(root, path) is None
    assert report_file(root, "report/index.html") == (root / "report" / "index.html").resolve()


def test_a_port_that_is_taken_is_one_line(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port}: .*another page may be open there already"):
            listening("127.0.0.1", port)
        with pytest.raises(InputError, match="another page"):
            main(["--model", str(home / "model"), "--port", str(port)])


def test_a_command_line_that_cannot_be_served_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="none: expected a folder"):
        parse(["--model", str(tmp_path / "none")])
    with pytest.raises(InputError, match="0 to 65535"):
        parse(["--model", str(tmp_path), "--port", "70000"])
    assert token_of("127.0.0.1") is None
    assert len(token_of("0.0.0.0") or "") > 20
    monkeypatch.setitem(os.environ, "ONCORAFT_PAGE_TOKEN", "short")
    with pytest.raises(InputError, match="at least 16"):
        token_of("0.0.0.0")
