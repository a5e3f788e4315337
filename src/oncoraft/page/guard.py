"""What stands before every request: who may ask, how much may be sent, and what a browser may do with the answer.

A page on loopback can be reached by every web site that its user visits. So a request has to name this server as its host (a
rebound name does not), must not come from another site, and where the server listens beyond loopback has to bring the token.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
LARGEST_BODY = 16 * 2**20  # bytes: some thousands of long prompts
COOKIE = "oncoraft_token"
ANY_HOST = frozenset({"0.0.0.0", "::"})
SAFE = frozenset({"GET", "HEAD"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bare(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


class TooLarge(Exception):
    """A body beyond the bound."""


@dataclass
class Guard:
    """An ASGI application before another.

    Args:
        app: what answers those who may ask.
        host: address that the server listens on.
        token: what has to be brought; None on loopback.
        largest: bytes of a body.
    """

    app: App
    host: str
    token: str | None = None
    largest: int = LARGEST_BODY
    any_host: bool = field(init=False)

    def __post_init__(self) -> None:
        # Whoever listens on every address cannot know its names; there the token alone decides.
        self.any_host = self.host in ANY_HOST

    def refusal(self, method: str, headers: dict[str, str], query: str) -> tuple[int, str] | None:
        """Why a request is refused: status and one line; None where it may pass."""
        host = headers.get("host", "")
        name = bare(host)
        if not self.any_host and not is_loopback(name) and name != self.host.lower():
            return 421, f"expected a request to {self.host} or localhost"
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not (
            method in SAFE and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        ):
            return 403, "expected a request of this page, not of another site"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return 403, "expected a request of this page, not of another site"
        if self.token is not None and not self._has_token(headers, query):
            return 401, "expected the token that was printed when the page was started: open the address as printed"
        return None

    def _has_token(self, headers: dict[str, str], query: str) -> bool:
        assert self.token is not None
        kind, _, given = headers.get("authorization", "").partition(" ")
        found = [given] if kind.lower() == "bearer" else []
        found += parse_qs(query).get("token", [])
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        found += [cookie.value] if cookie else []
        return any(secrets.compare_digest(one.encode(), self.token.encode()) for one in found)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Refuse, or hand on with a bounded body and headers for the browser."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope.get("query_string", b"").decode("latin-1")
        refused = self.refusal(scope["method"], headers, query)
        if refused is None and headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > self.largest:
            refused = (413, f"expected at most {self.largest} bytes")
        if refused is not None:
            await _answer(send, *refused)
            return
        own = dict(HEADERS)
        if self.token is not None and "token=" in query:
            own["set-cookie"] = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        await self._handed_on(scope, receive, send, own)

    async def _handed_on(self, scope: Message, receive: Receive, send: Send, own: dict[str, str]) -> None:
        seen, has_begun = 0, False

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.largest:
                raise TooLarge
            return message

        async def with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                there = {name.lower() for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in own.items() if name.encode() not in there]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            await self.app(scope, bounded, with_headers)
        except TooLarge:
            if not has_begun:
                await _answer(send, 413, f"expected at most {self.largest} bytes")


async def _answer(send: Send, status: int, reason: str) -> None:
    """One line of text."""
    headers = {"content-type": "text/plain; charset=utf-8", "connection": "close", **HEADERS}
    await send({"type": "http.response.start", "status": status, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
