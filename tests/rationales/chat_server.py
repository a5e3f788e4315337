"""A chat API on loopback that behaves as a test tells it, and remembers everything that it was asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from oncoraft.rationales.endpoint_cache import digest_of

GOOD = "good"
# (what was asked, how often this very request came before) -> GOOD or a misbehaviour.
Behaviour = Callable[[dict[str, Any], int], str]
Answers = Callable[[dict[str, Any]], str]


class ChatServer(ThreadingHTTPServer):
    """Counts requests, good answers that were handed over whole, and the most requests under way at a time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers: Answers, behaviour: Behaviour, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.behaviour, self.delay = answers, behaviour, delay
        self.asked: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        digest, server = digest_of(body), self.server
        with server.lock:
            before = server.asked[digest]
            server.asked[digest] += 1
            server.bodies.append(body)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            server.times.append(time.monotonic())
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            time.sleep(server.delay)
            getattr(self, "do_" + server.behaviour(body, before).split()[0])(body, digest, server.behaviour(body, before))
        finally:
            with server.lock:
                server.under_way -= 1

    def send(self, status: int, text: str, **headers: str) -> None:
        raw = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def do_good(self, body: dict[str, Any], digest: str, how: str) -> None:
        message = {"role": "assistant", "content": self.server.answers(body)}
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
        answer = {
            "id": "x",
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        }
        self.send(200, json.dumps(answer))
        with self.server.lock:
            self.server.delivered[digest] += 1

    def do_status(self, body: dict[str, Any], digest: str, how: str) -> None:
        _, status, *retry_after = how.split(maxsplit=2)
        self.send(int(status), '{"error": "not now"}', **({"Retry_After": retry_after[0]} if retry_after else {}))

    def do_drop(self, body: dict[str, Any], digest: str, how: str) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_half(self, body: dict[str, Any], digest: str, how: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "500")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"mess')
        self.do_drop(body, digest, how)

    def do_stall(self, body: dict[str, Any], digest: str, how: str) -> None:
        time.sleep(3.0)
        self.close_connection = True

    def do_trickle(self, body: dict[str, Any], digest: str, how: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)
        self.close_connection = True

    def do_drip(self, body: dict[str, Any], digest: str, how: str) -> None:
        """A header that never ends."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Wait: ")
        for _ in range(100):
            self.wfile.write(b".")
            self.wfile.flush()
            time.sleep(0.05)
        self.close_connection = True

    def do_flood(self, body: dict[str, Any], digest: str, how: str) -> None:
        """An answer of megabytes."""
        self.send(200, json.dumps({"choices": [{"message": {"content": "x" * 7_000_000}}]}))

    def do_redirect(self, body: dict[str, Any], digest: str, how: str) -> None:
        self.send(307, "", Location="http://127.0.0.1:9/elsewhere")

    def do_garbage(self, body: dict[str, Any], digest: str, how: str) -> None:
        self.send(200, how.partition(" ")[2])

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@contextmanager
def chat_server(answers: Answers, behaviour: Behaviour = lambda body, before: GOOD, delay: float = 0.0) -> Iterator[ChatServer]:
    """Serve while the block runs."""
    server = ChatServer(answers, behaviour, delay)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
