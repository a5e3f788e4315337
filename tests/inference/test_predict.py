"""One case in, an answer out: every form of a case, both layouts, and one line for what cannot be answered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from oncoraft.foundation.errors import InputError
from oncoraft.inference import predict
from oncoraft.models import export
from oncoraft.models.fold_model import new_score_head
from oncoraft.planning.edge import run
from tests.models.tiny_folds import rows, write_rows
from tests.prompts.referring import refer

SETTINGS = json.dumps({"inference": {"max_new_tokens": 8, "temperature": 1.0}})


@pytest.fixture(scope="session")
def model(qwen3: Path) -> Path:
    out = qwen3 / "model"
    if not out.exists():
        assert export.main(["--run", str(qwen3 / "fold"), "--out", str(out)]) == 0
    return out


def answered(model: Path, case: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert predict.main(["--model", str(model), "--case", str(case), "--settings", SETTINGS, "--threads", "1", *more]) == 0
    return capsys.readouterr().out


def test_one_case_in_every_form_gets_the_same_score(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = rows(3)[2]
    prompt = f"{case['instruction']}\n\n{case['input']}"
    forms = {
        "case.json": json.dumps(case, indent=1),
        "short.json": json.dumps({"instruction": case["instruction"], "input": case["input"]}),
        "list.json": json.dumps([case]),
        "case.jsonl": json.dumps(case) + "\n\n",
        "no-suffix": json.dumps(case),
        "prompt.txt": prompt,
        "whole.txt": f"{prompt}\n\nAnswer:\n",
    }
    scores = set()
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        scores.add(json.loads(answered(model, tmp_path / name, capsys, "--json", "--score-only"))["score"])
    assert len(scores) == 1


def test_a_whole_prompt_in_an_object_is_the_prompt_of_a_text_file(tmp_path: Path) -> None:
    for text in ("Drugs: osimertinib", "  Drugs: osimertinib\nAnswer:"):
        (tmp_path / "case.txt").write_text(text)
        (tmp_path / "case.json").write_text(json.dumps({"case_id": "case", "prompt": text}))
        assert predict.read_prompts(tmp_path / "case.json") == predict.read_prompts(tmp_path / "case.txt")
    (tmp_path / "case.json").write_text('{"prompt": 3}')
    with pytest.raises(InputError, match="column prompt"):
        predict.read_prompts(tmp_path / "case.json")


@pytest.mark.parametrize("count", [1, 3])
def test_a_fold_s_file_that_refers_to_its_prompts_is_read_where_it_lies_and_a_line_of_it_elsewhere_is_not(
    tmp_path: Path, count: int
) -> None:
    file = write_rows(tmp_path / "heldout.jsonl", rows(count))
    prompts = predict.read_prompts(file)
    assert predict.read_prompts(refer(file)) == prompts
    (tmp_path / "elsewhere").mkdir()
    line = tmp_path / "elsewhere" / "case.jsonl"
    line.write_text(file.read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match=r"case\.jsonl, line 1, column prompts: expected the file of the prompts that the lines refer to"):
        predict.read_prompts(line)


def test_the_two_layouts_say_the_same(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_rows(tmp_path / "cases.jsonl", rows(3))
    found = [json.loads(line) for line in answered(model, file, capsys, "--json").splitlines()]
    assert [row["case_id"] for row in found] == ["c00", "c01", "c02"]
    report = answered(model, file, capsys)
    for row in found:
        assert f"Case: {row['case_id']}\n" in report
        assert f"Prediction Score: {row['score']:.4f}\n" in report
        assert row["rationale"].startswith(f"Score: {row['score']:.4f}\nReasoning:\n")
        assert row["rationale"] in report
        assert row["is_response"] == (row["score"] >= 0.5)
        assert row["finish_reason"] in {"stop", "length"}
    assert "Case:" not in answered(model, write_rows(tmp_path / "one.jsonl", rows(1)), capsys)
    silent = [json.loads(line) for line in answered(model, file, capsys, "--json", "--score-only").splitlines()]
    assert [row["score"] for row in silent] == pytest.approx([row["score"] for row in found], abs=1e-6)
    assert {row["rationale"] for row in silent} == {None}


def test_a_prompt_of_nearly_the_whole_context_is_scored_and_one_beyond_it_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from oncoraft.models.base import load_tokenizer

    length = len(load_tokenizer(model)("x" * 300 + "\n\nAnswer:\n")["input_ids"]) - 300
    file = tmp_path / "long.txt"
    file.write_text("x" * (511 - length))
    assert json.loads(answered(model, file, capsys, "--json", "--score-only"))["score"] > 0
    assert json.loads(answered(model, file, capsys, "--json"))["finish_reason"] == "length"  # room for one token
    file.write_text("x" * (512 - length))
    with pytest.raises(InputError, match="case long: expected a prompt of fewer than 512 tokens, the model's context, found 512"):
        answered(model, file, capsys)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("case.json", '{"instruction": "a"}', "case.json, column input: expected a text, found 'nothing'"),
        ("case.json", '{"instruction": 3, "input": "b"}', "column instruction: expected a text, found 'int'"),
        ("case.jsonl", '{"instruction": "a", "input": "b"}\n{"input": "b"}\n', "case.jsonl, line 2, column instruction: expected a text"),
        ("case.jsonl", '{"instruction": "a", "input": "b"}\n{"in', "case.jsonl, line 2: expected a JSON object"),
        ("case.json", "[1]", "expected a JSON object with `instruction` and `input`, found 'int'"),
        ("case.json", "  \n", "expected at least one case"),
        ("case.json", "How likely?", "case.json, line 1: expected a JSON object"),
    ],
)
def test_a_case_that_cannot_be_read_is_named(model: Path, tmp_path: Path, capsys: Any, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        answered(model, tmp_path / name, capsys)
    assert said in str(caught.value)


def test_a_missing_or_binary_file_is_named(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="expected a readable case file"):
        answered(model, tmp_path / "none.json", capsys)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        answered(model, tmp_path / "binary.json", capsys)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: torch.save(new_score_head(64).state_dict(), folder / "score_head.pt"), "for hidden size 32"),
        (lambda folder: (folder / "score_head.pt").unlink(), "expected score_head.pt in a model folder"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "expected a tokenizer"),
        (lambda folder: (folder / "config.json").write_text("[]"), "expected a text-only model"),
        (lambda folder: shutil.rmtree(folder), "expected a base-model folder"),
    ],
)
def test_a_spoilt_model_folder_is_status_2_and_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], said: str
) -> None:
    case = write_rows(tmp_path / "case.jsonl", rows(1))
    folder = shutil.copytree(model, tmp_path / "model")
    spoil(folder)
    capsys.readouterr()
    assert run(predict.main, ["--model", str(folder), "--case", str(case)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert said in printed.err
