"""What is served is made while the page is open: it says how far that is, and answers what was asked meanwhile."""

from __future__ import annotations

import os
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import httpx
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.page.making import Making
from tests.page.conftest import Serve, until
from tests.page.test_api import ENTRIES

pytestmark = pytest.mark.xdist_group("page")  # one page, one model, one browser for all of them


def test_what_is_asked_before_the_model_is_made_is_answered_when_it_is(serve: Serve, home: Path, tmp_path: Path) -> None:
    copied = " && ".join(f"cp -r {shlex.quote(str(home / name))} {shlex.quote(str(tmp_path / name))}" for name in ("model", "results"))
    go = tmp_path / "go"
    command = f"echo 1 of 3 steps; until [ -e {shlex.quote(str(go))} ]; do sleep 0.05; done; {copied}"
    address, page = serve("--model", tmp_path / "model", "--results", tmp_path / "results", "--made-by", command)
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as client, ThreadPoolExecutor(1) as pool:
        until(lambda: client.get("/api/health").json()["models"][0]["reason"] == "1 of 3 steps")
        assert client.get("/api/health").json()["models"][0]["state"] == "making"
        assert "being made" in client.get("/screen/models").text
        assert "Patient of the study" in client.get("/").text
        assert "still being made" in client.get("/screen/patients").text
        asked = pool.submit(lambda: client.post("/api/score", json={"entries": ENTRIES}))
        until(lambda: bool(page.model(None).worker.told))
        go.touch()
        answer = asked.result()
        assert answer.status_code == 200, answer.text
        # Where the score stands is known too: the run was found once it was there.
        assert answer.json()["standing"]["scale"]["n"] == 150
        assert "<button" in client.get("/screen/patients").text


def test_what_cannot_be_made_is_told_to_those_who_wait_and_the_page_lives_on(serve: Serve, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = f"until [ -e {shlex.quote(str(go))} ]; do sleep 0.05; done; exit 3"
    address, page = serve("--model", tmp_path / "model", "--made-by", command)
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as client, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: client.post("/api/score", json={"prompt": "Drugs: osimertinib"}))
        until(lambda: bool(page.model(None).worker.told))
        go.touch()
        answer = asked.result()
        assert (answer.status_code, "could not be made" in answer.json()["error"]) == (503, True)
        assert client.get("/").status_code == 200
        assert "could not be made" in client.get("/screen/models").text


def test_a_command_that_leaves_no_model_folder_is_told_of(serve: Serve, tmp_path: Path) -> None:
    address, page = serve("--model", tmp_path / "model", "--made-by", "true")
    until(lambda: page.model(None).worker.state == "refused")
    assert "expected a model folder" in httpx.get(f"{address}/screen/models", trust_env=False).text


def test_what_is_being_made_ends_with_the_page(tmp_path: Path) -> None:
    making, told = Making(f"echo $$ > {shlex.quote(str(tmp_path / 'id'))}; echo 1 of 2 steps; sleep 600 & wait"), list[str]()
    ended: list[bool] = []
    thread = Thread(target=lambda: ended.append(making.run(told.append)))
    thread.start()
    until(lambda: bool(told))
    making.close()
    thread.join(20)
    assert ended == [False]
    group = int((tmp_path / "id").read_text())

    def is_gone() -> bool:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return False

    until(is_gone, 20)


def test_what_a_command_said_last_is_in_the_terminal(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match="could not be made"):
        Making("echo no room on the disk; exit 1").run(lambda _: None)
    assert "no room on the disk" in caplog.text
