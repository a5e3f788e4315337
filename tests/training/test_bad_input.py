"""Every way in which `oncoraft train` cannot begin ends with its status and one line that says what to mend, nothing written."""

import json
from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.models.base import load_tokenizer
from oncoraft.models.cases import encode
from oncoraft.models.tokens import StoredTokens
from oncoraft.planning.edge import run
from oncoraft.training import train
from tests.training.fold import command, rows, settings, write_fold_inputs


@pytest.fixture
def fold(tmp_path: Path) -> Path:
    write_fold_inputs(tmp_path)
    return tmp_path


def write(fold: Path, changed: list[dict]) -> None:
    (fold / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))


def no_label(fold: Path) -> None:
    write(fold, [row | ({"responder": None} if n == 3 else {}) for n, row in enumerate(rows(10))])


def one_class(fold: Path) -> None:
    write(fold, [row | {"responder": True} for row in rows(10)])


def long_prompt(fold: Path) -> None:
    write(fold, [row | ({"input": "liver " * 300} if n == 4 else {}) for n, row in enumerate(rows(10))])


def long_answer(fold: Path) -> None:
    write(fold, [row | ({"output": "liver " * 300} if n == 4 else {}) for n, row in enumerate(rows(10))])


def broken_line(fold: Path) -> None:
    with (fold / "train.jsonl").open("a") as stream:
        stream.write('{"instruction": \n')


def no_weights(fold: Path) -> None:
    (fold / "base" / "model.safetensors").unlink()


def cut_weights(fold: Path) -> None:
    (fold / "base" / "model.safetensors").write_bytes(b"\0" * 50)


def nothing(fold: Path) -> None:
    """The settings or the options are what is wrong."""


BAD = {
    "no label": (no_label, (), "train.jsonl, line 4: expected a label"),
    "one class": (one_class, (), "expected responders and non-responders; all 10 cases are of one class"),
    "prompt over the context": (long_prompt, (), "case c04: expected at most 256 tokens, the model's context (prompts.token_budget"),
    "answer over the context": (long_answer, (), "case c04: expected at most 256 tokens"),
    "not JSON": (broken_line, (), "train.jsonl, line 11: expected a JSON object"),
    "no weights": (no_weights, (), "base: expected weights (*.safetensors) in a base-model folder"),
    "cut weights": (cut_weights, (), "base: expected a causal language model"),
    "no tokens file": (nothing, ("--tokens", "none.arrow"), "none.arrow: expected an Arrow file written by `oncoraft tokens`"),
    "no base": (nothing, ("--base", "nowhere"), "nowhere: expected a base-model folder"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(name: str, fold: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, options, line = BAD[name]
    spoil(fold)
    assert run(train.main, command(fold, "out", settings(), *options)) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ")
    assert line in said[-1]
    assert sum("error" in text for text in said) == 1
    assert not (fold / "out").exists()
    assert not [file for file in fold.rglob("*.pt")]


def test_a_strategy_that_trains_nothing_is_not_trained(fold: Path) -> None:
    chosen = settings({"language_model_weight": 0, "score_weight": 0, "examples": 2})
    with pytest.raises(InputError, match="strategy: expected language_model_weight or score_weight above 0"):
        train.main(command(fold, "out", chosen))


def test_a_gpu_that_is_not_there_is_worth_a_retry(fold: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(train.main, command(fold, "out", settings(), "--gpus", "99")) == 75
    assert "error: 99 GPU" in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_end_of_a_prompt_is_never_cut_and_the_end_of_text_closes_a_shortened_answer(fold: Path) -> None:
    tokenizer = load_tokenizer(fold / "base")
    long = [row | {"input": "liver " * 100, "output": "matters " * 60} for row in rows(3)]
    for case in encode(long, tokenizer, 100_000, 8):
        assert tokenizer.decode(case.prompt[-3:]).replace(" ", "") == "Answer:\n"
        assert len(case.answer) == 8
        assert case.answer[-1] == tokenizer.eos_token_id
        assert tokenizer.eos_token_id not in case.answer[:-1]


def test_a_file_that_is_not_of_tokens_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokens.arrow").write_text("case_id,prompt_tokens\n")
    with pytest.raises(InputError, match="expected an Arrow file written by `oncoraft tokens`"):
        StoredTokens(tmp_path / "tokens.arrow")
