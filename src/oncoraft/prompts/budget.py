"""The token budget: whole statements are left out, the lowest priority first and the oldest first among equals.

Instruction, drugs, cancer type, genetics and the answer marker are never left out. Exactly as many statements go as must:
how many is found by bisection over the fixed order of cutting, for all cases together, so that the tokenizer works in batches.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from oncoraft.answers import open_tokenizer, prompt_token_ids
from oncoraft.evidence.declaration import NEVER_CUT
from oncoraft.foundation.errors import InputError

CHARACTERS_PER_TOKEN = 3  # without a tokenizer; on the safe side for English clinical text (measured: above 4)
Count = Callable[[list[str]], list[int]]


class Statement(NamedTuple):
    """One row of evidence: `days` before the index date, or None."""

    section: str
    field: str
    value: str
    text: str
    priority: int
    days: int | None


@dataclass(frozen=True)
class Fitted:
    """A prompt within the budget: the patient's part, tokens of the full prompt, fields cut in the order of cutting."""

    text: str
    tokens: int
    cut: tuple[str, ...] = ()


class OverBudget(InputError):
    """What may never be cut of some cases is already too long.

    Attributes:
        needs: tokens that each of them needs at least, by case.
    """

    def __init__(self, needs: dict[str, int], budget: int) -> None:
        worst = max(needs, key=lambda case_id: (needs[case_id], case_id))
        super().__init__(
            f"{len(needs)} cases need more tokens than the budget for what is never cut (instruction, drugs, cancer type, genetics); "
            f"case {worst} needs {needs[worst]}: raise token_budget or lower alterations_shown, expected at least {needs[worst]}",
            column="token_budget",
            found=budget,
        )
        self.needs = needs


def estimated_tokens(texts: list[str]) -> list[int]:
    """Tokens where no tokenizer is given."""
    return [math.ceil(len(text) / CHARACTERS_PER_TOKEN) for text in texts]


def tokenizer_count(folder: Path) -> Count:
    """Counts by the tokenizer of a base model.

    Raises:
        InputError: the folder holds no tokenizer.
    """
    tokenizer = open_tokenizer(folder)
    return lambda texts: [len(ids) for ids in prompt_token_ids(tokenizer, texts)]


def cutting_order(statements: Sequence[Statement]) -> list[int]:
    """Positions of the statements that may be left out, in the order in which they go."""
    cuttable = [index for index, statement in enumerate(statements) if statement.priority < NEVER_CUT]
    # What has no date counts as of the index date; of equals the last in reading order goes first.
    return sorted(cuttable, key=lambda index: (statements[index].priority, -(statements[index].days or 0), -index))


def fit(
    cases: Mapping[str, Sequence[Statement]],
    budget: int,
    compose: Callable[[Sequence[Statement], frozenset[str]], str],
    count: Callable[[list[str]], list[int]],
) -> dict[str, Fitted]:
    """Cases whose prompts are too long, each with the fewest statements left out that bring it within the budget.

    Args:
        cases: case -> statements in reading order.
        budget: longest full prompt in tokens.
        compose: kept statements and wholly cut fields in, the patient's part of the prompt out.
        count: patient's parts in, tokens of the full prompts out.

    Raises:
        OverBudget: what may never be cut is already too long; says how many cases, and how much the worst one needs.
    """
    orders = {case_id: cutting_order(statements) for case_id, statements in cases.items()}

    def attempt(numbers: dict[str, int]) -> dict[str, Fitted]:
        texts, fields = [], []
        for case_id, number in numbers.items():
            statements, gone = cases[case_id], orders[case_id][:number]
            left = set(gone)
            kept = [statement for index, statement in enumerate(statements) if index not in left]
            cut = [statements[index].field for index in gone]
            texts.append(compose(kept, frozenset(cut) - {statement.field for statement in kept}))
            fields.append(tuple(cut))
        return {case_id: Fitted(text, tokens, cut) for case_id, text, tokens, cut in zip(numbers, texts, count(texts), fields)}

    best = attempt({case_id: len(order) for case_id, order in orders.items()})
    if hopeless := {case_id: found.tokens for case_id, found in best.items() if found.tokens > budget}:
        raise OverBudget(hopeless, budget)
    low, high = dict.fromkeys(orders, 0), {case_id: len(order) for case_id, order in orders.items()}
    while open_cases := {case_id: (low[case_id] + high[case_id]) // 2 for case_id in orders if high[case_id] - low[case_id] > 1}:
        for case_id, found in attempt(open_cases).items():
            if found.tokens <= budget:
                high[case_id], best[case_id] = open_cases[case_id], found
            else:
                low[case_id] = open_cases[case_id]
    return best


class Tally:
    """What is counted of prompts on their way to the file."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.lengths = array("q")
        self.cut = 0
        self.statements: Counter[str] = Counter()

    def counted(self, prompts: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The same prompts, counted."""
        for prompt in prompts:
            self.lengths.append(prompt["prompt_tokens"])
            self.cut += bool(prompt["cut"])
            self.statements.update(prompt["cut"])
            yield prompt

    def counts(self, counted_by: str) -> dict[str, Any]:
        """For the manifest."""
        return {
            "prompts": len(self.lengths),
            "cut": self.cut,
            "statements_cut": dict(sorted(self.statements.items())),
            "tokens_median": float(median(self.lengths)),
            "tokens_longest": max(self.lengths),
            "tokens_counted_by": counted_by,
        }
