"""Few-shot prompts: balanced, the same for every order of the file, within the context."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.inference.examples import choose, encode_few_shot, few_shot_text, read_examples
from oncoraft.models.base import load_tokenizer
from tests.models.tiny_folds import rows, write_rows

FILE = Path("train.jsonl")


def test_examples_are_balanced_and_do_not_depend_on_the_order_of_the_file() -> None:
    given = rows(18)
    chosen = choose(given, 6, 1, FILE)
    assert [row["responder"] for row in chosen] == [True, False] * 3
    shuffled = random.Random(1).sample(given, len(given))
    assert choose(shuffled, 6, 1, FILE) == chosen
    assert choose(given, 4, 1, FILE) == chosen[:4]
    assert choose(given, 6, 2, FILE) != chosen


def test_where_one_class_runs_out_the_other_fills_up() -> None:
    given = [*(row for row in rows(18) if row["responder"]), rows(1)[0]]
    chosen = choose(given, 5, 1, FILE)
    assert sum(not row["responder"] for row in chosen) == 1
    assert len({row["case_id"] for row in chosen}) == 5


def test_the_text_holds_the_instruction_once_and_ends_where_the_answer_begins() -> None:
    one, two, asked = rows(3)
    text = few_shot_text(asked, [one, two])
    assert text.count(asked["instruction"]) == 1
    assert text.index(one["output"]) < text.index(two["output"]) < text.rindex(asked["input"])
    assert text.endswith(f"{asked['input']}\n\nAnswer:\n")
    assert few_shot_text(asked, []) == f"{asked['instruction']}\n\n{asked['input']}\n\nAnswer:\n"


def test_a_prompt_that_grows_too_long_loses_its_last_examples_counted(qwen3: Path) -> None:
    tokenizer = load_tokenizer(qwen3 / "base")
    examples, asked = rows(12)[:4], rows(20)[12:]
    whole, cut = encode_few_shot(asked, examples, tokenizer, 10_000)
    assert cut == 0
    longest = max(len(case.prompt) for case in whole) - 1
    shorter, cut = encode_few_shot(asked, examples, tokenizer, longest)
    assert cut == sum(len(case.prompt) > longest for case in whole) >= 1
    assert all(len(case.prompt) <= longest for case in shorter)
    with pytest.raises(InputError, match="expected at most 5 prompt tokens"):
        encode_few_shot(asked, examples, tokenizer, 5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (rows(2), "expected at least 4 solved cases of both classes"),
        ([row for row in rows(20) if row["responder"]], "13 responders and 0 non-responders"),
        ([*rows(5), rows(6)[5] | {"responder": None}], "line 6: expected a label"),
        ([*rows(5), rows(6)[5] | {"output": ""}], "line 6: expected a label"),
    ],
)
def test_what_cannot_serve_as_examples_is_refused(tmp_path: Path, given: list, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_examples(write_rows(tmp_path / "train.jsonl", given), 4, 1, [])
