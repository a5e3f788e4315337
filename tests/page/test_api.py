"""The interface: the answer of `oncoraft predict`, every form of a case, one line for what cannot be answered."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import torch

from oncoraft.evidence.shown import shown_fields
from oncoraft.inference import predict
from oncoraft.inference.predict import read_prompts
from oncoraft.models.fold_model import HEAD_FILE
from oncoraft.page.asking import Case
from oncoraft.page.folder import SCORE_HEAD
from oncoraft.page.served import Page
from oncoraft.page.service import Unavailable, Worker
from oncoraft.page.standing import Standing
from oncoraft.page.study import Study
from oncoraft.page.worker import Served
from oncoraft.planning.config import Inference
from tests.models.tiny_folds import rows
from tests.page.conftest import SETTINGS, until

pytestmark = pytest.mark.xdist_group("page")  # one page, one model, one browser for all of them
CASE = {
    "instruction": "How likely is a response to this treatment?",
    "input": "Drugs: osimertinib\nPatient: ECOG 1; line 2\nGenomics: EGFR L858R",
}
ENTRIES = [
    {"field": "drug", "value": "tagrisso"},
    {"field": "cancer_type", "value": "non-small cell lung cancer"},
    {"field": "ecog", "value": "1", "days": 3},
    {"field": "specimen_type", "value": "Primary", "days": 10},
    {"field": "mutation", "value": "egfr p.Leu858Arg"},
]


def events(client: httpx.Client, address: str, **body: Any) -> list[dict[str, Any]]:
    with client.stream("POST", address, **body) as response:
        assert response.status_code == 200, response.read()
        return [json.loads(line) for line in response.iter_lines()]


def test_the_answer_is_that_of_predict_to_the_last_digit(
    client: httpx.Client, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps(CASE))
    capsys.readouterr()
    assert (
        predict.main(["--model", str(home / "model"), "--case", str(file), "--json", "--threads", "1", "--settings", SETTINGS_OF_PREDICT])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    said = events(client, "/api/predict", json=CASE)
    assert [one["event"] for one in said][0 :: len(said) - 1] == ["score", "answer"]
    assert said[-1]["record"] == told
    assert said[0]["record"]["score"] == told["score"]
    # Half a character at the end is not told before it is whole.
    assert told["rationale"].rstrip("\ufffd").endswith("".join(one["text"] for one in said[1:-1]))
    assert client.post("/api/score", json=CASE).json()["score"] == told["score"]


SETTINGS_OF_PREDICT = json.dumps({"inference": json.loads(SETTINGS)["inference"]})


def test_many_at_once_get_each_their_own_answer(client: httpx.Client) -> None:
    cases = [{"case_id": row["case_id"], "instruction": row["instruction"], "input": row["input"]} for row in rows(8)]
    alone = [events(client, "/api/predict", json=case)[-1]["record"] for case in cases]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda case: events(client, "/api/predict", json=case)[-1]["record"], cases))
    assert [one["score"] for one in together] == [one["score"] for one in alone]
    assert [one["case_id"] for one in together] == [case["case_id"] for case in cases]
    assert len({one["score"] for one in together}) == 8
    # The text is drawn from each case's own numbers: whom it was written beside must not show.
    assert [one["rationale"] for one in together] == [one["rationale"] for one in alone]


def test_a_case_that_is_entered_reads_as_the_workflow_would_write_it(client: httpx.Client) -> None:
    told = client.post("/api/render", json={"entries": ENTRIES}).json()
    assert "- Osimertinib (EGFR inhibitor)" in told["input"]
    assert "- ECOG performance status 1 (3 days before treatment)" in told["input"]
    assert "- Mutations: EGFR L858R" in told["input"]
    assert (told["regimen"], told["cancer_type"]) == ("osimertinib", "Non-Small Cell Lung Cancer")
    again = client.post("/api/score", json={name: told[name] for name in ("instruction", "input")}).json()
    assert client.post("/api/score", json={"entries": ENTRIES}).json()["score"] == again["score"]


def test_a_patient_reads_as_in_the_evidence_of_the_workflow(client: httpx.Client, home: Path) -> None:
    evidence = pd.read_parquet(home / "results" / "prompts" / "evidence.parquet")
    cases = pd.read_parquet(home / "results" / "cases" / "cases.parquet")
    for _, case in cases.iloc[[4, 20]].iterrows():
        at = {"patient_id": case["patient_id"], "index_day": int(case["index_day"])}
        told = client.post("/api/render", json={"patient": at}).json()
        own = evidence[evidence["case_id"] == case["case_id"]]
        expected = own[own["field"].isin(shown_fields("full")) & (own["text"] != "")]
        assert [one["text"] for one in told["statements"]] == expected["text"].tolist()
    assert at["index_day"] in {row["index_day"] for row in client.get("/api/cases", params={"patient_id": at["patient_id"]}).json()}


def test_a_patient_on_another_day_with_other_drugs_knows_nothing_of_later(client: httpx.Client, home: Path) -> None:
    cases = pd.read_parquet(home / "results" / "cases" / "cases.parquet")
    lung = cases[(cases["cancer_type"] == "Non-Small Cell Lung Cancer") & (cases["index_day"] > 100)].iloc[0]
    day = int(lung["index_day"]) - 1
    at = {"patient_id": lung["patient_id"], "index_day": day, "agents": ["alectinib"]}
    told = client.post("/api/render", json={"patient": at}).json()
    assert "Alectinib (ALK inhibitor)" in told["input"]
    assert all(one["days"] is None or one["days"] >= 0 for one in told["statements"])
    at["agents"] = ["alectinip"]
    assert "did you mean alectinib" in client.post("/api/render", json={"patient": at}).json()["error"]


def test_a_score_says_where_it_stands(client: httpx.Client) -> None:
    answer = client.post("/api/score", json={"entries": ENTRIES}).json()
    told = answer["standing"]
    scores = told["scale"]["scores"]
    assert told["scale"]["n"] == len(scores) == 150
    assert told["scale"]["below"] == pytest.approx(sum(one < answer["score"] for one in scores) / 150)
    regimen = told["regimen"]
    assert regimen["n"] == 120
    assert regimen["responders"]["n"] + regimen["others"]["n"] + regimen["not_evaluable"] == 120
    assert told["interval"][0] < answer["probability"] < told["interval"][1]
    assert told["curves"]["group"] in {"high", "low"}
    assert any("nine in ten cases" in said for said in told["warnings"])
    strange = [*ENTRIES[1:], {"field": "drug", "value": "alectinib"}]
    assert any(
        "holds no case of this regimen" in said
        for said in client.post("/api/score", json={"entries": strange}).json()["standing"]["warnings"]
    )


def test_what_moved_the_score_is_what_is_scored_without_it(client: httpx.Client) -> None:
    told = client.post("/api/moved", json={"entries": ENTRIES}).json()
    assert {row["statement"] for row in told["statements"]} >= {"EGFR L858R", "ECOG performance status 1 (3 days before treatment)"}
    changes = [abs(row["change"]) for row in told["statements"]]
    assert changes == sorted(changes, reverse=True)
    row = next(row for row in told["statements"] if row["statement"].startswith("ECOG"))
    without = client.post("/api/score", json={"entries": [one for one in ENTRIES if one["field"] != "ecog"]}).json()["score"]
    assert row["score_without"] == pytest.approx(without, abs=1e-5)
    assert row["change"] == pytest.approx(told["score"] - without, abs=1e-5)
    lines = client.post("/api/moved", json=CASE).json()["statements"]
    assert {row["statement"] for row in lines} == {"Drugs: osimertinib", "ECOG 1", "line 2", "Genomics: EGFR L858R"}


def test_a_file_of_cases_is_answered_whole_and_in_order(client: httpx.Client) -> None:
    body = "".join(json.dumps(row) + "\n" for row in rows(20))
    said = events(client, "/api/batch", content=body)
    *cases, end = said
    answers = [one["record"] for one in sorted(cases, key=lambda one: one["place"])]
    assert [one["case_id"] for one in answers] == [f"c{n:02d}" for n in range(20)]
    assert [one["done"] for one in cases] == list(range(1, 21))
    text = "".join(one["line"] for one in sorted(cases, key=lambda one: one["place"]))
    assert [json.loads(line) for line in text.splitlines()] == answers
    assert end == {"event": "end", "cases": 20, "failed": 0, "sha256": hashlib.sha256(text.encode()).hexdigest(), "model": "model"}
    single = client.post("/api/score", json={name: rows(3)[2][name] for name in ("instruction", "input")}).json()["score"]
    assert answers[2]["score"] == single


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"instruction": "a", "input": "b"}\n{"input": 3}', "line 2"),
        ('{"case_id": "a", "prompt_digest": "0", "prompts": "../prompts.jsonl"}', "export-jsonl"),
        ("[1]", "line 1: expected a JSON object"),
        ('{"instruction": "a"', "line 1: expected a JSON object"),
        ("", "expected at least one case"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(client: httpx.Client, body: Any, said: str) -> None:
    found = client.post("/api/batch", content=body)
    assert found.status_code == 422
    assert said in found.json()["error"]


def test_a_prompt_that_is_too_long_is_refused_and_never_cut(client: httpx.Client) -> None:
    found = client.post("/api/score", json={"prompt": "x" * 9000})
    assert found.status_code == 422
    assert "expected a prompt of fewer than 4096 tokens" in found.json()["error"]


def test_who_leaves_is_not_waited_for(client: httpx.Client, served: tuple[str, Page]) -> None:
    worker = served[1].model(None).worker
    with client.stream("POST", "/api/predict", json=CASE) as response:
        next(response.iter_lines())
    until(lambda: not worker.told)
    assert client.post("/api/score", json=CASE).status_code == 200


def test_a_killed_process_is_told_of_and_started_again(client: httpx.Client, served: tuple[str, Page]) -> None:
    worker = served[1].model(None).worker
    assert worker.process is not None
    os.kill(worker.process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: client.post("/api/score", json=CASE))
        until(lambda: bool(worker.told))
        os.kill(worker.process.pid, signal.SIGKILL)
        found = asked.result()
    assert found.status_code == 503
    assert "SIGKILL; the machine may have run out of memory; it is being started again" in found.json()["error"]
    assert client.get("/").status_code == 200
    assert client.post("/api/score", json=CASE).status_code == 200  # waits for the new process


def test_a_model_folder_that_has_gone_is_told_of(served: tuple[str, Page], tmp_path: Path) -> None:
    """First while its copy in memory answers, then where it is missed."""
    model = served[1].model(None)
    worker = Worker("gone", tmp_path / "gone", model.worker.settings, 1, 0)
    assert "no longer there" in replace(model, worker=worker).folder_warning()[0]
    worker.start()
    assert worker.state == "refused"
    with pytest.raises(Unavailable, match="gone: expected a model folder"):
        asyncio.run(worker.answer("ask", ["a"]))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["config.json", "model.safetensors"], "trained elsewhere or for a text task, gives no score of response"),
        (["adapter_config.json", "adapter_model.safetensors"], "predict --model BASE_DIR --adapter"),
        (["adapter_config.json", "score_head.pt"], "a fold of a run: `oncoraft export --run"),
        (["report.html"], "there is no model in it"),
    ],
)
def test_a_model_that_gives_no_score_of_response_is_told_what_it_is(
    served: tuple[str, Page], tmp_path: Path, names: list[str], said: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    worker = Worker("other", tmp_path, served[1].model(None).worker.settings, 1, 0)
    worker.start()
    assert (worker.state, worker.process) == ("refused", None)
    assert said in worker.reason


def test_the_name_of_the_score_head_is_that_of_the_models() -> None:
    assert SCORE_HEAD == HEAD_FILE


def test_a_process_that_cannot_load_says_why_and_is_not_started_for_ever(served: tuple[str, Page], tmp_path: Path) -> None:
    """Stood in for by a shell: what counts is what is said of its end."""
    for name in ("config.json", SCORE_HEAD):
        (tmp_path / name).touch()
    worker = Worker("stand-in", tmp_path, served[1].model(None).worker.settings, 1, 0)
    worker.command = ["sh", "-c", 'echo \'{"event": "refused", "key": 0, "message": "GPU memory ran out"}\'; exit 2']
    worker.start()
    until(lambda: worker.state == "refused")
    with pytest.raises(Unavailable, match="GPU memory ran out"):
        asyncio.run(worker.answer("ask", ["a"]))
    worker = Worker("stand-in", tmp_path, worker.settings, 1, 0)
    worker.command = ["sh", "-c", "exit 1"]
    worker.start()
    until(lambda: worker.state == "refused")
    assert "3 times in a row" in worker.reason


def test_memory_that_runs_out_is_one_line_and_the_others_go_on(home: Path) -> None:
    told: list[dict[str, Any]] = []
    settings = Inference(max_new_tokens=4)
    worker = Served(home / "model", settings, 0, lambda event, key, **more: told.append({"event": event, "key": key, **more}))
    begin = worker.writing.begin

    def runs_out(key: int, case: Any) -> float:
        if key == 2:
            raise torch.OutOfMemoryError("tried to allocate 20.00 GiB")
        return begin(key, case)

    worker.writing.begin = runs_out  # type: ignore[method-assign]
    for key in (1, 2, 3):
        worker.take({"what": "ask", "key": key, "prompts": ["Drugs: osimertinib"], "is_written": True})
    while worker.is_busy:
        worker.work()
    assert {one["key"]: one["event"] for one in told} == {1: "answer", 2: "failed", 3: "answer"}
    said = next(one for one in told if one["event"] == "failed")["message"]
    assert "GPU memory; it ran out" in said
    assert "lower inference.batch_tokens or inference.cache_tokens" in said


def test_what_is_kept_is_kept_where_it_was_asked_for(served: tuple[str, Page], tmp_path: Path) -> None:
    page = replace(served[1], keep=tmp_path)
    page.kept(Case("c", "a", "b", (), "", None), {"score": 0.5}, "model")
    (row,) = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert (row["prompt"], row["answer"]) == ("a\n\nb\n\nAnswer:\n", {"score": 0.5})
    assert (tmp_path / "answers.jsonl").stat().st_mode & 0o777 == 0o600
    (tmp_path / "none" / "answers.jsonl").mkdir(parents=True)
    with pytest.raises(Unavailable, match="could not be kept"):
        replace(page, keep=tmp_path / "none").kept(Case("c", "a", "b", (), "", None), {"score": 0.5}, "model")


def test_a_pasted_prompt_that_is_copied_is_the_same_case_in_the_terminal(client: httpx.Client, tmp_path: Path) -> None:
    for prompt in ("One line alone", "How likely?\n\nDrugs: osimertinib\n\n\nECOG 1 ", "  indented\nAnswer:"):
        copied = next(one for one in events(client, "/screen/ask", json={"prompt": prompt}) if one["event"] == "case")["file"]
        (tmp_path / "case.json").write_text(json.dumps(copied))
        (tmp_path / "case.txt").write_text(prompt)
        assert read_prompts(tmp_path / "case.json") == read_prompts(tmp_path / "case.txt")
        assert client.post("/api/score", json=copied).json()["score"] == client.post("/api/score", json={"prompt": prompt}).json()["score"]


def test_results_that_have_gone_cost_no_score(served: tuple[str, Page], home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "results", tmp_path / "results")
    model = served[1].model(None)
    assert model.standing is not None
    study = Study(tmp_path / "results", model.standing.study.guard)
    model = replace(model, standing=Standing(study, tmp_path / "results" / model.standing.fold.relative_to(home / "results")))
    case = Case("c", "a", "b", (), "osimertinib", "Non-Small Cell Lung Cancer")
    assert model.stands(case, 0.5)["scale"]["n"] == 150
    shutil.rmtree(tmp_path / "results")
    told = model.stands(case, 0.5)
    assert (told["scale"], told["curves"]) == (None, None)
    assert "can no longer be read" in told["warnings"][0]
