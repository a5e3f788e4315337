"""Rows of a fold's JSONL files as token ids: prompt and answer tokenised apart, so that no token spans the border."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from oncoraft.answers import answer_token_ids, full_prompt, prompt_token_ids, shortened
from oncoraft.fold_files import read_fold_file
from oncoraft.foundation.errors import InputError
from oncoraft.models.tokens import StoredTokens

KEYS = ("instruction", "input", "output", "case_id", "patient_id")


@dataclass(frozen=True)
class Case:
    """One case ready for a model: ids of the prompt and of the answer (end of text included), and the label if known; of a text task
    whose head learns, which choice its answer is.

    Ids are tuples where the text was just tokenised and arrays where they lie in a mapped file.
    """

    case_id: str
    patient_id: str
    fold: int | None
    prompt: Sequence[int]
    answer: Sequence[int]
    responder: bool | None
    score: float | None
    choice: int | None = None

    @property
    def length(self) -> int:
        """Tokens of prompt and answer together."""
        return len(self.prompt) + len(self.answer)


def read_rows(path: Path, *, may_be_empty: bool = False) -> list[dict[str, Any]]:
    """Rows of a JSONL file in the published format, or of one that refers to its prompts.

    Raises:
        InputError: no such file, no row where one is needed, a line that is not JSON, lacks a key or holds something else than text under one;
            a prompt that is referred to is not there, or is another.
    """
    rows = read_fold_file(path, KEYS, texts=KEYS, expected="a JSONL file written by `oncoraft split`")
    if not rows and not may_be_empty:
        raise InputError("expected at least one case", file=path)
    return rows


def prompt_text(row: dict[str, Any]) -> str:
    """What the model reads, up to where its answer begins; the published concatenation."""
    return full_prompt(row["instruction"], row["input"])


def encode(
    rows: list[dict[str, Any]], tokenizer: Any, longest: int, max_answer_tokens: int | None = None, stored: StoredTokens | None = None
) -> list[Case]:
    """Token ids of every row; a prompt is never cut.

    Args:
        rows: from `read_rows`.
        tokenizer: of the base model; its end-of-text token closes every answer.
        longest: the model's context in tokens.
        max_answer_tokens: longer answers are cut before the end-of-text token; None: answers are not needed.
        stored: ids to use in place of the tokenizer.

    Raises:
        InputError: a prompt (with its answer) is longer than the model can read, or stored ids are of another text; the case is named.
    """
    names, texts, outputs = [row["case_id"] for row in rows], [prompt_text(row) for row in rows], [row["output"] for row in rows]
    prompts: Sequence[Any] = prompt_token_ids(tokenizer, texts) if stored is None else stored.prompts(names, texts)
    answers: Sequence[Any] = [()] * len(rows)
    if max_answer_tokens is not None:
        answers = answer_token_ids(tokenizer, outputs) if stored is None else stored.answers(names, outputs)
        answers = [ids if len(ids) <= max_answer_tokens else tuple(shortened(list(ids), max_answer_tokens)) for ids in answers]
    cases = []
    for row, prompt, answer in zip(rows, prompts, answers, strict=True):
        if len(prompt) + len(answer) > longest:
            parts = f"{len(prompt)} of prompt" + (f" and {len(answer)} of answer" if len(answer) else "")
            raise InputError(
                f"case {row['case_id']}: expected at most {longest} tokens, the model's context (prompts.token_budget,"
                f" training.max_answer_tokens), found {parts}"
            )
        # Arrays are views of the mapped file; tuples would copy them into memory.
        kept: list[Any] = [ids if isinstance(ids, np.ndarray) else tuple(ids) for ids in (prompt, answer)]
        cases.append(Case(row["case_id"], row["patient_id"], row.get("fold"), kept[0], kept[1], row.get("responder"), row.get("score")))
    return cases


def padded(cases: list[Case], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, (batch, longest), padded on the right so that positions are those of each case alone."""
    width = max(case.length for case in cases)
    ids = torch.full((len(cases), width), pad, dtype=torch.long)
    mask = torch.zeros((len(cases), width), dtype=torch.long)
    for row, case in enumerate(cases):
        ids[row, : case.length] = torch.tensor([*case.prompt, *case.answer])
        mask[row, : case.length] = 1
    return ids.to(device), mask.to(device)


def batches_by_length(cases: list[Case], tokens: int) -> Iterator[list[Case]]:
    """Batches of similar length whose padded size stays within `tokens`; every case once, the longest first."""
    batch: list[Case] = []
    # case_id settles ties: batches must not depend on the order of the file.
    for case in sorted(cases, key=lambda case: (-case.length, case.case_id)):
        if batch and (len(batch) + 1) * batch[0].length > tokens:
            yield batch
            batch = []
        batch.append(case)
    if batch:
        yield batch
