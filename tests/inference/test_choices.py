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
from tests.models.tiny_folds import rows, write_rows

ANSWERS = ["C34", "C34.3", "photon"]  # the first is a prefix of the second: the end of the text tells them apart
SETTINGS = json.dumps({"inference": {}, "strategy": {"language_model_weight": 0.0, "score_weight": 0.0}})


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train = [row | {"output": ANSWERS[number % 3]} for number, row in enumerate(rows(9))]
    held = [row | {"output": "", "case_id": f"h{number}"} for number, row in enumerate(rows(5))]
    return write_rows(tmp_path / "train.jsonl", train), write_rows(tmp_path / "heldout.jsonl", held)


def chosen(fold: Path, files: tuple[Path, Path], out: Path) -> list[dict[str, object]]:
    train, held = files
    words = [str(held), "--train", str(train), "--base", str(fold / "base"), "--out", str(out), "--threads", "1", "--settings", SETTINGS]
    assert choices.main(words) == 0
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


def test_more_answers_than_can_be_weighed_are_refused() -> None:
    with pytest.raises(InputError, match="expected free where there are more than 100 different answers, found 101"):
        choices.choices_of([{"output": str(number)} for number in range(101)], Path("train.jsonl"))


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
