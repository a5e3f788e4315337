"""A model answers as soon as it is made, and says what is not known of it until what judges it is made too."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from oncoraft.page.making import Making
from oncoraft.page.worker import Refused, Served
from oncoraft.planning.config import Inference
from oncoraft.recalibration import FILE as RECALIBRATION
from tests.page.conftest import Serve, until
from tests.page.test_api import ENTRIES

pytestmark = pytest.mark.xdist_group("page")  # one page, one model, one browser for all of them


def just_trained(home: Path, folder: Path) -> tuple[Path, Path]:
    """The model folder and the results as they are when the fold is trained, and nothing has been scored with it."""
    model, results = folder / "model", folder / "results"
    shutil.copytree(home / "model", model)
    (model / RECALIBRATION).unlink()
    record = json.loads((model / "manifest.json").read_text())
    del record["outputs"][RECALIBRATION]
    (model / "manifest.json").write_text(json.dumps(record))
    shutil.copytree(
        home / "results", results, ignore=shutil.ignore_patterns("metrics", "survival", "predictions*", "report", RECALIBRATION)
    )
    return model, results


def copied(source: Path, goal: Path) -> str:
    """Shell words that put a folder in the place of another."""
    return f"rm -rf {shlex.quote(str(goal))} && cp -r {shlex.quote(str(source))} {shlex.quote(str(goal))}"


def waited(go: Path) -> str:
    """Shell words that wait for a file."""
    return f"until [ -e {shlex.quote(str(go))} ]; do sleep 0.05; done"


def asked_on_screen(client: httpx.Client) -> str:
    """All that the page shows of an answer."""
    lines = client.post("/screen/ask", json={"entries": ENTRIES}).text.splitlines()
    return "".join(json.loads(line).get("html", "") for line in lines)


def test_a_model_answers_before_it_is_judged_and_says_what_is_not_known_yet(serve: Serve, home: Path, tmp_path: Path) -> None:
    (tmp_path / "early").mkdir()
    early = just_trained(home, tmp_path / "early")
    model, results, go = tmp_path / "model", tmp_path / "results", tmp_path / "go"
    first = f"echo 1 of 1 steps; {copied(early[0], model)}; {copied(early[1], results)}"
    second = f"echo 2 of 5 steps; {waited(go)}; {copied(home / 'results', results)}; {copied(home / 'model', model)}"
    address, _ = serve("--model", model, "--results", results, "--made-by", first, "--made-by", second)
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
        answer = client.post("/api/score", json={"entries": ENTRIES}).json()
        assert answer["probability"] is None
        assert "still being made" in answer["standing"]["follows"]
        assert (answer["standing"]["scale"], answer["standing"]["interval"]) == (None, None)
        until(lambda: "(2 of 5 steps)" in client.get("/api/health").json()["models"][0]["follows"])
        assert "still being made (2 of 5 steps)" in client.get("/screen/models").text
        shown = asked_on_screen(client)
        assert "still being made" in shown
        assert "--results" not in shown  # nothing for the reader to do but to wait
        assert "holds no recalibration" not in shown
        # Patients are looked up as soon as the cohort is there.
        assert "<button" in client.get("/screen/patients").text
        go.touch()
        until(lambda: not client.get("/api/health").json()["models"][0]["follows"])
        later = client.post("/api/score", json={"entries": ENTRIES}).json()
        assert later["score"] == answer["score"]
        assert later["probability"] is not None
        assert (later["standing"]["follows"], later["standing"]["scale"]["n"]) == (None, 150)
        assert later["standing"]["interval"] is not None
        assert "still being made" not in asked_on_screen(client)


def test_a_model_goes_on_where_what_follows_fails_and_the_page_says_what_is_not_known(serve: Serve, home: Path, tmp_path: Path) -> None:
    model, results = just_trained(home, tmp_path)
    go = tmp_path / "go"
    address, page = serve("--model", model, "--results", results, "--made-by", "true", "--made-by", f"{waited(go)}; kill -9 $$")
    worker = page.model(None).worker
    until(lambda: worker.state == "ready")
    go.touch()
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
        until(lambda: "could not be made" in client.get("/screen/models").text)
        answer = client.post("/api/score", json={"entries": ENTRIES})
        assert answer.status_code == 200, answer.text
        assert "is not there" in answer.json()["standing"]["follows"]
        assert worker.state == "ready"


def test_a_model_that_only_a_later_command_makes_is_waited_for(serve: Serve, home: Path, tmp_path: Path) -> None:
    other, go = tmp_path / "other", tmp_path / "go"
    commands = ("--made-by", "true", "--made-by", f"{waited(go)}; {copied(home / 'model', other)}")
    _, page = serve("--model", home / "model", "--model", other, *commands)
    one, two = (model.worker for model in page.models.values())
    until(lambda: one.state == "ready")
    assert two.state == "making"
    go.touch()
    until(lambda: two.state == "ready")


def test_nothing_is_begun_after_the_page_has_ended(tmp_path: Path) -> None:
    later = Making(f"touch {shlex.quote(str(tmp_path / 'made'))}")
    later.close()
    assert later.run(lambda _: None) is False
    assert not (tmp_path / "made").exists()


def test_a_text_is_finished_by_the_model_that_began_it_and_the_next_is_read_by_the_new_one(home: Path, tmp_path: Path) -> None:
    model, _ = just_trained(home, tmp_path)
    told: list[dict[str, Any]] = []
    worker = Served(model, Inference(max_new_tokens=6), 0, lambda event, key, **more: told.append({"event": event, "key": key, **more}))
    question = {"what": "ask", "prompts": ["Drugs: osimertinib"]}
    worker.take({**question, "key": 1, "is_written": True})
    worker.work()
    assert worker.writing.rows  # it is being written
    shutil.rmtree(model)
    shutil.copytree(home / "model", model)
    worker.take({"what": "reopen", "key": 0})
    worker.take({**question, "key": 2, "is_written": False})
    while worker.is_busy:
        worker.work()
    ended = [(one["event"], one["key"]) for one in told if one["event"] in {"answer", "ready"}]
    assert ended == [("answer", 1), ("ready", 0), ("answer", 2)]
    before, after = (one["record"] for one in told if one["event"] == "answer")
    assert (before["probability"], after["probability"] is None) == (None, False)
    assert before["score"] == after["score"]


def test_a_folder_that_is_damaged_when_it_is_read_anew_is_refused_with_its_reason(home: Path, tmp_path: Path) -> None:
    model, _ = just_trained(home, tmp_path)
    worker = Served(model, Inference(max_new_tokens=6), 0, lambda event, key, **more: None)
    (model / "score_head.pt").unlink()
    worker.take({"what": "reopen", "key": 0})
    with pytest.raises(Refused, match=r"score_head\.pt"):
        worker.work()
