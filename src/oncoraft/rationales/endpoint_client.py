"""One request to an OpenAI-compatible chat API, tried until it is answered: rate limit, backoff, Retry-After, a deadline for the whole answer."""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import json
import logging
import threading
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import httpx

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import Rationales

LONGEST_BACKOFF = 60.0
LONGEST_RETRY_AFTER = 900.0  # a server that asks for more is told no: the request counts as failed
# Bytes of an answer: envelope and headers-like fields, then a token of six characters, each at worst escaped as \uXXXX, written twice
# (text and thinking). What is longer was not made by a model that kept to `max_tokens`.
ENVELOPE_BYTES, BYTES_PER_TOKEN = 65_536, 72
KEPT_OF_GARBAGE = 4_096  # characters: enough for a person to see what came
WORTH_A_RETRY = frozenset({408, 409, 425, 429})
SET_UP_WRONGLY = {
    401: "a valid key in the environment variable {variable}",
    402: "an account that can pay",
    403: "a key that may use this model",
    404: "a chat API at this address that knows the model",
    405: "a chat API at this address",
}


class Unavailable(Exception):
    """The server did not answer, however often it was asked."""


class NoAnswer(Exception):
    """The server answers, but not with what was asked for."""


class _TryAgain(Exception):
    def __init__(self, reason: str, wait: float | None = None, raw: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.raw = raw


class Gate:
    """Lets requests pass at the configured rate, and none while the server asked for a pause."""

    def __init__(self, per_minute: float | None) -> None:
        self.spacing = 60.0 / per_minute if per_minute else 0.0
        self.lock = threading.Lock()
        self.free_at = 0.0

    def wait(self, stop: threading.Event) -> None:
        """Wait for one's turn; return at once when the run is being stopped."""
        with self.lock:
            turn = max(time.monotonic(), self.free_at)
            self.free_at = turn + self.spacing
        stop.wait(max(0.0, turn - time.monotonic()))

    def pause(self, seconds: float) -> None:
        """Nothing passes for so long."""
        with self.lock:
            self.free_at = max(self.free_at, time.monotonic() + seconds)


class Client:
    """Asks, waits, asks again. Safe to use from several threads; the key is held in memory only.

    Args:
        block: address, limits and patience.
        key: bearer token, or None.
    """

    def __init__(self, block: Rationales, key: str | None) -> None:
        self.block = block
        self.url = (block.endpoint_url or "").rstrip("/") + "/chat/completions"
        self.gate = Gate(block.endpoint_requests_per_minute)
        self.stop = threading.Event()
        self.events: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.largest_answer = ENVELOPE_BYTES + BYTES_PER_TOKEN * block.endpoint_max_tokens
        # httpx bounds each read, not the exchange: a server that drips a header a minute would be waited for without end. So requests run
        # on an event loop, whose time limit ends them wherever they stand.
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="endpoint", daemon=True).start()
        # At DEBUG both tell headers, in which a server may hand the key back.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(block.endpoint_timeout_seconds, connect=min(20.0, block.endpoint_timeout_seconds)),
            limits=httpx.Limits(max_connections=block.endpoint_concurrency, max_keepalive_connections=block.endpoint_concurrency),
            trust_env=not is_loopback(self.url),
            follow_redirects=False,
        )

    def note(self, event: str) -> None:
        """Count an event."""
        with self.lock:
            self.events[event] += 1

    def ask(self, digest: str, body: dict[str, Any], keep_garbage: Any) -> dict[str, Any]:
        """The server's answer, with text in `choices[0].message.content`.

        Args:
            digest: of the request; spreads the waits of requests that fail together.
            body: to send.
            keep_garbage: called with (digest, attempt, text) for each answer that is none.

        Raises:
            Unavailable: no answer after all attempts, or the run is being stopped.
            NoAnswer: garbage after all attempts, or the server refuses this very request.
            InputError: key, address or model are wrong: no request can succeed.
        """
        last = _TryAgain("not asked")
        for attempt in range(self.block.endpoint_attempts):
            self.gate.wait(self.stop)
            if self.stop.is_set():
                raise Unavailable("stopped")
            try:
                return self._once(body)
            except _TryAgain as error:
                last = error
                self.note(f"retried: {error.reason}")
                if error.raw is not None:
                    keep_garbage(digest, attempt, error.raw[:KEPT_OF_GARBAGE])
                if error.wait is not None:
                    if error.wait > LONGEST_RETRY_AFTER:
                        break
                    self.gate.pause(error.wait)
                elif attempt + 1 < self.block.endpoint_attempts:
                    self.stop.wait(self._backoff(digest, attempt))
        raise (NoAnswer if last.raw is not None else Unavailable)(last.reason)

    def _backoff(self, digest: str, attempt: int) -> float:
        whole = min(LONGEST_BACKOFF, self.block.endpoint_backoff_seconds * 2.0**attempt)
        # Spread by the request's digest: what failed together must not come back together.
        return whole * (0.5 + 0.5 * stable_fraction(digest, attempt))

    def _once(self, body: dict[str, Any]) -> dict[str, Any]:
        self.note("requests")
        try:
            raw = asyncio.run_coroutine_threadsafe(self._exchange(body), self.loop).result()
        except (httpx.TimeoutException, TimeoutError):
            raise _TryAgain("timeout") from None
        except (httpx.TransportError, httpx.StreamError):
            raise _TryAgain("dropped") from None
        except httpx.DecodingError:
            raise _TryAgain("garbage", raw="content encoding does not match") from None
        return parsed(raw.decode("utf-8", errors="replace"))

    async def _exchange(self, body: dict[str, Any]) -> bytes:
        """Send a request and read its answer, within the time and the size that the configuration allows."""
        async with asyncio.timeout(self.block.endpoint_timeout_seconds), self.http.stream("POST", self.url, json=body) as response:
            self._check(response)
            raw = bytearray()
            async for part in response.aiter_bytes():
                raw += part
                if len(raw) > self.largest_answer:
                    raise _TryAgain("garbage", raw=f"more than {self.largest_answer} bytes")
            return bytes(raw)

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if 300 <= status < 400:
            expected = "an address that answers itself (the key is not carried on to another)"
            raise InputError(f"rationales.endpoint_url: expected {expected}", found=f"HTTP {status}, a redirect")
        if status in SET_UP_WRONGLY:
            expected = SET_UP_WRONGLY[status].format(variable=self.block.endpoint_key_variable)
            raise InputError(f"rationales.endpoint_url: expected {expected}", found=f"HTTP {status}")
        if status in WORTH_A_RETRY or status >= 500:
            raise _TryAgain(f"HTTP {status}", retry_after(response.headers.get("retry-after")))
        self.note(f"refused: HTTP {status}")
        raise NoAnswer(f"HTTP {status}")


def parsed(raw: str) -> dict[str, Any]:
    """An answer in the API's shape; anything else is garbage, worth another try."""
    try:
        answer = json.loads(raw)
        content = answer["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):  # ValueError: also a number of thousands of digits
        raise _TryAgain("garbage", raw=raw) from None
    if not isinstance(content, str):
        raise _TryAgain("garbage", raw=raw)
    result: dict[str, Any] = answer
    return result


def retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a `Retry-After` header in seconds or as a date; None if there is none that can be read."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own; then no proxy of the environment is asked."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
