"""The endpoint teacher against servers that answer, drop, stall, refuse and babble: nothing lost, nothing paid for twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from oncoraft.planning.config import Rationales
from oncoraft.planning.edge import run
from oncoraft.rationales.endpoint_cache import digest_of
from oncoraft.rationales.rationales import Lessons, main
from oncoraft.rationales.teacher_endpoint import cleaned, instruction_of, request_body, text_of
from oncoraft.rationales.teacher_template import compose
from tests.rationales.cases_on_disk import write_cases
from tests.rationales.chat_server import GOOD, chat_server

CASES = 20  # 16 of them evaluable
QUICK = {"endpoint_backoff_seconds": 0.02, "endpoint_timeout_seconds": 1.0}
KEY = "sk-do-not-write-me-anywhere-0123456789"


def settings_of(url: str, **more: Any) -> dict[str, Any]:
    return {"teacher": "endpoint", "endpoint_url": url, "endpoint_model": "tiny", **QUICK, **more}


def call(folder: Path, url: str, *options: str, **more: Any) -> int:
    given = json.dumps({"rationales": settings_of(url, **more), "labels": {}})
    out = folder / "prompts" / "rationales.jsonl"
    return run(main, [str(folder / "evidence.parquet"), str(folder / "cases"), "--out", str(out), "--settings", given, *options])


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "prompts" / "rationales.jsonl").read_text(encoding="utf-8").splitlines()]


def counts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "prompts" / "rationales.jsonl.manifest.json").read_text(encoding="utf-8"))["counts"]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cases(tmp_path, CASES)
    return tmp_path


@pytest.fixture
def right(folder: Path):
    """What a good teacher answers to each request: a rationale of that very case."""
    block = Rationales.model_validate(settings_of("http://127.0.0.1:1/v1"))
    given = type("Given", (), {"evidence": folder / "evidence.parquet", "cases": folder / "cases"})()
    by_user: dict[str, str] = {}
    for sees in (True, False):
        for lesson in (lesson for part in Lessons(given, "strict", sees) for lesson in part):
            user = request_body(block, instruction_of(block), lesson, 0)["messages"][1]["content"]
            by_user[user] = compose(lesson.record, lesson.score, 3)
    return lambda body: by_user[body["messages"][1]["content"]]


def test_every_request_is_asked_once_and_a_second_run_asks_nothing(folder: Path, right) -> None:
    with chat_server(right, delay=0.05) as server:
        assert call(folder, server.url, endpoint_concurrency=4) == 0
        first = (folder / "prompts" / "rationales.jsonl").read_bytes()
        assert set(server.asked.values()) == {1}
        assert len(server.asked) == 16
        assert 1 < server.most_under_way <= 4
        assert all(row["teacher"] == "endpoint" and row["status"] == "accepted" for row in rows(folder))
        assert counts(folder)["endpoint"] | {"model": "tiny", "requests_sent": 16, "answers_received": 16} == counts(folder)["endpoint"]
        assert counts(folder)["endpoint"]["completion_tokens"] == 16 * 50
        assert call(folder, server.url) == 0
        assert sum(server.asked.values()) == 16
        assert counts(folder)["endpoint"]["answers_from_cache"] == 16
        assert (folder / "prompts" / "rationales.jsonl").read_bytes() == first


MISDEEDS = (
    "drop",
    "half",
    "stall",
    "trickle",
    "drip",
    "flood",
    "status 429 0.1",
    "status 429",
    "status 500",
    "status 503",
    "garbage <html>busy</html>",
    'garbage {"choices": []}',
    'garbage {"choices": [{"message": {"content": null}}]}',
    'garbage {"error": {"message": "overloaded"}}',
    "garbage ",
)


def test_whatever_a_server_does_nothing_is_lost_and_no_answer_is_paid_for_twice(folder: Path, right) -> None:
    order: dict[str, int] = {}

    def misbehave(body: dict[str, Any], before: int) -> str:
        place = order.setdefault(digest_of(body), len(order))
        return MISDEEDS[(place + before) % len(MISDEEDS)] if before < 2 else GOOD

    with chat_server(right, misbehave) as server:
        assert call(folder, server.url, endpoint_attempts=4) == 0
        assert len(rows(folder)) == 16
        assert all(row["status"] == "accepted" and row["teacher"] == "endpoint" for row in rows(folder))
        assert set(server.delivered.values()) == {1}
        assert len(server.delivered) == 16
        assert sum(server.asked.values()) == 16 * 3
    endpoint = counts(folder)["endpoint"]
    assert endpoint["requests_failed"] == 0
    assert {name.removeprefix("retried: ") for name in endpoint["events"]} == {
        "dropped",
        "timeout",
        "HTTP 429",
        "HTTP 500",
        "HTTP 503",
        "garbage",
    }
    assert sum(endpoint["events"].values()) == 32


def test_garbage_without_end_is_counted_as_failed_kept_for_a_look_and_never_used(folder: Path, right) -> None:
    def misbehave(body: dict[str, Any], before: int) -> str:
        return 'garbage {"text": "hello"}' if "KRAS" in body["messages"][1]["content"] else GOOD

    with chat_server(right, misbehave) as server:
        assert call(folder, server.url, endpoint_attempts=3, samples=1) == 0
        found = counts(folder)
        lost = found["endpoint"]["requests_failed"]
        assert lost > 0
        assert found["fallback"] == found["fallback_missing"] == lost
        assert len(list((folder / "prompts" / "teacher-cache" / "garbage").iterdir())) == 3 * lost
        assert all(("KRAS" in row["rationale"]) <= (row["teacher"] == "template") for row in rows(folder))
        assert call(folder, server.url, endpoint_attempts=1, samples=1, missing="refuse") == 2


def test_a_killed_run_goes_on_where_it_stopped(folder: Path, right) -> None:
    with chat_server(right, delay=0.15) as server:
        given = json.dumps({"rationales": settings_of(server.url, endpoint_concurrency=2), "labels": {}})
        command = [sys.executable, "-m", "oncoraft.rationales.rationales", str(folder / "evidence.parquet"), str(folder / "cases")]
        process = subprocess.Popen([*command, "--out", str(folder / "prompts" / "rationales.jsonl"), "--settings", given])
        deadline = time.monotonic() + 60
        while sum(server.delivered.values()) < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "prompts" / "rationales.jsonl").exists()
        kept = {path.stem for path in (folder / "prompts" / "teacher-cache").glob("??/*.json")}
        assert 4 <= len(kept) < 16
        time.sleep(0.5)  # what was under way when the process died is delivered to nobody
        before = dict(server.asked)
        assert call(folder, server.url) == 0
        assert len(rows(folder)) == 16
        assert all(server.asked[digest] == before[digest] == 1 for digest in kept)
        assert sum(server.asked.values()) <= 16 + 2  # at most the two under way were asked again


def test_a_server_that_is_not_there_ends_the_run_for_a_retry_and_keeps_what_it_has(folder: Path, right, capsys) -> None:
    def down_after_ten(body: dict[str, Any], before: int) -> str:
        return GOOD if len(server.delivered) < 5 else "status 503"

    with chat_server(right, down_after_ten) as server:
        assert call(folder, server.url, endpoint_concurrency=1, endpoint_attempts=1) == 75
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert "does not answer (HTTP 503; 10 requests in a row); 5 answers are kept" in error
        assert not (folder / "prompts" / "rationales.jsonl").exists()
        server.behaviour = lambda body, before: GOOD
        assert call(folder, server.url) == 0
        assert set(server.delivered.values()) == {1}
    port = server.server_address[1]
    assert call(folder, f"http://127.0.0.1:{port}/v1", endpoint_cache=str(folder / "empty"), endpoint_attempts=1) == 75


def test_a_last_request_that_never_comes_is_counted_as_failed_beside_those_that_did(folder: Path, right) -> None:
    def one_is_stuck(body: dict[str, Any], before: int) -> str:
        return "status 503" if digest_of(body) == stuck else GOOD

    stuck = ""
    with chat_server(right, one_is_stuck) as server:
        assert call(folder, server.url) == 0
        stuck = sorted(server.asked)[0]
        (folder / "prompts" / "teacher-cache" / stuck[:2] / f"{stuck}.json").unlink()
        assert call(folder, server.url, endpoint_attempts=2, samples=1) == 0
    assert counts(folder)["fallback"] == counts(folder)["endpoint"]["requests_failed"] == 1
    assert sum(row["teacher"] == "template" for row in rows(folder)) == 1


@pytest.mark.parametrize(("status", "told"), [(401, "ONCORAFT_TEACHER_KEY"), (403, "may use this model"), (404, "knows the model")])
def test_a_wrong_key_or_address_ends_the_run_at_once(folder: Path, right, capsys, status: int, told: str) -> None:
    with chat_server(right, lambda body, before: f"status {status}") as server:
        assert call(folder, server.url, endpoint_concurrency=2) == 2
        assert sum(server.asked.values()) <= 8
    assert told in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("misdeed", "told"),
    [
        ("redirect", "HTTP 307, a redirect"),
        ("status 400", "HTTP 400"),
        ("status 422", "HTTP 422"),
        ("garbage <!doctype html><title>Welcome</title>", "answers that are none"),
        ('garbage {"choices": [', "answers that are none"),
        ("flood", "answers that are none"),
    ],
)
def test_a_server_that_never_answers_with_a_rationale_ends_the_run_after_few_requests(
    folder: Path, right, capsys, misdeed: str, told: str
) -> None:
    with chat_server(right, lambda body, before: misdeed) as server:
        assert call(folder, server.url, endpoint_concurrency=2, endpoint_attempts=2) == 2
        assert len(server.asked) <= 8
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: rationales.endpoint_url: expected ")
    assert told in error
    assert not (folder / "prompts" / "rationales.jsonl").exists()
    cache = folder / "prompts" / "teacher-cache"
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 100_000


def test_an_answer_may_hold_what_no_file_can_and_numbers_that_no_one_counts(folder: Path, right) -> None:
    answer = json.dumps({"choices": [{"message": {"content": "half \\ud800 pair"}}], "usage": {"prompt_tokens": 0}}).replace("\\\\", "\\")
    huge = answer.replace('"prompt_tokens": 0', f'"prompt_tokens": {"9" * 5000}')
    with chat_server(right, lambda body, before: f"garbage {huge if before == 0 else answer}") as server:
        assert call(folder, server.url, endpoint_attempts=2, samples=1) == 0
        first = (folder / "prompts" / "rationales.jsonl").read_bytes()
        assert call(folder, server.url, endpoint_attempts=2, samples=1) == 0
    assert (folder / "prompts" / "rationales.jsonl").read_bytes() == first
    assert counts(folder)["endpoint"]["answers_from_cache"] == 16


def test_a_key_that_the_server_hands_back_in_a_header_is_not_logged_even_at_debug(
    folder: Path, right, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCORAFT_TEACHER_KEY", KEY)
    with caplog.at_level("DEBUG"), chat_server(right, lambda body, before: GOOD if before else f"status 429 {KEY}") as server:
        assert call(folder, server.url) == 0
    assert KEY not in caplog.text


def test_a_request_that_the_server_refuses_is_not_repeated(folder: Path, right) -> None:
    with chat_server(right, lambda body, before: "status 400" if "KRAS" in body["messages"][1]["content"] else GOOD) as server:
        assert call(folder, server.url, samples=1) == 0
        assert set(server.asked.values()) == {1}
    assert counts(folder)["endpoint"]["events"]["refused: HTTP 400"] == counts(folder)["fallback"] > 0


def test_the_key_travels_in_the_header_and_is_written_nowhere(folder: Path, right, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with chat_server(lambda body: right(body) + f" {KEY}", lambda body, before: GOOD if before else f"garbage {KEY}") as server:
        assert call(folder, server.url, endpoint_key_variable="MY_KEY", samples=1) == 0
        assert all(headers["authorization"] == f"Bearer {KEY}" for headers in server.headers)
        assert KEY not in json.dumps(server.bodies)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in "".join(capfd.readouterr())


def test_without_a_key_none_is_sent_and_a_key_with_a_line_break_is_refused(
    folder: Path, right, capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONCORAFT_TEACHER_KEY", raising=False)
    with chat_server(right) as server:
        assert call(folder, server.url) == 0
        assert all("authorization" not in headers for headers in server.headers)
        monkeypatch.setenv("ONCORAFT_TEACHER_KEY", "abc\ndef-secret")
        assert call(folder, server.url) == 2
    assert "def-secret" not in "".join(capfd.readouterr())


def test_no_case_or_patient_id_is_sent_and_the_label_only_where_it_may_be_seen(folder: Path, right) -> None:
    with chat_server(right) as server:
        assert call(folder, server.url, sees_label=False) == 0
        unseen = json.dumps(server.bodies)
        assert "P-00" not in unseen
        assert "judged" not in unseen
        server.bodies.clear()
        assert call(folder, server.url) == 0
        assert json.dumps(server.bodies).count("The treatment is judged") == 16
        assert "P-00" not in json.dumps(server.bodies)
    assert counts(folder)["teacher_sees_label"] is True


def test_a_rejected_rationale_is_asked_for_again_with_another_seed_then_falls_back(folder: Path, right) -> None:
    def second_thoughts(body: dict[str, Any]) -> str:
        return right(body) if body["seed"] != seeds[0] else "It will surely work because the patient has KRAS G13D. Overall it is likely."

    seeds = [
        request_body(Rationales.model_validate(settings_of("http://x/v1")), "", *one)["seed"]
        for one in ((lesson_stub(), 0), (lesson_stub(), 1))
    ]
    with chat_server(second_thoughts) as server:
        assert call(folder, server.url, samples=2) == 0
        assert sum(server.asked.values()) == 32
    assert {row["attempts"] for row in rows(folder)} == {2}
    assert {row["status"] for row in rows(folder)} == {"accepted"}
    with chat_server(lambda body: "I cannot help with that.") as server:
        assert call(folder, server.url, samples=3, endpoint_cache=str(folder / "other")) == 0
        assert sum(server.asked.values()) == 48
    assert counts(folder)["fallback"] == 16
    assert counts(folder)["rejected_by"]["factual"] == 48


def lesson_stub() -> Any:
    return type("Stub", (), {"statements": (), "score": None})()


def test_retry_after_is_waited_for_by_everyone(folder: Path, right) -> None:
    with chat_server(
        right, lambda body, before: "status 429 1" if not sum(server.delivered.values()) and len(server.times) == 1 else GOOD
    ) as server:
        assert call(folder, server.url, endpoint_concurrency=1) == 0
        assert server.times[1] - server.times[0] >= 0.99

    def in_two_seconds() -> str:
        return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))

    with chat_server(right, lambda body, before: f"status 503 {in_two_seconds()}" if len(server.times) == 1 else GOOD) as server:
        assert call(folder, server.url, endpoint_concurrency=1, endpoint_cache=str(folder / "other")) == 0
        assert server.times[1] - server.times[0] >= 0.9  # a date has whole seconds: between one and two are left


def test_the_rate_limit_holds_across_threads(folder: Path, right) -> None:
    with chat_server(right) as server:
        assert call(folder, server.url, endpoint_concurrency=8, endpoint_requests_per_minute=1200) == 0
        assert server.times[-1] - server.times[0] >= 15 * 0.05 * 0.95


def test_equal_cases_are_paid_for_once(tmp_path: Path, right, folder: Path) -> None:
    import pandas as pd

    evidence = pd.read_parquet(folder / "evidence.parquet")
    labels = pd.read_parquet(folder / "cases" / "labels.parquet")
    for frame, path in ((evidence, folder / "evidence.parquet"), (labels, folder / "cases" / "labels.parquet")):
        twin = frame.assign(case_id=frame["case_id"] + "9")
        pd.concat([frame, twin]).to_parquet(path, index=False)
    with chat_server(right) as server:
        assert call(folder, server.url) == 0
        assert sum(server.asked.values()) == 16
    assert len(rows(folder)) == 32


def test_a_dry_run_tells_the_cost_asks_nothing_and_writes_nothing(folder: Path, right, capsys) -> None:
    with chat_server(right) as server:
        before = sorted(folder.rglob("*"))
        assert call(folder, server.url, "--dry-run", endpoint_max_tokens=200) == 0
        plan = json.loads(capsys.readouterr().out)
        assert (plan["cases"], plan["requests_to_send"], plan["completion_tokens_at_most"]) == (16, 16, 3200)
        assert 16 * 250 < plan["prompt_tokens_estimated"] < 16 * 700
        assert plan["if_every_rationale_is_rejected"]["requests"] == 48
        assert sorted(folder.rglob("*")) == before
        assert not server.bodies
        assert call(folder, server.url, endpoint_max_tokens=200) == 0
        capsys.readouterr()
        assert call(folder, server.url, "--dry-run", endpoint_max_tokens=200) == 0
        assert json.loads(capsys.readouterr().out)["requests_to_send"] == 0
        assert len(server.bodies) == 16


def test_a_damaged_answer_on_disk_is_asked_for_again_and_counted(folder: Path, right) -> None:
    with chat_server(right) as server:
        assert call(folder, server.url) == 0
        kept = sorted((folder / "prompts" / "teacher-cache").glob("??/*.json"))
        kept[0].write_text(kept[0].read_text(encoding="utf-8")[:-40], encoding="utf-8")
        kept[1].write_text(kept[2].read_text(encoding="utf-8"), encoding="utf-8")
        assert call(folder, server.url) == 0
        assert sum(server.asked.values()) == 18
    assert counts(folder)["endpoint"]["cache_entries_damaged"] == 2


def test_two_runs_do_not_share_a_cache_at_the_same_time(folder: Path, right, capsys) -> None:
    from oncoraft.rationales.endpoint_cache import Cache

    with chat_server(right) as server, Cache(folder / "prompts" / "teacher-cache").held():
        assert call(folder, server.url) == 2
        assert not server.bodies
    assert "no other run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<think>Let me see. Score 0.7?</think>\n\nIt helps.", "It helps."),
        ("Score: 0.7\nReasoning:\nIt helps.", "It helps."),
        ("**Rationale:** It **helps**.", "It helps."),
        ('"It helps."', "It helps."),
        ("It helps. The score is high.", "It helps. The score is high."),
        ("<think>cut off before the", ""),
    ],
)
def test_the_rationale_is_taken_out_of_what_surrounds_it(content: str, text: str) -> None:
    assert cleaned(content) == text


def test_a_conversation_handed_back_before_the_answer_is_taken_off() -> None:
    body = {"messages": [{"role": "system", "content": "Explain."}, {"role": "user", "content": "ECOG 0"}]}
    answer = {"choices": [{"message": {"content": "system: Explain.\nuser: ECOG 0\nassistant: It helps."}}]}
    assert text_of(answer, body) == "It helps."


def test_the_instruction_may_be_the_user_s_own(folder: Path, right, capsys) -> None:
    own = folder / "mine.txt"
    own.write_text("Explain.", encoding="utf-8")
    with chat_server(lambda body: "No.") as server:
        assert call(folder, server.url, samples=1, endpoint_instruction=str(own)) == 0
        assert {body["messages"][0]["content"] for body in server.bodies} == {"Explain."}
        assert call(folder, server.url, endpoint_instruction=str(folder / "absent.txt")) == 2
    assert "absent.txt" in capsys.readouterr().err
    assert os.path.exists(own)
