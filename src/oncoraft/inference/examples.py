"""Few-shot prompts: solved training cases before the case that is asked about.

The examples are the same for every case of a fold, so that strategies differ in the model alone: chosen by a stable hash,
responders and non-responders in turn. A prompt that grows beyond the model's context loses its last examples, counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.answers import ANSWER_MARKER, prompt_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.stable import stable_fraction
from oncoraft.models.cases import Case, prompt_text, read_rows


def choose(rows: Sequence[dict[str, Any]], count: int, seed: int, path: Path) -> list[dict[str, Any]]:
    """`count` labelled cases, responders and non-responders in turn, ordered by the hash of seed and case.

    Raises:
        InputError: not that many, or one class only; a case without label or answer.
    """
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("responder"), bool) or not row["output"]:
            raise InputError("expected a label (`responder`) and an answer (`output`) of every example", file=path, line=number)
    ordered = sorted(rows, key=lambda row: (stable_fraction(seed, "example", row["case_id"]), row["case_id"]))
    classes = [[row for row in ordered if row["responder"] is wanted] for wanted in (True, False)]
    if len(ordered) < count or not all(classes):
        found = f"{len(classes[0])} responders and {len(classes[1])} non-responders"
        raise InputError(f"expected at least {count} solved cases of both classes for the examples", file=path, found=found)
    turns = [row for pair in zip(*classes) for row in pair]
    rest = max(classes, key=len)[len(turns) // 2 :]
    return (turns + rest)[:count]


def refuse_shared_patients(examples: Sequence[dict[str, Any]], held_out: Sequence[dict[str, Any]], path: Path) -> None:
    """A patient whose answer is shown must not be asked about.

    Raises:
        InputError: such a patient; the first is named.
    """
    if shared := {row["patient_id"] for row in examples} & {row["patient_id"] for row in held_out}:
        raise InputError(f"expected examples of other patients than the held-out ones; {min(shared)} is in both", file=path)


def few_shot_text(row: dict[str, Any], examples: Sequence[dict[str, Any]]) -> str:
    """The instruction once, then each example with its answer, then the case, up to where its answer begins."""
    solved = "".join(f"{example['input']}\n\n{ANSWER_MARKER}{example['output']}\n\n" for example in examples)
    return prompt_text(row | {"input": solved + row["input"]})


def encode_few_shot(
    rows: Sequence[dict[str, Any]], examples: Sequence[dict[str, Any]], tokenizer: Any, longest: int
) -> tuple[list[Case], int]:
    """Token ids of every prompt with as many examples as fit, and how many prompts lost some.

    Args:
        longest: tokens that a prompt may have, room for the answer already taken off.

    Raises:
        InputError: a prompt that is too long even without examples; the case is named.
    """
    cases, cut = [], 0
    for row in rows:
        for count in range(len(examples), -1, -1):
            (ids,) = prompt_token_ids(tokenizer, [few_shot_text(row, examples[:count])])
            if len(ids) <= longest:
                break
        else:
            raise InputError(f"case {row['case_id']}: expected at most {longest} prompt tokens, the model's context", found=len(ids))
        cut += count < len(examples)
        cases.append(Case(row["case_id"], row["patient_id"], row.get("fold"), tuple(ids), (), None, None))
    return cases, cut


def read_examples(path: Path | None, count: int, seed: int, held_out: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The examples of a fold; none for a strategy that shows none.

    Raises:
        InputError: a file without a strategy that wants examples, or the other way round; see `choose` and `refuse_shared_patients`.
    """
    if (path is None) != (count == 0):
        wanted = "none; this strategy shows no examples" if count == 0 else f"a training file to take {count} examples from"
        raise InputError(f"--examples: expected {wanted}", file=path)
    if path is None:
        return []
    found = choose(read_rows(path), count, seed, path)
    refuse_shared_patients(found, held_out, path)
    return found
