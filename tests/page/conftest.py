"""One page over real HTTP for all tests of this folder: a tiny model, a results folder, a server in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from oncoraft.page.app import create
from oncoraft.page.page import listening, parse, prepare
from oncoraft.page.served import Page
from oncoraft.planning.edge import read_settings
from tests.page import made
from tests.page.chrome import Chrome

SETTINGS = '{"inference": {"max_new_tokens": 24}, "report": {"smallest_cell": 1}}'
Serve = Callable[..., tuple[str, Page]]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with model/ and results/."""
    folder = tmp_path_factory.mktemp("page")
    made.model(folder)
    made.results(folder / "results", folder / "fold")
    return folder


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Start a page with the command's own arguments; its address, and what it serves."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(*arguments: str | Path, token: str | None = None) -> tuple[str, Page]:
        given = parse([*map(str, arguments), "--port", "0", "--threads", "1", "--settings", SETTINGS])
        page = prepare(given, None, read_settings("page", given))
        bound = listening("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(create(page, token=token), access_log=False, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{bound.getsockname()[1]}", page

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(20)


def until(is_so: Callable[[], bool], seconds: float = 240.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="session")
def served(serve: Serve, home: Path) -> tuple[str, Page]:
    """The page with its results, ready."""
    address, page = serve("--model", home / "model", "--results", home / "results")
    worker = page.model(None).worker
    until(lambda: worker.state != "loading")
    assert worker.state == "ready", worker.reason
    return address, page


@pytest.fixture(scope="session")
def client(served: tuple[str, Page]) -> Iterator[httpx.Client]:
    """A program that asks it."""
    with httpx.Client(base_url=served[0], timeout=120, trust_env=False) as found:
        yield found


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser."""
    found = Chrome(tmp_path_factory.mktemp("chrome"))
    yield found
    found.close()
