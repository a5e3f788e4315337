"""Choices are weighed as the model would write them: log-probabilities of whole answers, the same in any batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from oncoraft.answers import answer_token_ids, full_prompt, prompt_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.inference import choices, predict
from oncoraft.models.base import load_base, load_tokenizer
from oncoraft.training import train
from tests.models.tiny_folds import rows, write_rows

ANSWERS = ["C34", "C34.3", "photon"]  # the first is a prefix of the second: the end of the text tells them apart
SETTINGS = json.dumps({"inference": {}, "strategy": {"language_model_weight": 0.0, "score_weight": 0.0}})


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    known = [row | {"output": ANSWERS[number % 3]} for number, row in enumerate(rows(9))]
    held = [row | {"output": "", "case_id": f"h{number}"} for number, row in enumerate(rows(5))]
    return write_rows(tmp_path / "train.jsonl", known), write_rows(tmp_path / "heldout.jsonl", held)


def chosen(fold: Path, files: tuple[Path, Path], out: Path, *more: str, settings: str = SETTINGS) -> list[dict[str, object]]:
    known, held = files
    words = [str(held), "--train", str(known), "--base", str(fold / "base"), "--out", str(out), "--threads", "1", "--settings", settings]
    assert choices.main([*words, *more]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_the_likeliest_whole_answer_is_chosen_in_the_order_of_the_cases(qwen3: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    found = chosen(qwen3, files, tmp_path / "choices.jsonl")
    tokenizer, model = load_tokenizer(qwen3 / "base"), load_base(qwen3 / "base", torch.device("cpu")).eval()
    tokens = dict(zip(ANSWERS, answer_token_ids(tokenizer, ANSWERS)))
    for row, one in zip((json.loads(line) for line in files[1].read_text().splitlines()), found, strict=True):
        assert row["case_id"] == one["case_id"]
        (prompt,) = prompt_token_ids(tokenizer, [full_prompt(row["instruction"], row["input"])])
        weight = {}
        for answer, ids in tokens.items():
            with torch.inference_mode():
                logits = model(torch.tensor([[*prompt, *ids]])).logits[0].float().log_softmax(-1)
            weight[answer] = sum(float(logits[len(prompt) - 1 + place, token]) for place, token in enumerate(ids))
        best = max(weight, key=weight.__getitem__)
        assert one["answer"] == best
        probability = torch.tensor(list(weight.values())).softmax(0).max()
        assert one["probability"] == pytest.approx(float(probability), abs=1e-4)


def test_more_answers_than_can_be_weighed_need_a_trie(qwen3: Path, tmp_path: Path) -> None:
    many = write_rows(tmp_path / "train.jsonl", [row | {"output": f"C{number:03d}"} for number, row in enumerate(rows(101))])
    held = write_rows(tmp_path / "heldout.jsonl", [row | {"output": ""} for row in rows(4)])
    with pytest.raises(InputError, match=r"expected --trie \(tasks.choices: trie\) beyond 100 different answers, found 101"):
        chosen(qwen3, (many, held), tmp_path / "choices.jsonl")
    found = chosen(qwen3, (many, held), tmp_path / "choices.jsonl", "--trie")
    assert {str(row["answer"]) for row in found} <= {f"C{number:03d}" for number in range(101)}
    assert all(0 < float(str(row["probability"])) <= 1 for row in found)


@pytest.mark.parametrize("how", [(), ("--trie",)])
def test_a_case_that_brings_its_choices_is_answered_among_these(
    qwen3: Path, files: tuple[Path, Path], tmp_path: Path, how: tuple[str, ...]
) -> None:
    held = [row | {"output": "", "case_id": f"h{n}", "choices": ["electron", "proton"] if n else []} for n, row in enumerate(rows(5))]
    found = chosen(qwen3, (files[0], write_rows(tmp_path / "own.jsonl", held)), tmp_path / "choices.jsonl", *how)
    assert found[0]["answer"] in ANSWERS
    assert {row["answer"] for row in found[1:]} <= {"electron", "proton"}


@pytest.fixture
def raft(qwen3: Path, files: tuple[Path, Path], tmp_path: Path) -> Path:
    """A fold whose head over choices has learned which answer the place of a case in the file says."""
    settings = {"strategy": {"score_loss": "choices"}, "adapter": {"dropout": 0.0}}
    settings["training"] = {"epochs": 30, "global_batch_size": 9, "learning_rate": 1e-6, "score_head_learning_rate": 0.01}
    words = [str(files[0]), "--base", str(qwen3 / "base"), "--out", str(tmp_path / "fold"), "--state", str(tmp_path / "state")]
    assert train.main([*words, "--threads", "1", "--settings", json.dumps(settings)]) == 0
    return tmp_path / "fold"


def test_a_head_over_choices_learns_is_kept_and_speaks_beside_the_text(
    qwen3: Path, files: tuple[Path, Path], raft: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads((raft / "choices.json").read_text()) == ANSWERS
    assert not (raft / "score_head.pt").exists()
    log = [json.loads(line) for line in (raft / "training_log.jsonl").read_text().splitlines()]
    assert log[-1]["score_loss"] < 0.5 * log[0]["score_loss"]
    known = write_rows(tmp_path / "known.jsonl", [json.loads(line) for line in files[0].read_text().splitlines()])
    how = json.dumps({"inference": {}, "strategy": {"score_loss": "choices"}})
    found = chosen(qwen3, (files[0], known), tmp_path / "choices.jsonl", "--fold-model", str(raft), settings=how)
    assert [row["head_answer"] for row in found] == [ANSWERS[number % 3] for number in range(9)]
    other = write_rows(tmp_path / "other.jsonl", [row | {"output": "C61"} for row in rows(3)])
    with pytest.raises(InputError, match=r"choices\.json: expected the choices of this training file"):
        chosen(qwen3, (other, known), tmp_path / "choices.jsonl", "--fold-model", str(raft), settings=how)
    capsys.readouterr()
    words = ["--model", str(qwen3 / "base"), "--adapter", str(raft), "--case", str(known), "--json", "--threads", "1"]
    assert predict.main([*words, "--settings", json.dumps({"inference": {"max_new_tokens": 3}})]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["choice"] for row in told] == [row["head_answer"] for row in found]
    assert [row["probability"] for row in told] == pytest.approx([row["head_probability"] for row in found], abs=1e-5)


def test_answers_that_are_all_alike_are_nothing_for_a_head(qwen3: Path, tmp_path: Path) -> None:
    alike = write_rows(tmp_path / "train.jsonl", [row | {"output": "photon"} for row in rows(4)])
    words = [str(alike), "--base", str(qwen3 / "base"), "--out", str(tmp_path / "fold"), "--state", str(tmp_path / "state")]
    with pytest.raises(InputError, match="expected at least two different answers; all 4 cases have one"):
        train.main([*words, "--threads", "1", "--settings", json.dumps({"strategy": {"score_loss": "choices"}})])


def test_a_tasks_model_answers_in_text(qwen3: Path, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    settings = json.dumps({"inference": {"max_new_tokens": 4}})
    words = ["--model", str(qwen3 / "base"), "--adapter", str(qwen3 / "fold"), "--case", str(files[1]), "--json", "--settings", settings]
    capsys.readouterr()
    assert predict.main([*words, "--threads", "1"]) == 0
    first = capsys.readouterr().out
    assert predict.main([*words, "--threads", "1"]) == 0  # the likeliest text: again the same
    assert capsys.readouterr().out == first
    found = [json.loads(line) for line in first.splitlines()]
    assert [row["case_id"] for row in found] == [f"h{number}" for number in range(5)]
    assert all(set(row) == {"case_id", "answer", "finish_reason"} for row in found)
